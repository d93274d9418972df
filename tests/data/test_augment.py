"""Augmentations, each image against torchvision or against plain indexing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tostdsl.data.augment import Crop, Cutout, Flip, _pick
from tostdsl.plan.spec import CheckSite
from tostdsl.units import Percent
from tostdsl.vision import torchvision

IMAGES = torch.rand(64, 3, 12, 9, generator=torch.Generator().manual_seed(1))


def draws(numbers: int) -> torch.Tensor:
    return torch.rand(64, numbers, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("padding", [1, 4, 20])
def test_crop_is_torchvisions_pad_and_crop_of_every_image(padding: int) -> None:
    """A crop is a border of black pixels and a window of the old size, image by image."""
    torchvision()
    from torchvision.transforms.v2 import functional

    given = draws(2)
    cropped = Crop(padding=padding).apply(IMAGES, given)
    for image, (down, across), actual in zip(IMAGES, given.tolist(), cropped, strict=True):
        bordered = functional.pad(image, [padding] * 4)
        top, left = int(down * (2 * padding + 1)), int(across * (2 * padding + 1))
        assert torch.equal(functional.crop(bordered, top, left, 12, 9), actual)


def test_crop_can_leave_an_image_where_it_is() -> None:
    """The middle of the range of draws is no shift."""
    assert torch.equal(IMAGES, Crop(padding=4).apply(IMAGES, torch.full((64, 2), 0.5)))


def test_flip_is_torchvisions_flip_of_the_chosen_images() -> None:
    """Exactly the images whose draw is below the probability are mirrored."""
    torchvision()
    from torchvision.transforms.v2 import functional

    given = draws(1)
    flipped = Flip(probability=Percent.from_json({"percent": 30})).apply(IMAGES, given)
    chosen = (given[:, 0] < 0.3).tolist()
    assert 0 < sum(chosen) < 64
    for image, mirrored, actual in zip(IMAGES, chosen, flipped, strict=True):
        assert torch.equal(functional.horizontal_flip(image) if mirrored else image, actual)


@pytest.mark.parametrize(("percent", "expected"), [(0, IMAGES), (100, IMAGES.flip(3))])
def test_flip_at_its_ends_flips_none_or_all(percent: int, expected: torch.Tensor) -> None:
    """0% never mirrors and 100% always does, whatever is drawn."""
    given = draws(1)
    given[0], given[1] = 0.0, 1 - 2**-24
    flip = Flip(probability=Percent.from_json({"percent": percent}))
    assert torch.equal(expected, flip.apply(IMAGES, given))


@pytest.mark.parametrize("size", [1, 4, 5, 40])
def test_cutout_blackens_a_square_around_a_pixel(size: int) -> None:
    """The square is the paper's: `size` long, around the drawn centre, cut by the image's edge."""
    given = draws(2)
    actual = Cutout(size=size).apply(IMAGES, given)
    expected = IMAGES.numpy().copy()
    for image, (down, across) in zip(expected, given.tolist(), strict=True):
        top, left = int(down * 12) - size // 2, int(across * 9) - size // 2
        image[:, max(0, top) : max(0, top + size), max(0, left) : max(0, left + size)] = 0
    assert np.array_equal(expected, actual.numpy())


@pytest.mark.parametrize("augmentation", [Crop(), Flip(), Cutout()])
def test_bytes_and_floats_are_changed_alike(augmentation: Crop | Flip | Cutout) -> None:
    """Pixels are moved or blackened, never mixed, so the type does not matter."""
    pixels = (IMAGES * 255).to(torch.uint8)
    given = draws(augmentation.numbers)
    expected = augmentation.apply(pixels, given).float()
    assert torch.equal(expected, augmentation.apply(pixels.float(), given))


@pytest.mark.parametrize("augmentation", [Crop(), Flip(), Cutout()])
def test_the_given_images_are_left_alone(augmentation: Crop | Flip | Cutout) -> None:
    """An augmentation returns new images."""
    before = IMAGES.clone()
    augmentation.apply(IMAGES, draws(augmentation.numbers))
    assert torch.equal(before, IMAGES)


def test_picks_stay_in_range_at_the_largest_draw() -> None:
    """The largest float below 1 picks the last choice, the smallest the first."""
    ends = torch.tensor([0.0, 1 - 2**-24])
    for choices in range(1, 2050):
        assert [0, choices - 1] == _pick(ends, choices).tolist()


def test_picks_are_even() -> None:
    """Each of nine shifts gets its share of evenly spread draws."""
    spread = torch.arange(9000) / 9000
    assert [1000] * 9 == torch.bincount(_pick(spread, 9)).tolist()


def test_a_probability_above_one_is_a_problem() -> None:
    """`flip(probability=150%)` is refused, naming the argument."""
    flip = Flip(probability=Percent.from_json({"percent": 150}))
    assert [("T504", ("probability",))] == [(p.code, p.fields) for p in flip.check(CheckSite())]
    assert [] == list(Flip().check(CheckSite()))
