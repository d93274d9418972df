"""A copy of the network that scores are taken on, so that the network itself is never touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional

from tostdsl.plan.masking import MaskSite

CHUNK = 128
"""Images that go through the network at a time where that changes no figure."""


class Bench:
    """A copy of a network in evaluation mode, its weights in scope by name.

    With `statistics="batch"` normalisations use the statistics of the batch at hand, as in
    training; dropout stays off.
    """

    def __init__(
        self,
        site: MaskSite,
        statistics: str = "running",
        dtype: torch.dtype | None = None,
    ) -> None:
        self.model = deepcopy(site.model).to(dtype=dtype).eval()
        self.whole = statistics == "batch"
        """Whether a batch must go through in one piece."""
        if self.whole:
            for module in self.model.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.train()
        every = dict(self.model.named_parameters(remove_duplicate=False))
        for parameter in every.values():
            parameter.requires_grad_(False)
        self.weights: dict[str, Tensor] = {n: every[n].requires_grad_() for n in site.weights}
        self.original = {name: weight.detach().clone() for name, weight in self.weights.items()}

    @torch.no_grad()
    def prune(self, masks: Mapping[str, Tensor]) -> None:
        """Set the weights to their original values, those masked to zero."""
        for name, weight in self.weights.items():
            torch.mul(self.original[name], masks[name], out=weight)

    def loss(self, images: Tensor, labels: Tensor, temperature: float = 1.0) -> Tensor:
        """Cross-entropy, summed over the images, of logits divided by the temperature."""
        logits = self.model(images) / temperature
        return functional.cross_entropy(logits, labels, reduction="sum")

    def gradients(self, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Of the mean loss over the images, by weight; summed before anything else is done."""
        size = len(images) if self.whole else CHUNK
        total = {name: torch.zeros_like(weight) for name, weight in self.weights.items()}
        for start in range(0, len(images), size):
            here = slice(start, start + size)
            loss = self.loss(images[here], labels[here]) / len(images)
            for name, gradient in self.derive(loss).items():
                total[name] += gradient
        return total

    def derive(self, value: Tensor, create_graph: bool = False) -> dict[str, Tensor]:
        """The gradient of a number by each weight; zero where the number does not depend on it."""
        found = torch.autograd.grad(
            value, list(self.weights.values()), create_graph=create_graph, materialize_grads=True
        )
        return dict(zip(self.weights, found, strict=True))


def halves(images: Tensor, labels: Tensor) -> Iterable[tuple[Tensor, Tensor]]:
    """Every second image, and the others: each class in both."""
    parts: Sequence[slice] = (slice(0, None, 2), slice(1, None, 2))
    return [(images[part], labels[part]) for part in parts if len(images[part])]
