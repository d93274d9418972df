"""The generators that everybody draws from: set before each step, and put back after others."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed(value: int) -> None:
    """Set the generators of torch (on every device), Python and numpy.

    What a network draws from them in a step then depends on nothing but the step.
    """
    torch.manual_seed(value)
    random.seed(value)
    np.random.seed(value % 2**32)


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
