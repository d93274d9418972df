"""A plan to a run: what it needs is prepared, its folder claimed, its end told, whatever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import torch

from tostdsl.diagnostics import TostError, brief
from tostdsl.engine import device as devices
from tostdsl.engine.checkpoint import KEEP, Checkpoints
from tostdsl.engine.execution import NAMES, PLAIN, Execution, failure
from tostdsl.engine.feed import Feed
from tostdsl.engine.folder import LIVES, RunFolder, default_path
from tostdsl.engine.keeper import DEFAULT, Every
from tostdsl.engine.lives import sealed
from tostdsl.engine.observer import Observer, Result
from tostdsl.engine.outcome import digest_of
from tostdsl.engine.prepare import prepare
from tostdsl.engine.session import Session
from tostdsl.engine.start import DataOptions, images_of, sources_of
from tostdsl.engine.stops import Stop, StoppedRun, Stops
from tostdsl.engine.storage import Disk
from tostdsl.engine.watch import EVERY
from tostdsl.plan.bases import DataFacts, DataSet, Images
from tostdsl.plan.code import refuse_code
from tostdsl.plan.marker import end_of
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import Program, lower
from tostdsl.units import Percent

ENVIRONMENT = "environment.json"
REHEARSAL_IMAGES = 256
"""Images a split of a rehearsal's data."""
REHEARSAL_BATCH = 16
"""Batch of a rehearsal on a CPU, which a whole one would keep for minutes."""

TRACE_EVERY, TRACED = 50, 20
"""Steps from one traced step to the next where nobody says, and how many a run then has at least,
if it is that long."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run, as opposed to what: nothing here changes the plan."""

    out: Path | None = None
    device: str = "auto"
    data_root: Path | None = None
    download: bool = False
    fake_data: bool = False
    smoke: bool = False
    allow_ghosts: bool = False
    """Whether the certificate passes where a recipe leaves stages in the network."""
    trace_every: int | None = None
    """Look at gradients and dead units every so many steps (`engine.trace`); None for never, 0 for
    `TRACE_EVERY`, or fewer where a short run would not have `TRACED` looks."""
    allow_code: bool = False
    """Whether Python code that the plan names may be imported and called (`plan.code`)."""
    checkpoint: Every | None = DEFAULT
    """How often the run's state is kept, besides before each phase and at the end of training; None
    for never. A rehearsal keeps none at the default."""
    keep: int = KEEP
    """How many of the newest checkpoints stay, besides the best."""
    watch: int | None = EVERY
    """Look at what must hold (`engine.watch`) every so many steps and at the end of each segment;
    None for never."""
    execution: Execution = PLAIN
    """How the device computes."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a plan needs to run, whether from its start or from a checkpoint."""

    plan: Plan
    program: Program
    spec: DataSet
    """The data set as it is used: a rehearsal's is smaller."""
    images: Images
    facts: DataFacts
    """The whole set's."""
    device: torch.device
    unreal: str
    """Why the figures mean nothing, in words; empty for a real run."""

    @classmethod
    def of(cls, plan: Plan, source: DataOptions, device: torch.device, *, smoke: bool) -> Made:
        """Load the images, lay out the program, try what only the network can tell."""
        spec = _rehearsed(plan.data, device) if smoke else plan.data
        images = images_of(plan, source, REHEARSAL_IMAGES if smoke else None)
        facts = plan.data.facts() or images.facts  # a rehearsal loads a slice only
        program = lower(plan, plan.data.steps_per_epoch(facts.train_size))
        unreal = "a rehearsal" if smoke else "random images" if source.fake else ""
        _fits(plan, program, unreal)
        if smoke:
            program = program.rehearse()
        prepare(plan, images.facts, device, Feed(images, spec, device, plan.seed).drawn)
        return cls(plan, program, spec, images, facts, device, unreal)


