"""Where in another run's folder a new one begins: the newest checkpoint that both would have."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from tostdsl.diagnostics import TostError, diagnose
from tostdsl.engine.checkpoint import Checkpoints, Skipped, Snapshot
from tostdsl.engine.folder import LIVES, TRACE
from tostdsl.engine.manifest import MANIFEST, Entry, beginning_gap, digests, entry_of, gap
from tostdsl.engine.provenance import is_text
from tostdsl.engine.record import Record
from tostdsl.engine.run import ENVIRONMENT, Made
from tostdsl.engine.sound import unsound
from tostdsl.engine.storage import Disk
from tostdsl.engine.taken import Misfit, Taken, taken
from tostdsl.engine.verify.records import StoredEnvironment
from tostdsl.plan.differences import few
from tostdsl.plan.marker import CHECKPOINTS, MARKER, METRICS
from tostdsl.plan.parting import Shared
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import Program, lower

LINES = METRICS, TRACE
SHOWN = 4
"""How many checkpoints a message names."""
Compared = Callable[[Plan, Plan, tuple[Program | None, Program | None]], Shared]
"""Up to where states of the first plan are those of the second, given their programs if known."""
Told = Callable[[Plan, Plan], list[str]]
"""What changes from one plan to another, in words."""


@dataclass(frozen=True, slots=True)
class Old:
    """The run that the new one begins in."""

    path: Path
    plan: Plan
    environment: StoredEnvironment

    def refuse(self, reason: str, found: Sequence[Skipped] = ()) -> NoReturn:
        """`TostError` R710, after an R707 for each checkpoint that cannot be used."""
        passed = [diagnose("R707", name=each.name, reason=each.reason) for each in found]
        raise TostError([*passed, diagnose("R710", path=self.path, reason=reason)])


@dataclass(frozen=True, slots=True)
class Start:
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


def apart(old: Plan, new: Plan, words: Told, causes: Sequence[str]) -> str:
    """That no step is the same, with those changes whose paths are why."""
    said = words(old, new)
    starts = tuple(f"{path}{end}" for path in causes for end in (":", " is "))
    why = [each for each in said if each.startswith(starts)]
    return f"the plans differ from the first step on: {few(why or said)}"


# -- where it begins


@dataclass(slots=True)
class Search:
    """Looks for the newest checkpoint that is one of both runs."""

    old: Old
    made: Made
    watch: int | None
    traced: int | None
    words: Told
    later: list[str] = field(default_factory=list)
    """Names of sound ones from after the plans part."""
    found: Taken | None = None

    def start(self, compared: Compared) -> Start:
        """What the run begins with; `TostError` R710 where there is nothing."""
        old, plan = self.old, self.made.plan
        size = self.made.facts.train_size
        programs = (
            lower(old.plan, old.plan.data.steps_per_epoch(size)),
            lower(plan, plan.data.steps_per_epoch(size)),
        )
        shared = compared(old.plan, plan, programs)
        if shared.answer == "no":
            old.refuse(apart(old.plan, plan, self.words, shared.causes))
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
            manifest = digests(old.path / CHECKPOINTS / name, [MANIFEST])[MANIFEST]
        except (OSError, ValueError, KeyError):
            old.refuse(f"{name} was removed or changed while it was read; try again", skipped)
        return Start(replace(snapshot, blobs=blobs), self.found, name, manifest, files, skipped)

    def _taken(self, record: Record, before: Program, shared: Shared) -> Taken:
        """What a checkpoint is to the new run; `Misfit` says why it is nothing."""
        old, plan = self.old, self.made.plan
        if record.plan != old.plan.fingerprint:
            raise Misfit("it is of another plan")
        if reason := unsound(record, before, self.made.images.facts):
            raise Misfit(reason)
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
            rows = rows_of(self._content(TRACE, files[TRACE])) if TRACE in files else []
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


def rows_of(content: bytes) -> list[dict[str, Any]]:
    """The rows of a file of lines."""
    return [json.loads(each) for each in content.splitlines()]
