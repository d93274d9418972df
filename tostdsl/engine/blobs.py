"""Tensors kept under the SHA-256 of their file: written once, and never another's.

What a lottery goes back to and each round's masks are needed by many checkpoints. They lie in
`blobs/<digest>`, and a checkpoint names them by that digest, so that it cannot pick up others.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from tostdsl.engine.storage import Disk

FOLDER = "blobs"


def blob(tensors: Mapping[str, Tensor]) -> tuple[str, bytes]:
    """The digest and the content of tensors (on the CPU) as a blob."""
    content: bytes = save({name: tensors[name].contiguous() for name in sorted(tensors)})
    return hashlib.sha256(content).hexdigest(), content


class Blobs:
    """The blobs of one run folder."""

    def __init__(self, run: Path, disk: Disk) -> None:
        self._root = run / FOLDER
        self._disk = disk

    def has(self, digest: str) -> bool:
        """Whether there is a file of that name; `gap` says whether it is what it should be."""
        return os.path.exists(self._root / digest)

    def put(self, digest: str, content: bytes) -> None:
        """Write a blob, if it is not there as it should be."""
        path = self._root / digest
        if path.exists():
            if not self.gap(digest):
                return
            self._disk.remove(path)
        self._disk.make(self._root)
        temporary = self._root / f".tmp-{digest}"
        if temporary.exists():
            self._disk.remove(temporary)
        try:
            self._disk.write(temporary, content)
            self._disk.rename(temporary, path)
        except OSError:
            with suppress(OSError):  # half of it would take what room is left
                self._disk.remove(temporary)
            raise
        self._disk.sync(self._root)

    def gap(self, digest: str) -> str:
        """What is wrong with a blob, in words; empty if nothing."""
        return self._looked(digest)[1]

    def _looked(self, digest: str) -> tuple[bytes, str]:
        """What is there, read once, and what is wrong with it."""
        try:
            content = self._disk.read(self._root / digest)
        except FileNotFoundError:
            return b"", f"{FOLDER}/{digest[:8]}… is missing"
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            return b"", f"{FOLDER}/{digest[:8]}… cannot be read: {reason}"
        if hashlib.sha256(content).hexdigest() != digest:
            return content, f"{FOLDER}/{digest[:8]}… is not as it was written (other SHA-256)"
        return content, ""

    def get(self, digest: str) -> dict[str, Tensor]:
        """The tensors of a blob as they were written; `ValueError` says why there are none."""
        try:
            found: dict[str, Tensor] = load(self.content(digest))
        except SafetensorError as error:
            raise ValueError(f"{FOLDER}/{digest[:8]}… cannot be read: {error}") from None
        return found

    def content(self, digest: str) -> bytes:
        """A blob as it was written; `ValueError` with its `gap` otherwise."""
        content, gap = self._looked(digest)
        if gap:
            raise ValueError(gap)
        return content

    def drop(self, digest: str) -> None:
        """Remove a blob that is not as it was written, if it is still there."""
        with suppress(FileNotFoundError):
            self._disk.remove(self._root / digest)

    def sweep(self, wanted: set[str]) -> None:
        """Remove all blobs but the wanted ones, and what was half written."""
        if not self._root.is_dir():
            return
        for path in self._root.iterdir():
            if path.name not in wanted:
                self._disk.remove(path)
