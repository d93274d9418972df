"""A plan and the length of an epoch, lowered to phases of segments.

Within a segment the set of things attached to the network is constant and only scalars move. All
structural work happens between segments. The engine runs exactly this, `tost plan` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Literal, Self

from tostdsl.curves import blend
from tostdsl.plan.bases import Anneal
from tostdsl.plan.masking import MaskMethod, Update
from tostdsl.plan.plan import Plan, StagePlan
from tostdsl.units import Clock, Ramp, Window

Occasion = Literal["keep_rewind", "epoch"]


@dataclass(frozen=True)
class Segment:
    """Steps [start, stop) with the same stages attached; `steps` are those that run."""

    start: int
    stop: int
    windows: tuple[tuple[int, int], ...] = field(repr=False)
    """The steps over which each of the plan's stages is at work; all segments share them."""
    instants: tuple[int, ...] = ()
    """Stages that act once, right before the first step."""
    steps: Sequence[int] = ()

    @cached_property
    def attached(self) -> tuple[int, ...]:
        """Indices into the plan's stages, in the order they attach.

        Found when asked for: those of all segments are as many as the square of the stages.
        """
        return tuple(
            index
            for index, (first, last) in enumerate(self.windows)
            if first <= self.start and self.stop <= last
        )


@dataclass(frozen=True, slots=True)
class Phase:
    """One training: a round of finding the mask, or the final one."""

    kind: Literal["round", "train"]
    index: int
    clock: Clock
    segments: tuple[Segment, ...]
    events: dict[int, tuple[Occasion, ...]] = field(default_factory=dict)
    """What happens after so many steps are done, beside the end of each epoch."""
    sparsity: Fraction | None = None
    """Of the prune that ends a round, or of the mask chosen before a training; None also where
    only choosing the mask tells."""
    updates: Mapping[int, Update] = field(default_factory=dict)
    """Changes of the masks, by the step that each comes after, or stands in the place of."""
    begin: int = 0
    """The step it begins at, where it goes on from a rewind point."""
    prunes: bool = False
    """Whether a mask is chosen: before a training, after a round."""

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"round {self.index + 1}" if self.kind == "round" else "training"

    @property
    def steps(self) -> int:
        """How many steps run."""
        return sum(len(segment.steps) for segment in self.segments)

    @property
    def epochs(self) -> int:
        """How many epochs end among the steps that run; a last short one counts."""
        borders = {
            step + 1
            for segment in self.segments
            for step in (segment.steps if isinstance(segment.steps, tuple) else ())
            if "epoch" in self.occasions(step + 1)
        }
        return len(borders) or -(-self.length // self.clock.steps_per_epoch)

    @property
    def length(self) -> int:
        """How many steps it has, whether all of them run or not."""
        return self.clock.total - self.begin

    def told(self, step: int) -> str:
        """Its name; of a rehearsed one with the number of a step among those that run."""
        if self.steps == self.length:
            return self.name
        run = [each for segment in self.segments for each in segment.steps]
        if step not in run:
            return self.name
        return f"{self.name} (number {run.index(step) + 1} of the {len(run)} that are rehearsed)"

    def window(self, window: Window) -> tuple[int, int]:
        """A window's first step and the one after its last, cut to this training."""
        start, stop = clip(self.clock.window(window), self.clock.total)
        return max(start, self.begin), max(stop, self.begin)

    def occasions(self, done: int) -> tuple[Occasion, ...]:
        """What happens after `done` steps."""
        marked = self.events.get(done, ())
        ends = done == self.clock.total or (done > 0 and done % self.clock.steps_per_epoch == 0)
        return (*marked, "epoch") if ends else marked


@dataclass(frozen=True, slots=True)
class Program:
    """All phases of a run, in order."""

    plan: Plan
    phases: tuple[Phase, ...]
    rehearsal: bool = False

    @property
    def steps(self) -> int:
        """How many steps run in all."""
        return sum(phase.steps for phase in self.phases)

    @property
    def sparsity(self) -> Fraction | None:
        """Of the final mask; None without one."""
        return self.plan.mask.method.target() if self.plan.mask is not None else None

    def rehearse(self) -> Self:
        """The same phases and segments, each cut to the steps that cross its boundaries.

        A segment keeps its first and last step and those after which something happens, so every
        attach, detach, prune, rewind and event of the whole program is met.
        """
        return replace(self, phases=tuple(map(_shorten, self.phases)), rehearsal=True)


def _shorten(phase: Phase) -> Phase:
    marked = {step - 1 for step in phase.events} | ends_of(phase.updates)
    segments = tuple(
        replace(
            segment,
            steps=tuple(
                sorted(
                    {segment.start, segment.stop - 1}
                    | {step for step in marked if segment.start <= step < segment.stop}
                )
            ),
        )
        for segment in phase.segments
    )
    met = {step: update for step, update in phase.updates.items() if step in marked}
    return replace(phase, segments=segments, updates=met)


def ends_of(updates: Mapping[int, Update]) -> set[int]:
    """The steps of the first and the last of the updates."""
    return {min(updates), max(updates)} if updates else set()


def lowered(plan: Plan) -> Program | None:
    """The program of a plan, where its data's size is known without loading it."""
    facts = plan.data.facts()
    if facts is None:
        return None
    return lower(plan, plan.data.steps_per_epoch(facts.train_size))


def lower(plan: Plan, steps_per_epoch: int) -> Program:
    """The program of a plan whose data gives so many steps an epoch."""
    phases: list[Phase] = []
    method = plan.mask.method if plan.mask else None
    if method is not None:
        length = method.round_length(plan.train)
        for index, round_ in enumerate(method.rounds()):
            clock = Clock.of(length, steps_per_epoch)
            stages = plan.stages if method.stages_in_rounds() else ()
            begin = _begin(method, clock, index)
            phase = _phase(stages, clock, "round", index, round_.sparsity, begin)
            phase = replace(phase, prunes=True)
            rewind = method.rewind_to()
            if index == 0 and rewind is not None:
                at = clock.step(rewind)
                phase = replace(phase, events={at: ("keep_rewind",)})
            phases.append(phase)
    clock = Clock.of(plan.train, steps_per_epoch)
    first = method is not None and not phases
    sparsity = method.first() if method is not None and first else None
    begin = _begin(method, clock, len(phases)) if method is not None else 0
    phase = _phase(plan.stages, clock, "train", 0, sparsity, begin)
    phases.append(replace(phase, prunes=first, updates=_updates(plan, clock)))
    return Program(plan, tuple(phases))


def _begin(method: MaskMethod, clock: Clock, rounds: int) -> int:
    """The step that a training begins at when so many rounds lie before it."""
    rewind = method.rewind_to()
    return clock.step(rewind) if rounds and rewind is not None and method.resumes() else 0


def _updates(plan: Plan, clock: Clock) -> dict[int, Update]:
    """The changes of the mask in the final training, each by its step."""
    if plan.mask is None or not plan.mask.method.moves:
        return {}
    method = plan.mask.method
    start, stop = clip(clock.window(plan.mask.window), clock.total)
    found = {}
    for number, step in enumerate(method.updates(start, stop, clock)):
        at = step if method.replaces_step() else step - 1
        found[at] = Update(number, step, Fraction(step - start, max(1, stop - start)))
    return found


def _phase(
    stages: Sequence[StagePlan],
    clock: Clock,
    kind: Literal["round", "train"],
    index: int,
    sparsity: Fraction | None,
    begin: int = 0,
) -> Phase:
    whole = Phase(kind, index, clock, (), {}, sparsity, begin=begin)
    windows = tuple(whole.window(stage.window) for stage in stages)
    instants: dict[int, tuple[int, ...]] = {}
    for number, (first, last) in enumerate(windows):
        if first == last:
            instants[first] = (*instants.get(first, ()), number)
    cuts = sorted({begin, clock.total, *(edge for window in windows for edge in window)})
    segments = [
        Segment(start, stop, windows, instants.get(start, ()), range(start, stop))
        for start, stop in pairwise(cuts)
    ]
    return replace(whole, segments=tuple(segments))


def clip(window: tuple[int, int], total: int) -> tuple[int, int]:
    """A window cut to a training's length (a round may be shorter than the final training)."""
    start, stop = window
    return min(start, total), min(stop, total)


@dataclass(frozen=True, slots=True)
class Curves:
    """The scalars of one stage in one phase: its weight and its ramps, at any step."""

    start: int
    stop: int
    anneal: Anneal | None
    ramps: dict[str, Ramp]

    @classmethod
    def of(cls, stage: StagePlan, clock: Clock) -> Self:
        """The curves of a stage under a phase's clock."""
        start, stop = clip(clock.window(stage.window), clock.total)
        arguments = stage.technique.arguments()
        ramps = {name: value for name, value in arguments.items() if isinstance(value, Ramp)}
        return cls(start, stop, arguments.get("anneal"), ramps)

    @property
    def names(self) -> tuple[str, ...]:
        """`weight`, then the ramps' arguments."""
        return ("weight", *self.ramps)

    def progress(self, step: int) -> float:
        """How far through the window a step stands, in [0, 1]."""
        return (step - self.start) / max(1, self.stop - self.start)

    def at(self, step: int) -> tuple[float, ...]:
        """The values at a step, in the order of `names`."""
        p = self.progress(step)
        weight = self.anneal.weight(p) if self.anneal is not None else 1.0
        moved = weight if self.anneal is not None else 1.0 - p
        return (weight, *(blend(moved, r.start, r.stop) for r in self.ramps.values()))
