"""MNIST through torchvision, from small files made here; no connection leaves this machine."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest

from tostdsl.data.mnist import Mnist
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.bases import DataFacts, LoadOptions
from tostdsl.vision import torchvision

from .conftest import idx, serving

RANDOM = np.random.default_rng(0)
IMAGES = {
    "train": RANDOM.integers(0, 256, (20, 28, 28), dtype=np.uint8),
    "t10k": RANDOM.integers(0, 256, (10, 28, 28), dtype=np.uint8),
}
LABELS = {part: np.arange(len(images), dtype=np.uint8) % 10 for part, images in IMAGES.items()}


CONTENT = {f"{part}-images-idx3-ubyte": idx(IMAGES[part]) for part in IMAGES} | {
    f"{part}-labels-idx1-ubyte": idx(LABELS[part]) for part in LABELS
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mnist, "known", DataFacts(1, 28, 28, 10, 20, 10))


def write(root: Path) -> Path:
    place = root / "MNIST" / "raw"
    place.mkdir(parents=True)
    for name, content in CONTENT.items():
        (place / name).write_bytes(content)
    return place


def refused(options: LoadOptions) -> Diagnostic:
    with pytest.raises(TostError) as caught:
        Mnist().load(options)
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.usefixtures("small")
def test_files_come_out_as_they_went_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images, labels and origin are those of the four files under TOST_DATA."""
    place = write(tmp_path)
    monkeypatch.setenv("TOST_DATA", str(tmp_path))
    loaded = Mnist().load(LoadOptions())
    assert np.array_equal(IMAGES["train"][:, None], loaded.train.images)
    assert np.array_equal(IMAGES["t10k"][:, None], loaded.test.images)
    assert np.array_equal(LABELS["t10k"], loaded.test.labels)
    assert ((0.1307,), (0.3081,)) == (loaded.mean, loaded.std)
    assert f"MNIST's idx files in {place}" == loaded.origin


@pytest.mark.usefixtures("small")
def test_a_download_needs_to_be_allowed_and_then_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without `--download` it is R101; with it torchvision fetches, quiet on standard output."""
    mirror, root = tmp_path / "mirror", tmp_path / "root"
    mirror.mkdir()
    sums = []
    for name, content in CONTENT.items():
        packed = gzip.compress(content)
        (mirror / f"{name}.gz").write_bytes(packed)
        sums.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    reader = torchvision().datasets.MNIST
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(reader, "resources", sums)
    assert "R101" == refused(LoadOptions(root=root)).code
    with serving(mirror) as address:
        monkeypatch.setattr(reader, "mirrors", [address])
        loaded = Mnist().load(LoadOptions(root=root, download=True, limit=10))
    assert np.array_equal(IMAGES["train"][:10, None], loaded.train.images)
    assert "" == capsys.readouterr().out


def test_a_download_that_fails_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R104 with the reason."""
    reader = torchvision().datasets.MNIST
    monkeypatch.setattr(reader, "mirrors", [(tmp_path / "nowhere").as_uri() + "/"])
    found = refused(LoadOptions(root=tmp_path, download=True))
    assert ("R104", 1) == (found.code, len(found.message.splitlines()))


def test_a_missing_set_says_where_and_how(tmp_path: Path) -> None:
    """R101 names the place; a set of which one file is missing is missing."""
    place = write(tmp_path)
    (place / "t10k-labels-idx1-ubyte").unlink()
    found = refused(LoadOptions(root=tmp_path))
    assert ("R101", True) == (found.code, str(place) in found.message)


@pytest.mark.parametrize("content", [b"", b"hello", CONTENT["t10k-images-idx3-ubyte"][:-5]])
def test_a_damaged_file_is_no_traceback(content: bytes, tmp_path: Path) -> None:
    """R102 for an empty, foreign or cut file."""
    place = write(tmp_path)
    (place / "t10k-images-idx3-ubyte").write_bytes(content)
    assert "R102" == refused(LoadOptions(root=tmp_path)).code


def test_fewer_images_than_mnist_has_are_not_mnist(tmp_path: Path) -> None:
    """R102 when the files are whole but not the set."""
    write(tmp_path)
    found = refused(LoadOptions(root=tmp_path))
    assert ("R102", True) == (found.code, "60000 images of 28x28 are wanted" in found.message)
