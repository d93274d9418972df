"""Image folders: what is read, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tostdsl.data.decode import Cropped
from tostdsl.data.decode import read as read_image
from tostdsl.data.imagefolder import ImageFolder
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.bases import DataFacts, LoadOptions
from tostdsl.vision import torchvision

from .conftest import Maker

COUNTS = {"train": {"owl": 3, "cat": 5}, "test": {"owl": 2, "cat": 1}}


def refused(folder: Path, **options: int) -> Diagnostic:
    with pytest.raises(TostError) as caught:
        ImageFolder(path=str(folder), size=8).load(LoadOptions(**options))
    (found,) = caught.value.diagnostics
    return found


def test_pixels_and_labels_are_those_of_the_files(make_folder: Maker) -> None:
    """Classes are sorted by name, files by name within them, pixels are pillow's."""
    folder = make_folder(COUNTS, size=(8, 8))
    loaded = ImageFolder(path=str(folder), size=8).load(LoadOptions())
    assert DataFacts(3, 8, 8, 2, 8, 3) == loaded.facts
    assert [0] * 5 + [1] * 3 == loaded.train.labels.tolist()
    for part, split in (("train", loaded.train), ("test", loaded.test)):
        for path, image in zip(sorted(folder.glob(f"{part}/*/*")), split.images, strict=True):
            assert np.array_equal(np.asarray(Image.open(path)), image.transpose(1, 2, 0))


def test_statistics_are_those_of_the_training_images(make_folder: Maker) -> None:
    """Mean and deviation come from the decoded training images, in float64."""
    loaded = ImageFolder(path=str(make_folder(COUNTS)), size=16).load(LoadOptions())
    scaled = loaded.train.images.astype(np.float64) / 255
    assert scaled.mean((0, 2, 3)) == pytest.approx(loaded.mean, rel=1e-13)
    assert scaled.std((0, 2, 3)) == pytest.approx(loaded.std, rel=1e-11)


@pytest.mark.parametrize("size", [(40, 25), (25, 41), (13, 50), (16, 16), (7, 9)])
def test_images_are_resized_and_cropped_as_torchvision_does(
    size: tuple[int, int], tmp_path: Path
) -> None:
    """Shorter side scaled, middle square kept: bit for bit torchvision's transforms."""
    torchvision()
    from torchvision.transforms.v2 import functional

    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.save(tmp_path / "image.png")
    expected = functional.center_crop(functional.resize(image, [16]), [16, 16])
    actual = read_image(tmp_path / "image.png", Cropped(16))
    assert np.array_equal(np.asarray(expected), actual.transpose(1, 2, 0))


def test_gray_and_transparent_images_become_rgb(make_folder: Maker) -> None:
    """A mode other than RGB is converted."""
    folder = make_folder(COUNTS, size=(8, 8))
    Image.new("L", (8, 8), 51).save(folder / "train/cat/00.png")
    Image.new("RGBA", (8, 8), (1, 2, 3, 4)).save(folder / "train/cat/01.png")
    loaded = ImageFolder(path=str(folder), size=8).load(LoadOptions())
    assert [51, 51, 51] == loaded.train.images[0, :, 0, 0].tolist()
    assert [1, 2, 3] == loaded.train.images[1, :, 0, 0].tolist()


def test_val_stands_for_test_and_test_goes_first(make_folder: Maker) -> None:
    """`val` is read where there is no `test`."""
    folder = make_folder({"train": COUNTS["train"], "val": COUNTS["test"]})
    assert 3 == ImageFolder(path=str(folder)).load(LoadOptions()).facts.test_size
    make_folder({"test": {"owl": 1, "cat": 1}})
    assert 2 == ImageFolder(path=str(folder)).load(LoadOptions()).facts.test_size


def test_a_relative_path_is_relative_to_the_current_folder(
    make_folder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`imagefolder("pictures")` is looked for here, not under the data root."""
    monkeypatch.chdir(make_folder(COUNTS).parent)
    assert 8 == ImageFolder(path="pictures").load(LoadOptions()).facts.train_size


def test_hidden_files_are_passed_over(make_folder: Maker) -> None:
    """What a file manager leaves behind is no image."""
    folder = make_folder(COUNTS)
    (folder / "train/cat/.DS_Store").write_bytes(b"x")
    (folder / "train/.trash").mkdir()
    assert 8 == ImageFolder(path=str(folder)).load(LoadOptions()).facts.train_size


def test_different_classes_are_refused_naming_both_sides(make_folder: Maker) -> None:
    """A class in one part only is an error that names it and both folders."""
    found = refused(make_folder({"train": {"owl": 1, "cat": 1}, "test": {"owl": 1, "dog": 1}}))
    assert "R102" == found.code
    assert found.message.endswith(
        "`train` and `test` have different classes: `cat` in `train` and not in `test`; "
        "`dog` in `test` and not in `train`"
    )


def test_a_missing_folder_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """R101 with the path, and a help that says what to do."""
    found = refused(tmp_path / "nowhere")
    assert ("R101", True) == (found.code, f"`{tmp_path / 'nowhere'}`" in found.message)
    assert "`tost run --fake-data`" in (found.help or "")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"train": {"owl": 1}}, "neither a folder `test` nor a folder `val`"),
        ({"test": {"owl": 1}}, "no folder `train`"),
        ({"train": {"owl": 1, "cat": 0}, "test": {"owl": 1}}, "`cat` holds no images"),
    ],
)
def test_a_folder_that_is_not_laid_out_so_is_refused(
    counts: dict[str, dict[str, int]], words: str, make_folder: Maker
) -> None:
    """R102 says what is missing."""
    found = refused(make_folder(counts))
    assert ("R102", True) == (found.code, words in found.message)


def test_a_folder_without_classes_is_refused(make_folder: Maker) -> None:
    """Images directly in `train` are no classes."""
    folder = make_folder({"test": {"owl": 1}})
    (folder / "train").mkdir()
    (folder / "train" / "1.png").write_bytes(b"x")
    found = refused(folder)
    assert ("R102", True) == (found.code, "it has no class folders" in found.message)


@pytest.mark.parametrize("content", [b"", b"hello", b"cut"])
@pytest.mark.parametrize("limit", [None, 100])
def test_a_file_that_is_no_image_is_named(
    content: bytes, limit: int | None, make_folder: Maker
) -> None:
    """R103 with the path of an empty, a foreign or a cut-off file, and no half-made cache."""
    folder = make_folder(COUNTS)
    path = folder / "train" / "cat" / "03.png"
    path.write_bytes(path.read_bytes()[:200] if content == b"cut" else content)
    found = refused(folder) if limit is None else refused(folder, limit=limit)
    assert ("R103", True) == (found.code, f"`{path}`" in found.message)
    assert [] == list((folder.parent / "cache").rglob("*.*"))


def test_a_limit_takes_a_balanced_slice(make_folder: Maker) -> None:
    """The classes and sizes told are the folder's, the images an even slice of it."""
    loaded = ImageFolder(path=str(make_folder(COUNTS)), size=8).load(LoadOptions(limit=4))
    assert [0, 0, 1, 1] == loaded.train.labels.tolist()
    assert (8, 3) == (loaded.facts.train_size, loaded.facts.test_size)
