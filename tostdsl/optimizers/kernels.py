"""Which of torch's optimizer kernels suits some parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

FUSED_DEVICES = frozenset({"cpu", "cuda"})
"""Where torch has had fused kernels of SGD, Adam and AdamW in every version supported here."""


def kernel(parameters: Sequence[torch.nn.Parameter]) -> dict[str, bool]:
    """`fused` where every parameter is a real float on such a device, else `foreach`."""
    fused = all(p.is_floating_point() and p.device.type in FUSED_DEVICES for p in parameters)
    return {"fused": True} if fused else {"foreach": True}
