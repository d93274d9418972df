"""Seconds on the clock, and those of a GPU's kernels, which nothing waits for."""

from __future__ import annotations

import time

import pytest
import torch

from tostdsl.engine.stopwatch import Stopwatch


def test_seconds_add_up_from_those_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the clock, only while it runs."""
    moments = iter([3.0, 3.5, 7.0, 7.25])
    monkeypatch.setattr(time, "perf_counter", lambda: next(moments))
    watch = Stopwatch(10.0)
    for _ in range(2):
        with watch.on(torch.device("cpu")):
            pass
    assert 10.75 == watch.seconds


class Event:
    """A CUDA event whose work is done when somebody waits for it."""

    waited = 0
    moment = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing
        self.done = False

    def record(self) -> None:
        Event.moment += 5
        self.at = Event.moment

    def query(self) -> bool:
        return self.done

    def synchronize(self) -> None:
        self.done = True
        Event.waited += 1

    def elapsed_time(self, other: Event) -> float:
        assert other.done
        return float(other.at - self.at)


def test_a_gpu_is_waited_for_only_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its events measure, in milliseconds."""
    monkeypatch.setattr(torch.cuda, "Event", Event)
    watch = Stopwatch(1.0)
    for _ in range(3):
        with watch.on(torch.device("cuda")):
            pass
    assert 0 == Event.waited
    assert pytest.approx(1.015) == watch.seconds
    assert 3 == Event.waited
    assert pytest.approx(1.015) == watch.seconds
