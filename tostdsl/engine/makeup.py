"""What a network is made of: modules, settings, tensors and hooks, each by its identity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import nn

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)
_TENSOR_HOOKS = ("_backward_hooks", "_post_accumulate_grad_hooks")
_FUNCTIONS = (FunctionType, MethodType, partial)
"""A function of a module's own stands before its class's, as a changed `forward` would."""
_PLAIN = (bool, int, float, str, tuple, type(None))


@dataclass(frozen=True, slots=True)
class Parts:
    """What stages at work have put into a network's own modules, by the engine's own books."""

    hooks: frozenset[int] = frozenset()
    """Numbers of the handles that PyTorch gave for them."""
    inplace: Mapping[str, bool] = field(default_factory=dict)
    """Modules that are kept from acting in place, and whether they would."""
    forwards: Mapping[str, Any] = field(default_factory=dict)
    """Modules that run their written-out steps, and these."""


NOTHING = Parts()


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is made of: modules with classes and flags, tensors with shapes, hooks."""

    modules: tuple[tuple[str, str], ...]
    """Each with its class, the very one: one made to look like it has another number."""
    flags: tuple[tuple[str, str], ...]
    """Settings of each module (`eps`, `inplace`, `momentum`, …) and of each parameter."""
    tensors: tuple[tuple[str, tuple[int, ...]], ...]
    hooks: tuple[tuple[str, str], ...]
    """Where each is, and which: its kind, its number there and the function's."""
    parameters: int

    @classmethod
    def of(cls, model: nn.Module, parts: Parts = NOTHING) -> Shape:
        """Take a network's shape down as it would be without these parts of stages."""
        return cls(
            tuple(
                (name, f"{type(module).__qualname__} {id(type(module))}")
                for name, module in model.named_modules()
            ),
            tuple(_settings(model, parts)),
            (
                *((name, tuple(tensor.shape)) for name, tensor in _tensors(model)),
                *((f"state_dict {name}", tuple(t.shape)) for name, t in model.state_dict().items()),
            ),
            tuple(
                (place, f"{kind} {number} {which}")
                for place, kind, number, which in _hooks(model)
                if number not in parts.hooks
            ),
            sum(parameter.numel() for parameter in model.parameters()),
        )

    def gaps(self, plain: Shape) -> list[str]:
        """How this differs from another shape, in words; empty when it does not."""
        found = [
            _first(f"{what} differ", mine, other)
            for what, mine, other in (
                ("modules", self.modules, plain.modules),
                ("settings", self.flags, plain.flags),
                ("tensors", self.tensors, plain.tensors),
            )
        ]
        return [each for each in (*found, self.hook_gap(plain)) if each]

    def hook_gap(self, plain: Shape) -> str:
        """The first hook that is here and not there, or the other way round, in words."""
        mine, other = set(self.hooks), set(plain.hooks)
        left, lost = sorted(mine - other), sorted(other - mine)
        return " and ".join(
            f"{len(hooks)} {what}, the first {kind_of(hooks[0])}"
            for what, hooks in (("left", left), ("of the network's own gone", lost))
            if hooks
        )


def first_gap(now: Shape, plain: Shape) -> str:
    """Where modules or their settings differ first, in words."""
    return _first("differs", now.modules, plain.modules) or _first(
        "differs", now.flags, plain.flags
    )


def kind_of(hook: tuple[str, str]) -> str:
    """A hook of a shape, in words."""
    place, which = hook
    kind = which.split()[0].strip("_").replace("_", " ").removesuffix("s")
    return f"a {kind} at `{place or 'the network itself'}`"


def missing(model: nn.Module, parts: Parts) -> int:
    """How many hooks of stages at work are not in the network any more."""
    return len(parts.hooks - {number for _, _, number, _ in _hooks(model)})


def _first(words: str, now: tuple[tuple[str, Any], ...], plain: tuple[tuple[str, Any], ...]) -> str:
    gaps = sorted(set(now) ^ set(plain))
    return f"{words} at `{gaps[0][0]}`" if gaps else ""


def _settings(model: nn.Module, parts: Parts) -> Iterator[tuple[str, str]]:
    """What a module is set to, beyond its tensors: plain attributes, and functions of its own."""
    for name, module in model.named_modules():
        own = dict(vars(module))
        if own.get("inplace") is False and name in parts.inplace:
            own["inplace"] = parts.inplace[name]
        if name in parts.forwards and own.get("forward") is parts.forwards[name]:
            del own["forward"]
        plain = {
            key: value
            for key, value in own.items()
            if key[0] != "_" and key != "training" and isinstance(value, _PLAIN)
        }
        functions = sorted(f"{key} {id(v)}" for key, v in own.items() if isinstance(v, _FUNCTIONS))
        yield name, f"{sorted(plain.items())!r} {functions!r}"
    for name, parameter in model.named_parameters():
        yield name, f"requires_grad={parameter.requires_grad}"


def _tensors(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters and buffers, those that are not saved too."""
    yield from model.named_parameters(remove_duplicate=False)
    yield from model.named_buffers(remove_duplicate=False)


def _hooks(model: nn.Module) -> Iterator[tuple[str, str, int, int]]:
    """Hooks on modules, on parameters, and on all modules of the process.

    Where each is, its kind, PyTorch's number for it, and the function's, which lives as long as
    it is hooked: one put in another's place is another.
    """
    places: list[tuple[str, Any, tuple[str, ...]]] = [
        *((name, module, _HOOKS) for name, module in model.named_modules()),
        *((name, parameter, _TENSOR_HOOKS) for name, parameter in model.named_parameters()),
    ]
    for name, owner, kinds in places:
        for kind in kinds:
            for number, hook in _listed(getattr(owner, kind, None)):
                yield name, kind, number, id(hook)
    for kind, hooks in vars(torch.nn.modules.module).items():
        if kind.startswith("_global_") and kind.endswith("_hooks"):
            for number, hook in _listed(hooks):
                yield "every module", kind, number, id(hook)


def _listed(hooks: Any) -> list[tuple[int, Any]]:
    return list(hooks.items()) if isinstance(hooks, Mapping) else []
