"""The real sets, where TOST_DATA says."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tostdsl.data.cifar10 import Cifar10
from tostdsl.data.mnist import Mnist
from tostdsl.plan.bases import LoadOptions

ROOT = os.environ.get("TOST_DATA")
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not ROOT, reason="TOST_DATA does not say where real data is"),
]


def test_cifar10s_published_mean_fits_its_images() -> None:
    """A balanced slice of the real images has nearly the constants' mean and deviation."""
    loaded = Cifar10().load(LoadOptions(root=Path(str(ROOT)), limit=2000))
    scaled = loaded.train.images / 255
    assert loaded.mean == pytest.approx(scaled.mean((0, 2, 3)), abs=0.02)
    # the published deviation is the mean of the images' own, not that of all pixels
    assert loaded.std == pytest.approx(scaled.std((2, 3)).mean(0), abs=0.02)
    assert [200] * 10 == np.bincount(loaded.test.labels).tolist()
    assert str(ROOT) in loaded.origin


def test_mnists_published_mean_is_that_of_its_images() -> None:
    """The constants are the training images' mean and deviation to four digits."""
    loaded = Mnist().load(LoadOptions(root=Path(str(ROOT))))
    scaled = loaded.train.images / 255
    assert loaded.mean == pytest.approx([scaled.mean()], abs=5e-5)
    assert loaded.std == pytest.approx([scaled.std()], abs=5e-5)
    assert Mnist().facts() == loaded.facts
