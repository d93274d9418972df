"""Tiny ImageNet in its published layout, a small one made here."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tostdsl.data import tiny_imagenet
from tostdsl.data.tiny_imagenet import TinyImageNet
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.bases import DataFacts, LoadOptions

from .conftest import serving

LISTED = ["n03", "n01", "n02"]
"""`wnids.txt` is not sorted."""
VALIDATION = {"val_0.JPEG": "n02", "val_1.JPEG": "n01", "val_10.JPEG": "n02", "val_2.JPEG": "n03"}


def picture(number: int) -> Image.Image:
    """One colour, so that JPEG keeps it."""
    return Image.new("RGB", (64, 64), (number, number, number))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two training images a class, four validation images; their colour is their number."""
    monkeypatch.setattr(TinyImageNet, "known", DataFacts(3, 64, 64, 3, 6, 4))
    place = tmp_path / "tiny-imagenet-200"
    for number, name in enumerate(LISTED):
        images = place / "train" / name / "images"
        images.mkdir(parents=True)
        (images.parent / f"{name}_boxes.txt").write_text(f"{name}_0.JPEG\t0\t0\t1\t1\n")
        for index in range(2):
            picture(10 * number + index).save(images / f"{name}_{index}.JPEG")
    (place / "val" / "images").mkdir(parents=True)
    for number, name in enumerate(VALIDATION):
        picture(100 + 10 * number).save(place / "val" / "images" / name)
    lines = [f"{name}\t{label}\t0\t32\t44\t62\n" for name, label in VALIDATION.items()]
    (place / "val" / "val_annotations.txt").write_text("".join(lines))
    (place / "test" / "images").mkdir(parents=True)
    (place / "wnids.txt").write_text("\n".join(LISTED))
    return place


