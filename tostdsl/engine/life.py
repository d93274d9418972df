"""One life of a run in a process of its own, killed by a real SIGKILL where it is told to be."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tostdsl import registry
from tostdsl.diagnostics import TostError
from tostdsl.engine.resume import ResumeOptions, resume
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.stops import Stops
from tostdsl.engine.storage import Disk
from tostdsl.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class Death:
    """Where a life ends: after a step, or while a checkpoint is written from then on."""

    step: int
    """Of the whole program; 0 is as soon as the life begins."""
    call: int | None = None
    """The change to the disk that is not made any more, counted from 0 from that step on; of a file
    that it was to write, half is there. None dies right after the step."""

    def __str__(self) -> str:
        if self.call is None:
            return f"after step {self.step}"
        when = f"after step {self.step}" if self.step else "as it began"
        return f"in a write {when}"


@dataclass(frozen=True, slots=True)
class Orders:
    """What a life is to do; it goes to another process."""

    plan: dict[str, Any]
    """As JSON."""
    options: RunOptions
    going_on: bool
    """Whether the run in `options.out` is resumed; else it is begun."""
    death: Death | None = None


def live(orders: Orders, told: Connection) -> None:
    """Begin a run or go on with it, and tell how it ended: `None`, or the diagnostics."""
    killer = Killer(orders.death)
    stops, disk, options = Deadly(killer), Failing(killer), orders.options
    assert options.out is not None
    try:
        if orders.going_on:
            how = ResumeOptions(
                options.device, options.data_root, options.download, options.allow_code
            )
            resume(options.out, how, stops=stops, disk=disk)
        else:
            plan = Plan.from_json(orders.plan, registry.get)
            run(plan, options, stops=stops, disk=disk)
    except TostError as error:
        told.send(tuple(error.diagnostics))
    else:
        told.send(None)


class Killer:
    """Knows when it is time, and kills."""

    def __init__(self, death: Death | None) -> None:
        self._death = death
        self._armed = death is not None and death.step == 0
        self._calls = 0

    def stepped(self, done: int) -> None:
        """So many steps have run."""
        if self._death is not None and done >= self._death.step:
            if self._death.call is None:
                kill()
            self._armed = True

    def due(self) -> bool:
        """Whether the change to the disk that is about to be made is the one."""
        if not self._armed or self._death is None:
            return False
        self._calls += 1
        return self._calls - 1 == self._death.call


def kill() -> None:
    """End this process as `kill -9` does: nothing is flushed, nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


class Deadly(Stops):
    """Dies after a step."""

    def __init__(self, killer: Killer) -> None:
        super().__init__()
        self._killer = killer

    def stepped(self, done: int) -> None:
        self._killer.stepped(done)


class Failing(Disk):
    """Dies in the middle of what it does."""

    def __init__(self, killer: Killer) -> None:
        self._killer = killer

    def make(self, folder: Path) -> None:
        self._before()
        super().make(folder)

    def write(self, path: Path, content: bytes) -> None:
        if self._killer.due():
            super().write(path, content[: len(content) // 2])
            kill()
        super().write(path, content)

    def sync(self, path: Path) -> None:
        self._before()
        super().sync(path)

    def rename(self, old: Path, new: Path) -> None:
        self._before()
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        self._before()
        super().remove(path)

    def _before(self) -> None:
        if self._killer.due():
            kill()
