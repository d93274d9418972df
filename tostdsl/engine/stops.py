"""Signals that ask a run to stop: it ends its step, keeps its state, and goes.

SIGTERM and SIGUSR1 are what schedulers send before they kill; Ctrl-C sends SIGINT, and a second
one stops at once.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

NAMES = ("SIGTERM", "SIGUSR1", "SIGINT")
"""SIGUSR1 does not exist everywhere."""
EXITS = {"SIGTERM": 143, "SIGUSR1": 143, "SIGINT": 130}
"""The command line's exit status."""


class Stop(Exception):
    """A run was asked to stop, and what it needs to go on is kept."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
        """Of the signal."""


class Stops:
    """Listens for the signals while it is entered; in the main thread only, where they arrive."""

    def __init__(self) -> None:
        self.asked: str | None = None
        """The signal that asked for a stop; None while none did."""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for name in NAMES:
                number = getattr(signal, name, None)
                if number is not None:
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            with contextlib.suppress(TypeError):  # of a handler that was not set from Python
                signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == "SIGINT" and self.asked == "SIGINT":
            raise KeyboardInterrupt
        self.asked = name
