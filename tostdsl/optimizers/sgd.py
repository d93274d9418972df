"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING

from tostdsl.optimizers.kernels import kernel
from tostdsl.plan.bases import OptimizerSpec
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register

if TYPE_CHECKING:
    import torch


@register("sgd")
class Sgd(OptimizerSpec):
    """Stochastic gradient descent with momentum.

    At each step, with the gradient g of a parameter w and the learning rate lr:

        g <- g + weight_decay * w
        v <- momentum * v + g            (v = g at the first step)
        w <- w - lr * v                  nesterov: w - lr * (g + momentum * v)

    The weight decay is L2 regularisation on every parameter, normalisation and biases included,
    as in the reference recipes of sparse training. Momentum after Polyak (1964) and Nesterov
    (1983), in the form of Sutskever et al. (2013) that torch computes.
    """

    other_names = MappingProxyType({"momentum_sgd": "sgd", "nesterov": "sgd(nesterov=yes)"})
    lr: float = arg(0.1, "learning rate at the schedule's factor 1", gt=0)
    momentum: float = arg(0.9, "share of the last step's velocity that is kept", ge=0, lt=1)
    weight_decay: float = arg(0.0, "L2 regularisation, added to the gradient", ge=0)
    nesterov: bool = arg(False, "look ahead along the velocity")

    def check(self, site: CheckSite) -> Iterable[Problem]:
        if self.nesterov and self.momentum == 0:
            reason = "there is no velocity to look along with `momentum=0`"
            yield Problem(
                "T504",
                {"name": "nesterov", "reason": reason},
                ("nesterov", "momentum"),
                "write `momentum=0.9`, or remove `nesterov`",
            )

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        import torch

        chosen = list(parameters)
        return torch.optim.SGD(
            chosen,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            **kernel(chosen),
        )
