"""CIFAR-100 in both forms, small ones made here."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tostdsl.data.cifar100 import Cifar100
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.bases import DataFacts, LoadOptions
from tostdsl.vision import torchvision

from .conftest import Maker

COUNTS = {"train": 2, "test": 1}


def refused(options: LoadOptions) -> Diagnostic:
    with pytest.raises(TostError) as caught:
        Cifar100().load(options)
    (found,) = caught.value.diagnostics
    return found


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """Torchvision's folder with six images a part; what lies in it."""
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    random, stored, sums = np.random.default_rng(0), {}, {}
    for name in ("train", "test"):
        stored[name] = random.integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)
        entry = {
            "data": stored[name].reshape(6, -1),
            "fine_labels": [0, 1, 99, 3, 57, 9],
            "coarse_labels": [1, 1, 1, 2, 2, 2],
        }
        content = pickle.dumps(entry)
        (folder / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    meta = pickle.dumps({"fine_label_names": [f"class {i}" for i in range(100)]})
    (folder / "meta").write_bytes(meta)
    reader = torchvision().datasets.CIFAR100
    monkeypatch.setattr(reader, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(reader, "test_list", [["test", sums["test"]]])
    expected = {"filename": "meta", "key": "fine_label_names"}
    monkeypatch.setattr(reader, "meta", {**expected, "md5": hashlib.md5(meta).hexdigest()})
    return stored


def test_torchvisions_form_is_read(archive: dict[str, np.ndarray], tmp_path: Path) -> None:
    """Images and fine labels come out as they went in."""
    loaded = Cifar100().load(LoadOptions(root=tmp_path))
    assert np.array_equal(archive["train"], loaded.train.images)
    assert np.array_equal(archive["test"], loaded.test.images)
    assert [0, 1, 99, 3, 57, 9] == loaded.test.labels.tolist()
    assert DataFacts(3, 32, 32, 100, 6, 6) == loaded.facts
    assert ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)) == (loaded.mean, loaded.std)
    assert f"CIFAR-100 in torchvision's form in {tmp_path / 'cifar-100-python'}" == loaded.origin


@pytest.mark.usefixtures("archive")
def test_a_changed_pickle_is_never_opened(tmp_path: Path) -> None:
    """A file with another checksum is refused before it could run anything."""
    ran = tmp_path / "ran"
    evil = f"cbuiltins\neval\n(S\"open({str(ran)!r}, 'w')\"\ntR.".encode()
    pickle.loads(evil).close()
    assert ran.exists()
    ran.unlink()
    (tmp_path / "cifar-100-python" / "train").write_bytes(evil)
    assert "R102" == refused(LoadOptions(root=tmp_path)).code
    assert not ran.exists()


def test_an_image_folder_is_read_and_said_to_be_one(
    make_folder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pixels are the files', classes sorted by name, and the origin names form and place."""
    monkeypatch.setattr(Cifar100, "known", DataFacts(3, 32, 32, 3, 6, 3))
    counts = {part: dict.fromkeys(("bee", "ant", "cup"), n) for part, n in COUNTS.items()}
    folder = make_folder(counts, name="cifar100")
    loaded = Cifar100().load(LoadOptions(root=folder.parent))
    assert [2, 2, 2] == np.bincount(loaded.train.labels).tolist()
    pixels = np.asarray(Image.open(folder / "train/bee/01.png"))
    assert np.array_equal(pixels, loaded.train.images[3].transpose(1, 2, 0))
    assert f"CIFAR-100 as an image folder of PNG files in {folder}" == loaded.origin


def test_ten_classes_are_not_a_hundred(make_folder: Maker) -> None:
    """CIFAR-10's folder under this name is refused with both numbers."""
    classes = [f"class{i}" for i in range(10)]
    counts = {part: dict.fromkeys(classes, 1) for part in COUNTS}
    found = refused(LoadOptions(root=make_folder(counts, name="cifar100").parent))
    assert "R102" == found.code
    assert "50000 images in 100 classes are wanted, found 10 in 10" in found.message


def test_a_missing_set_says_all_places(tmp_path: Path) -> None:
    """R101 names both forms' places, none of them CIFAR-10's."""
    found = refused(LoadOptions(root=tmp_path))
    assert "R101" == found.code
    assert str(tmp_path / "cifar-100-python") in found.message
    assert f"{tmp_path / 'cifar100'}/{{train,test}}/<class>/*" in found.message