def load(folder: Path) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Label and colour of each image, training and test."""
    loaded = TinyImageNet().load(LoadOptions(root=folder.parent))
    assert (3, 64, 64) == loaded.train.images.shape[1:] == loaded.test.images.shape[1:]
    first, second = (
        list(zip(part.labels.tolist(), part.images[:, 0, 0, 0].tolist(), strict=True))
        for part in (loaded.train, loaded.test)
    )
    return first, second


def refused(options: LoadOptions) -> Diagnostic:
    with pytest.raises(TostError) as caught:
        TinyImageNet().load(options)
    (found,) = caught.value.diagnostics
    return found


def test_each_image_has_its_class(folder: Path) -> None:
    """Classes are numbered by name; validation images have those of the annotations."""
    train, test = load(folder)
    assert [(0, 10), (0, 11), (1, 20), (1, 21), (2, 0), (2, 1)] == train
    assert [(0, 110), (1, 100), (1, 120), (2, 130)] == test


def test_a_second_load_is_from_the_cache_with_the_same_classes(
    folder: Path, own_cache: Path
) -> None:
    """Decoded images and annotated classes stay together."""
    first = load(folder)
    assert 2 == len(list((own_cache / "images").iterdir()))
    assert first == load(folder)


def test_what_is_told_of_it(folder: Path) -> None:
    """Facts, constants and origin; a limit is balanced."""
    loaded = TinyImageNet().load(LoadOptions(root=folder.parent, limit=3))
    assert [1, 1, 1] == np.bincount(loaded.train.labels).tolist()
    assert DataFacts(3, 64, 64, 3, 3, 3) == loaded.facts
    assert ((0.4802, 0.4481, 0.3975), (0.2770, 0.2691, 0.2821)) == (loaded.mean, loaded.std)
    assert f"Tiny ImageNet in {folder}" == loaded.origin


def test_gray_images_become_rgb(folder: Path) -> None:
    """The set has some; each channel gets the gray."""
    Image.new("L", (64, 64), 77).save(folder / "train/n01/images/n01_0.JPEG")
    loaded = TinyImageNet().load(LoadOptions(root=folder.parent))
    assert [77, 77, 77] == loaded.train.images[0, :, 5, 5].tolist()


def test_an_image_of_another_size_is_named(folder: Path) -> None:
    """R103 with the file and both sizes."""
    path = folder / "val/images/val_10.JPEG"
    Image.new("L", (32, 64)).save(path)
    found = refused(LoadOptions(root=folder.parent))
    said = "a 64x64 RGB image is wanted, this is 32x64 RGB"
    assert ("R103", f"cannot read `{path}`: {said}") == (found.code, found.message)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("an image without a line", "`val_annotations.txt` does not name `val_2.JPEG`"),
        ("a line without an image", "`val/images` does not hold `../../wnids.txt`"),
        ("a foreign class", "`val_annotations.txt` has no class of `wnids.txt` for `val_2.JPEG`"),
        ("no text", "its lists of classes are not text"),
        (
            "fewer images",
            "3 classes with 6 training and 4 validation images are wanted, found "
            "3 classes with 5 training and 4 validation images",
        ),
        (
            "fewer classes",
            "3 classes with 6 training and 4 validation images are wanted, found "
            "2 classes with 4 training and 3 validation images",
        ),
    ],
)
def test_what_does_not_fit_together_is_said(change: str, reason: str, folder: Path) -> None:
    """R102 with the names that disagree."""
    notes = folder / "val" / "val_annotations.txt"
    lines = notes.read_text().splitlines(keepends=True)
    if change == "an image without a line":
        notes.write_text("".join(lines[:-1]))
    elif change == "a line without an image":
        notes.write_text("".join([*lines, "../../wnids.txt\tn01\t0\t0\t1\t1\n"]))
    elif change == "a foreign class":
        notes.write_text("".join([*lines[:-1], "val_2.JPEG\tn99\t0\t0\t1\t1\n"]))
    elif change == "no text":
        notes.write_bytes(b"\xff\xfe\x00")
    elif change == "fewer images":
        (folder / "train/n02/images/n02_1.JPEG").unlink()
    else:
        (folder / "wnids.txt").write_text("n01\nn02\n")
        notes.write_text("".join(lines[:-1]))
        (folder / "val/images/val_2.JPEG").unlink()
    found = refused(LoadOptions(root=folder.parent))
    assert "R102" == found.code
    assert found.message.endswith(reason)


@pytest.mark.parametrize(
    "gone", ["wnids.txt", "val/val_annotations.txt", "train/n02", "val/images"]
)
def test_a_part_that_is_not_there_is_named(gone: str, folder: Path) -> None:
    """R103 with its path."""
    path = folder / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    found = refused(LoadOptions(root=folder.parent))
    assert ("R103", True) == (found.code, str(path) in found.message)


def test_a_missing_set_says_where_and_how(tmp_path: Path) -> None:
    """R101 names the folder; the help says how to get it."""
    found = refused(LoadOptions(root=tmp_path))
    assert ("R101", True) == (found.code, str(tmp_path / "tiny-imagenet-200") in found.message)
    assert "--download" in (found.help or "")


@pytest.fixture
def mirror(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive as it is published, and its folder gone."""
    place = tmp_path / "mirror"
    place.mkdir()
    shutil.make_archive(str(place / "tiny-imagenet-200"), "zip", folder.parent, folder.name)
    shutil.rmtree(folder)
    content = (place / "tiny-imagenet-200.zip").read_bytes()
    monkeypatch.setattr(tiny_imagenet, "MD5", hashlib.md5(content).hexdigest())
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return place


def test_a_download_is_unpacked_whole(
    mirror: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With `--download` the folder appears, and nothing else; standard output stays quiet."""
    root = tmp_path / "root"
    with serving(mirror) as address:
        monkeypatch.setattr(tiny_imagenet, "URL", f"{address}tiny-imagenet-200.zip")
        loaded = TinyImageNet().load(LoadOptions(root=root, download=True))
    assert [0, 0, 1, 1, 2, 2] == loaded.train.labels.tolist()
    assert ["tiny-imagenet-200"] == [path.name for path in root.iterdir()]
    assert "" == capsys.readouterr().out


def test_a_download_with_another_checksum_leaves_nothing(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R104, and no folder that a later run would take for the set."""
    root = tmp_path / "root"
    monkeypatch.setattr(tiny_imagenet, "MD5", "0" * 32)
    with serving(mirror) as address:
        monkeypatch.setattr(tiny_imagenet, "URL", f"{address}tiny-imagenet-200.zip")
        found = refused(LoadOptions(root=root, download=True))
    assert ("R104", 1) == (found.code, len(found.message.splitlines()))
    assert [] == list(root.iterdir())
