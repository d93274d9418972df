"""Torch's own random numbers, put back after something else has drawn from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def kept(device: torch.device) -> Iterator[None]:
    """Put the states of the CPU's generator and of the device's back at the end."""
    cpu = torch.get_rng_state()
    there = torch.get_device_module(device) if device.type in ("cuda", "mps") else None
    state = there.get_rng_state() if there is not None else None
    try:
        yield
    finally:
        torch.set_rng_state(cpu)
        if there is not None:
            there.set_rng_state(state)
