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
from tostdsl.compare.comparison import Comparison
from tostdsl.plan.html import table
from tostdsl.plan.plan import Plan

Side: TypeAlias = Recipe | Plan | Run | str | Path
"""What may be compared: also the path of a recipe, a saved plan or a run, or `git:REV:path`."""


class Diff(Comparison):
    """The `changes` that make one plan another, and `verdicts`: what they mean for its runs.

    `a` and `b` have the two plans. `same` tells whether these are equal, `differs` in what they
    differ at most, `summary` says it in a sentence. It is true where the plans differ, as in
    `if tostdsl.diff(a, b): ...`; where only texts do, it is false.
    """

    def __bool__(self) -> bool:
        return not self.same

    def to_frame(self) -> Any:
        """The changes as a pandas frame; `TostError` R830 without pandas."""
        return frame(dict(zip(_HEAD, _row(change), strict=True)) for change in self.changes)

    def __str__(self) -> str:
        lines = [self.summary, *map(str, self.changes)]
        if not self.same:
            lines += [f"{each.question} {each.answer}: {each.why}" for each in self.verdicts]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """The changes and the verdicts for a notebook."""
        said = table([(self.summary,)], ("difference",))
        if self.same:
            return said
        rows = [(path, _shown(old), _shown(new), kind) for path, old, new, kind in self._rows()]
        verdicts = [(each.question, each.answer, each.why) for each in self.verdicts]
        return said + table(rows, _HEAD) + table(verdicts, ("question", "answer", "why"))

    def _rows(self) -> list[tuple[str, str | None, str | None, str]]:
        return [_row(change) for change in self.changes]


_HEAD = ("path", "old", "new", "kind")


def _row(change: Change) -> tuple[str, str | None, str | None, str]:
    return change.path, change.old, change.new, KINDS[change.kind]


def _shown(value: str | None) -> str:
    return "(nothing)" if value is None else value


def diff(a: Side, b: Side) -> Diff:
    """What changes from `a` to `b`; `TostError` for a side that is not one plan.

    `TypeError` for what is no side at all.
    """
    return Diff(_side(a), _side(b))


def _side(given: Side) -> sides.Side:
    match given:
        case Plan():
            return sides.Side(given.name, given)
        case Recipe():
            return sides.Side(given.name, given.plan(), (given.text,))
        case Run():
            return sides.Side(str(given.folder), given.plan)
        case str() | PathLike():
            return sides.side(fspath(given))
    raise TypeError(
        "what is compared is a Recipe, a Plan, a Run, or the path of one as text or Path, "
        f"not {type(given).__name__}"
    )
