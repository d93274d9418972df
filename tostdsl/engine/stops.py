"""Signals that ask a run to stop: it ends its step, keeps its state, and goes.

SIGTERM and SIGUSR1 are what schedulers send before they kill; Ctrl-C sends SIGINT, and a second
one stops at once.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from tostdsl.diagnostics import TostError, diagnose

NAMES = ("SIGTERM", "SIGUSR1", "SIGINT")
"""SIGUSR1 does not exist everywhere."""
EXITS = {"SIGTERM": 143, "SIGUSR1": 143, "SIGINT": 130}
"""The command line's exit status."""


class Stop(Exception):
    """A run was asked to stop, and did so between two steps."""

    def __init__(self, name: str, kept: bool) -> None:
        super().__init__(name)
        self.name = name
        """Of the signal."""
        self.kept = kept
        """Whether its state is kept, so that it can go on."""


class StoppedRun(TostError):
    """A run was stopped from outside; `status` is what the command line ends with."""

    status: int = 130

    @classmethod
    def by(cls, name: str, code: str, folder: Path, help: str | None = None) -> Self:
        """By a signal of this name, told as R304 or R308."""
        stopped = cls([diagnose(code, help=help, signal=name, path=folder)])
        stopped.status = EXITS[name]
        return stopped


class Stops:
    """Listens for the signals while it is entered; in the main thread only, where they arrive."""

    def __init__(self, heard: Callable[[str], None] = lambda _name: None) -> None:
        self._heard = heard
        self.asked: str | None = None
        """The signal that asked for a stop; None while none did."""
        self._interrupted = False
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

    def stepped(self, done: int) -> None:
        """So many steps of the program have run; whoever stops a run by itself listens here."""

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if name == "SIGINT":
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
        if self.asked is None:
            self._heard(name)
        self.asked = name
