"""What lies in an image folder: one folder a class, one file an image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tostdsl.data.place import broken
from tostdsl.data.subset import balanced
from tostdsl.diagnostics import TostError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SHOWN = 5
"""At most so many names are listed in a message."""


@dataclass(frozen=True, slots=True)
class File:
    """An image's file: what tells that it has changed, and its class by number."""

    name: str
    """Relative to the split's folder, with `/`."""
    size: int
    modified: int
    label: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of one split, sorted by class, then by name."""

    folder: Path
    classes: tuple[str, ...]
    files: tuple[File, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The classes of the files by number."""
        import numpy as np

        return np.array([file.label for file in self.files], dtype=np.int64)

    def part(self, limit: int) -> Self:
        """At most `limit` files, balanced over the classes."""
        kept = balanced(self.labels, limit)
        return replace(self, files=tuple(self.files[index] for index in kept))


def list_pair(name: str, folder: Path, test: str) -> tuple[Listing, Listing]:
    """The training and test listing of the data set `name`; both must have the same classes."""
    pair = _list(name, folder / "train"), _list(name, folder / test)
    first, second = (set(listing.classes) for listing in pair)
    if first != second:
        sides = ((f"`train` and not in `{test}`", first - second),
                 (f"`{test}` and not in `train`", second - first))  # fmt: skip
        said = [f"{shown_names(sorted(extra))} in {where}" for where, extra in sides if extra]
        reason = f"`train` and `{test}` have different classes: {'; '.join(said)}"
        raise broken(name, folder, reason)
    return pair


def _list(name: str, folder: Path) -> Listing:
    if not folder.is_dir():
        raise broken(name, folder.parent, f"it has no folder `{folder.name}`")
    try:
        classes = sorted(
            entry.name for entry in os.scandir(folder) if entry.is_dir() and _seen(entry)
        )
        files: list[File] = []
        for label, each in enumerate(classes):
            found = sorted(files_in(folder, each, label), key=lambda file: file.name)
            if not found:
                raise broken(name, folder, f"the class folder `{each}` holds no images")
            files += found
    except OSError as error:
        raise unreadable(error, folder) from error
    if not classes:
        raise broken(name, folder, "it has no class folders")
    return Listing(folder, tuple(classes), tuple(files))


def files_in(folder: Path, each: str, label: int) -> list[File]:
    """The files of the folder `each` below a split's folder, in no order."""
    found = []
    for entry in os.scandir(folder / each):
        if entry.is_file() and _seen(entry):
            stat = entry.stat()
            found.append(File(f"{each}/{entry.name}", stat.st_size, stat.st_mtime_ns, label))
    return found


def unreadable(error: OSError, path: Path) -> TostError:
    """The error of a file or folder that the system does not let us read."""
    reason = (error.strerror or str(error)).lower()
    return TostError.of("R103", path=f"`{error.filename or path}`", reason=reason)


def _seen(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".")


def shown_names(names: Sequence[str]) -> str:
    """Names for a message, the first few of many."""
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
