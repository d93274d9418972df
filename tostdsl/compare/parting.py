"""The first step at which two programs do something else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Any

from tostdsl.plan.plan import Plan, StagePlan, canonical_text
from tostdsl.plan.program import Curves, Phase, Program
from tostdsl.units import Clock, Ramp


def parting(a: Program, b: Program) -> tuple[Phase | None, int]:
    """The first phase and step at which two programs do something else; None where none is.

    Both are of one network, data, seed, mask and optimizer; the step is the phase's.
    """
    rates = _Rates(a.plan, b.plan)
    for x, y in zip_longest(a.phases, b.phases):
        if x is None or y is None:
            last = x or y
            assert last is not None
            return last, last.begin
        if (x.kind, x.index, x.begin, x.prunes) != (y.kind, y.index, y.begin, y.prunes):
            return x, x.begin
        if x.prunes and x.kind == "train" and x.sparsity != y.sparsity:
            return x, x.begin
        step = _parting(rates, x, y)
        if step is not None:
            return x, step
    return None, 0


def _parting(rates: _Rates, x: Phase, y: Phase) -> int | None:
    """The first step of two phases that is not the same; their common end where one goes on."""
    end = min(x.clock.total, y.clock.total)
    found = [
        rates.parting(x.begin, x.clock, y.clock),
        _first_other(x.events, y.events),
        _first_other(x.updates, y.updates),
        _stages(_at_work(rates.a, x), _at_work(rates.b, y), x.begin, end),
    ]
    first = min((step for step in found if step is not None and step < end), default=None)
    if first is not None:
        return first
    same = (x.clock.total, x.sparsity, x.events.get(end), x.updates.get(end)) == (
        y.clock.total, y.sparsity, y.events.get(end), y.updates.get(end),
    )  # fmt: skip
    return None if same else end


def _first_other(x: Mapping[int, Any], y: Mapping[int, Any]) -> int | None:
    """The least key at which two mappings are not the same."""
    return min((key for key in x.keys() | y.keys() if x.get(key) != y.get(key)), default=None)


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
        for step in range(begin, min(x.total, y.total)):
            if lr * old.scale(step, x) != other * new.scale(step, y):
                return step
        return None


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

    def does(self, step: int) -> Any:
        """What it does at a step; None where it is not at work."""
        if self.start <= step < self.stop:
            return self.name, self.curves.at(step)
        return (self.name, ()) if self.start == self.stop == step else None


def _at_work(plan: Plan, phase: Phase) -> Iterator[_Work]:
    """The plan's stages as they are at work in a phase."""
    method = plan.mask.method if plan.mask is not None else None
    if phase.kind == "round" and not (method is not None and method.stages_in_rounds()):
        return
    for stage in plan.stages:
        curves = Curves.of(stage, phase.clock)
        content = stage.model_dump(mode="json")
        whole = [content["technique"], content["targets"], curves.start, curves.stop]
        start, stop = phase.window(stage.window)
        yield _Work(canonical_text(whole), _name(stage, content), curves, start, stop)


def _name(stage: StagePlan, content: dict[str, Any]) -> str:
    arguments = stage.technique.arguments().items()
    moving = {name for name, value in arguments if name == "anneal" or isinstance(value, Ramp)}
    technique = content["technique"]
    kept = {name: value for name, value in technique["args"].items() if name not in moving}
    return canonical_text([technique["name"], technique["revision"], kept, content["targets"]])


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
