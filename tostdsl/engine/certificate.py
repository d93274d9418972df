"""The proof that what was written is what ran: every ghost gone, every masked weight zero.

The plain architecture's shape is taken down before training; every check is made against that,
against the masks and against the program, never against what a technique says of itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

_HOOKS = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One check and its outcome."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is made of: modules with classes and flags, tensors with shapes, hooks.

    A `forward` of a module's own, beside its class's, counts as a hook.
    """

    modules: tuple[tuple[str, str], ...]
    flags: tuple[tuple[str, bool], ...]
    tensors: tuple[tuple[str, tuple[int, ...]], ...]
    hooks: int
    parameters: int

    @classmethod
    def of(cls, model: nn.Module) -> Shape:
        """Take a network's shape down."""
        return cls(
            tuple((name, type(module).__qualname__) for name, module in model.named_modules()),
            tuple(
                (name, bool(module.inplace))
                for name, module in model.named_modules()
                if hasattr(module, "inplace")
            ),
            tuple((name, tuple(tensor.shape)) for name, tensor in model.state_dict().items()),
            sum(len(getattr(m, hooks, ())) for m in model.modules() for hooks in _HOOKS)
            + sum("forward" in vars(m) for m in model.modules()),
            sum(parameter.numel() for parameter in model.parameters()),
        )


@dataclass(slots=True)
class Certificate:
    """Collects checks; `passed` when all of them did."""

    plain: Shape
    checks: list[Check] = field(default_factory=list)

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

    def removal(self, what: str, at: str, before: torch.Tensor, after: torch.Tensor) -> None:
        """The network computes the same without `what` as with it at weight 0.

        `before` and `after` are outputs (N x classes) on one fixed batch in evaluation mode.
        Equal to the bit, or within 1e-5 of the largest output where the arithmetic differs.
        """
        gap = float((before - after).abs().max())
        bound = 1e-5 * max(1.0, float(after.abs().max()))
        exact = torch.equal(before, after)
        how = "equal to the bit" if exact else f"largest difference {gap:.2e}, bound {bound:.2e}"
        self.add(f"{what} left without a trace at {at}", exact or gap <= bound, how)

    def shape(self, model: nn.Module, when: str) -> None:
        """The network has the plain architecture's modules, tensors and parameters, no hooks."""
        now, plain = Shape.of(model), self.plain
        self.add(f"same modules {when}", now.modules == plain.modules, _first_gap(now, plain))
        same = now.tensors == plain.tensors
        self.add(f"same state_dict {when}", same, f"{len(plain.tensors)} tensors")
        extra = now.hooks - plain.hooks
        self.add(f"no hooks left {when}", extra == 0 and now.flags == plain.flags, f"{extra} left")
        detail = f"{now.parameters:,} of {plain.parameters:,}"
        self.add(f"same parameter count {when}", now.parameters == plain.parameters, detail)

    def to_json(self) -> dict[str, Any]:
        """The content of certificate.json."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.checks]}


def _first_gap(now: Shape, plain: Shape) -> str:
    gaps = sorted(set(now.modules) ^ set(plain.modules))
    return f"differs at `{gaps[0][0]}`" if gaps else f"{len(plain.modules)} modules"
