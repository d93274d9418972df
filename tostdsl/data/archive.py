"""Data sets in torchvision's own form: found, downloaded when allowed, read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tostdsl.data.place import broken
from tostdsl.diagnostics import TostError
from tostdsl.vision import torchvision

TRAIN_AND_TEST: tuple[Mapping[str, Any], Mapping[str, Any]] = ({"train": True}, {"train": False})
"""How most of torchvision's classes are told which part is wanted."""


def read(
    name: str,
    cls: str,
    root: Path,
    place: Path,
    *,
    download: bool,
    parts: tuple[Mapping[str, Any], Mapping[str, Any]] = TRAIN_AND_TEST,
) -> tuple[Any, Any]:
    """Torchvision's training and test set of class `cls` under `root`.

    `place` is the folder it makes there. What torchvision says goes to standard error. Its
    readers fail in many ways on a damaged file, all of which mean the same here.
    """
    with _failing(name, place, download=download):
        maker = getattr(torchvision().datasets, cls)
        train, test = (maker(str(root), download=download, **part) for part in parts)
    return train, test


def unpack(name: str, url: str, md5: str, place: Path) -> None:
    """Download an archive that holds one folder, check it, and put that folder at `place`.

    The folder appears when it is whole.
    """
    with _failing(name, place, download=True):
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{place.name}-", dir=place.parent) as folder:
            utils = torchvision().datasets.utils
            utils.download_and_extract_archive(url, folder, md5=md5)
            os.replace(Path(folder) / place.name, place)


@contextmanager
def _failing(name: str, place: Path, *, download: bool) -> Iterator[None]:
    """Whatever goes wrong in torchvision, as R104 or R102."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except Exception as error:
        reason = _one_line(error)
        if download:
            raise TostError.of("R104", name=name, where=f"`{place}`", reason=reason) from error
        raise broken(name, place, reason) from error


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{text or type(error).__name__}".rstrip(".")
