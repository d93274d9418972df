"""Second derivatives: whether a network has them, and which of its modules have not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils import _pytree

from tostdsl.diagnostics import TostError

SHOWN = 2
"""How many modules a message names."""
MISSING = "not implemented"
"""What PyTorch says where a derivative is missing."""

T = TypeVar("T")


def or_refuse(model: nn.Module, images: Tensor, differentiate: Callable[[], T]) -> T:
    """What `differentiate` gives.

    Where a derivative is missing, the modules that lack it are looked for with `images` (N x C x H
    x W), and `TostError` T523 names them.
    """
    try:
        return differentiate()
    except (RuntimeError, NotImplementedError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        if MISSING not in said:
            raise
        names = culprits(model, images)
    rest = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
    *most, last = [*names[:SHOWN], *rest] or ["the network"]
    where = f"{', '.join(most)} and {last}" if most else last
    raise TostError.of("T523", where=where, reason=said)


def culprits(model: nn.Module, images: Tensor) -> list[str]:
    """The innermost modules without a second derivative, as "`NAME` (a CLASS)", in their order.

    Each module is run by itself on what it is given when the network runs on the images, and
    differentiated twice with respect to that and to its parameters.
    """
    calls: dict[str, tuple[Any, Any]] = {}

    def keep(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, args: Any, kwargs: Any) -> None:
            if name not in calls:
                calls[name] = _copied((args, kwargs))

        return hook

    modules = dict(model.named_modules())
    handles = [
        module.register_forward_pre_hook(keep(name), with_kwargs=True)
        for name, module in modules.items()
    ]
    try:
        with torch.no_grad():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    found: list[str] = []
    for name in reversed(modules):  # inner ones first
        inner = any(each.startswith(f"{name}." if name else "") for each in found)
        if name in calls and not inner and not _twice(modules[name], *calls[name]):
            found.append(name)
    return [f"`{name}` (a {type(modules[name]).__name__})" for name in reversed(found) if name]


def _copied(value: Any) -> Any:
    """Arguments whose tensors are leaves of their own."""

    def copy(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        return leaf.detach().clone().requires_grad_(leaf.is_floating_point())

    return _pytree.tree_map(copy, value)


def _twice(module: nn.Module, args: Any, kwargs: Any) -> bool:
    leaves = [each for each in _floats((args, kwargs)) if each.requires_grad]
    # past a product with 1, a module that works in place has no leaf to write into
    args, kwargs = _pytree.tree_map(_away, (args, kwargs))
    by = [*leaves, *module.parameters()]
    try:
        outputs = [each for each in _floats(module(*args, **kwargs)) if each.requires_grad]
        if not outputs or not by:
            return True
        total = torch.stack([each.square().sum() for each in outputs]).sum()
        first = _grads(total, by, create_graph=True)
        again = [each.square().sum() for each in first if each.requires_grad]
        if again:
            _grads(torch.stack(again).sum(), by)
    except Exception as error:  # a stranger's module need not run by itself
        return MISSING not in str(error)
    return True


def _away(leaf: Any) -> Any:
    return leaf * 1 if isinstance(leaf, Tensor) and leaf.requires_grad else leaf


def _floats(value: Any) -> Iterator[Tensor]:
    leaves = _pytree.tree_leaves(value)
    return (leaf for leaf in leaves if isinstance(leaf, Tensor) and leaf.is_floating_point())


def _grads(of: Tensor, by: list[Tensor], create_graph: bool = False) -> tuple[Tensor, ...]:
    return torch.autograd.grad(
        of, by, create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
