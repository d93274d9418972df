"""Schedules that fall smoothly over the whole of training."""

from __future__ import annotations

import math
from types import MappingProxyType

from tostdsl.plan.spec import arg
from tostdsl.registry import register
from tostdsl.schedules.warmup import Warmed
from tostdsl.units import Clock


class _Falling(Warmed):
    """Falls from 1 to `floor` between the end of the warm-up and the end of training."""

    other_arguments = MappingProxyType(
        {
            "T_max": "leave it out: the fall ends where training does",
            "t_max": "leave it out: the fall ends where training does",
            "min_lr": "`floor` is that, as a share of the optimizer's `lr`",
            "eta_min": "`floor` is that, as a share of the optimizer's `lr`",
        }
    )
    floor: float = arg(0.0, "share of the learning rate that is left at the end", ge=0, le=1)

    def shape(self, progress: float) -> float:
        """Fall from 1 at progress 0 to 0 at 1."""
        raise NotImplementedError

    def scale(self, step: int, clock: Clock) -> float:
        if step < self.lead(clock):
            return self.rise(step, clock)
        return self.floor + (1.0 - self.floor) * self.shape(self.progress(step, clock))


@register("cosine")
class Cosine(_Falling):
    """The learning rate falls along half a cosine (Loshchilov & Hutter 2017, one period).

    With p the progress in steps from the end of the warm-up (0) to the end of training (1), the
    factor is floor + (1 - floor) (1 + cos(pi p)) / 2. With `warmup` of W steps the factor is
    (s + 1) / W at step s < W.
    """

    other_names = dict.fromkeys(
        ("cos", "cosine_annealing", "cosineannealing", "cosineannealinglr", "cosine_decay"),
        "cosine",
    )

    def shape(self, progress: float) -> float:
        return (1.0 + math.cos(math.pi * progress)) / 2.0


@register("linear")
class Linear(_Falling):
    """The learning rate falls in a straight line.

    With p the progress in steps from the end of the warm-up (0) to the end of training (1), the
    factor is floor + (1 - floor) (1 - p). With `warmup` of W steps the factor is (s + 1) / W at
    step s < W.
    """

    other_names = dict.fromkeys(("linearlr", "linear_decay", "poly"), "linear")

    def shape(self, progress: float) -> float:
        return 1.0 - progress
