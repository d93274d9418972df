"""torchvision's networks, fitted to a data set and tried on paper before they are made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from tostdsl.diagnostics import TostError
from tostdsl.vision import torchvision

if TYPE_CHECKING:
    from tostdsl.plan.bases import DataFacts

SIZES = (16, 28, 32, 64, 96, 128, 224)
"""Square images that a message may propose."""

MISFITS = (ArithmeticError, AssertionError, IndexError, RuntimeError, ValueError)
"""How networks fail on images they are not made for."""

Make = Callable[["DataFacts"], nn.Module]


def zoo(name: str, facts: DataFacts) -> nn.Module:
    """Make the network of a name with fresh weights; T506 where it does not take such images."""
    return fitted(name, maker(name), facts)


def fitted(name: str, make: Make, facts: DataFacts) -> nn.Module:
    """Make a network that a recipe calls by a name; T506 where it does not take such images."""
    refusal = refuses(make, facts)
    if refusal is not None:
        shape = f"{facts.height}x{facts.width}"
        raise TostError.of(
            "T506", model=name, shape=shape, reason=refusal, help=_proposal(make, facts)
        )
    return make(facts)


def maker(name: str) -> Make:
    """Give the function that makes the network of a name, whatever the images."""

    def make(facts: DataFacts) -> nn.Module:
        options = _options(name, facts)
        net = torchvision().models.get_model(
            name, weights=None, num_classes=facts.classes, **options
        )
        return fit_channels(net, facts.channels)

    return make


def _options(name: str, facts: DataFacts) -> dict[str, Any]:
    if name.startswith("vit_"):
        return {"image_size": facts.height}
    if name == "maxvit_t":
        return {"input_size": (facts.height, facts.width)}
    if name in ("googlenet", "inception_v3"):
        # a second and third output would need a loss of their own
        return {"aux_logits": False, "init_weights": True}
    return {}


def fit_channels(net: nn.Module, channels: int) -> nn.Module:
    """Put in place of the first convolution one for so many channels, output as large as before."""
    name, old = next((n, m) for n, m in net.named_modules() if isinstance(m, nn.Conv2d))
    if old.in_channels == channels:
        return net
    new = nn.Conv2d(
        channels,
        old.out_channels,
        kernel_size=old.kernel_size,  # type: ignore[arg-type]
        stride=old.stride,  # type: ignore[arg-type]
        padding=old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    with torch.no_grad():
        spread = old.weight.std() * math.sqrt(old.in_channels / channels)
        new.weight.normal_().mul_(spread)
        if old.bias is not None and new.bias is not None:
            new.bias.copy_(old.bias)
    parent, _, leaf = name.rpartition(".")
    setattr(net.get_submodule(parent), leaf, new)
    return net


class _OnPaper(TorchFunctionMode):
    """Parameters made in here have a shape and no values (small constant tensors keep theirs)."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        if func is torch.empty and options.get("device") is None:
            options["device"] = "meta"
        return func(*args, **options)


def on_paper(make: Make, facts: DataFacts) -> nn.Module:
    """Make a network on torch's `meta` device: shapes, no values and no memory.

    No number is drawn from the caller's generator.
    """
    with torch.random.fork_rng(devices=[]), _OnPaper():
        net = make(facts)
    return net.to("meta")


def refuses(make: Make, facts: DataFacts) -> str | None:
    """Why a network does not take such images, in its own words; None when it does."""
    try:
        net = on_paper(make, facts)
        net.train()(torch.empty(2, *facts.shape, device="meta"))
    except MISFITS as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return f'it says "{lines[0].rstrip(".!")}"'
    return None


def _proposal(make: Make, facts: DataFacts) -> str:
    """Propose a size that would do, the next larger one first."""
    largest = max(facts.height, facts.width)
    for size in sorted(SIZES, key=lambda size: (size < largest, abs(size - largest))):
        if refuses(make, replace(facts, height=size, width=size)) is None:
            return f"choose another network, or data with images of {size}x{size}"
    return "choose another network"
