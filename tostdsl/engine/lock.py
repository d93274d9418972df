"""One process at a time writes into a run folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tostdsl.diagnostics import TostError

fcntl: Any
try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

NAME = "run.lock"


class Lock:
    """Held until `release`, or until the process ends, however it does.

    Raises:
        TostError: R204 where another process holds it, R202 where there can be none.

    """

    def __init__(self, folder: Path) -> None:
        path = folder / NAME
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

    def release(self) -> None:
        """Let others in."""
        os.close(self._descriptor)
