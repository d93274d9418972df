"""What comes next, fetched on a thread of its own while what came last is in use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Generic, NamedTuple, Self, TypeVar
from weakref import finalize

PATIENCE = 600.0
"""Seconds to wait for an answer; a disk that is that slow does not answer at all."""
LOOK = 0.5
"""Seconds after which to see whether the thread still lives."""

T = TypeVar("T")


class Reading(Exception):
    """Something could not be fetched; says why, in words."""


class Ask(NamedTuple, Generic[T]):
    """Something to fetch: how, and what nothing else is called."""

    key: Hashable
    fetch: Callable[[], T]


class Ahead(Generic[T]):
    """Fetches one thing ahead.

    What is fetched must not depend on when: an answer that turns out not to be wanted is dropped.
    The thread starts with the first `take` and never keeps a process from ending.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._asked: Hashable = None
        self._asks: SimpleQueue[Ask[T] | None] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Hashable, T | None, BaseException | None]] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._end: Callable[[], Any] = lambda: None

    def take(self, ask: Ask[T], following: Ask[T] | None = None) -> T:
        """What is asked for; `following` is fetched from here on.

        `Reading` where fetching failed, or nothing came in `patience` seconds.
        """
        if self._asked != ask.key:
            self._ask(ask)
        value, error = self._answer(ask.key)
        if error is not None:
            self._asked = None
            said = getattr(error, "strerror", None) or str(error)
            raise Reading((said or type(error).__name__).splitlines()[0].lower()) from error
        if following is not None:
            self._ask(following)
        return value  # type: ignore[return-value]

    def close(self) -> None:
        """End the thread, once it has done what it is at."""
        if self._thread is not None:
            self._end()
            self._thread, self._asked = None, None
            self._asks, self._answers = SimpleQueue(), SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, ask: Ask[T]) -> None:
        if self._thread is None:
            ends: tuple[Any, Any] = (self._asks, self._answers)
            self._thread = threading.Thread(target=_serve, args=ends, name="ahead", daemon=True)
            self._thread.start()
            self._end = finalize(self, self._asks.put, None)  # also when nobody closes it
        self._asked = ask.key
        self._asks.put(ask)

    def _answer(self, key: Hashable) -> tuple[T | None, BaseException | None]:
        assert self._thread is not None
        until = time.monotonic() + self._patience
        while True:
            alive = self._thread.is_alive()
            try:
                found, value, error = self._answers.get(timeout=min(LOOK, self._patience))
            except Empty:
                if not alive:
                    raise Reading("the thread that reads has ended") from None
                if time.monotonic() >= until:
                    raise Reading(f"nothing came in {self._patience:g} seconds") from None
                continue
            if found == key:
                return value, error


def _serve(asks: SimpleQueue[Ask[T] | None], answers: SimpleQueue[Any]) -> None:
    while (ask := asks.get()) is not None:
        try:
            answers.put((ask.key, ask.fetch(), None))
        except BaseException as error:  # told to the thread that waits
            answers.put((ask.key, None, error))
        del ask  # what it refers to may be large
