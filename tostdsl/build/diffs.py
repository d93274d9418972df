"""What changes from one recipe to another, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tostdsl import api
from tostdsl.build.frames import frame
from tostdsl.build.recipe import Recipe
from tostdsl.build.runs import Run
from tostdsl.compare.changes import KINDS, Change, changes
from tostdsl.compare.sides import side
from tostdsl.compare.verdicts import Verdict, verdicts
from tostdsl.plan.html import table
from tostdsl.plan.plan import Plan

Side: TypeAlias = Recipe | Plan | Run | str | Path
"""What may be compared: also the path of a recipe, a saved plan or a run, or `git:REV:path`."""


@dataclass(frozen=True, slots=True)
class Diff:
    """The changes that make one plan another, and what they mean for who has run the first."""

    a: Plan
    b: Plan
    changes: tuple[Change, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def same(self) -> bool:
        """Whether nothing changes at all."""
        return not self.changes

    @property
    def computes_the_same(self) -> bool:
        """Whether the two have one fingerprint: what changes are labels."""
        return self.a.fingerprint == self.b.fingerprint

    def to_frame(self) -> Any:
        """The changes as a pandas frame; `TostError` R830 without pandas."""
        return frame(dict(zip(_HEAD, _row(change), strict=True)) for change in self.changes)

    def __str__(self) -> str:
        if self.same:
            return "no changes"
        lines = [f"{path}: {_shown(old)} -> {_shown(new)}" for path, old, new, _ in self._rows()]
        said = [f"{each.question} {each.answer}: {each.why}" for each in self.verdicts]
        return "\n".join([*lines, "", *said])

    def _rows(self) -> list[tuple[str, str | None, str | None, str]]:
        return [_row(change) for change in self.changes]

    def _repr_html_(self) -> str:
        """The changes and the verdicts for a notebook."""
        if self.same:
            return table([("no changes",)], ("diff",))
        rows = [(path, _shown(old), _shown(new), kind) for path, old, new, kind in self._rows()]
        said = [(each.question, each.answer, each.why) for each in self.verdicts]
        return table(rows, _HEAD) + table(said, ("question", "answer", "why"))


_HEAD = ("path", "old", "new", "kind")


def _row(change: Change) -> tuple[str, str | None, str | None, str]:
    return change.path, change.old, change.new, KINDS[change.kind]


def _shown(value: str | None) -> str:
    return "(nothing)" if value is None else value


def diff(a: Side, b: Side) -> Diff:
    """What changes from `a` to `b`; `TostError` for a side that has no plan."""
    first, second = plan_of(a), plan_of(b)
    found = changes(first, second)
    programs = (api.program(first), api.program(second))
    return Diff(first, second, tuple(found), verdicts(first, second, found, programs))


def plan_of(given: Side) -> Plan:
    """The plan of whatever has one."""
    match given:
        case Plan():
            return given
        case Recipe():
            return given.plan()
        case Run():
            return given.plan
    return side(str(given)).plan
