"""Fashion-MNIST through torchvision, from small files made here."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from tostdsl.data.fashion_mnist import FashionMnist
from tostdsl.diagnostics import TostError
from tostdsl.plan.bases import DataFacts, LoadOptions
from tostdsl.vision import torchvision

from .conftest import idx, serving

RANDOM = np.random.default_rng(7)
IMAGES = {
    "train": RANDOM.integers(0, 256, (20, 28, 28), dtype=np.uint8),
    "t10k": RANDOM.integers(0, 256, (10, 28, 28), dtype=np.uint8),
}
LABELS = {part: np.arange(len(images), dtype=np.uint8) % 10 for part, images in IMAGES.items()}
CONTENT = {f"{part}-images-idx3-ubyte": idx(IMAGES[part]) for part in IMAGES} | {
    f"{part}-labels-idx1-ubyte": idx(LABELS[part]) for part in LABELS
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FashionMnist, "known", DataFacts(1, 28, 28, 10, 20, 10))


def write(root: Path, folder: str) -> Path:
    place = root / folder / "raw"
    place.mkdir(parents=True)
    for name, content in CONTENT.items():
        (place / name).write_bytes(content)
    return place


def test_files_come_out_as_they_went_in(tmp_path: Path) -> None:
    """Images, labels, constants and origin are this set's."""
    place = write(tmp_path, "FashionMNIST")
    loaded = FashionMnist().load(LoadOptions(root=tmp_path))
    assert np.array_equal(IMAGES["train"][:, None], loaded.train.images)
    assert np.array_equal(LABELS["t10k"], loaded.test.labels)
    assert ((0.2860,), (0.3530,)) == (loaded.mean, loaded.std)
    assert f"Fashion-MNIST's idx files in {place}" == loaded.origin


def test_mnists_files_are_not_taken_for_it(tmp_path: Path) -> None:
    """The two sets' files have the same names, in folders of their own."""
    write(tmp_path, "MNIST")
    with pytest.raises(TostError) as caught:
        FashionMnist().load(LoadOptions(root=tmp_path))
    (found,) = caught.value.diagnostics
    assert ("R101", True) == (found.code, str(tmp_path / "FashionMNIST/raw") in found.message)


def test_a_download_is_torchvision_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--download` its own mirrors and checksums are used."""
    mirror, root = tmp_path / "mirror", tmp_path / "root"
    mirror.mkdir()
    packed = {f"{name}.gz": gzip.compress(content) for name, content in CONTENT.items()}
    for name, content in packed.items():
        (mirror / name).write_bytes(content)
    reader = torchvision().datasets.FashionMNIST
    sums = [(name, hashlib.md5(content).hexdigest()) for name, content in packed.items()]
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(reader, "resources", sums)
    with serving(mirror) as address:
        monkeypatch.setattr(reader, "mirrors", [address])
        loaded = FashionMnist().load(LoadOptions(root=root, download=True))
    assert np.array_equal(IMAGES["t10k"][:, None], loaded.test.images)
