"""Tests of this folder are for a machine with a GPU; elsewhere they are skipped, and say why."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def gpu() -> None:
    """Skip where torch sees no GPU."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a GPU; torch sees none")
