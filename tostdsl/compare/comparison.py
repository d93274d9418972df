"""One plan held against another: what changed, in what way, and what it means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tostdsl.compare.changes import KINDS, Change, changes
from tostdsl.compare.sides import Side, several
from tostdsl.compare.verdicts import Verdict, verdicts
from tostdsl.plan.program import Program, lowered

Differs = Literal["nothing", "layout", "labels", "computed"]


@dataclass(frozen=True)
class Comparison:
    """Two sides, and in what their plans differ."""

    a: Side
    b: Side

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The changes that make the first plan the second."""
        return tuple(changes(self.a.plan, self.b.plan))

    @property
    def same(self) -> bool:
        """Whether the plans are equal, labels included."""
        return not self.changes

    @property
    def differs(self) -> Differs:
        """In what they differ at most: nothing, the layout of texts, labels, what is computed."""
        if self.changes:
            labels = all(change.kind == "labels" for change in self.changes)
            return "labels" if labels else "computed"
        texts = self.a.texts, self.b.texts
        return "layout" if all(texts) and texts[0] != texts[1] else "nothing"

    @cached_property
    def programs(self) -> tuple[Program | None, Program | None]:
        """The plans' programs, None where only loading the data tells."""
        return lowered(self.a.plan), lowered(self.b.plan)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """What the changes mean for masks, checkpoints and comparisons of runs."""
        return verdicts(self.a.plan, self.b.plan, self.changes, self.programs)

    @property
    def summary(self) -> str:
        """What differs, in one sentence."""
        if self.differs == "nothing":
            return "no difference: the plans are the same"
        if self.differs == "layout":
            return "layout only: the texts differ, the plans are the same"
        often = Counter(change.kind for change in self.changes)
        parts = [f"{words} ({often[kind]})" for kind, words in KINDS.items() if often[kind]]
        if self.differs == "labels":
            return f"{parts[0]}: the same is computed"
        *most, last = parts
        return "they differ in " + (f"{', '.join(most)} and {last}" if most else last)

    @property
    def steps(self) -> tuple[int, int] | None:
        """How many steps each trains in all, where that is known and differs."""
        a, b = self.programs
        return (a.steps, b.steps) if a and b and a.steps != b.steps else None

    def __repr__(self) -> str:
        """In a line, for a prompt; the plans themselves are long."""
        return f"<{type(self).__name__} of {self.a.name} and {self.b.name}: {self.summary}>"

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs.

        `a` and `b` (name, recipe, fingerprint, of a run of a sweep its values), `same` (whether
        the plans are equal), `differs` (`nothing`, `layout`, `labels` or `computed`), `summary`,
        `changes` (path, old, new, kind, and place and value in the plan's JSON), `steps` (of a and
        of b, null where not known), `verdicts` (question, answer, why).
        """
        return {
            "a": self.a.to_json(),
            "b": self.b.to_json(),
            "same": self.same,
            "differs": self.differs,
            "summary": self.summary,
            "changes": [change.to_json() for change in self.changes],
            "steps": [program and program.steps for program in self.programs],
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
        }


def comparisons(a: Sequence[Side], b: Sequence[Side]) -> tuple[Comparison, ...]:
    """Side with side: one with one, or the runs of sweeps over the same values, each with its own.

    `TostError` R803 where they are not as many, or not over the same.
    """
    if len(a) == len(b) == 1:
        return (Comparison(a[0], b[0]),)
    theirs = {tuple(sorted(each.values.items())): each for each in b}
    mine = [tuple(sorted(each.values.items())) for each in a]
    if set(mine) != set(theirs) or len(mine) != len(theirs):
        raise several(tuple(a) if len(a) > 1 else tuple(b))
    return tuple(Comparison(each, theirs[key]) for each, key in zip(a, mine, strict=True))
