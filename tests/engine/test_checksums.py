"""Checksums of masks."""

from __future__ import annotations

import pytest
import torch

from tostdsl.engine.checksums import checksums


@pytest.mark.parametrize("size", [1, 7, 8, 9, 64, 1000])
def test_a_checksum_sees_every_bit_and_every_exchange(size: int) -> None:
    """Of masks of any size; what lies behind the layout in memory is not seen."""
    mask = torch.rand(size, generator=torch.Generator().manual_seed(size)) < 0.5
    (own,) = checksums([mask]).tolist()
    for place in range(size):
        other = mask.clone()
        other[place] = ~other[place]
        assert own != checksums([other]).item()
        other[(place + 1) % size] = ~other[(place + 1) % size]
        assert size == 1 or own != checksums([other]).item()


def test_a_checksum_is_the_same_in_any_layout() -> None:
    """Channels last or first, alone or among larger ones."""
    mask = torch.rand(4, 6, 3, 3, generator=torch.Generator().manual_seed(1)) < 0.5
    other = mask.contiguous(memory_format=torch.channels_last)
    large = torch.ones(5000, dtype=torch.bool)
    assert checksums([mask]).item() == checksums([large, other])[1].item()
    assert 0 == checksums([]).numel()
