"""Mean and deviation of images."""

from __future__ import annotations

import numpy as np
import pytest

from tostdsl.data import stats


def test_statistics_are_those_of_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """Block by block gives what numpy gives in float64 over everything at once."""
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 7, 5), dtype=np.uint8)
    monkeypatch.setattr(stats, "_BLOCK", 1000)
    mean, std = stats.mean_std(images)
    scaled = images.astype(np.float64) / 255
    assert scaled.mean((0, 2, 3)) == pytest.approx(mean, rel=1e-14)
    assert scaled.std((0, 2, 3)) == pytest.approx(std, rel=1e-12)


def test_a_channel_of_one_colour_has_deviation_one() -> None:
    """Dividing by the deviation of a constant channel is harmless."""
    images = np.full((4, 1, 2, 2), 51, dtype=np.uint8)
    assert ((0.2,), (1.0,)) == stats.mean_std(images)
