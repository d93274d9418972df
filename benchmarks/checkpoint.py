"""What keeping state costs training, as ratios within one run: `python benchmarks/checkpoint.py`.

A ResNet-18's state is kept every few steps: by the run's own keeper, which copies on the thread
that trains and writes on another; by the same keeper made to wait for the write; and not at all.
The three take turns, step for step of wall time, so that a busy machine slows all alike. Writes
benchmarks/results/checkpoint.md; `--smoke` measures little and writes nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tostdsl.engine.checkpoint import Snapshot
from tostdsl.engine.keeper import Every, Keeper
from tostdsl.engine.loop import Loop
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.stops import Stops
from tostdsl.plan.plan import Plan

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "checkpoint.md"
RECIPE = """\
model {model}
data digits(batch=128)
mask random(sparsity=90%)
optimizer sgd(momentum=0.9)
train for {steps} steps
"""
WAYS = ("none", "beside", "waiting")


@dataclass
class Times(Stops):
    """Hears of each step, and so knows how long it took with all that followed the one before."""

    seconds: list[float] = field(default_factory=list)
    last: float = 0.0

    def __post_init__(self) -> None:
        super().__init__()

    def stepped(self, done: int) -> None:
        now = time.perf_counter()
        if self.last:
            self.seconds.append(now - self.last)
        self.last = now


class Waiting(Keeper):
    """Writes while training waits."""

    def _keep(self, loop: Loop | None, segment: int | None, offset: int, *, wait: bool) -> None:
        super()._keep(loop, segment, offset, wait=True)


def trained(plan: Plan, way: str, every: int, folder: Path) -> list[float]:
    """Seconds of each step but the first few, which load and warm things up."""
    import tostdsl.engine.session as session

    times = Times()
    own = session.Keeper
    if way == "waiting":
        session.Keeper = Waiting  # type: ignore[misc]
    try:
        options = RunOptions(
            out=folder,
            device="cpu",
            checkpoint=None if way == "none" else Every(every, "steps"),
        )
        run(plan, options, stops=times)
    finally:
        session.Keeper = own  # type: ignore[misc]
    return times.seconds[every:]


def compared(plan: Plan, every: int, turns: int) -> dict[str, list[float]]:
    """Mean seconds a step of each way, a figure a turn; the order of the ways rotates."""
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for turn in range(turns):
        for way in (*WAYS[turn % 3 :], *WAYS[: turn % 3]):
            with tempfile.TemporaryDirectory() as folder:
                found[way].append(statistics.mean(trained(plan, way, every, Path(folder) / "run")))
    return found


def copied(plan: Plan, folder: Path) -> tuple[float, int]:
    """Seconds that training stands still for one copy of the state, and the bytes of it."""
    import tostdsl.engine.snapshots as snapshots

    seconds, sizes = [], []
    own: Callable[..., Snapshot] = snapshots.take

    def take(*given: object) -> Snapshot:
        began = time.perf_counter()
        snapshot = own(*given)
        seconds.append(time.perf_counter() - began)
        sizes.append(sum(t.numel() * t.element_size() for t in snapshot.tensors.values()))
        return snapshot

    snapshots.take = take  # type: ignore[assignment]
    try:
        every = Every(4, "steps")
        run(plan, RunOptions(out=folder, device="cpu", checkpoint=every))
    finally:
        snapshots.take = own
    return statistics.median(seconds[2:]), max(sizes)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    smoke = parser.parse_args().smoke
    steps, every, turns = (8, 2, 1) if smoke else (36, 6, 3)
    from tostdsl.compile.compiler import compile_source
    from tostdsl.source import Source

    network = "cifar_resnet(8)" if smoke else "resnet18"
    text = RECIPE.format(model=network, steps=steps)
    (plan,) = compile_source(Source("made.tost", text)).plans
    found = compared(plan, every, turns)
    base = statistics.median(found["none"])
    ratios = {way: statistics.median(found[way]) / base for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        pause, size = copied(plan, Path(folder) / "run")
    lines = [
        "# What keeping state costs training",
        "",
        f"`python benchmarks/checkpoint.py` on {os.cpu_count()} cores ({platform.machine()}): "
        f"{network} on digits, batch 128, SGD with momentum; a state of {size / 2**20:.0f} "
        f"MiB kept every {every} steps, far more often than anybody would. Medians of turns "
        f"({turns}) in one run; every write is flushed to disk.",
        "",
        "| way | a step against none |",
        "| --- | --- |",
        f"| copied, then written beside training (as runs do) | {ratios['beside']:.2f} |",
        f"| written while training waits | {ratios['waiting']:.2f} |",
        "",
        f"One copy keeps training still for {pause / base:.2f} steps.",
        "",
    ]
    print("\n".join(lines))
    if not smoke:
        RESULTS.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
