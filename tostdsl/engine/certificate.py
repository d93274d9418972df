"""The proof that what was written is what ran: every ghost gone, every masked weight zero.

The plain architecture's shape is taken down before training; every check is made against that,
against the masks and against the program, never against what a technique says of itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from tostdsl.engine.masked import Masked

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
class Check:
    """One check and its outcome."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is made of: modules with classes and flags, tensors with shapes, hooks."""

    modules: tuple[tuple[str, str], ...]
    """Each with its class, the very one: one made to look like it has another number."""
    flags: tuple[tuple[str, str], ...]
    """Settings of each module (`eps`, `inplace`, `momentum`, …) and of each parameter."""
    tensors: tuple[tuple[str, tuple[int, ...]], ...]
    hooks: int
    parameters: int

    @classmethod
    def of(cls, model: nn.Module) -> Shape:
        """Take a network's shape down."""
        return cls(
            tuple(
                (name, f"{type(module).__qualname__} {id(type(module))}")
                for name, module in model.named_modules()
            ),
            tuple(_settings(model)),
            (
                *((name, tuple(tensor.shape)) for name, tensor in _tensors(model)),
                *((f"state_dict {name}", tuple(t.shape)) for name, t in model.state_dict().items()),
            ),
            _hooks(model),
            sum(parameter.numel() for parameter in model.parameters()),
        )


@dataclass(slots=True)
class Certificate:
    """Collects checks; `passed` when all of them did."""

    plain: Shape
    checks: list[Check] = field(default_factory=list)
    _present: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    _masked: dict[str, list[tuple[int, bool]]] = field(default_factory=dict)
    _chosen: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> list[Check]:
        """The checks that did not pass."""
        return [check for check in self.checks if not check.passed]

    def add(self, name: str, passed: bool, detail: str) -> None:
        """Take down one check."""
        self.checks.append(Check(name, passed, detail))

    def removal(
        self, what: str, at: str, before: torch.Tensor, after: torch.Tensor, untouched: bool = True
    ) -> None:
        """The network computes the same without `what` as with it at weight 0.

        `before` and `after` are outputs (N x classes) on one fixed batch in evaluation mode.
        Equal to the bit, or within 1e-5 of the largest output where the arithmetic differs;
        `untouched` says that leaving changed no parameter and no buffer of the network.
        """
        gap = float((before - after).abs().max())
        bound = 1e-5 * max(1.0, float(after.abs().max()))
        exact = torch.equal(before, after)
        how = "equal to the bit" if exact else f"largest difference {gap:.2e}, bound {bound:.2e}"
        if not untouched:
            how += "; but the network's own weights or buffers were changed"
        passed = untouched and (exact or gap <= bound)
        self.add(f"{what} left without a trace at {at}", passed, how)

    def presence(self, phase: str, step: int, at_work: list[int], planned: list[int]) -> None:
        """Take down who was at work over a segment; `close` turns it into one check a phase."""
        self._present.setdefault(phase, []).append((step, at_work == planned))

    def masks(self, phase: str, step: int, masked: Masked) -> None:
        """Take down, at a segment's end, that masked weights are zero and masks are the chosen."""
        bad = masked.violations()
        same = self._chosen is None or masked.digest() == self._chosen
        self._masked.setdefault(phase, []).append((step, not bad and same))

    def chosen(self, masked: Masked) -> None:
        """Take the masks down that a method has just chosen."""
        self._chosen = masked.digest()

    def close(self, phase: str) -> None:
        """End a phase: one check of presence and one of masks, over all its segments."""
        for what, found in (
            ("stages at work in their windows and nowhere else", self._present.pop(phase, [])),
            (
                "masked weights zero and masks as chosen at each segment's end",
                self._masked.pop(phase, []),
            ),
        ):
            wrong = [step for step, right in found if not right]
            detail = f"not at step {wrong[0]}" if wrong else f"{len(found)} segments"
            if found:
                self.add(f"{what}, in {phase}", not wrong, detail)

    def jump(self, what: str, at: str, before: torch.Tensor, after: torch.Tensor) -> None:
        """Take down how far outputs moved when stages left at a weight above 0, as written."""
        gap, largest = float((before - after).abs().max()), float(after.abs().max())
        detail = f"outputs moved by up to {gap:.2e}, the largest is {largest:.2e}"
        self.add(f"{what} left by a jump, as written, at {at}", True, detail)

    def shape(self, model: nn.Module, when: str) -> None:
        """The network has the plain architecture's modules, tensors and parameters, no hooks."""
        now, plain = Shape.of(model), self.plain
        gap = _first_gap(now.modules, plain.modules) or _first_gap(now.flags, plain.flags)
        self.add(f"same modules {when}", not gap, gap or f"{len(plain.modules)} modules")
        same = now.tensors == plain.tensors
        kept = sum(name.startswith("state_dict ") for name, _ in plain.tensors)
        self.add(f"same state_dict {when}", same, f"{kept} tensors")
        extra = now.hooks - plain.hooks
        self.add(f"no hooks left {when}", extra == 0, f"{extra} left")
        detail = f"{now.parameters:,} of {plain.parameters:,}"
        self.add(f"same parameter count {when}", now.parameters == plain.parameters, detail)

    def to_json(self) -> dict[str, Any]:
        """The content of certificate.json."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.checks]}


def _first_gap(now: tuple[tuple[str, str], ...], plain: tuple[tuple[str, str], ...]) -> str:
    gaps = sorted(set(now) ^ set(plain))
    return f"differs at `{gaps[0][0]}`" if gaps else ""


def _settings(model: nn.Module) -> Iterator[tuple[str, str]]:
    """What a module is set to, beyond its tensors: plain attributes, and functions of its own."""
    for name, module in model.named_modules():
        own = vars(module)
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


def _hooks(model: nn.Module) -> int:
    """Hooks on modules, on parameters, and on all modules of the process."""
    own = sum(len(getattr(m, kind, None) or ()) for m in model.modules() for kind in _HOOKS)
    tensors = sum(
        len(getattr(p, kind, None) or ()) for p in model.parameters() for kind in _TENSOR_HOOKS
    )
    everywhere = vars(torch.nn.modules.module)
    shared = sum(
        len(value)
        for key, value in everywhere.items()
        if key.startswith("_global_") and key.endswith("_hooks") and isinstance(value, Mapping)
    )
    return own + tensors + shared
