"""What changes from one recipe to another, as a value."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

from tostdsl.build.frames import frame
from tostdsl.build.recipe import Recipe
from tostdsl.build.runs import Run
from tostdsl.compare import sides
from tostdsl.compare.changes import KINDS, Change
from tostdsl.compare.comparison import Comparison, comparisons
from tostdsl.compare.folders import of_run
from tostdsl.plan.html import table
from tostdsl.plan.plan import Plan

Side: TypeAlias = Recipe | Plan | Run | str | Path
"""What may be compared: also the path of a recipe, a saved plan or a run, or `git:REV:path`."""


class Diff(Comparison):
    """The `changes` that make one plan another, and `verdicts`: what they mean for its runs.

    `a` and `b` have the two plans. `same` tells whether these are equal, `differs` in what they
    differ at most, `summary` says it in a sentence, `unreal` why nothing of a side is a result. It
    is true where the plans differ, as in `if tostdsl.diff(a, b): ...`; where only texts do, it is
    false.
    """

    def __bool__(self) -> bool:
        return not self.same

    def to_frame(self) -> Any:
        """The changes as a pandas frame; `TostError` R830 without pandas."""
        return frame(dict(zip(_HEAD, _row(change), strict=True)) for change in self.changes)

    def __str__(self) -> str:
        lines = [self.summary, *self._noted(), *map(str, self.changes)]
        if not self.same or self.unreal:
            lines += [f"{each.question} {each.answer}: {each.why}" for each in self.verdicts]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The changes and the verdicts for a notebook."""
        said = table([(line,) for line in (self.summary, *self._noted())], ("difference",))
        if self.same and not self.unreal:
            return said
        rows = [(path, _shown(old), _shown(new), kind) for path, old, new, kind in self._rows()]
        verdicts = [(each.question, each.answer, each.why) for each in self.verdicts]
        shown = table(rows, _HEAD) if rows else ""
        return said + shown + table(verdicts, ("question", "answer", "why"))

    def _noted(self) -> list[str]:
        """Which run of a sweep a side is, and what is to be known of a run besides its plan."""
        found = []
        for mark, side in (("a", self.a), ("b", self.b)):
            run = [f"the run of {side.run_of}"] if side.values else []
            words = ", ".join([*run, *side.notes])
            found += [f"{mark} is {side.name}: {words}"] if words else []
        return found

    def _rows(self) -> list[tuple[str, str | None, str | None, str]]:
        return [_row(change) for change in self.changes]


_HEAD = ("path", "old", "new", "kind")


def _row(change: Change) -> tuple[str, str | None, str | None, str]:
    return change.path, change.old, change.new, KINDS[change.kind]


def _shown(value: str | None) -> str:
    return "(nothing)" if value is None else value


def diff(a: Side, b: Side) -> Diff:
    """What changes from `a` to `b`; of a sweep that run is taken which is nearest to the other.

    `TostError` for a side that is no plan, R803 where both are sweeps; `TypeError` for what is no
    side at all.
    """
    ours, theirs = _sides(a), _sides(b)
    if len(ours) > 1 and len(theirs) > 1:
        name = ours[0].together
        help = f"compare its plans one by one: `tost.plans({name!r})` gives each, with its values"
        raise sides.several(ours, help)
    found = comparisons(ours, theirs).pairs[0]
    return Diff(found.a, found.b)


def _sides(given: Side) -> tuple[sides.Side, ...]:
    match given:
        case Plan():
            return (sides.Side(given.name, given, named=None),)
        case Recipe():
            return (sides.Side(given.name, given.plan(), (given.text,)),)
        case Run():
            return (of_run(str(given.folder), given.folder, given.plan),)
        case str() | PathLike():
            return sides.sides(fspath(given))
    raise TypeError(
        "what is compared is a Recipe, a Plan, a Run, or the path of one as text or Path, "
        f"not {type(given).__name__}"
    )