def run(
    plan: Plan,
    options: RunOptions | None = None,
    observer: Observer | None = None,
    texts: Mapping[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
    *,
    stops: Stops | None = None,
    disk: Disk | None = None,
) -> Result:
    """Run a plan; `TostError` for whatever stops it. The folder says how far it came.

    `texts` are the recipe's, by the name that each gets in the run folder; `given` is what was set
    from outside of them (`RunFolder.write_recipe`). Others may stand in for what `stops` it, and
    for the `disk` that checkpoints are written to.
    """
    options, observer = options or RunOptions(), observer or Observer()
    refuse_code([plan], options.allow_code, data=not options.fake_data)
    device = devices.choose(options.device)
    options.execution.refuse(device, plan.precision)
    with options.execution.in_force():
        source = DataOptions(options.data_root, options.download, options.fake_data)
        made = Made.of(plan, source, device, smoke=options.smoke)
        folder = RunFolder(options.out or default_path(plan))
        kept = Checkpoints(folder.path, options.keep, disk or Disk())
        with (
            stops or Stops(observer.stopping) as listening,
            told(folder, device, observer, listening),
        ):
            folder.write_recipe(plan, texts or {}, given)
            return _run(made, options, observer, folder, listening, kept)


def _run(
    made: Made,
    options: RunOptions,
    observer: Observer,
    folder: RunFolder,
    stops: Stops,
    checkpoints: Checkpoints,
) -> Result:
    """Say in the folder what is about to run and how, and run it."""
    every, traced = intervals(made, options)
    folder.write_json(ENVIRONMENT, environment_of(made, options, every, traced))
    live(folder, "started", device=str(made.device))
    observer.started(made.program, folder.path, made.images.origin, str(made.device))
    session = session_of(made, folder, observer, stops, every, options, traced, checkpoints)
    return session.run()


def intervals(made: Made, options: RunOptions) -> tuple[Every | None, int | None]:
    """How often a run keeps its state, and from one traced step to the next; None for never."""
    every = None if options.smoke and options.checkpoint == DEFAULT else options.checkpoint
    return every, _every(options.trace_every, made.program)


def environment_of(
    made: Made, options: RunOptions, every: Every | None, traced: int | None
) -> dict[str, Any]:
    """The content of environment.json."""
    plan, device = made.plan, made.device
    data = {
        "origin": made.images.origin,
        "sha256": digest_of(made.images),
        "facts": asdict(made.facts),
        "fake": options.fake_data,
        "limit": REHEARSAL_IMAGES if options.smoke else None,
    }
    return {
        **devices.environment(device),
        "data": data,
        "code": sources_of(plan, data=not options.fake_data),
        "trace_every": traced,
        "options": {
            "smoke": options.smoke,
            "allow_ghosts": options.allow_ghosts,
            "checkpoint": asdict(every) if every is not None else None,
            "keep": options.keep,
            "watch": options.watch,
            **{name: getattr(options.execution, name) for name in NAMES},
        },
        "in_force": options.execution.described(plan, made.images, device),
    }


def session_of(
    made: Made,
    folder: RunFolder,
    observer: Observer,
    stops: Stops,
    every: Every | None,
    options: RunOptions,
    traced: int | None,
    checkpoints: Checkpoints,
) -> Session:
    """What trains, ready to begin."""
    return Session(
        made.plan,
        made.program,
        made.spec,
        made.images,
        made.device,
        observer,
        folder,
        made.unreal,
        checkpoints,
        every,
        stops,
        options.allow_ghosts,
        traced,
        options.watch,
        options.execution,
    )


def live(folder: RunFolder, kind: str, **more: Any) -> None:
    """A line of lives.jsonl."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = folder.lines(LIVES)
    lines.write(sealed({"kind": kind, "time": now, **more}, lines.entry.sha256))


@contextmanager
def told(
    folder: RunFolder, device: torch.device, observer: Observer, stops: Stops
) -> Iterator[None]:
    """However a run ends, its folder says how, and whoever waits is told."""
    folder.warned = observer.message
    try:
        yield
    except Stop as stop:
        _record(folder, "stopped" if stop.kept else "interrupted", f"{stop.name} was received")
        if stop.kept:
            raise StoppedRun.by(stop.name, "R308", folder.path) from None
        raise _interrupted(stop.name, folder) from None
    except torch.OutOfMemoryError as error:
        _record(folder, "failed", error)
        raise TostError.of("R303", device=device, fits="", write="") from None
    except KeyboardInterrupt as error:
        _record(folder, "interrupted", error)
        raise _interrupted("SIGINT", folder) from None
    except BaseException as error:
        found = error if isinstance(error, TostError) else failure(error, device)
        uncompiled = found is not None and found.diagnostics[0].code == "R331"
        if uncompiled and stops.asked is not None:  # the signal reached the compiler, too
            _record(folder, "interrupted", f"{stops.asked} was received")
            raise _interrupted(stops.asked, folder) from None
        _record(folder, "failed", error)
        if found is not None and found is not error:
            raise found from error
        raise
    finally:
        observer.finished()
        folder.close()


def _interrupted(signal: str, folder: RunFolder) -> StoppedRun:
    """R304, with what can be gone on from."""
    help: str | None = None
    if end_of(folder.path) == "finished":
        help = f"the run had come to its end by then: `tost verify {folder.path}` tells"
    else:
        with suppress(TostError):  # they may not be listed
            if Checkpoints(folder.path).names():
                help = f"go on from its last checkpoint with `tost resume {folder.path}`"
    return StoppedRun.by(signal, "R304", folder.path, help)


def _every(asked: int | None, program: Program) -> int | None:
    """Steps from one traced step to the next; None where none is."""
    if asked is None or program.rehearsal:
        return None if asked is None else 1
    return asked or max(1, min(TRACE_EVERY, program.steps // TRACED))


def _record(folder: RunFolder, state: str, error: BaseException | str) -> None:
    """Say in the folder how the run ended, if that can still be written and it does not say so."""
    if end_of(folder.path) == "finished":  # what failed came after its last file
        return
    with suppress(TostError):
        reason = brief(error) if isinstance(error, BaseException) else error
        reason = reason or "stopped from outside"
        live(folder, state, reason=reason)
        folder.write_json("result.json", {"state": state, "reason": reason})


def _rehearsed(spec: DataSet, device: torch.device) -> DataSet:
    batch = spec.batch if device.type == "cuda" else min(spec.batch, REHEARSAL_BATCH)
    few = {"batch": min(batch, REHEARSAL_IMAGES // 2), "use": Percent(Decimal(100))}
    half = Percent(Decimal(50))
    return spec.model_copy(update={**few, "validation": min(spec.validation, half)})


def _fits(plan: Plan, program: Program, unreal: str) -> None:
    """Windows whose unit only the data's size makes comparable with the training's length."""
    clock = program.phases[-1].clock
    if unreal and plan.data.facts() is None:
        return  # the size of the real set is not known
    begin = program.phases[-1].begin
    for stage in plan.stages:
        start, stop = clock.window(stage.window)
        if max(stop, start + 1) <= begin:
            raise TostError.of("T433", name=stage.technique.name, moment=f"step {begin}")
    windows = [stage.window for stage in plan.stages]
    if plan.mask is not None and plan.mask.method.moves:
        windows.append(plan.mask.window)
        if not program.phases[-1].updates:
            reason = f"the mask would never move in a training of {clock.total} steps"
            raise TostError.of("T504", name="every", reason=reason)
    for window in windows:
        start, stop = clock.window(window)
        if stop > clock.total or start > clock.total:
            raise TostError.of("T401", end=f"step {stop}", help=f"training ends at {clock.total}")
        if start >= stop and not window.instant:
            raise TostError.of("T402", start=f"step {start}", end=f"step {stop}")
