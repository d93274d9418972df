"""A run begins at a checkpoint of another run, as long as the plans have not parted there.

It ends with the bits of its plan run from scratch: what is taken over is a state that such a run
would have had, too, and the lines that it would have written up to there. The other run is only
read, without its lock, so that it may lie on a disk that is read-only or be still at work: each
file is believed by its digest, and one that is not there any more is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import torch

from tostdsl.diagnostics import TostError, diagnose
from tostdsl.engine import device as devices
from tostdsl.engine.checkpoint import FOLDER, Checkpoints, Skipped, Snapshot
from tostdsl.engine.execution import differences as differences_of
from tostdsl.engine.folder import LIVES, TRACE, RunFolder, default_path
from tostdsl.engine.manifest import MANIFEST, Entry, beginning_gap, digests, entry_of, gap
from tostdsl.engine.observer import Observer, Result
from tostdsl.engine.outcome import digest_of
from tostdsl.engine.provenance import is_text
from tostdsl.engine.record import FileEntry, Record
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
from tostdsl.engine.taken import Misfit, Taken, taken
from tostdsl.engine.verify.records import StoredEnvironment
from tostdsl.engine.watch import EVERY
from tostdsl.plan.code import refuse_code
from tostdsl.plan.differences import differences, few
from tostdsl.plan.marker import MARKER, METRICS, holds_run
from tostdsl.plan.parting import Shared
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import Program, lower, lowered

LINES = METRICS, TRACE
SHOWN = 4
"""How many checkpoints a message names."""
Compared = Callable[[Plan, Plan, tuple[Program | None, Program | None]], Shared]
"""Up to where states of the first plan are those of the second, given their programs if known."""
Told = Callable[[Plan, Plan], list[str]]
"""What changes from one plan to another, in words."""


@dataclass(frozen=True, slots=True)
class _Old:
    """The run that the new one begins in."""

    path: Path
    plan: Plan
    environment: StoredEnvironment

    def refuse(self, reason: str, found: Sequence[Skipped] = ()) -> NoReturn:
        """`TostError` R710, after an R707 for each checkpoint that cannot be used."""
        passed = [diagnose("R707", name=each.name, reason=each.reason) for each in found]
        raise TostError([*passed, diagnose("R710", path=self.path, reason=reason)])


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a run begins."""

    snapshot: Snapshot
    """The state, as the other run kept it, with the contents of its blobs."""
    taken: Taken
    name: str
    manifest: str
    """SHA-256 of the checkpoint's manifest."""
    files: Mapping[str, bytes]
    """What is taken over of the run's files; of those of lines what was written by then."""
    skipped: Sequence[Skipped]
    """Newer checkpoints that cannot be used."""


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
    old = _old(path)
    options = _alike(old, options)
    early = compared(old.plan, plan, (lowered(old.plan), lowered(plan)))
    if early.answer == "no":
        old.refuse(_apart(old.plan, plan, words))
    with options.execution.in_force():
        source = DataOptions(options.data_root, options.download, options.fake_data)
        made = Made.of(plan, source, device, smoke=options.smoke)
        every, traced = intervals(made, options)
        _refuse_other_start(old, made, traced)
        start = _Search(old, made, options.watch, traced, words).start(compared)
        folder = RunFolder(options.out or default_path(plan))
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
            snapshot = _kept(folder, kept, start, keep=every is not None)
            session = session_of(made, folder, observer, listening, every, options, traced, kept)
            return session.run(snapshot)


# -- what must be the same beside the plan


def _old(path: Path) -> _Old:
    if not holds_run(path):
        raise TostError.of("R710", path=path, reason="it holds no run")
    _, plan, environment = stored_of(path)
    old = _Old(path, plan, environment)
    if not Checkpoints(path).names():
        old.refuse("it holds no checkpoints")
    return old


def _alike(old: _Old, options: RunOptions) -> RunOptions:
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


def _refuse_other_start(old: _Old, made: Made, traced: int | None) -> None:
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


def _apart(old: Plan, new: Plan, words: Told) -> str:
    return f"the plans differ from the first step on: {few(words(old, new))}"


# -- where it begins


