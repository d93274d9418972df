"""What brings the start of a skip to the shape of where it joins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tostdsl.engine.hooks import Network

if TYPE_CHECKING:
    from torch import Tensor

FILL = 1e-4
"""What the reference code fills every weight of a projection with."""


@dataclass(frozen=True, slots=True)
class Span:
    """A skip from the input of `start` to the output of `end`, and the layers it runs around."""

    start: str
    end: str
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shapes:
    """What enters a span and what it joins, without the batch.

    `axis` is where channels or features are, `dims` how many axes of places there are.
    """

    entering: tuple[int, ...]
    leaving: tuple[int, ...]
    axis: int
    dims: int

    @property
    def channels(self) -> tuple[int, int]:
        """Channels or features before and after."""
        return self.entering[self.axis], self.leaving[self.axis]


def shapes(net: Network, span: Span) -> Shapes | None:
    """The shapes of a span; None where its ends do not correspond place by place."""
    from torch import nn

    entering, leaving = net.shape(span.start)[0], net.shape(span.end)[1]
    linear = [isinstance(net.module(layer), nn.Linear) for layer in span.layers]
    if len(entering) != len(leaving) or any(linear) != all(linear):
        return None
    if linear[0]:
        return Shapes(entering, leaving, -1, 0)
    return Shapes(entering, leaving, 0, len(leaving) - 1)


def identity(
    net: Network, span: Span, form: Shapes, normalised: bool
) -> Callable[[Tensor, Tensor], Tensor]:
    """Pooling to the size, channels cut or filled with zeros; no parameters."""
    from torch.nn import functional

    before, after = form.channels
    channels = min(before, after)
    missing, dims, linear = after - channels, form.dims, form.axis == -1
    norm = _norm(net, span, form, channels, affine=False) if normalised else None

    def bring(x: Tensor, y: Tensor) -> Tensor:
        x = _pooled(x.narrow(-1 if linear else 1, 0, channels), y, dims)
        if norm is not None:
            x = norm(x)
        if missing:
            x = functional.pad(x, (0, 0) * dims + (0, missing))
        return x

    return bring


def projection(
    net: Network, span: Span, form: Shapes, constant: bool
) -> Callable[[Tensor, Tensor], Tensor]:
    """A 1x1 convolution (or a linear layer) without bias, and its own batch normalisation."""
    import torch
    from torch import nn

    before, after = form.channels
    layer: Any = net.module(span.start)
    blank: Any = nn.utils.skip_init  # draws nothing from the global generator
    plain = {"bias": False, "dtype": layer.weight.dtype}
    if form.dims == 0:
        made: Any = blank(nn.Linear, before, after, **plain)
    else:
        kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[form.dims - 1]
        made = blank(kind, before, after, 1, stride=_stride(form), **plain)
    with torch.no_grad():
        if constant:
            made.weight.fill_(FILL)
        else:
            purpose = f"projection {span.start}"
            spread = (2 / before) ** 0.5
            made.weight.normal_(0, spread, generator=net.generator(purpose))
    project = net.add(f"{span.start}.projection", made)
    norm = _norm(net, span, form, after, affine=True)

    def bring(x: Tensor, y: Tensor) -> Tensor:
        return norm(_pooled(project(x), y, form.dims))

    return bring


def _stride(form: Shapes) -> tuple[int, ...]:
    """The stride that takes each size to that of the output; 1 where there is none."""
    strides = []
    for before, after in zip(form.entering[1:], form.leaving[1:], strict=True):
        exact = [s for s in range(1, before + 1) if (before - 1) // s + 1 == after]
        strides.append(exact[0] if exact else 1)
    return tuple(strides)


def _pooled(x: Tensor, y: Tensor, dims: int) -> Tensor:
    from torch.nn import functional

    if not dims or x.shape[2:] == y.shape[2:]:
        return x
    pools: tuple[Callable[..., Tensor], ...] = (
        functional.adaptive_avg_pool1d,
        functional.adaptive_avg_pool2d,
        functional.adaptive_avg_pool3d,
    )
    return pools[dims - 1](x, y.shape[2:])


def _norm(
    net: Network, span: Span, form: Shapes, channels: int, affine: bool
) -> Callable[[Tensor], Tensor]:
    from torch import nn
    from torch.nn import functional

    kind = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[form.dims]
    dtype = net.module(span.start).get_parameter("weight").dtype
    norm: Any = net.add(f"{span.start}.norm", kind(channels, affine=affine, dtype=dtype))

    def run(x: Tensor) -> Tensor:
        flat = x.reshape(-1, channels) if form.axis == -1 else x
        if norm.training and flat.numel() == channels:  # one value a channel has no variance
            flat = functional.batch_norm(
                flat, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
            )
        else:
            flat = norm(flat)
        return flat.reshape(x.shape)

    return run
