"""The manifest of a run folder: length and SHA-256 of every file, and of the manifest itself.

It guards against what happens to files, not against who rewrites all of them: whoever changes a
file can write its new checksum, too. That is what the rest of `tost verify` is for.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tostdsl.plan.plan import canonical_text

MANIFEST = "manifest.json"
VERSION = 1
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was written."""

    bytes: int
    sha256: str


def entry_of(content: bytes) -> Entry:
    """Length and SHA-256 of a file's content."""
    return Entry(len(content), hashlib.sha256(content).hexdigest())


def manifest(files: Mapping[str, Entry]) -> dict[str, Any]:
    """The content of manifest.json; its own `sha256` is over the canonical JSON of the rest."""
    body = {"version": VERSION, "files": {name: asdict(files[name]) for name in sorted(files)}}
    return {**body, "sha256": body_digest(body)}


def body_digest(body: Mapping[str, Any]) -> str:
    """SHA-256 over a manifest's canonical JSON without its own `sha256`."""
    rest = {key: value for key, value in body.items() if key != "sha256"}
    return hashlib.sha256(canonical_text(rest).encode()).hexdigest()


def gap(folder: Path, name: str, entry: Entry) -> str:
    """How a file differs from its entry, in words; empty when it does not.

    What is no regular file (a pipe, a device) is not read, nor what lies outside of the folder.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
        return "is not the name of a file in this folder"
    try:
        digest, size = _digest(folder / name)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {(error.strerror or str(error)).lower()}"
    if size != entry.bytes:
        return f"is {size:,} bytes long, {entry.bytes:,} were written"
    return "" if digest == entry.sha256 else "is not as it was written (other SHA-256)"


def away(folder: Path, name: str, entry: Entry) -> bool:
    """Whether a file is gone or of another length, without reading it."""
    try:
        found = (folder / name).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    return not stat.S_ISREG(found.st_mode) or found.st_size != entry.bytes


def beginning_gap(folder: Path, name: str, entry: Entry) -> str:
    """How a file that grew since differs from its entry, in words; empty when it does not."""
    try:
        digest, size = _digest(folder / name, entry.bytes)
    except FileNotFoundError:
        return f"{name} is missing"
    except OSError as error:
        return f"{name} cannot be read: {(error.strerror or str(error)).lower()}"
    if size < entry.bytes:
        return f"{name} has lost lines that it counts on"
    return "" if digest == entry.sha256 else f"{name} has other lines than it counts on"


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of those of a folder's files that can be read."""
    found = {}
    for name in names:
        with suppress(OSError):
            found[name] = _digest(folder / name)[0]
    return found


def _digest(path: Path, most: int | None = None) -> tuple[str, int]:
    # a pipe that nobody writes to would keep a plain open waiting
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        digest, size = hashlib.sha256(), 0
        while block := file.read(BLOCK if most is None else min(BLOCK, most - size)):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def others(folder: Path, known: Mapping[str, Entry]) -> list[str]:
    """Files of the folder that the manifest does not name, itself left out, sorted."""
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]
    return sorted(name for name in found if name not in known and name != MANIFEST)
