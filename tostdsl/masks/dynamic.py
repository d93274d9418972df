"""The mask `dynamic`."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from tostdsl.masks.allocate import keep_largest
from tostdsl.masks.random import Drawn
from tostdsl.masks.shares import Distribution
from tostdsl.plan.masking import MaskSite, Update, kept_total
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Clock, Duration, Percent

if TYPE_CHECKING:
    import torch


@register("dynamic")
class Dynamic(Drawn):
    """Moves the mask while the network trains: drops the smallest weights, grows as many others.

    Training starts from a random mask shared out by `distribution`. After each `every` within the
    mask's window, each layer drops a share of its weights, the smallest in absolute value, and
    grows as many among all that it does not keep, those just dropped too: where the gradient is
    largest in absolute value (`grow=gradient`, RigL) or at random (`grow=random`, SET). A weight
    that grows starts at 0 with no momentum. The share falls from `fraction` to 0 over the window
    along half a cosine, or stays (`decay=constant`), or falls linearly. The layers' counts never
    change.

    As published, RigL takes its update in the place of a training step, from the gradients of that
    step's batch; SET updates after a step. Without a window updates go on until 75% of training.

    Evci et al., "Rigging the lottery: making all tickets winners", 2020. Mocanu et al., "Scalable
    training of artificial neural networks with adaptive sparse connectivity inspired by network
    science", 2018.
    """

    moves = True
    later = MappingProxyType(
        {"grow": "update", "fraction": "update", "decay": "update", "every": "told"}
    )
    examples = (
        "dynamic(sparsity=90%)",
        "dynamic(sparsity=90%, grow=random, every=1500 steps, fraction=50%)",
    )
    other_names = MappingProxyType(
        {
            "rigl": "dynamic(grow=gradient)",
            "set": "dynamic(grow=random)",
            "dst": "dynamic",
            "sparse_training": "dynamic",
        }
    )
    other_arguments = MappingProxyType(
        {
            "drop_fraction": "fraction",
            "prune_rate": "fraction",
            "death_rate": "fraction",
            "alpha": "fraction",
            "delta": "every={value} steps",
            "delta_t": "every={value} steps",
            "update_frequency": "every={value} steps",
            "growth": "grow",
        }
    )

    grow: Literal["gradient", "random"] = arg("gradient", "how the weights that grow are chosen")
    distribution: Distribution = arg("erk", "how the kept weights are shared out among the layers")
    every: Duration = arg(Duration("steps", 100), "how long training goes on between two updates")
    fraction: Percent = arg(
        Percent.from_json({"percent": 30}), "share of a layer's kept weights that the first drops"
    )
    decay: Literal["cosine", "linear", "constant"] = arg(
        "cosine", "how that share falls over the window"
    )

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from super().check(site)
        if not 0 < self.fraction.fraction < 1:
            bound = "above 0% and below 100%"
            values = {"name": "fraction", "bound": bound, "found": f"`{self.fraction}`"}
            yield Problem("T303", values, ("fraction",))
        if self.replaces_step() and self.every == Duration("steps", 1):
            reason = "an update takes the place of a training step, so none would be left to train"
            help = "write a longer one, such as `every=100 steps`, or `grow=random`"
            yield Problem("T504", {"name": "every", "reason": reason}, ("every",), help)

    def replaces_step(self) -> bool:
        return self.grow == "gradient"

    def updates(self, start: int, stop: int, clock: Clock) -> Sequence[int]:
        """After each `every` inside the window; none at its end, where nothing would drop."""
        return range(start + clock.steps(self.every), stop, clock.steps(self.every))

    def share_at(self, progress: Fraction) -> float:
        """The share of a layer's weights that an update drops."""
        share, p = float(self.fraction.fraction), float(progress)
        if self.decay == "cosine":
            return share / 2 * (1 + math.cos(math.pi * p))
        return share * (1 - p) if self.decay == "linear" else share

    def masks_at(self, site: MaskSite) -> "Callable[[Fraction], dict[str, torch.Tensor]] | None":
        """None once it has moved: where it would have gone at another sparsity nobody knows."""
        return None if site.masks else super().masks_at(site)

    def update(self, site: MaskSite, update: Update) -> "dict[str, torch.Tensor]":
        import torch

        share, masks = self.share_at(update.progress), {}
        for name, weight in site.weights.items():
            mask, size = site.masks[name], weight.detach().abs()
            active = int(mask.sum())
            dropped = int(share * active)
            stay = keep_largest({name: size}, active - dropped, {name: mask})[name]
            if self.grow == "gradient":
                score = site.gradients[name].abs()
            else:
                source = site.generator(f"grow {update.number} {name}")
                score = torch.rand(weight.shape, generator=source).to(weight.device)
            grown = keep_largest({name: score}, dropped, {name: ~stay})[name]
            masks[name] = stay | grown
        return masks

    def kept_at(self, shapes: Mapping[str, Sequence[int]], update: Update) -> int:
        return kept_total(sum(map(prod, shapes.values())), self.sparsity.fraction)
