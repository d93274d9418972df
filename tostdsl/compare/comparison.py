"""One plan held against another: what changed, in what way, and what it means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, Literal

from tostdsl.compare.changes import KINDS, Change, changes
from tostdsl.compare.side import BOTH, UNREAL, Side
from tostdsl.compare.verdicts import Verdict, verdicts
from tostdsl.diagnostics import TostError, diagnose
from tostdsl.plan.program import Program, lowered

Differs = Literal["nothing", "layout", "labels", "computed", "runs"]


@dataclass(frozen=True)
class Comparison:
    """Two sides, and in what their plans differ."""

    a: Side
    b: Side

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The changes that make the first plan the second, but for names that nobody gave."""
        found = changes(self.a.plan, self.b.plan)
        return tuple(each for each in found if each.place != ("name",) or self._named)

    @property
    def _named(self) -> bool:
        """Whether the plans' names are compared: where one of them was said."""
        return bool(self.a.named or self.b.named)

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
        found = verdicts(self.a.plan, self.b.plan, self.changes, self.programs)
        if not self.unreal:
            return found
        return tuple(replace(each, answer="no", why=self.unreal) for each in found)

    @property
    def unreal(self) -> str:
        """Why nothing of one or of both sides is a result, in words; empty for all others."""
        marks = (("a", self.a.unreal), ("b", self.b.unreal))
        told = [f"{mark} is {UNREAL.get(why, why)}" for mark, why in marks if why]
        if len(told) == 2:
            both = BOTH.get(str(self.a.unreal)) if self.a.unreal == self.b.unreal else None
            return f"neither is a result: {both or ' and '.join(told)}"
        return f"{told[0]}: nothing of it is a result" if told else ""

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

        `a` and `b` (name, recipe, fingerprint, of a run of a sweep its values, of a run folder
        `unreal`, why its figures mean nothing, and its `state`), `same` (whether the plans are
        equal), `differs` (`nothing`, `layout`, `labels` or `computed`), `summary`,
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


@dataclass(frozen=True)
class Compared:
    """All that is compared of two sides: plan with plan, or runs of sweeps each with its own."""

    a: str
    b: str
    pairs: tuple[Comparison, ...]
    gone: tuple[Side, ...] = ()
    """Runs that only the first has."""
    new: tuple[Side, ...] = ()
    """Runs that only the second has."""

    @property
    def same(self) -> bool:
        """Whether both stand for the same runs, and the plans of each are equal."""
        return not (self.gone or self.new) and all(each.same for each in self.pairs)

    @property
    def swept(self) -> bool:
        """Whether there is more than one plan on either side."""
        return len(self.pairs) + len(self.gone) + len(self.new) > 1

    def to_json(self) -> list[dict[str, Any]]:
        """A plain form of each for programs; `a` or `b` is null for a run that is only in one."""
        return [
            *(each.to_json() for each in self.pairs),
            *(_alone(each, "a") for each in self.gone),
            *(_alone(each, "b") for each in self.new),
        ]


def _alone(side: Side, mark: str) -> dict[str, Any]:
    """A run without a partner, in the form of a comparison."""
    program = lowered(side.plan)
    steps = program.steps if program is not None else None
    return {
        "a": side.to_json() if mark == "a" else None,
        "b": side.to_json() if mark == "b" else None,
        "same": False,
        "differs": "runs",
        "summary": f"only in {mark}: {side.run_of}",
        "changes": [],
        "steps": [steps, None] if mark == "a" else [None, steps],
        "verdicts": [],
    }


def comparisons(a: Sequence[Side], b: Sequence[Side]) -> Compared:
    """Side with side: one with one, or the runs of sweeps over the same names, each with its own.

    One plan is compared with that run of a sweep that is the same, or else has the fewest changes.
    `TostError` R803 where both have several, over other names.
    """
    names = a[0].together, b[0].together
    if len(a) == len(b) == 1:
        return Compared(*names, (Comparison(a[0], b[0]),))
    if set(a[0].values) == set(b[0].values) and a[0].values:
        return _by_values(a, b)
    if len(a) == 1:
        return Compared(*names, (Comparison(a[0], _nearest(a[0], b)),))
    if len(b) == 1:
        return Compared(*names, (Comparison(_nearest(b[0], a), b[0]),))
    raise _other_names(a, b)


def _by_values(a: Sequence[Side], b: Sequence[Side]) -> Compared:
    """Runs of the same plan with one another, or else of the same values."""
    found: dict[int, Side] = {}
    rest = dict(enumerate(b))
    alike: tuple[Callable[[Side], object], ...] = (_all, _fingerprint, _key)
    for key in alike:  # the same values may be spelled in two ways
        theirs = {key(each): j for j, each in reversed(rest.items())}
        for i, each in enumerate(a):
            if i not in found and key(each) in theirs:
                found[i] = rest.pop(theirs.pop(key(each)))
    pairs = tuple(Comparison(a[i], found[i]) for i in sorted(found))
    gone = tuple(each for i, each in enumerate(a) if i not in found)
    return Compared(a[0].together, b[0].together, pairs, gone, tuple(rest.values()))


def _all(side: Side) -> object:
    return _fingerprint(side), _key(side)


def _fingerprint(side: Side) -> str:
    return side.plan.fingerprint


def _key(side: Side) -> object:
    """The values as they are meant: `90%` is `90.0%`."""
    return frozenset((name, _meant(text)) for name, text in side.values.items())


def _meant(text: str) -> object:
    number, percent = text.removesuffix("%"), text.endswith("%")
    try:
        return Decimal(number), percent
    except InvalidOperation:
        return text


def _nearest(one: Side, among: Sequence[Side]) -> Side:
    """The side of the same plan, or else the first of those with the fewest changes."""

    def apart(other: Side) -> tuple[bool, int]:
        same = one.plan.fingerprint == other.plan.fingerprint
        return not same, len(changes(one.plan, other.plan))

    return min(among, key=apart)


def _other_names(a: Sequence[Side], b: Sequence[Side]) -> TostError:
    """The error that two sweeps are over other names: which of them only one side has."""
    told = []
    for these, others in ((a, b), (b, a)):
        alone = [name for name in these[0].values if name not in others[0].values]
        if alone:
            words = " and ".join(f"`sweep {name}`" for name in alone)
            told.append(f"{words} {'is' if len(alone) == 1 else 'are'} only in {these[0].together}")
    help = f"{', '.join(told)}: sweep both over the same names"
    if not (a[0].values and b[0].values):
        unknown = (b if a[0].values else a)[0]
        help = (
            f"which values the runs of {unknown.together} had is not known: name one of them, "
            f"such as `{unknown.name}`"
        )
    reason = f"and {b[0].together} for {len(b)} that have no partners among them"
    given, count = a[0].together, len(a)
    return TostError([diagnose("R803", given=given, count=count, reason=reason, help=help)])
