"""A run on trial: once unstopped, once killed again and again, and then both held together.

Every life has a process of its own, forked from a server that has loaded everything and has run
nothing: a process whose torch has threads at work cannot be forked.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.context import BaseContext
from pathlib import Path
from types import FrameType

from tostdsl.diagnostics import Diagnostic, TostError, diagnose
from tostdsl.engine.checkpoint import Checkpoints
from tostdsl.engine.keeper import Every
from tostdsl.engine.life import Death, Orders, live
from tostdsl.engine.run import RunOptions
from tostdsl.engine.stops import EXITS, StoppedRun
from tostdsl.engine.twins import differences
from tostdsl.plan.plan import Plan

KILLS = 5
REHEARSED = Every(3, "steps")
"""How often the state of a rehearsal is kept, so that a few steps are always lost."""
REHEARSAL = RunOptions(smoke=True, checkpoint=REHEARSED, device="cpu")
EPOCH = Every(1, "epochs")
"""How often that of a whole training is, where nobody says."""
CALLS = 8
"""Changes to the disk that the least checkpoint makes."""

LOADED = [
    "tostdsl.engine.life",
    "tostdsl.engine.outcome",
    "tostdsl.builtin",
    "torch._dynamo",
    "sklearn.datasets",
]
"""Modules that lives find loaded; the last two are what optimizers and small data load late, a
second each. One that is not there is passed over."""


@dataclass(frozen=True, slots=True)
class Kill:
    """A life that was ended."""

    death: Death
    kept: int | None
    """The step of the newest sound checkpoint that it left; None if it left none."""

    def __str__(self) -> str:
        if self.kept is None:
            return f"killed {self.death}: nothing was kept yet, begun anew"
        return f"killed {self.death}: resumed from step {self.kept}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial found."""

    kills: tuple[Kill, ...]
    differences: tuple[str, ...]
    """What the killed run has otherwise than the unstopped one; the first counts."""
    steps: int
    """Of the whole program."""


@dataclass(slots=True)
class Trial:
    """Runs a plan in `scratch`, into folders `unstopped` and `killed` that are not there yet."""

    plan: Plan
    scratch: Path
    options: RunOptions = REHEARSAL
    """How to run; its folder is not used."""
    kills: int = KILLS
    seed: int = 1
    """Draws where the kills land."""
    steps: tuple[int, ...] = ()
    """Kill after these steps instead; they count over the whole program."""
    say: Callable[[str], None] = lambda line: None
    """Hears a line a kill."""

    @property
    def unstopped(self) -> Path:
        """The folder of the run that nobody stops."""
        return self.scratch / "unstopped"

    @property
    def killed(self) -> Path:
        """The folder of the run that is killed."""
        return self.scratch / "killed"

    def run(self) -> Outcome:
        """Both runs and the comparison.

        Raises:
            TostError: the unstopped run failed, or a killed one could not go on (R721).

        """
        context = _context()
        if self._life(context, self.unstopped, going_on=False, death=None):
            raise TostError.of(
                "R721", what="the unstopped run", reason="it was killed from outside"
            )
        last = Checkpoints(self.unstopped).newest()[0]
        if last is None:
            raise TostError.of("R721", what="the unstopped run", reason="it kept no state")
        total, going_on = last.record.position.done, False
        done: list[Kill] = []
        for death in deaths(total, self.kills, self.seed) if not self.steps else self._asked(total):
            if not self._life(context, self.killed, going_on=going_on, death=death):
                return self._ended(done, total)
            snapshot, _ = Checkpoints(self.killed).newest()
            going_on = snapshot is not None
            if not going_on:  # a run that kept nothing has lost nothing
                shutil.rmtree(self.killed, ignore_errors=True)
            done.append(Kill(death, snapshot.record.position.done if snapshot else None))
            self.say(f"{len(done):>4}  {done[-1]}")
        if self._life(context, self.killed, going_on=going_on, death=None):
            raise TostError.of("R721", what="the last life", reason="it was killed from outside")
        return self._ended(done, total)

    def _asked(self, total: int) -> list[Death]:
        for step in self.steps:
            if not 1 <= step <= total:
                reason = f"there is no step {step}, the last is {total}"
                raise TostError.of("R721", what="a kill", reason=reason)
        return [Death(step) for step in sorted(self.steps)]

    def _ended(self, done: Sequence[Kill], total: int) -> Outcome:
        found = differences(self.unstopped, self.killed)
        return Outcome(tuple(done), tuple(found), total)

    def _life(
        self, context: BaseContext, folder: Path, *, going_on: bool, death: Death | None
    ) -> bool:
        """Live once; whether it was killed. `TostError` where it failed."""
        orders = Orders(self.plan.to_json(), replace(self.options, out=folder), going_on, death)
        hears, tells = context.Pipe(duplex=False)
        process = context.Process(target=live, args=(orders, tells))  # type: ignore[attr-defined]
        process.start()
        tells.close()
        said: Sequence[Diagnostic] | None = None
        try:
            said = hears.recv()
            silent = False
        except EOFError:
            silent = True
        except BaseException:  # nobody waits for it any more
            process.kill()
            raise
        finally:
            process.join()
            hears.close()
        if process.exitcode == -signal.SIGKILL:
            return True
        if silent:
            reason = f"its process ended with {process.exitcode}"
            raise TostError.of("R721", what=_which(going_on), reason=reason)
        if said is not None:
            if not going_on:
                raise TostError(said)
            first = TostError.of("R721", what=_which(going_on), reason=said[-1].message)
            raise TostError([*said, *first.diagnostics])
        return False


def _which(going_on: bool) -> str:
    return "a resumed run" if going_on else "a run"


@contextmanager
def listening() -> Iterator[None]:
    """SIGTERM and SIGUSR1 end what is under way by `StoppedRun` R721, so that all is tidied up.

    Only the first does; Ctrl-C is as ever. In the main thread only, where signals arrive.
    """
    heard: list[int] = []

    def hear(number: int, _frame: FrameType | None) -> None:
        if heard:
            return
        heard.append(number)
        name = signal.Signals(number).name
        stopped = StoppedRun([diagnose("R721", what="the trial", reason=f"{name} was received")])
        stopped.status = EXITS[name]
        raise stopped

    names = ("SIGTERM", "SIGUSR1") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, hear) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(TypeError):  # of a handler that was not set from Python
                signal.signal(number, handler)


def deaths(total: int, kills: int, seed: int) -> list[Death]:
    """Where so many lives end in a program of `total` steps: earlier ones first.

    Half die right after a step, the others while a checkpoint is written, some of those as
    soon as they change the disk at all: what the life before left is cleared away first.
    """
    draw = random.Random(seed)
    steps = sorted(draw.randint(1, total) for _ in range(kills))
    found = []
    for step in steps:
        kind = draw.random()
        if kind < 0.5:
            found.append(Death(step))
        else:
            found.append(Death(0 if kind > 0.9 else step, draw.randrange(CALLS)))
    return found


def _context() -> BaseContext:
    """How lives are made: forked from a server with everything loaded, where there are forks."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context
