"""Up to where two programs do the same, and with which stages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise, zip_longest
from typing import Any, Literal, Self

from tostdsl.plan.masking import Acts, MaskMethod
from tostdsl.plan.plan import MaskPlan, Plan, StagePlan, canonical_text, stage_names
from tostdsl.plan.program import Curves, Phase, Program
from tostdsl.units import Clock, Ramp

MOST_STEPS = 1_000_000
"""Of a phase, for which learning rates are compared step by step; later ones count as others."""


@dataclass(frozen=True, slots=True)
class Place:
    """A moment between two steps of a program."""

    phase: int
    """The place of the phase in the program."""
    step: int
    """How many of its steps are done, as the phase counts."""


@dataclass(frozen=True, slots=True)
class Shared:
    """Up to where states of one plan's run are those of another's, too."""

    answer: Literal["yes", "partly", "no", "unknown"]
    why: str
    last: Place | None = None
    """The last place at which they are; only where that is neither all nor none of them."""
    until: str = ""
    """That place in words."""
    causes: tuple[str, ...] = ()
    """Where nothing is the same, the paths of the changes that are why."""

    def holds(self, phase: int, step: int | None) -> bool:
        """Whether a state is one of both: after so many steps of a phase, or None before it."""
        if self.answer == "yes" or self.last is None:
            return self.answer == "yes"
        if phase != self.last.phase:
            return phase < self.last.phase
        return step is None or step <= self.last.step


def parting(a: Program, b: Program) -> Place | None:
    """The last place at which the states of two programs are the same; None where all are.

    Both are of one network, data, seed and optimizer, and of masks that begin as one
    (`masks_begin_alike`). A state is all that a checkpoint has:
    what happens after so many steps (an epoch ends, a lottery keeps its weights) is part of the
    state after them, what a step does is part of the state after that step.
    """
    rates, acts = _Rates(a.plan, b.plan), _acts(a.plan.mask, b.plan.mask)
    for index, (x, y) in enumerate(zip_longest(a.phases, b.phases)):
        if x is None or y is None:
            last = x or y
            assert last is not None
            return Place(index, last.begin)
        if (x.kind, x.index, x.begin, x.prunes) != (y.kind, y.index, y.begin, y.prunes):
            return Place(index, x.begin)
        if x.prunes and x.kind == "train" and x.sparsity != y.sparsity:
            return Place(index, x.begin)
        step = _parting(rates, acts, x, y)
        if step is not None:
            return Place(index, step)
    return None


def masks_begin_alike(a: MaskPlan | None, b: MaskPlan | None) -> bool:
    """Whether two masks are of the same weights, and chosen alike before any of them changes."""
    if a is None or b is None:
        return a is b
    if (a.method.name, a.method.revision, a.targets) != (
        b.method.name,
        b.method.revision,
        b.targets,
    ):
        return False
    return _changed(a.method, b.method) <= a.method.later.keys() | a.method.unidentified()


def _changed(one: MaskMethod, other: MaskMethod) -> set[str]:
    """The arguments in which two calls of a method differ."""
    news = other.arguments()
    return {name for name, old in one.arguments().items() if old != news[name]}


def _acts(a: MaskPlan | None, b: MaskPlan | None) -> set[Acts]:
    """When that in which two masks differ has its part."""
    if a is None or b is None:
        return set()
    later = a.method.later
    return {later[name] for name in _changed(a.method, b.method) if name in later}


def _parting(rates: _Rates, acts: set[Acts], x: Phase, y: Phase) -> int | None:
    """The first step of two phases that is not the same; their common end where one goes on."""
    end = min(x.clock.total, y.clock.total)
    moved = (
        at
        for at in x.updates.keys() | y.updates.keys()
        if "update" in acts or x.updates.get(at) != y.updates.get(at)
    )
    kept = (at - 1 for at, what in x.events.items() if "rewind" in acts and "keep_rewind" in what)
    found = [
        rates.parting(x.begin, x.clock, y.clock),
        _events(x, y, end),
        min(moved, default=None),
        max(x.begin, min(kept, default=end)),
        _stages(_at_work(rates.a, x), _at_work(rates.b, y), x.begin, end),
    ]
    first = min((step for step in found if step is not None and step < end), default=None)
    if first is not None:
        return first
    same = (x.clock.total, x.sparsity) == (y.clock.total, y.sparsity)
    if x.kind == "round" and x.prunes and "prune" in acts:
        same = False
    return None if same else end


def _events(x: Phase, y: Phase, end: int) -> int | None:
    """The step that ends with something else happening: the state after it is another."""
    often = x.events.keys() | y.events.keys() | {end}
    other = (at for at in often if at <= end and x.occasions(at) != y.occasions(at))
    first = min(other, default=None)
    return None if first is None else max(x.begin, first - 1)


class _Rates:
    """The learning rates of two plans."""

    def __init__(self, a: Plan, b: Plan) -> None:
        self.a, self.b = a, b
        self._same = (a.optimizer.lr, a.schedule) == (b.optimizer.lr, b.schedule)
        self.parting = cache(self._parting)  # rounds that find a mask are of one length

    def _parting(self, begin: int, x: Clock, y: Clock) -> int | None:
        """The first step from one on at which they differ."""
        if self._same and x == y:
            return None
        old, new = self.a.schedule, self.b.schedule
        lr, other = self.a.optimizer.lr, self.b.optimizer.lr
        end = min(x.total, y.total)
        for step in range(begin, min(end, begin + MOST_STEPS)):
            if lr * old.scale(step, x) != other * new.scale(step, y):
                return step
        return None if end <= begin + MOST_STEPS else begin + MOST_STEPS


# -- stages


@dataclass(frozen=True, slots=True)
class _Work:
    """A stage over its steps of a phase."""

    key: str
    """All that it is, with the steps that its weight and ramps are reckoned from."""
    name: str
    """What it is but for what its curves tell step by step: its law and its ramps."""
    curves: Curves
    start: int
    stop: int

    leaving: str
    """What of it acts when it leaves."""
    shown: str
    """What screen and log call it."""
    index: int
    """Its place in the plan."""

    def does(self, step: int) -> Any:
        """What it does at a step, entering or leaving there; None where it is not at work."""
        if self.start <= step < self.stop:
            return self.name, self.curves.at(step), "enters" if step == self.start else ""
        if self.start < self.stop == step:
            return self.name, self.curves.at(step), f"leaves {self.leaving}"  # from that weight
        return (self.name, (), "enters") if self.start == self.stop == step else None

    def same(self, other: Self, until: int) -> bool:
        """Whether it is called the same and has done the same up to a step."""
        if (self.shown, self.name, self.start) != (other.shown, other.name, other.start):
            return False
        stops = [min(each.stop, until) for each in (self, other)]
        if self.key == other.key or stops[0] != stops[1]:
            return stops[0] == stops[1]
        if self.stop < until and self.does(self.stop) != other.does(self.stop):
            return False
        steps = range(self.start, stops[0])
        return all(self.curves.at(step) == other.curves.at(step) for step in steps)


def _at_work(plan: Plan, phase: Phase) -> Iterator[_Work]:
    """The plan's stages as they are at work in a phase."""
    method = plan.mask.method if plan.mask is not None else None
    if phase.kind == "round" and not (method is not None and method.stages_in_rounds()):
        return
    for index, (stage, shown) in enumerate(zip(plan.stages, stage_names(plan), strict=True)):
        curves = Curves.of(stage, phase.clock)
        content = stage.model_dump(mode="json")
        whole = [content["technique"], content["targets"], curves.start, curves.stop]
        start, stop = phase.window(stage.window)
        name, leaving = _names(stage, content)
        yield _Work(canonical_text(whole), name, curves, start, stop, leaving, shown, index)


