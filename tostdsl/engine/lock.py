"""One process at a time writes into a run folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tostdsl.diagnostics import TostError
from tostdsl.engine.storage import GONE, REPLACED, UNLOCKED

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

NAME = "run.lock"
TRIES = 8
"""How often a lock is taken anew whose file somebody has removed meanwhile."""


class Lock:
    """Held until `release`, or until the process ends, however it does.

    It is a lock on a file, whatever becomes of its name: `lost` says whether the path still leads
    there. A folder given as a link is not resolved: when the link is turned, the lock is lost.

    Raises:
        TostError: R204 where another process holds it, R202 where there can be none.

    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        for _ in range(TRIES):
            self._take(folder)
            if not self.lost():
                return
            os.close(self._descriptor)
        raise TostError.of("R204", path=folder)

    def _take(self, folder: Path) -> None:
        path = self._path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise TostError.of("R202", path=path, reason=reason) from None
        if fcntl is None:
            return
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise TostError.of("R204", path=folder) from None
        except OSError:  # a file system without locks
            return

    def lost(self) -> str:
        """Why the folder at this path is not the one that was locked, in words; empty if it is.

        Raises:
            OSError: the lock has been released.

        """
        held = os.fstat(self._descriptor)
        try:
            there = os.stat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return UNLOCKED if self._path.parent.is_dir() else GONE
        except OSError:  # whoever writes there is told
            return ""
        return "" if os.path.samestat(held, there) else REPLACED

    def release(self) -> None:
        """Let others in."""
        os.close(self._descriptor)
        self._descriptor = -1  # a number that no later file gets, whoever still asks
