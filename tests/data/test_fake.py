"""Random images in place of real ones."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestCentroid

from tostdsl.data.cifar10 import Cifar10
from tostdsl.data.digits import Digits
from tostdsl.data.fake import fake_for, fake_images
from tostdsl.data.imagefolder import ImageFolder
from tostdsl.plan.bases import DataFacts


def test_they_have_the_shape_and_sizes_of_the_set_they_stand_for() -> None:
    """A rehearsal has as many steps of as large images as the real run."""
    fake = fake_for(Digits(), None, 1)
    assert Digits().facts() == fake.facts
    assert (1438, 1, 8, 8) == fake.train.images.shape
    assert np.uint8 == fake.train.images.dtype
    assert np.int64 == fake.train.labels.dtype
    assert "random images in place of digits" == fake.origin


def test_a_limit_holds_for_both_splits() -> None:
    """At most so many images, as evenly spread over the classes as can be."""
    fake = fake_for(Cifar10(), 25, 1)
    assert (25, 25) == (fake.facts.train_size, fake.facts.test_size)
    assert [3] * 5 + [2] * 5 == np.bincount(fake.train.labels).tolist()


def test_an_image_folder_is_stood_in_for_in_its_own_size() -> None:
    """Facts that only loading tells are guessed, the size is not."""
    fake = fake_for(ImageFolder(path="nowhere", size=20), 40, 1)
    assert DataFacts(3, 20, 20, 10, 40, 40) == fake.facts
    assert (3, 64, 64) == fake_images(None, 5, 1).facts.shape


def test_the_seed_decides_them() -> None:
    """The same seed gives the same images, another others; test images are not training images."""
    first, again, other = (fake_for(Digits(), 50, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.train.images, again.train.images)
    assert not np.array_equal(first.train.images, other.train.images)
    assert not np.array_equal(first.train.images, first.test.images)


def test_they_can_be_learned() -> None:
    """Comparing with the classes' average images tells most test images."""
    fake = fake_for(Cifar10(), 1000, 3)
    model = NearestCentroid().fit(
        fake.train.images.reshape(1000, -1).astype(float), fake.train.labels
    )
    assert model.score(fake.test.images.reshape(1000, -1), fake.test.labels) > 0.95
