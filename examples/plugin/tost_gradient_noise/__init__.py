"""`gradient_noise`, a technique for tostdsl."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tostdsl.plugin import AnyAnneal, Batch, Hook, Linear, Network, Technique, arg, register

if TYPE_CHECKING:
    from torch import Tensor


@register("gradient_noise")
class GradientNoise(Technique):
    """Gaussian noise on gradients.

    Right before each optimizer step the gradient of each weight gets noise of its own, drawn from a
    normal law around 0 with the standard deviation w * `std`, where w is the stage's weight. With
    `anneal=linear`, the default, the noise falls to nothing over the window; `none` keeps it as it
    is. Masked weights get none, since their gradients are masked after it. `on` and `except` choose
    the layers; biases and normalisations never get any. What is drawn depends on the seed and the
    step only.

    From Neelakantan, Vilnis, Le, Sutskever, Kaiser, Kurach and Martens, Adding Gradient Noise
    Improves Learning for Very Deep Networks (2015). There the variance falls as
    eta / (1 + t)^0.55 with the step t and never ends; the laws of a stage end with its window.
    """

    revision = 1  # raise it when the same arguments come to compute something else
    examples = (
        "gradient_noise until 25%",
        'gradient_noise(std=0.05, anneal=cosine) until epoch 40 on "layer3.*"',
    )
    # what others call it, so that a message can say what to write here
    other_names = MappingProxyType({"gradient_noise_injection": "gradient_noise"})
    other_arguments = MappingProxyType({"stddev": "std", "sigma": "std", "eta": "std"})

    std: float = arg(0.01, "standard deviation of the noise at weight 1", gt=0, le=10)
    anneal: AnyAnneal = arg(Linear(), "the law by which the noise falls")

    def claims(self) -> frozenset[str]:
        """Two of them on the same layers at once would be one with another `std`."""
        return frozenset({"noise on the gradients"})

    def hook(self) -> GradientNoiseHook:
        """What it does while training."""
        return GradientNoiseHook(self)


class GradientNoiseHook(Hook[GradientNoise]):
    """Adds to gradients that are there, and keeps nothing from step to step."""

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        """Enter: `cells["weight"]` is moved by the engine at each step."""
        self._net = net
        self._strength = cells["weight"]
        self._weights = [net.module(name).get_parameter("weight") for name in net.targets]
        net.report(f"gradient_noise: on the weights of {len(self._weights)} layers")

    def batch(self, batch: Batch) -> None:
        """Take down which step this is."""
        self._step = batch.step

    def grads(self) -> None:
        """Add noise. A generator derived from the step gives the same again after a resume."""
        import torch

        generator = self._net.generator(f"noise {self._step}")
        scale = self._strength * self.stage.std
        for weight in self._weights:
            drawn = torch.randn(weight.shape, generator=generator)
            if weight.grad is not None:
                weight.grad.addcmul_(drawn.to(weight.grad), scale)

    def detach(self, net: Network) -> None:
        """Leave: nothing was put in, so nothing is to be taken out; let go of the weights."""
        self._weights = []