@dataclass(slots=True)
class _Search:
    """Looks for the newest checkpoint that is one of both runs."""

    old: _Old
    made: Made
    watch: int | None
    traced: int | None
    words: Told
    later: list[str] = field(default_factory=list)
    """Names of sound ones from after the plans part."""
    found: Taken | None = None

    def start(self, compared: Compared) -> _Start:
        """What the run begins with; `TostError` R710 where there is nothing."""
        old, plan = self.old, self.made.plan
        size = self.made.facts.train_size
        programs = (
            lower(old.plan, old.plan.data.steps_per_epoch(size)),
            lower(plan, plan.data.steps_per_epoch(size)),
        )
        shared = compared(old.plan, plan, programs)
        if shared.answer == "no":
            old.refuse(_apart(old.plan, plan, self.words))
        before = programs[0].rehearse() if self.made.program.rehearsal else programs[0]

        def unfit(record: Record) -> str:
            try:
                self.found = self._taken(record, before, shared)
            except Misfit as why:
                if why.later:
                    self.later.append(_name(record))
                return str(why)
            except (OSError, ValueError):
                return "a file that it counts on was changed while it was read"
            return ""

        checkpoints = Checkpoints(old.path)
        snapshot, skipped = checkpoints.newest(unfit)
        skipped = [each for each in skipped if each.name not in self.later]
        if snapshot is None or self.found is None:
            old.refuse(self._none(shared, skipped), skipped)
        name = snapshot.name
        try:
            blobs = {each: checkpoints.blobs.content(each) for each in snapshot.record.blobs}
            files = {each: self._content(each, entry) for each, entry in _files(snapshot.record)}
            manifest = digests(old.path / FOLDER / name, [MANIFEST])[MANIFEST]
        except (OSError, ValueError, KeyError):
            old.refuse(f"{name} was removed or changed while it was read; try again", skipped)
        return _Start(replace(snapshot, blobs=blobs), self.found, name, manifest, files, skipped)

    def _taken(self, record: Record, before: Program, shared: Shared) -> Taken:
        """What a checkpoint is to the new run; `Misfit` says why it is nothing."""
        old, plan = self.old, self.made.plan
        if record.plan != old.plan.fingerprint:
            raise Misfit("it is of another plan")
        found = taken(record, before, self.made.program, shared, self.watch)
        allow = [each.mask.method.allow for each in (old.plan, plan) if each.mask is not None]
        if record.masks is not None and allow == ["collapse", "nothing"]:
            raise Misfit("its mask was let pass by `allow=collapse`, which this recipe has not")
        for name, entry in _files(record):
            gone = (
                beginning_gap(old.path, name, entry)
                if name in LINES
                else gap(old.path, name, entry)
            )
            if gone:
                raise Misfit(gone if name in LINES else f"{name} {gone}")
        if self.traced is not None:
            files = dict(_files(record))
            rows = _rows(self._content(TRACE, files[TRACE])) if TRACE in files else []
            found.trace(rows, self.made.program, self.traced)
        return found

    def _content(self, name: str, entry: Entry) -> bytes:
        """A file as the checkpoint has it; `ValueError` where it is not."""
        content = Disk().read(self.old.path / name)[: entry.bytes]
        if entry_of(content) != entry:
            raise ValueError(name)
        return content

    def _none(self, shared: Shared, skipped: Sequence[Skipped]) -> str:
        if not self.later:
            return "none of its checkpoints can be used"
        names = sorted(self.later, key=lambda name: (len(name), name))
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        there = f"its checkpoints are of later on: {', '.join(names[:SHOWN])}{more}"
        rest = "; none of the earlier ones can be used" if skipped else ""
        return f"the plans are the same up to {shared.until}, {there}{rest}"


def _name(record: Record) -> str:
    return Snapshot(record, {}).name


def _files(record: Record) -> list[tuple[str, Entry]]:
    """The files that the new run has as they are there, at least in their beginning."""
    own = MARKER, ENVIRONMENT, LIVES
    return [
        (name, Entry(entry.bytes, entry.sha256))
        for name, entry in record.files.items()
        if name not in own and not is_text(name)
    ]


def _rows(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(each) for each in content.splitlines()]


# -- the new folder


def _take_over(
    folder: RunFolder, old: _Old, start: _Start, others: Sequence[str], device: torch.device
) -> None:
    """Write what the other run had written by then, and where this one begins."""
    for name, content in start.files.items():
        if name == TRACE:
            rows = start.taken.rows
        elif name == METRICS:
            rows = _rows(content)
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


def _tell(observer: Observer, old: _Old, start: _Start, others: Sequence[str]) -> None:
    for each in start.skipped:
        observer.message(line("R707", name=each.name, reason=each.reason))
    if others:
        observer.message(line("R708", what="; ".join(others)))
    done = start.taken.record.position.done
    observer.message(f"begins at step {done} of {old.path}'s run (plan {old.plan.short})")


def _kept(folder: RunFolder, kept: Checkpoints, start: _Start, *, keep: bool) -> Snapshot:
    """The state as one of the new run, kept in its folder at once, so that a kill loses nothing."""
    record = start.taken.record.model_copy(
        update={
            "plan": json.loads(folder.texts[MARKER])["fingerprint"],
            "files": {
                name: FileEntry(bytes=entry.bytes, sha256=entry.sha256)
                for name, entry in folder.entries.items()
            },
            "texts": folder.texts,
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
