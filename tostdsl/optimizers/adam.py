"""Adam, with its two kinds of weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING

from tostdsl.optimizers.kernels import kernel
from tostdsl.plan.bases import OptimizerSpec
from tostdsl.plan.spec import arg
from tostdsl.registry import register

if TYPE_CHECKING:
    import torch


class _Moments(OptimizerSpec):
    """The arguments that Adam and AdamW share."""

    other_arguments = MappingProxyType(
        {
            "betas": "beta1={0}, beta2={1}",
            "b1": "beta1",
            "b2": "beta2",
            "epsilon": "eps",
            "amsgrad": "leave it out: there is no AMSGrad here",
        }
    )
    lr: float = arg(1e-3, "learning rate at the schedule's factor 1", gt=0)
    beta1: float = arg(0.9, "decay of the running mean of gradients", ge=0, lt=1)
    beta2: float = arg(0.999, "decay of the running mean of squared gradients", ge=0, lt=1)
    eps: float = arg(1e-8, "added to the denominator", gt=0)


@register("adam")
class Adam(_Moments):
    """Adam: steps scaled by running means of gradients and their squares (Kingma & Ba 2015).

    At step t, with the gradient g of a parameter w and the learning rate lr:

        g <- g + weight_decay * w
        m <- beta1 * m + (1 - beta1) * g
        v <- beta2 * v + (1 - beta2) * g^2
        w <- w - lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)

    The weight decay goes through the scaling with the gradient; `adamw` keeps it out.
    """

    weight_decay: float = arg(0.0, "L2 regularisation, added to the gradient", ge=0)

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        import torch

        chosen = list(parameters)
        return torch.optim.Adam(
            chosen,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
            **kernel(chosen),
        )


@register("adamw")
class AdamW(_Moments):
    """Adam with the weight decay decoupled from the gradient (Loshchilov & Hutter 2019).

    The step of `adam` without decay, after

        w <- w * (1 - lr * weight_decay)

    on every parameter, normalisation and biases included.
    """

    weight_decay: float = arg(0.01, "share of a weight taken off a step, in units of `lr`", ge=0)

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        import torch

        chosen = list(parameters)
        return torch.optim.AdamW(
            chosen,
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            weight_decay=self.weight_decay,
            **kernel(chosen),
        )
