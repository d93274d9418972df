"""The cache of decoded images."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tostdsl.data import cache, decode
from tostdsl.data.cache import decoded
from tostdsl.data.decode import Cropped
from tostdsl.data.folder import Listing, list_pair

from .conftest import Maker

COUNTS = {"train": {"owl": 40, "cat": 90}, "test": {"owl": 2, "cat": 1}}
FORM = Cropped(8)


@pytest.fixture
def folder(make_folder: Maker) -> Path:
    return make_folder(COUNTS, size=(8, 8))


def listing(folder: Path) -> Listing:
    return list_pair("imagefolder", folder, "test")[0]


def kept(own_cache: Path) -> list[Path]:
    return sorted((own_cache / "images").iterdir())


def never(*_: object) -> None:
    raise AssertionError("decoded again")


def test_the_second_time_nothing_is_decoded(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file a split is written, whole; the next load maps it without opening an image."""
    first = decoded(listing(folder), FORM, None)
    assert 1 == len(kept(own_cache))
    monkeypatch.setattr(decode, "read", never)
    second = decoded(listing(folder), FORM, None)
    assert isinstance(second.images, np.memmap)
    assert not second.images.flags.writeable
    assert np.array_equal(first.images, second.images)
    assert np.array_equal(first.labels, second.labels)
    expected = [np.asarray(Image.open(p)) for p in sorted(folder.glob("train/*/*"))]
    assert np.array_equal(np.stack(expected), second.images.transpose(0, 2, 3, 1))


def test_many_blocks_give_what_one_gives(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding a block at a time changes nothing, in memory or into the cache."""
    whole = decoded(listing(folder), FORM, 1000).images
    monkeypatch.setattr(decode, "_BLOCK", 7 * 3 * 8 * 8)
    assert np.array_equal(whole, decoded(listing(folder), FORM, 1000).images)
    assert np.array_equal(whole, decoded(listing(folder), FORM, None).images)


@pytest.mark.parametrize("damage", ["cut", "emptied", "flipped", "foreign", "archive"])
def test_a_damaged_file_is_made_again(damage: str, folder: Path, own_cache: Path) -> None:
    """A cut, emptied, bit-flipped or foreign file is replaced by a right one."""
    expected = decoded(listing(folder), FORM, None).images.copy()
    (path,) = kept(own_cache)
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(
        {
            "cut": bytes(content[:-100]),
            "emptied": b"",
            "flipped": bytes(content),
            "foreign": b"\x80\x04hello, this is no array at all",
            "archive": b"PK\x03\x04 nor is this",
        }[damage]
    )
    assert np.array_equal(expected, decoded(listing(folder), FORM, None).images)
    (again,) = kept(own_cache)
    assert path.name == again.name
    assert len(content) == again.stat().st_size


def test_a_changed_file_is_decoded_anew(folder: Path) -> None:
    """A file written over with one of the same size and another time is noticed."""
    decoded(listing(folder), FORM, None)
    path = folder / "train" / "cat" / "00.png"
    Image.new("RGB", (8, 8), (9, 8, 7)).save(path)
    images = decoded(listing(folder), FORM, None).images
    assert [9, 8, 7] == images[0, :, 0, 0].tolist()


def test_time_name_size_and_form_tell_decodings_apart(folder: Path) -> None:
    """Whatever may change the pixels changes the key, and nothing else does."""
    keys = {cache.key(listing(folder), FORM), cache.key(listing(folder), Cropped(9))}
    path = folder / "train" / "cat" / "00.png"
    os.utime(path, ns=(1, 1))
    keys.add(cache.key(listing(folder), FORM))
    path.write_bytes(path.read_bytes() + b" ")
    os.utime(path, ns=(1, 1))
    keys.add(cache.key(listing(folder), FORM))
    path.rename(path.with_name("00b.png"))
    keys.add(cache.key(listing(folder), FORM))
    assert 5 == len(keys)
    assert cache.key(listing(folder), FORM) in keys


def test_a_limit_never_touches_the_cache(folder: Path, own_cache: Path) -> None:
    """A rehearsal's slice is neither read from the cache nor written to it."""
    part = decoded(listing(folder), FORM, 10)
    assert [5, 5] == np.bincount(part.labels).tolist()
    assert not own_cache.exists()


def test_without_a_place_to_write_images_are_decoded_in_memory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cache folder that cannot be made is no reason to stop."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    images = decoded(listing(folder), FORM, None).images
    assert (130, 3, 8, 8) == images.shape
    assert not isinstance(images, np.memmap)


def test_a_full_disk_leaves_nothing_behind(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the file cannot be finished, images come from memory and the part is removed."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr(cache.os, "fsync", full)
    assert 130 == len(decoded(listing(folder), FORM, None).images)
    assert [] == kept(own_cache)


def test_an_interrupt_leaves_nothing_behind(
    folder: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while decoding goes through, and the part is removed."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cache.zlib, "crc32", stop)
    with pytest.raises(KeyboardInterrupt):
        decoded(listing(folder), FORM, None)
    assert [] == kept(own_cache)
