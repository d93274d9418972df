"""Data sets in torchvision's own form: found, downloaded when allowed, read."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from tostdsl.data.place import broken
from tostdsl.diagnostics import TostError
from tostdsl.vision import torchvision


def read(name: str, cls: str, root: Path, place: Path, *, download: bool) -> tuple[Any, Any]:
    """Torchvision's training and test set of class `cls` under `root`.

    `place` is the folder it makes there. What torchvision says goes to standard error. Its
    readers fail in many ways on a damaged file, all of which mean the same here.
    """
    try:
        maker = getattr(torchvision().datasets, cls)
        with redirect_stdout(sys.stderr):
            train = maker(str(root), train=True, download=download)
            test = maker(str(root), train=False, download=download)
    except Exception as error:
        reason = _one_line(error)
        if download:
            raise TostError.of("R104", name=name, where=f"`{place}`", reason=reason) from error
        raise broken(name, place, reason) from error
    return train, test


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{text or type(error).__name__}".rstrip(".")
