"""Schedules that stay at a level, or at several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from types import MappingProxyType

from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.schedules.warmup import Warmed
from tostdsl.units import Clock, Moment


@register("constant")
class Constant(Warmed):
    """The optimizer's learning rate throughout, after the warm-up if there is one.

    With `warmup` of W steps the factor is (s + 1) / W at step s < W.
    """

    other_names = dict.fromkeys(("const", "constantlr", "fixed"), "constant")

    def scale(self, step: int, clock: Clock) -> float:
        return self.rise(step, clock)


@register("multistep")
class MultiStep(Warmed):
    """The learning rate times `factor` at each moment of `at`.

    At step s the factor is factor^k, where k is how many moments are at or before s. Moments may
    be of any kind: `multistep(at=[epoch 90, epoch 135])`, `multistep(at=[50%, 75%])`. Two falls
    to a tenth are the custom of residual networks on small images (He et al. 2016). With
    `warmup` of W steps the factor is further times (s + 1) / W at step s < W.
    """

    positional = "at"
    examples = ("multistep(at=[50%, 75%], factor=0.1)",)
    other_names = dict.fromkeys(("step", "steplr", "multisteplr", "multi_step"), "multistep")
    other_arguments = MappingProxyType(
        {
            "milestones": "at",
            "steps": "at",
            "gamma": "factor",
            "step_size": "at={every}",
        }
    )
    at: tuple[Moment, ...] = arg(doc="when the learning rate falls, in order", min_length=1)
    factor: float = arg(0.1, "what the learning rate is multiplied by", gt=0, le=1)

    def scale(self, step: int, clock: Clock) -> float:
        passed = sum(clock.step(moment) <= step for moment in self.at)
        return self.factor**passed * self.rise(step, clock)

    def drops(self) -> tuple[Moment, ...]:
        return self.at if self.factor < 1 else ()

    def check(self, site: CheckSite) -> Iterable[Problem]:
        for first, second in _unordered(self.at):
            reason = f"the moments must rise, `{second}` comes after `{first}`"
            yield Problem("T504", {"name": "at", "reason": reason}, ("at",))
            return


def _unordered(moments: tuple[Moment, ...]) -> Iterator[tuple[Moment, Moment]]:
    """Neighbours of one unit that do not rise; those of different units need a clock."""
    last: dict[str, tuple[Decimal, Moment]] = {}
    for moment in moments:
        unit, value = _place(moment)
        if unit in last and last[unit][0] >= value:
            yield last[unit][1], moment
        last[unit] = value, moment


def _place(moment: Moment) -> tuple[str, Decimal]:
    if moment.unit in ("start", "end"):
        return "percent", Decimal(0 if moment.unit == "start" else 100)
    return moment.unit, moment.value
