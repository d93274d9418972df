"""What functions of torch become in a network whose paths are followed: they hand slopes on.

Signs are dropped, differences are sums, normalisations hand on what they get, maxima are means.
In attention queries and keys count as leading on.
Where nothing can cancel all scores of an attention are alike, and the slope of a softmax is then
zero or, summed, cancels out. So while paths are followed a softmax puts out what it does of equal
scores, with a slope above zero for each, and what is brought to unit length keeps the slope of a
plain factor. Softmax is met as a function and as a module, in `scaled_dot_product_attention` and
in `MultiheadAttention`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class Passing(TorchFunctionMode):
    """Inside of it functions that could cancel or stop a slope hand it on."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        _types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """What torch calls in the place of a function."""
        kwargs = kwargs or {}
        instead = _INSTEAD.get(getattr(func, "__name__", ""), func)
        return instead(*args, **kwargs)


def even(x: Tensor, dim: int | None = -1, *_rest: Any, **_named: Any) -> Tensor:
    """A softmax of equal scores along `dim`, minus infinity aside; its slope is above zero."""
    dim = -1 if dim is None else dim
    seen = torch.isfinite(x)
    plain = x.masked_fill(~seen, 0)
    share = seen.to(x.dtype) / seen.sum(dim, keepdim=True).clamp(min=1)
    return share * (1 + plain - plain.detach())


def as_is(x: Tensor, *_rest: Any, **_named: Any) -> Tensor:
    """The values themselves: a sign, a scale or a log decides nothing about paths."""
    return x


def unit(x: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Any = None) -> Tensor:
    """Vectors of unit length, their length taken for a constant."""
    length: Tensor = torch.linalg.vector_norm(x.detach(), p, dim, keepdim=True)
    return x / length.clamp(min=eps)


def product(query: Tensor, key: Tensor, value: Tensor, *_rest: Any, **_named: Any) -> Tensor:
    """`scaled_dot_product_attention`, every place open to every other."""
    if key.dim() > 2 and key.shape[-3] != query.shape[-3]:  # several heads share keys and values
        times = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    return even(scores) @ value


def unsigned(x: Tensor, *_rest: Any, **_named: Any) -> Tensor:
    """Without the sign that a negation gives; whole numbers, which may tell places, have it."""
    return x if x.is_floating_point() else torch.neg(x)


def together(a: Any, b: Any, *_rest: Any, **_named: Any) -> Any:
    """A difference as a sum, in which nothing cancels; a number is a bias, and left out as such.

    One of whole numbers, which may tell places, stays.
    """
    if not any(isinstance(x, Tensor) and x.is_floating_point() for x in (a, b)):
        return torch.sub(a, b)
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        return a if isinstance(a, Tensor) else b
    return a + b


def pooled(
    x: Tensor, size: Any, stride: Any = None, padding: Any = 0, _: Any = 1, ceil_mode: bool = False,
    *_rest: Any, **named: Any,
) -> Tensor:  # fmt: skip
    """A maximum over places as their mean."""
    ceil_mode = named.get("ceil_mode", ceil_mode)
    return functional.avg_pool2d(x, size, stride, padding, ceil_mode)


def pooled_to(x: Tensor, size: Any, *_rest: Any, **_named: Any) -> Tensor:
    """A maximum over as many places as give a size, as their mean."""
    return functional.adaptive_avg_pool2d(x, size)


_INSTEAD: Mapping[str, Callable[..., Any]] = {
    "neg": unsigned,
    "sub": together,
    "subtract": together,
    "__rsub__": together,
    **dict.fromkeys(
        ("layer_norm", "batch_norm", "group_norm", "instance_norm", "local_response_norm"), as_is
    ),
    "max_pool2d": pooled,
    "adaptive_max_pool2d": pooled_to,
    "softmax": even,
    "log_softmax": as_is,
    "normalize": unit,
    "scaled_dot_product_attention": product,
}


def attend(
    module: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any
) -> tuple[Tensor, None]:
    """What `MultiheadAttention` computes of its weights alone; biases and masks are left out."""
    weights: Any = module.in_proj_weight
    if weights is None:
        weights = (module.q_proj_weight, module.k_proj_weight, module.v_proj_weight)
    else:
        weights = weights.chunk(3)
    heads = [
        functional.linear(x, weight) for x, weight in zip((query, key, value), weights, strict=True)
    ]
    if query.dim() == 3 and not module.batch_first:
        heads = [x.transpose(0, 1) for x in heads]
    heads = [x.reshape(*x.shape[:-1], module.num_heads, -1).transpose(-3, -2) for x in heads]
    joined = product(*heads).transpose(-3, -2).flatten(-2)
    if query.dim() == 3 and not module.batch_first:
        joined = joined.transpose(0, 1)
    return functional.linear(joined, module.out_proj.weight), None