def _names(stage: StagePlan, content: dict[str, Any]) -> tuple[str, str]:
    """What a stage is but for its law, its ramps and what acts when it leaves; and that."""
    arguments, leaving = stage.technique.arguments().items(), stage.technique.leaving
    moving = {name for name, value in arguments if name == "anneal" or isinstance(value, Ramp)}
    technique = content["technique"]
    args = technique["args"].items()
    kept = {name: value for name, value in args if name not in moving | leaving}
    last = {name: value for name, value in args if name in leaving}
    whole = [technique["name"], technique["revision"], kept, content["targets"]]
    return canonical_text(whole), canonical_text(last)


def _stages(a: Iterator[_Work], b: Iterator[_Work], begin: int, end: int) -> int | None:
    """The first step at which stages do something else; those that both have count for nothing."""
    old, new = list(a), list(b)
    both = Counter(each.key for each in old) & Counter(each.key for each in new)
    rest = [_without(old, Counter(both)), _without(new, Counter(both))]
    edges = [edge for works in rest for each in works for edge in (each.start, each.stop)]
    if not edges:
        return None
    for step in range(max(begin, min(edges)), min(end, max(edges) + 1)):
        one, other = ([d for each in works if (d := each.does(step))] for works in rest)
        if sorted(one) != sorted(other):
            return step
    return None


def _without(works: list[_Work], gone: Counter[str]) -> list[_Work]:
    kept = []
    for each in works:
        if gone[each.key]:
            gone[each.key] -= 1
        else:
            kept.append(each)
    return kept


def pairs(a: Program, b: Program, last: int, step: int | None) -> dict[int, int] | None:
    """The stages of `a` that came to work up to a place, each with the one of `b` that is the same.

    The place is after so many steps of a phase, or before it (None). The same is what did the same,
    in the same order and under the same name; None where not all of them have such a partner.
    """
    found: dict[int, int] = {}
    for index, (x, y) in enumerate(zip(a.phases[: last + 1], b.phases[: last + 1], strict=True)):
        until = x.clock.total + 1 if index < last else step
        if until is None:
            continue
        begun = [
            [each for each in _at_work(program.plan, phase) if each.start < until]
            for program, phase in ((a, x), (b, y))
        ]
        if len(begun[0]) != len(begun[1]):
            return None
        for one, other in zip(*begun, strict=True):
            if (
                not one.same(other, until)
                or found.setdefault(one.index, other.index) != other.index
            ):
                return None
    ordered = [found[index] for index in sorted(found)]
    return found if all(x < y for x, y in pairwise(ordered)) else None
