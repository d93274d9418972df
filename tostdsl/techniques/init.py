"""Initial weights made for a mask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Hook, Network
from tostdsl.plan.bases import Technique
from tostdsl.plan.spec import arg
from tostdsl.registry import register

if TYPE_CHECKING:
    from torch import Tensor


@register("init")
class Init(Technique):
    """Rescales initial weights to the number of inputs a mask leaves each neuron.

    Initial weights are drawn for a neuron with all its inputs. A mask takes most of them away,
    and the neuron's output shrinks. `rescale=fanin_masked` multiplies the weights of each neuron
    (output channel, or output feature) u of a masked layer by

        sqrt(fan_in / fan_in_u)

    where `fan_in` counts all its inputs, kernel positions included, and `fan_in_u` those the mask
    keeps. That gives an existing draw the variance of a draw made for the mask, in place. A
    neuron without inputs stays at zero, as do all masked weights; layers without a mask are left
    alone. After a batch normalisation the network computes nearly the same, and what changes is
    the effective size of a step.

    It acts once, at the start unless the recipe says `at` when; a recipe without a mask cannot
    use it. The law is that of Evci, Ioannou, Keskin and Dauphin, Gradient Flow in Sparse Neural
    Networks and How Lottery Tickets Win (AAAI 2022).
    """

    examples = ("init(rescale=fanin_masked)",)
    acts = "instant"
    needs_mask = True
    rescale: Literal["fanin_masked"] = arg("fanin_masked", "the law of the rescaling")

    def hook(self) -> InitHook:
        return InitHook(self)


class InitHook(Hook[Init]):
    """Rescales on entering."""

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        import torch

        masks = net.masks
        masked = [name for name in net.targets if f"{name}.weight" in masks]
        if not masked:
            which = "selected layer" if net.chosen else "layer"
            raise TostError.of(
                "T502",
                stage="init",
                model=type(net.model).__name__,
                reason=f"no {which} has a mask",
                help="add a `mask`, or remove `init`",
            )
        empty = 0
        with torch.no_grad():
            for name in masked:
                mask = masks[f"{name}.weight"]
                weight = net.module(name).get_parameter("weight")
                kept = mask.flatten(1).sum(1)
                ratio = mask[0].numel() / kept.clamp(min=1).to(torch.float64)
                scale = ratio.sqrt().to(weight.dtype)
                weight.mul_(scale.reshape(-1, *[1] * (weight.dim() - 1)))
                empty += int((kept == 0).sum())
        dead = f", {empty:,} of their neurons without inputs" if empty else ""
        net.report(f"rescaled {len(masked)} layers for their masks{dead}")
