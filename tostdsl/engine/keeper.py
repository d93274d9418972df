"""When a run's state is kept: at intervals, before each phase, at its end, and when told to stop.

A state is copied on the thread that trains and written on another; training goes on meanwhile. One
is written at a time: an interval in minutes is stretched while it is, one in steps or epochs waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tostdsl.diagnostics import TostError, diagnose
from tostdsl.engine.checkpoint import Checkpoints, Snapshot
from tostdsl.engine.observer import Keeping
from tostdsl.engine.stops import Stop, Stops

if TYPE_CHECKING:
    from tostdsl.engine.loop import Loop

Unit = Literal["minutes", "epochs", "steps"]


@dataclass(frozen=True, slots=True)
class Every:
    """How often a state is kept."""

    value: float
    unit: Unit

    def __str__(self) -> str:
        unit = self.unit[:-1] if self.value == 1 else self.unit
        return f"{self.value:g} {unit}"


DEFAULT = Every(10, "minutes")
LOOK = 0.2
"""Seconds after which a thread that waits wakes: a signal that came as it fell asleep would not."""


class _Writing(threading.Thread):
    """A snapshot being written. Whoever does not want to wait leaves it: it keeps no process up."""

    def __init__(self, write: Callable[[Snapshot], None], snapshot: Snapshot) -> None:
        super().__init__(name="checkpoint", daemon=True)
        self._write, self._snapshot = write, snapshot
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._write(self._snapshot)
        except BaseException as error:
            self._error = error

    def result(self) -> None:
        """Wait for it, and raise what it raised."""
        while self.is_alive():
            self.join(LOOK)
        if self._error is not None:
            raise self._error


@dataclass(slots=True)
class Keeper:
    """Keeps one run's state.

    `take` copies the state at a place in the program: the loop at work (None between phases), its
    segment, and how many of its steps have run.
    """

    checkpoints: Checkpoints
    every: Every | None
    """None keeps no state at all, and a stop keeps none either."""
    stops: Stops
    take: Callable[[Loop | None, int | None, int], Snapshot]
    say: Callable[[str], None]
    total: int
    """Steps of the whole program."""
    done: int = 0
    """Of them, those that have run."""
    flush: Callable[[], None] = lambda: None
    """Puts what is written line by line on disk before a checkpoint counts on it."""
    written: int = 0
    stood: float = 0.0
    """Seconds for which training stood still to copy states, or to wait until one was written."""
    _pending: _Writing | None = None
    _last: float = field(default_factory=time.monotonic)
    _epochs: int = 0

    def stepped(self, loop: Loop, segment: int, offset: int) -> None:
        """A step has run, and all that happens after it."""
        self.done += 1
        self.stops.stepped(self.done)
        if self.stops.asked is not None:
            self.stop(loop, segment, offset)
        if self._pending is not None and not self._pending.is_alive():
            self._land()
        if self._due(loop):
            self._keep(loop, segment, offset, wait=self.done == self.total)

    def border(self) -> None:
        """A phase is about to begin."""
        if self.stops.asked is not None:
            self.stop(None, None, 0)
        if self.every is not None:  # the first says at once whether any can be written
            self._keep(None, None, 0, wait=self.done == 0 and self.written == 0)

    def stop(self, loop: Loop | None, segment: int | None, offset: int) -> None:
        """Keep the state and raise `Stop`; R205 where it cannot be kept."""
        assert self.stops.asked is not None
        if self.every is not None:
            self._keep(loop, segment, offset, wait=True)
        raise Stop(self.stops.asked, self.every is not None)

    def close(self) -> None:
        """Wait for what is being written."""
        if self._pending is not None:
            began = time.monotonic()
            self._land()
            self.stood += time.monotonic() - began

    def cost(self) -> Keeping | None:
        """What keeping the state has cost so far; None where none is kept."""
        return Keeping(self.written, self.stood) if self.every is not None else None

    def _due(self, loop: Loop) -> bool:
        if self.every is None:
            return False
        if self.done == self.total:
            return True
        match self.every.unit:
            case "minutes":
                free = self._pending is None or not self._pending.is_alive()
                return free and time.monotonic() - self._last >= 60 * self.every.value
            case "steps":
                return self.done % max(1, round(self.every.value)) == 0
            case "epochs":
                step = loop.step + 1
                if "epoch" not in loop.phase.occasions(step):
                    return False
                self._epochs += 1
                return self._epochs % max(1, round(self.every.value)) == 0

    def _keep(self, loop: Loop | None, segment: int | None, offset: int, *, wait: bool) -> None:
        began = time.monotonic()
        if self._pending is not None:
            self._land()
        self._last = time.monotonic()
        snapshot = self.take(loop, segment, offset)
        self._pending = _Writing(self._write, snapshot)
        if wait:
            self._land(final=True)
        self.stood += time.monotonic() - began

    def _write(self, snapshot: Snapshot) -> None:
        self.flush()
        self.checkpoints.write(snapshot)

    def _land(self, *, final: bool = False) -> None:
        """Take in how a writing ended: one that failed on the way is said, and training goes on."""
        pending, self._pending = self._pending, None
        assert pending is not None
        try:
            pending.result()
            self.written += 1
        except OSError as error:
            lost = self.checkpoints.lost()
            reason = lost or (error.strerror or str(error)).lower()
            if final or lost:
                raise TostError.of("R205", path=self.checkpoints.root, reason=reason) from None
            warning = diagnose("R206", path=self.checkpoints.root, reason=reason)
            self.say(f"{warning.severity}[{warning.code}]: {warning.message}")
