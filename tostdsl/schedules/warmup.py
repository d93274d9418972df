"""The rise that every schedule may begin with."""

from __future__ import annotations

from types import MappingProxyType

from tostdsl.plan.bases import ScheduleSpec
from tostdsl.plan.spec import arg
from tostdsl.units import Clock, Duration


class Warmed(ScheduleSpec):
    """Base of schedules with a linear warm-up of W steps, factor (s + 1) / W at step s < W.

    After Goyal et al. (2017). Its last step stands at the full rate, its first at 1 / W of it.
    """

    other_arguments = MappingProxyType(
        {
            **dict.fromkeys(("warmup_epochs", "warm_up", "warmup_steps"), "warmup"),
            "last_epoch": "leave it out: a run that goes on knows where it was",
        }
    )
    warmup: Duration | None = arg(None, "how long the learning rate rises in a straight line first")

    def lead(self, clock: Clock) -> int:
        """Count the steps of the warm-up."""
        return clock.steps(self.warmup) if self.warmup is not None else 0

    def rise(self, step: int, clock: Clock) -> float:
        """Give the warm-up's factor at a step, 1 once it is over."""
        lead = self.lead(clock)
        return (step + 1) / lead if step < lead else 1.0

    def progress(self, step: int, clock: Clock) -> float:
        """How far a step stands between the end of the warm-up (0) and that of training (1)."""
        lead = self.lead(clock)
        return min(1.0, max(0.0, (step - lead) / max(1, clock.total - lead)))
