"""Randomness as a function of (seed, purpose): never of how often a generator was called."""

from __future__ import annotations

import hashlib
import json

import torch


def derive(seed: int, *purpose: str | int) -> int:
    """A seed of 63 bits for one purpose, such as `derive(seed, "order", epoch)`.

    Different purposes give independent seeds; `1` and `"1"` are different.
    """
    digest = hashlib.sha256(json.dumps([seed, *purpose]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> torch.Generator:
    """A new CPU generator for one purpose; the same numbers on every machine."""
    return torch.Generator().manual_seed(derive(seed, *purpose))
