"""Files of JSON lines that grow while a run does, and go on where a checkpoint says."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tostdsl.engine.manifest import BLOCK, Entry

Owing = Callable[[Path, OSError], None]


class Lines:
    """A file of JSON lines, each handed to the system at once.

    What the disk does not take stays in memory and is tried again with each later line; `owing` is
    told of the first such failure. Training need not end for it: a checkpoint that counts on the
    lines is not written before they are.

    It must be new, or with `begun` hold at least what that says: `cut` takes off all after it, and
    is to be called before the first line.

    Raises:
        ValueError: its beginning is not as it was written.
        OSError: it cannot be opened or read.

    """

    def __init__(self, path: Path, begun: Entry | None = None, owing: Owing | None = None) -> None:
        self._path, self._owing = path, owing
        self.lost: Callable[[], str] = lambda: ""
        """Says why the file may be another process's by now, in words; nothing is written then."""
        self._digest, self._bytes = hashlib.sha256(), 0
        self._owed = bytearray()
        self._turn = threading.Lock()  # checkpoints are written, and so these synced, on a thread
        flags = os.O_RDWR | getattr(os, "O_BINARY", 0)
        new = os.O_CREAT | os.O_EXCL
        # a pipe that nobody writes to would keep a plain open waiting
        waits = getattr(os, "O_NONBLOCK", 0)
        self._file = os.open(path, flags | (new if begun is None else waits), 0o666)
        if begun is not None:
            try:
                self._go_on(begun)
            except BaseException:
                os.close(self._file)
                raise

    def _go_on(self, begun: Entry) -> None:
        if not stat.S_ISREG(os.fstat(self._file).st_mode):
            raise ValueError(f"{self._path.name} is not a regular file")
        while self._bytes < begun.bytes:
            block = os.read(self._file, min(BLOCK, begun.bytes - self._bytes))
            if not block:
                break
            self._digest.update(block)
            self._bytes += len(block)
        if self.entry != begun:
            raise ValueError(f"{self._path.name} is not as it was written")

    def cut(self) -> None:
        """Take off what stands after the beginning that it goes on from; `OSError` if it cannot."""
        os.ftruncate(self._file, self._bytes)

    def write(self, row: Mapping[str, Any]) -> None:
        """Add a line."""
        line = (json.dumps(row, allow_nan=False) + "\n").encode()
        with self._turn:
            first = not self._owed
            self._owed += line
            self._digest.update(line)
            self._bytes += len(line)
            try:
                self._settle()
            except OSError as error:
                failed = error
            else:
                return
        if first and self._owing is not None:
            self._owing(self._path, failed)

    def _settle(self) -> None:
        if self._owed and (reason := self.lost()):
            raise OSError(None, reason)
        while self._owed:
            del self._owed[: os.write(self._file, self._owed)]

    @property
    def entry(self) -> Entry:
        """The file as it has been written so far, or is to be."""
        return Entry(self._bytes, self._digest.hexdigest())

    def sync(self) -> None:
        """Return when all lines are on disk under their name; `OSError` where they cannot be."""
        with self._turn:
            self._settle()
            os.fsync(self._file)
            if not self._named():
                raise OSError(None, f"{self._path.name} was taken away while the run was at work")

    def _named(self) -> bool:
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self._path))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close the file; lines that the disk still does not take are lost."""
        try:
            self._settle()
        except OSError:
            pass
        finally:
            os.close(self._file)
            self._file = -1  # a number that no later file gets, whoever still writes
