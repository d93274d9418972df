"""How long something takes where it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Stopwatch:
    """Adds up seconds.

    On a GPU they are those between the kernels before and those after, which nothing waits for
    until they are asked for; elsewhere those on the clock.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds
        self._pending: list[tuple[Any, Any]] = []

    @property
    def seconds(self) -> float:
        """All so far."""
        self._settle(wait=True)
        return self._seconds

    @contextmanager
    def on(self, device: torch.device) -> Iterator[None]:
        """Add the time that this takes."""
        if device.type != "cuda":
            began = time.perf_counter()
            yield
            self._seconds += time.perf_counter() - began
            return
        self._settle(wait=False)
        event: Any = torch.cuda.Event
        start, stop = event(enable_timing=True), event(enable_timing=True)
        start.record()
        yield
        stop.record()
        self._pending.append((start, stop))

    def _settle(self, *, wait: bool) -> None:
        while self._pending and (wait or self._pending[0][1].query()):
            start, stop = self._pending.pop(0)
            stop.synchronize()
            self._seconds += start.elapsed_time(stop) / 1000
