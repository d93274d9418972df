"""A number for each mask that changes when a bit of it does, computed where the mask lies.

The SHA-256 of `Masked.digest` needs the masks on the host; this needs a few kernels a mask and no
synchronisation, so that it can be looked at while training.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

FACTOR = 0x9E3779B1
"""Knuth's multiplier, 2^32 over the golden ratio."""
BYTES = 8
"""Masks are read eight bytes at a time."""


@torch.no_grad()
def checksums(masks: Sequence[Tensor]) -> Tensor:
    """One int64 a mask (bool, any shape), on their device; empty without masks.

    The sum, modulo 2^64, of the mask's words times odd numbers that differ from place to place.
    Integer sums do not depend on their order, so every device gives the same. A single changed
    value always changes it.
    """
    if not masks:
        return torch.zeros(0, dtype=torch.int64)
    places = torch.arange(-(-max(m.numel() for m in masks) // BYTES), device=masks[0].device)
    keys = (places * FACTOR) | 1
    found = []
    for mask in masks:
        flat = mask.contiguous().view(torch.uint8).reshape(-1)
        words = functional.pad(flat, (0, -flat.numel() % BYTES)).view(torch.int64)
        found.append((words * keys[: words.numel()]).sum())
    return torch.stack(found)
