"""CIFAR-10 in both forms, small ones made here."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tostdsl.data.cifar10 import Cifar10
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.bases import DataFacts, LoadOptions
from tostdsl.plan.spec import CheckSite
from tostdsl.units import Percent
from tostdsl.vision import torchvision

from .conftest import Maker

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
COUNTS = {"train": dict.fromkeys(NAMES, 3), "test": dict.fromkeys(NAMES, 2)}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cifar10, "known", DataFacts(3, 32, 32, 10, 30, 20))


def refused(options: LoadOptions) -> Diagnostic:
    with pytest.raises(TostError) as caught:
        Cifar10().load(options)
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.usefixtures("small")
def test_an_image_folder_is_read_and_said_to_be_one(make_folder: Maker) -> None:
    """Pixels are the files', classes sorted by name, and the origin names form and place."""
    folder = make_folder(COUNTS, name="cifar10")
    loaded = Cifar10().load(LoadOptions(root=folder.parent))
    assert DataFacts(3, 32, 32, 10, 30, 20) == loaded.facts
    assert [2] * 10 == np.bincount(loaded.test.labels).tolist()
    pixels = np.asarray(Image.open(folder / "train/automobile/01.png"))
    assert np.array_equal(pixels, loaded.train.images[4].transpose(1, 2, 0))
    assert f"CIFAR-10 as an image folder of PNG files in {folder}" == loaded.origin
    assert (0.2023, 0.1994, 0.2010) == loaded.std


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(("mode", "size"), [("RGB", (28, 32)), ("L", (32, 32))])
def test_an_image_of_another_size_or_mode_is_named(
    mode: str, size: tuple[int, int], make_folder: Maker
) -> None:
    """R103 with the file, what it is and what is wanted."""
    folder = make_folder(COUNTS, name="cifar10")
    path = folder / "test" / "frog" / "01.png"
    Image.new(mode, size).save(path)
    found = refused(LoadOptions(root=folder.parent))
    said = f"a 32x32 RGB image is wanted, this is {size[0]}x{size[1]} {mode}"
    assert ("R103", f"cannot read `{path}`: {said}") == (found.code, found.message)


def test_a_part_of_the_set_is_not_the_set(make_folder: Maker) -> None:
    """A folder with fewer images than CIFAR-10 has is refused with both numbers."""
    found = refused(LoadOptions(root=make_folder(COUNTS, name="cifar10").parent))
    assert "R102" == found.code
    assert "50000 images in 10 classes are wanted, found 30 in 10" in found.message


def test_a_missing_set_says_all_places_and_ways(tmp_path: Path) -> None:
    """R101 names both forms' places; the help says how to get it or do without."""
    found = refused(LoadOptions(root=tmp_path))
    assert "R101" == found.code
    assert str(tmp_path / "cifar-10-batches-py") in found.message
    assert f"{tmp_path / 'cifar10'}/{{train,test}}/<class>/*" in found.message
    for way in ("`--download`", "`--data-root DIR`", "TOST_DATA", "`tost run --fake-data`"):
        assert way in (found.help or "")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    """Torchvision's folder without its files is R102, not a traceback, and no download."""
    (tmp_path / "cifar-10-batches-py").mkdir()
    found = refused(LoadOptions(root=tmp_path))
    assert ("R102", True) == (found.code, "cifar-10-batches-py" in found.message)


def test_torchvisions_form_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its batches come out as they went in; it goes before an image folder."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (tmp_path / "cifar10").mkdir()
    random, stored, sums = np.random.default_rng(0), {}, {}
    names = ["data_batch_1", "data_batch_2", "test_batch"]
    for name in names:
        stored[name] = random.integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)
        entry = {"data": stored[name].reshape(6, -1), "labels": [0, 1, 2, 3, 4, 9]}
        content = pickle.dumps(entry)
        (folder / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    meta = pickle.dumps({"label_names": NAMES})
    (folder / "batches.meta").write_bytes(meta)
    reader = torchvision().datasets.CIFAR10
    monkeypatch.setattr(reader, "train_list", [[name, sums[name]] for name in names[:2]])
    monkeypatch.setattr(reader, "test_list", [["test_batch", sums["test_batch"]]])
    expected = {"filename": "batches.meta", "key": "label_names"}
    monkeypatch.setattr(reader, "meta", {**expected, "md5": hashlib.md5(meta).hexdigest()})
    loaded = Cifar10().load(LoadOptions(root=tmp_path))
    both = np.concatenate([stored["data_batch_1"], stored["data_batch_2"]])
    assert np.array_equal(both, loaded.train.images)
    assert np.array_equal(stored["test_batch"], loaded.test.images)
    assert [0, 1, 2, 3, 4, 9] == loaded.test.labels.tolist()
    assert f"CIFAR-10 in torchvision's form in {folder}" == loaded.origin


@pytest.mark.parametrize(
    ("percent", "count"), [(0, 0), (0.01, 0), (0.001, 1), (10, 0), (99, 0), (100, 1), (120, 1)]
)
def test_holding_out_everything_or_nothing_is_a_problem(percent: float, count: int) -> None:
    """Some training images must be left, and some held out where that was asked for."""
    spec = Cifar10(validation=Percent.from_json({"percent": percent}))
    problems = list(spec.check(CheckSite()))
    assert [("T504", ("validation",))] * count == [(p.code, p.fields) for p in problems]
