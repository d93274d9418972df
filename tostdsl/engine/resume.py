"""A run goes on from its newest checkpoint, to the bits it would have had without the stop.

Before anything is touched it is made sure that this is the same run: plan, files, data, code. What
cannot be made the same (another device, other versions) is said, and taken down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import torch

from tostdsl.diagnostics import TostError, diagnose
from tostdsl.engine import device as devices
from tostdsl.engine.checkpoint import Checkpoints, Skipped
from tostdsl.engine.execution import NAMES, Execution
from tostdsl.engine.execution import differences as differences_of
from tostdsl.engine.folder import TRACE, RunFolder
from tostdsl.engine.keeper import Every
from tostdsl.engine.lock import Lock
from tostdsl.engine.manifest import Entry, beginning_gap, entry_of, gap
from tostdsl.engine.observer import Observer, Result
from tostdsl.engine.outcome import digest_of
from tostdsl.engine.provenance import is_text
from tostdsl.engine.record import Record
from tostdsl.engine.run import ENVIRONMENT, Made, RunOptions, live, session_of, told
from tostdsl.engine.sound import unsound
from tostdsl.engine.start import DataOptions, sources_of
from tostdsl.engine.stops import Stops
from tostdsl.engine.storage import Disk
from tostdsl.engine.verify.plans import plan_of
from tostdsl.engine.verify.records import (
    StoredEnvironment,
    StoredOptions,
    StoredPlan,
    Unfit,
    read_record,
)
from tostdsl.plan.code import refuse_code
from tostdsl.plan.differences import differences, few
from tostdsl.plan.marker import MARKER, METRICS, PRINTED, RECIPE, end_of, holds_run, why_no_run
from tostdsl.plan.plan import Plan

RESULT, CERTIFICATE = "result.json", "certificate.json"
TEXTS = (RECIPE, PRINTED)
Told = Callable[[Plan, Plan], list[str]]
"""What changes from one plan to another, in words."""
Recompile = Callable[[Path, Mapping[str, str], int | None], Sequence[Plan]]
"""Plans of a recipe of a run folder, given its path, params and seed; `TostError` for mistakes."""


@dataclass(frozen=True, slots=True)
class ResumeOptions:
    """How to go on; nothing here changes the plan."""

    device: str | None = None
    """Where to compute; None for what the run began on."""
    data_root: Path | None = None
    download: bool = False
    allow_code: bool = False
    checkpoint: Every | Literal["none"] | None = None
    """How often to keep the state from here on, or not at all; None for as before."""
    execution: Mapping[str, bool] = field(default_factory=dict)
    """What of `Execution` is to be otherwise from here on."""


def resume(
    path: Path,
    options: ResumeOptions | None = None,
    observer: Observer | None = None,
    recompile: Recompile | None = None,
    edited: Sequence[Plan] | None = None,
    *,
    words: Told = differences,
    stops: Stops | None = None,
    disk: Disk | None = None,
) -> Result:
    """Go on with the run in a folder; `TostError` for whatever keeps it from that.

    `recompile` compiles the folder's recipes where they were edited; `edited` are plans of which
    one must mean the same as the run's; `words` tell what they change. `stops` and `disk` are as
    for `run`.
    """
    options, observer = options or ResumeOptions(), observer or Observer()
    if not holds_run(path):
        if Checkpoints(path).names():
            lost = [name for name in (MARKER, METRICS) if not (path / name).is_file()]
            raise TostError.of("R706", path=path / lost[0], reason="is missing")
        help = "give the folder that `tost run` wrote"
        raise TostError.of("R701", path=path, reason=why_no_run(path), help=help)
    _refuse_finished(path)
    lock = Lock(path)  # before anything is looked at that another process could still write
    try:
        _refuse_finished(path)  # by a process that held the lock until now
        if not Checkpoints(path).names():  # it may have ended before it wrote what is read next
            raise _refused(path)
        stored, plan, environment = stored_of(path)
        if edited is not None:
            _refuse_changed(plan, edited, words)
        refuse_code([plan], options.allow_code, data=not environment.data.fake)
        device = devices.choose(options.device or environment.device)
        Execution(**options.execution).refuse(device, plan.precision)
        before = {name: getattr(environment.options, name) for name in NAMES}
        execution = Execution(**{**before, **options.execution}).fitting(device)
    except BaseException:
        lock.release()
        raise
    with execution.in_force():
        begun = _Begun(path, stored, plan, environment, device, execution, lock)
        return _go_on(begun, options, observer, recompile, words, stops, disk or Disk())


@dataclass(frozen=True, slots=True)
class _Begun:
    """A run as it was begun, and how it goes on."""

    path: Path
    stored: StoredPlan
    plan: Plan
    environment: StoredEnvironment
    device: torch.device
    execution: Execution
    lock: Lock


def _go_on(
    begun: _Begun,
    options: ResumeOptions,
    observer: Observer,
    recompile: Recompile | None,
    words: Told,
    stops: Stops | None,
    disk: Disk,
) -> Result:
    path, plan, device, execution = begun.path, begun.plan, begun.device, begun.execution
    environment, lock = begun.environment, begun.lock
    said, fake = environment.options, environment.data.fake
    checkpoints = Checkpoints(path, said.keep, disk)
    source = DataOptions(options.data_root, options.download, fake)
    made_of = cache(partial(_made, begun, source))
    try:
        with suppress(OSError):  # what is left over may stay
            checkpoints.clear()
        snapshot, skipped = checkpoints.newest(partial(_misfit, begun, made_of))
        if snapshot is None:
            raise _refused(path, skipped)
        if snapshot.record.plan != plan.fingerprint:
            raise TostError.of("R702", reason="it is of another plan")
        files = {n: Entry(e.bytes, e.sha256) for n, e in snapshot.record.files.items()}
        files |= _edited(path, files, plan, begun.stored, recompile, words)
        made = made_of()
        folder = RunFolder(path, files, lock)
        try:
            _refuse_other_texts(snapshot.record)
            if snapshot.record.unreal not in (None, made.unreal):
                whole = snapshot.record.unreal or "a real run"
                raise TostError.of("R702", reason=f"it is of {whole}, the run it lies in is not")
            folder.go_on()
        except TostError:
            folder.shut()
            raise
    except BaseException:
        lock.release()
        raise
    listening = stops or Stops(observer.stopping)
    with listening, told(folder, device, observer, listening):
        done = snapshot.record.position.done
        others = others_of(environment, device)
        now = execution.described(plan, made.images, device)
        others += differences_of(environment.in_force, now)
        passed = [{"name": each.name, "reason": each.reason} for each in skipped]
        every = _every(options, said)
        changed = _changed(said, every, execution)
        live(
            folder, "resumed", done=done, device=str(device), passed=passed, others=others,
            options=changed,
        )  # fmt: skip
        folder.forget(RESULT, CERTIFICATE)  # of the life before
        observer.started(made.program, path, made.images.origin, str(device))
        for each in skipped:
            observer.message(line("R707", name=each.name, reason=each.reason))
        if others:
            observer.message(line("R708", what="; ".join(others)))
        observer.message(f"goes on from step {done} of {made.program.steps}")
        how = RunOptions(allow_ghosts=said.allow_ghosts, watch=said.watch, execution=execution)
        session = session_of(
            made, folder, observer, listening, every, how, environment.trace_every, checkpoints
        )
        return session.run(snapshot)


def _refuse_finished(path: Path) -> None:
    if end_of(path) == "finished":
        help = "run its recipe anew into another folder, or another recipe `--from` this run"
        raise TostError.of("R701", path=path, reason="the run in it has come to its end", help=help)


def _made(begun: _Begun, source: DataOptions) -> Made:
    """What the plan needs to run; R705 or R702 where data or code are not what it began with."""
    made = Made.of(begun.plan, source, begun.device, smoke=begun.environment.options.smoke)
    if digest_of(made.images) != begun.environment.data.sha256:
        raise TostError.of("R705", origin=made.images.origin)
    _refuse_other_code(begun.plan, begun.environment)
    return made


def _misfit(begun: _Begun, made_of: Callable[[], Made], record: Record) -> str:
    """Why a checkpoint does not go with the logs or with the program that the run has."""
    if (gap := _log_gap(begun.path, record)) or record.plan != begun.plan.fingerprint:
        return gap
    made = made_of()
    return unsound(record, made.program, made.images.facts)


def _log_gap(path: Path, record: Record) -> str:
    """Why the logs do not go with a checkpoint; an older one may need less of them."""
    grown = {name: entry for name, entry in record.files.items() if name in (METRICS, TRACE)}
    gaps = [beginning_gap(path, n, Entry(e.bytes, e.sha256)) for n, e in grown.items()]
    return next(filter(None, gaps), "")


def _every(options: ResumeOptions, said: StoredOptions) -> Every | None:
    if options.checkpoint is not None:
        return options.checkpoint if options.checkpoint != "none" else None
    return Every(said.checkpoint.value, said.checkpoint.unit) if said.checkpoint else None


def _changed(said: StoredOptions, every: Every | None, now: Execution) -> dict[str, Any]:
    """The options of environment.json that are otherwise from here on."""
    before = said.checkpoint.model_dump() if said.checkpoint else None
    after = asdict(every) if every is not None else None
    found: dict[str, Any] = {} if before == after else {"checkpoint": after}
    names = (name for name in NAMES if getattr(said, name) != getattr(now, name))
    return found | {name: getattr(now, name) for name in names}


def line(code: str, **values: Any) -> str:
    """A message that ends nothing, in one line."""
    found = diagnose(code, **values)
    return f"{found.severity}[{found.code}]: {found.message}"


def stored_of(path: Path) -> tuple[StoredPlan, Plan, StoredEnvironment]:
    """What a run folder says of its plan and of how it began; `TostError` R706 where it cannot."""
    name = MARKER
    try:
        stored = read_record(path / MARKER, StoredPlan)
        plan = plan_of(stored.plan)
        if plan.fingerprint != stored.fingerprint:
            raise Unfit("does not have the fingerprint that it says")
        name = ENVIRONMENT
        return stored, plan, read_record(path / ENVIRONMENT, StoredEnvironment)
    except Unfit as error:
        raise TostError.of("R706", path=path / name, reason=str(error)) from None


def _refused(path: Path, skipped: Sequence[Skipped] = ()) -> TostError:
    found = [diagnose("R707", name=each.name, reason=each.reason) for each in skipped]
    if not found:
        help = "nothing was kept before it stopped: remove the folder, or start anew in another"
        return TostError([diagnose("R704", path=path, reason="it has no checkpoint", help=help)])
    reason = "none of its checkpoints can be used"
    return TostError([*found, diagnose("R704", path=path, reason=reason)])


def _refuse_changed(plan: Plan, others: Sequence[Plan], words: Told) -> None:
    """R709 where no other means the same; a name, often the file's, and a title do not count."""
    called = {"name": plan.name, "title": plan.title}
    same = [other.model_copy(update=called) for other in others]
    if all(differences(plan, other) for other in same):
        found = [words(plan, other) for other in same]
        raise TostError.of("R709", changes=few(min(found, key=len)) if found else "it has no plan")


