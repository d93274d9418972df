"""SVHN through torchvision, from small MATLAB files made here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tostdsl.data.svhn import Svhn
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.bases import DataFacts, LoadOptions
from tostdsl.vision import torchvision

from .conftest import serving

RANDOM = np.random.default_rng(0)
IMAGES = {
    part: RANDOM.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)
    for part, count in {"train": 12, "test": 10}.items()
}
LABELS = {"train": [10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1], "test": [9, 8, 7, 6, 5, 4, 3, 2, 1, 10]}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Svhn, "known", DataFacts(3, 32, 32, 10, 12, 10))


def write(folder: Path, monkeypatch: pytest.MonkeyPatch, address: str = "") -> Path:
    """The two files as they are published: height x width x channels x images, labels 1 to 10."""
    folder.mkdir(parents=True, exist_ok=True)
    listed = {}
    for part, images in IMAGES.items():
        file = f"{part}_32x32.mat"
        labels = np.array(LABELS[part], dtype=np.uint8)[:, None]
        savemat(folder / file, {"X": images.transpose(2, 3, 1, 0), "y": labels})
        checksum = hashlib.md5((folder / file).read_bytes()).hexdigest()
        listed[part] = [f"{address}{file}", file, checksum]
    monkeypatch.setattr(torchvision().datasets.SVHN, "split_list", listed)
    return folder


def refused(options: LoadOptions) -> Diagnostic:
    with pytest.raises(TostError) as caught:
        Svhn().load(options)
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize("folder", ["svhn", "."])
def test_files_come_out_as_they_went_in(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a folder of their own or from the data root; the label 10 is the digit 0."""
    place = write(tmp_path / folder, monkeypatch)
    loaded = Svhn().load(LoadOptions(root=tmp_path))
    assert np.array_equal(IMAGES["train"], loaded.train.images)
    assert np.array_equal(IMAGES["test"], loaded.test.images)
    assert [label % 10 for label in LABELS["train"]] == loaded.train.labels.tolist()
    assert DataFacts(3, 32, 32, 10, 12, 10) == loaded.facts
    assert ((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)) == (loaded.mean, loaded.std)
    assert f"SVHN's cropped digits in {place}" == loaded.origin
    assert loaded.train.images.flags.c_contiguous


def test_a_missing_set_says_where_and_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R101 names both places; a set of which one file is missing is missing."""
    (write(tmp_path / "svhn", monkeypatch) / "test_32x32.mat").unlink()
    found = refused(LoadOptions(root=tmp_path))
    assert ("R101", True) == (found.code, str(tmp_path / "svhn") in found.message)
    assert "`train_32x32.mat` and `test_32x32.mat`" in found.message
    assert "--download" in (found.help or "")


def test_a_file_with_another_checksum_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R102, before scipy sees it."""
    place = write(tmp_path / "svhn", monkeypatch)
    with (place / "train_32x32.mat").open("ab") as file:
        file.write(b"\0")
    monkeypatch.setattr("scipy.io.loadmat", lambda *_: pytest.fail("opened"))
    found = refused(LoadOptions(root=tmp_path))
    assert ("R102", True) == (found.code, "corrupted" in found.message)


def test_fewer_images_than_svhn_has_are_not_svhn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R102 when the files are whole but not the set."""
    write(tmp_path / "svhn", monkeypatch)
    monkeypatch.setattr(Svhn, "known", DataFacts(3, 32, 32, 10, 73_257, 26_032))
    found = refused(LoadOptions(root=tmp_path))
    assert ("R102", True) == (found.code, "73257 images of 32x32 are wanted" in found.message)


def test_a_download_goes_to_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--download` torchvision fetches both files."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    mirror, root = tmp_path / "mirror", tmp_path / "root"
    mirror.mkdir()
    with serving(mirror) as address:
        write(mirror, monkeypatch, address)
        loaded = Svhn().load(LoadOptions(root=root, download=True, limit=10))
    assert f"SVHN's cropped digits in {root / 'svhn'}" == loaded.origin
    assert [1] * 10 == np.bincount(loaded.train.labels).tolist()
