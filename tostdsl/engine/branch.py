"""A run begins at a checkpoint of another run, as long as the plans have not parted there.

It ends with the bits of its plan run from scratch: what is taken over is a state that such a run
would have had, too, and the lines that it would have written up to there. The other run is only
read, without its lock, so that it may lie on a disk that is read-only or be still at work: each
file is believed by its digest, and one that is not there any more is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tostdsl.diagnostics import TostError
from tostdsl.engine import device as devices
from tostdsl.engine.checkpoint import Checkpoints, Snapshot
from tostdsl.engine.chosen import Compared, Old, Search, Start, Told, apart, rows_of
from tostdsl.engine.execution import differences as differences_of
from tostdsl.engine.folder import TRACE, RunFolder, default_path
from tostdsl.engine.observer import Observer, Result
from tostdsl.engine.outcome import digest_of
from tostdsl.engine.record import FileEntry
from tostdsl.engine.resume import line, other_code, others_of, stored_of
from tostdsl.engine.run import (
    ENVIRONMENT,
    Made,
    RunOptions,
    environment_of,
    intervals,
    live,
    session_of,
    told,
)
from tostdsl.engine.start import DataOptions, sources_of
from tostdsl.engine.stops import Stops
from tostdsl.engine.storage import Disk
from tostdsl.engine.watch import EVERY
from tostdsl.plan.code import refuse_code
from tostdsl.plan.differences import differences
from tostdsl.plan.marker import MARKER, METRICS, holds_run, why_no_run
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import lowered


def branch(
    plan: Plan,
    path: Path,
    options: RunOptions | None = None,
    observer: Observer | None = None,
    texts: Mapping[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
    *,
    compared: Compared,
    words: Told = differences,
    stops: Stops | None = None,
    disk: Disk | None = None,
) -> Result:
    """Run a plan from the newest checkpoint in the folder of a run that is one of the plan's, too.

    `compared` tells up to where that is so, `words` what changes. The run is looked at as often as
    the other was, and traced as it was. All else is as for `run`.

    Raises:
        TostError: R710 where no checkpoint there is one of the plan's, nothing is written then;
            else as for `run`.

    """
    options, observer = options or RunOptions(), observer or Observer()
    refuse_code([plan], options.allow_code, data=not options.fake_data)
    device = devices.choose(options.device)
    options.execution.refuse(device, plan.precision)
    old = refuse_apart(plan, path, compared, words)
    options = _alike(old, options)
    if path.resolve() in (options.out or default_path(plan)).resolve().parents:
        old.refuse("the new run's folder would lie in it")
    with options.execution.in_force():
        source = DataOptions(options.data_root, options.download, options.fake_data)
        made = Made.of(plan, source, device, smoke=options.smoke)
        every, traced = intervals(made, options)
        _refuse_other_start(old, made, traced)
        start = Search(old, made, options.watch, traced, words).start(compared)
        folder = RunFolder(options.out or default_path(plan))  # another may have taken a name
        kept = Checkpoints(folder.path, options.keep, disk or Disk())
        listening = stops or Stops(observer.stopping)
        with listening, told(folder, device, observer, listening):
            folder.write_recipe(plan, texts or {}, given)
            environment = environment_of(made, options, every, traced)
            folder.write_json(ENVIRONMENT, environment)
            others = others_of(old.environment, device)
            others += differences_of(old.environment.in_force, environment["in_force"])
            _take_over(folder, old, start, others, device)
            observer.started(made.program, folder.path, made.images.origin, str(device))
            _tell(observer, old, start, others)
            snapshot = _kept(folder, kept, start, made.unreal, keep=every is not None)
            session = session_of(made, folder, observer, listening, every, options, traced, kept)
            return session.run(snapshot)


def refuse_apart(plan: Plan, path: Path, compared: Compared, words: Told = differences) -> Old:
    """The run in a folder; `TostError` R710 where its plan differs from the first step on.

    Where only loading the data tells, that is not known yet.
    """
    old = _old(path)
    early = compared(old.plan, plan, (lowered(old.plan), lowered(plan)))
    if early.answer == "no":
        old.refuse(apart(old.plan, plan, words, early.causes))
    return old


# -- what must be the same beside the plan


def _old(path: Path) -> Old:
    if not holds_run(path):
        help = "give the folder that `tost run` wrote"
        raise TostError.of("R710", path=path, reason=why_no_run(path), help=help)
    _, plan, environment = stored_of(path)
    old = Old(path, plan, environment)
    if not Checkpoints(path).names():
        old.refuse("it holds no checkpoints")
    return old


def _alike(old: Old, options: RunOptions) -> RunOptions:
    """The options with what must be as the other run has it; R710 where another was asked for."""
    said, there = old.environment.options, old.environment
    if said.smoke != options.smoke:
        old.refuse("it is a rehearsal" if said.smoke else "it is none, this is a rehearsal")
    if there.data.fake != options.fake_data:
        images = "is of random images, this one is not", "is not of random images, this one is"
        old.refuse(f"it {images[0] if there.data.fake else images[1]}")
    if options.watch not in (EVERY, said.watch):
        how = "never" if said.watch is None else f"every {said.watch} steps"
        old.refuse(f"it was looked at {how}, and so must this one be: leave out `--paranoid`")
    if options.trace_every is not None and there.trace_every is None:
        old.refuse("it was not traced, this one is to be")
    traced = there.trace_every if options.trace_every is None else options.trace_every
    return replace(options, watch=said.watch, trace_every=traced)


def _refuse_other_start(old: Old, made: Made, traced: int | None) -> None:
    there = old.environment
    if digest_of(made.images) != there.data.sha256:
        old.refuse(f"it is of other data than {made.images.origin} (other SHA-256)")
    now = {
        each["function"]: each["sha256"] for each in sources_of(made.plan, data=not there.data.fake)
    }
    for each in there.code:
        if each.function in now and each.sha256 != now[each.function]:
            old.refuse(other_code(each.function))
    if traced != there.trace_every:
        old.refuse(f"it was traced every {there.trace_every} steps, and so must this one be")


# -- the new folder


def _take_over(
    folder: RunFolder, old: Old, start: Start, others: Sequence[str], device: torch.device
) -> None:
    """Write what the other run had written by then, and where this one begins."""
    for name, content in start.files.items():
        if name == TRACE:
            rows = start.taken.rows
        elif name == METRICS:
            rows = rows_of(content)
        else:
            folder.write_text(name, content.decode())
            continue
        lines = folder.lines(name)
        for row in rows:
            lines.write(row)
    begun = {
        "run": str(old.path),
        "plan": old.plan.fingerprint,
        "checkpoint": start.name,
        "done": start.taken.record.position.done,
        "manifest": start.manifest,
        "passed": [{"name": each.name, "reason": each.reason} for each in start.skipped],
        "others": list(others),
    }
    live(folder, "started", device=str(device), begun=begun)


def _tell(observer: Observer, old: Old, start: Start, others: Sequence[str]) -> None:
    for each in start.skipped:
        observer.message(line("R707", name=each.name, reason=each.reason))
    if others:
        observer.message(line("R708", what="; ".join(others)))
    done = start.taken.record.position.done
    observer.message(f"begins at step {done} of {old.path}'s run (plan {old.plan.short})")


def _kept(
    folder: RunFolder, kept: Checkpoints, start: Start, unreal: str, *, keep: bool
) -> Snapshot:
    """The state as one of the new run, kept in its folder at once, so that a kill loses nothing."""
    record = start.taken.record.model_copy(
        update={
            "plan": json.loads(folder.texts[MARKER])["fingerprint"],
            "files": {
                name: FileEntry(bytes=entry.bytes, sha256=entry.sha256)
                for name, entry in folder.entries.items()
            },
            "texts": folder.texts,
            "unreal": unreal,
        }
    )
    tensors = {start.taken.renamed(name): each for name, each in start.snapshot.tensors.items()}
    snapshot = Snapshot(record, tensors, start.snapshot.blobs)
    try:
        folder.sync()
        if keep:
            kept.write(snapshot)
        else:  # what it goes back to is still read from there
            for digest, content in snapshot.blobs.items():
                kept.blobs.put(digest, content)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TostError.of("R205", path=kept.root, reason=reason) from None
    return snapshot
