"""What changes mean for somebody who has run the first plan: masks, checkpoints, comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from typing import Any, Literal

from tostdsl.compare.changes import Change
from tostdsl.plan.plan import Plan, canonical_text
from tostdsl.plan.program import Curves, Phase, Program
from tostdsl.units import Ramp

Answer = Literal["yes", "partly", "no", "unknown"]
SHAPES = ("model", "mask.on", "mask.except")
"""Changes after which a mask is one of other weights."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer, and why."""

    question: str
    answer: Answer
    why: str

    def to_json(self) -> dict[str, str]:
        """A plain form for programs."""
        return asdict(self)


def verdicts(
    a: Plan, b: Plan, found: Sequence[Change], programs: tuple[Program | None, Program | None]
) -> tuple[Verdict, ...]:
    """All of them; `programs` are the plans', None where only loading the data tells."""
    return masks(a, b, found), checkpoints(found, programs), runs(found)


def _touched(found: Sequence[Change], *roots: str) -> list[str]:
    """Paths of the changes of what is computed below one of some roots."""
    return [
        change.path
        for change in found
        if change.kind != "labels"
        and any(change.path == root or change.path.startswith(f"{root}.") for root in roots)
    ]


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(f"`{path}`" for path in paths[:3]) + more


# -- masks


def masks(a: Plan, b: Plan, found: Sequence[Change]) -> Verdict:
    """Whether a mask that the first plan found is one for the second."""
    question = "is the mask still valid?"
    if a.mask is None or b.mask is None:
        which = "neither has one" if a.mask is b.mask else "only one of them has one"
        return Verdict(question, "no", which)
    if other := _touched(found, *SHAPES):
        return Verdict(question, "no", f"it is of other weights: {_listed(other)}")
    method, roots = a.mask.method, ["mask", "seed"]
    if not method.seeded:
        roots += ["data"]
    if method.rounds() or method.moves:
        roots += ["optimizer", "schedule", "train", "precision"]
    if method.moves or (method.rounds() and method.stages_in_rounds()):
        roots += ["stages"]
    if other := _touched(found, *roots):
        why = f"it fits, but the second would find another: {_listed(other)}; bring it with `file`"
        return Verdict(question, "partly", why)
    return Verdict(question, "yes", "the second finds the same, to the bit")


# -- checkpoints

BEFORE = ("model", "data", "mask", "seed", "precision", "optimizer")
"""What is at work from the first step on; but for the learning rate, which is looked at by step."""


def checkpoints(
    found: Sequence[Change], programs: tuple[Program | None, Program | None]
) -> Verdict:
    """Up to where a checkpoint of the first plan is one of the second, too."""
    question = "can a checkpoint be gone on from?"
    if all(change.kind == "labels" for change in found):
        return Verdict(question, "yes", "any of them: the same is computed")
    other = [path for path in _touched(found, *BEFORE) if path != "optimizer.lr"]
    if other:
        return Verdict(question, "no", f"they differ from the first step on: {_listed(other)}")
    a, b = programs
    if a is None or b is None:
        return Verdict(question, "unknown", "the data's size is not known without loading it")
    phase, step = parting(a, b)
    if phase is None:
        return Verdict(question, "yes", "any of them: all steps are the same")
    begin = a.phases[0]
    if phase is begin and step <= begin.begin:
        return Verdict(question, "no", "they differ from the first step on")
    epoch = step / phase.clock.steps_per_epoch
    why = f"those up to epoch {epoch:g} of {phase.name} (step {step:,}): from there on they differ"
    return Verdict(question, "partly", why)


def parting(a: Program, b: Program) -> tuple[Phase | None, int]:
    """The first phase and step at which two programs do something else; None where none is.

    Both are of one network, data, seed, mask and optimizer; the step is the phase's.
    """
    for x, y in zip_longest(a.phases, b.phases):
        if x is None or y is None:
            last = x or y
            assert last is not None
            return last, last.begin
        if (x.kind, x.index, x.begin, x.prunes) != (y.kind, y.index, y.begin, y.prunes):
            return x, x.begin
        if x.prunes and x.kind == "train" and x.sparsity != y.sparsity:
            return x, x.begin
        step = _parting(a.plan, b.plan, x, y)
        if step is not None:
            return x, step
    return None, 0


def _parting(a: Plan, b: Plan, x: Phase, y: Phase) -> int | None:
    """The first step of two phases that is not the same; their common end where one goes on."""
    end = min(x.clock.total, y.clock.total)
    mine, theirs = _At(a, x), _At(b, y)
    for step in range(x.begin, end):
        if mine.does(step) != theirs.does(step):
            return step
    same = (x.clock.total, x.sparsity, x.events.get(end), x.updates.get(end)) == (
        y.clock.total, y.sparsity, y.events.get(end), y.updates.get(end),
    )  # fmt: skip
    return None if same else end


class _At:
    """What a phase does, step by step."""

    def __init__(self, plan: Plan, phase: Phase) -> None:
        self._plan, self._phase = plan, phase
        self._curves = [Curves.of(stage, phase.clock) for stage in plan.stages]
        self._names = [_identity(plan, index) for index in range(len(plan.stages))]
        self._staged = phase.kind == "train" or any(s.attached for s in phase.segments)
        self._windows = [phase.window(stage.window) for stage in plan.stages]

    def does(self, step: int) -> Any:
        """The rate, what the stages at work do, what acts, and what happens before the step."""
        plan, phase = self._plan, self._phase
        rate = plan.optimizer.lr * plan.schedule.scale(step, phase.clock)
        stages = sorted(self._stages(step)) if self._staged else []
        return rate, stages, phase.events.get(step), phase.updates.get(step)

    def _stages(self, step: int) -> Iterator[Any]:
        for name, curves, (start, stop) in zip(
            self._names, self._curves, self._windows, strict=True
        ):
            if start <= step < stop:
                yield name, curves.at(step)
            elif start == stop == step:
                yield name, ()


def _identity(plan: Plan, index: int) -> str:
    """A stage without what its curves tell step by step: its law and its ramps."""
    stage = plan.stages[index]
    content = stage.model_dump(mode="json")
    moving = [
        name
        for name, value in stage.technique.arguments().items()
        if name == "anneal" or isinstance(value, Ramp)
    ]
    for name in moving:
        content["technique"]["args"].pop(name, None)
    return canonical_text([content["technique"], content["targets"]])


# -- runs


def runs(found: Sequence[Change]) -> Verdict:
    """Whether figures of the two may be compared, and how."""
    question = "are runs comparable, seed by seed?"
    parts = [path for path in _touched(found, "data") if path not in ("data.batch", "data.augment")]
    if parts:
        return Verdict(question, "no", f"they train or test on other images: {_listed(parts)}")
    if _touched(found, "seed"):
        why = "as averages over seeds: these two have different ones; `--seed` makes them equal"
        return Verdict(question, "partly", why)
    if other := _touched(found, "model", "data.batch"):
        why = f"as averages over seeds: first weights or batches are others ({_listed(other)})"
        return Verdict(question, "partly", why)
    return Verdict(question, "yes", "of one seed: the same first weights, images in the same order")