def _edited(
    path: Path,
    files: Mapping[str, Entry],
    plan: Plan,
    stored: StoredPlan,
    recompile: Recompile | None,
    words: Told,
) -> dict[str, Entry]:
    """The recipe's texts that were edited without a change of meaning, as they are now.

    `TostError` R709 where the meaning changed, R706 where there is none to be had.
    """
    texts = [name for name in files if is_text(name)]
    changed = [name for name in texts if gap(path, name, files[name])]
    for name in changed:
        if not (path / name).is_file():
            raise TostError.of("R706", path=path / name, reason=gap(path, name, files[name]))
    if not changed or recompile is None:
        return {}
    for name in (each for each in TEXTS if each in files):
        given = stored.given if name == TEXTS[0] else None
        plans = recompile(path / name, given.params if given else {}, given.seed if given else None)
        _refuse_changed(plan, plans, words)
    now = {}
    for name in changed:
        try:
            now[name] = entry_of((path / name).read_bytes())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise TostError.of("R706", path=path / name, reason=reason) from None
    return now


def _refuse_other_texts(record: Record) -> None:
    """The recipe in a checkpoint must be that of the run whose files it names."""
    if record.texts is not None:
        kept = {name: entry_of(text.encode()) for name, text in record.texts.items()}
        named = {
            name: Entry(entry.bytes, entry.sha256)
            for name, entry in record.files.items()
            if is_text(name) or name == MARKER
        }
        if kept != named:
            raise TostError.of("R702", reason="the recipe in it is not the one of the run")


def _refuse_other_code(plan: Plan, environment: StoredEnvironment) -> None:
    """The user's own functions must be those that the run began with."""
    now = sources_of(plan, data=not environment.data.fake)
    found = {each["function"]: each["sha256"] for each in now}
    for each in environment.code:
        if each.sha256 != found.get(each.function):
            raise TostError.of("R702", reason=other_code(each.function))


def other_code(function: str) -> str:
    """That the file of a function of the user's own was changed."""
    return f"the file of `{function}` is not the one that the run began with"


def others_of(environment: StoredEnvironment, device: torch.device) -> list[str]:
    """What is not as it was when the run began, so that bits may differ from here on."""
    now = devices.environment(device)
    names: dict[str, tuple[Any, Any]] = {
        name: (old, now["versions"].get(name)) for name, old in environment.versions.items()
    }
    names["device"] = environment.device, now["device"]
    names["device_name"] = environment.device_name, now["device_name"]
    names["threads"] = environment.threads, now["threads"]
    return [f"{name} was {old}, is {new}" for name, (old, new) in names.items() if old != new]
