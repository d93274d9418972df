"""How a run computes, as opposed to what: layout, compiler, determinism, TF32.

Nothing here changes the plan. Off is the default of all of them: a recipe that says float32 gets
float32, so TF32, which keeps 10 of its 23 bits in products, is for those who ask; torch's own
default lets convolutions have it.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import nn

from tostdsl.diagnostics import TostError
from tostdsl.engine import device as devices
from tostdsl.engine.feed import resident
from tostdsl.plan.bases import Images
from tostdsl.plan.plan import Plan, Precision

CUBLAS, WORKSPACE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"
"""What cuBLAS reads when it is first used, and a value with which it sums in one order."""
AMPERE = (8, 0)
"""NVIDIA's compute capability from which TF32 exists."""
_UNSETTLED = re.compile(r"(\S+) does not have a deterministic implementation")
_UNSETTLED_CUBLAS = "not deterministic because it uses CuBLAS"


@dataclass(frozen=True, slots=True)
class Execution:
    """How to compute."""

    channels_last: bool = False
    """Images and convolutions with the channels last in memory."""
    compile: bool = False
    """Training passes by `torch.compile`, see `compiled`."""
    deterministic: bool = False
    """Only operations that give the same bits each time."""
    tf32: bool = False
    """Products of float32 in TF32, on GPUs that have it."""

    def refused(self, device: torch.device) -> dict[str, str]:
        """The options that are on and cannot be had on a device, with the reasons."""
        found = {}
        if self.tf32 and (device.type != "cuda" or not _ampere(device)):
            found["tf32"] = "only NVIDIA's GPUs from Ampere on have it"
        return found

    def refuse(self, device: torch.device, precision: Precision) -> None:
        """`TostError` R330 for what cannot be had on a device."""
        for name, reason in self.refused(device).items():
            option = f"--{name.replace('_', '-')}"
            raise TostError.of("R330", option=option, device=device, reason=reason, more="")
        if precision != "fp32" and not _has(device, precision):
            raise TostError.of(
                "R330", option=f"precision {precision}", device=device,
                reason="it computes nothing in that", more=" of the recipe",
            )  # fmt: skip

    def fitting(self, device: torch.device) -> Execution:
        """Without what cannot be had on a device."""
        return replace(self, **dict.fromkeys(self.refused(device), False))

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """All that torch decides for the whole process; put back at the end."""
        with ExitStack() as stack:
            products = "tf32" if self.tf32 else "ieee"
            convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
            for place in (torch.backends.cuda.matmul, convolutions):
                _put(stack, place, "fp32_precision", products)
            if self.deterministic:
                _determine(stack)
                if self.compile:
                    import torch._inductor.config as inductor

                    _put(stack, inductor, "deterministic", True)
            yield

    def described(self, plan: Plan, images: Images, device: torch.device) -> dict[str, Any]:
        """What is in force, as torch itself says it where it can; call it under `in_force`."""
        optimizer = plan.optimizer.build([nn.Parameter(torch.zeros(1, device=device))])
        kernels = [name for name in ("fused", "foreach") if optimizer.defaults.get(name)]
        held = all(resident(split, device) for split in (images.train, images.test))
        return {
            "precision": plan.precision,
            "loss_scaler": devices.scaler(device, plan.precision).is_enabled(),
            "float32_products": torch.backends.cuda.matmul.fp32_precision,
            "memory_format": "channels_last" if self.channels_last else "contiguous",
            "compiler": "inductor" if self.compile else None,
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "optimizer": kernels[0] if kernels else "plain",
            "images": "resident" if held else "streamed",
        }


PLAIN = Execution()
NAMES = tuple(field.name for field in fields(Execution))


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What `described` says otherwise than before; where images lie changes no bit."""
    names = [n for n in before if n in now and n != "images" and before[n] != now[n]]
    return [f"{name} was {before[name]}, is {now[name]}" for name in names]


def failure(error: BaseException, device: torch.device) -> TostError | None:
    """A failure of the compiler, or of determinism, in words; None for any other."""
    said = str(error)
    if found := _UNSETTLED.search(said):
        return TostError.of("R332", operation=f"`{found[1]}`", device=device)
    if _UNSETTLED_CUBLAS in said:
        operation = f"cuBLAS (unless `{CUBLAS}={WORKSPACE}` is set before the process starts)"
        return TostError.of("R332", operation=operation, device=device)
    compiler = sys.modules.get("torch._dynamo.exc")  # not there while nothing is compiled
    if compiler is None or not isinstance(error, compiler.TorchDynamoException):
        return None
    inner = getattr(error, "inner_exception", None) or error.__cause__ or error
    lines = [line.strip() for line in str(inner).splitlines() if line.strip()]
    name = type(inner).__name__
    return TostError.of("R331", reason=f"{name}: {lines[0]}" if lines else name)


def _determine(stack: ExitStack) -> None:
    stack.callback(
        torch.use_deterministic_algorithms,
        torch.are_deterministic_algorithms_enabled(),
        warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True)
    _put(stack, torch.backends.cudnn, "deterministic", True)
    _put(stack, torch.backends.cudnn, "benchmark", False)
    if CUBLAS not in os.environ:
        os.environ[CUBLAS] = WORKSPACE
        stack.callback(os.environ.pop, CUBLAS, None)


def _put(stack: ExitStack, place: Any, name: str, value: object) -> None:
    stack.callback(setattr, place, name, getattr(place, name))
    setattr(place, name, value)


def _ampere(device: torch.device) -> bool:
    return torch.cuda.get_device_capability(device) >= AMPERE


def _has(device: torch.device, precision: Precision) -> bool:
    """Whether a product comes out in a precision: torch may fall back to float32 and warn."""
    ones = torch.ones(8, 8, device=device)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with devices.autocast(device, precision):
                return torch.mm(ones, ones).dtype == devices.DTYPES[precision]
        except RuntimeError:
            return False
