"""How fast training is by each way to compute, within one run: `python benchmarks/engine.py`.

Both sides of a ratio take steps in turn, so that a busy machine slows them alike: the median of the
ratios of one turn each. Writes benchmarks/results/engine.md with the device they were measured on;
`--smoke` measures little and writes nothing, `--device` picks another device.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from torch import nn
from torch.nn import functional

from tostdsl.compile.compiler import compile_source
from tostdsl.data.fake import fake_images
from tostdsl.engine import device as devices
from tostdsl.engine.compiled import Compiler
from tostdsl.engine.feed import Feed
from tostdsl.engine.start import network
from tostdsl.engine.surgery import Surgeon
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.plan import Plan
from tostdsl.source import Source

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results" / "engine.md"
RECIPE = """\
model cifar_resnet(8)
data cifar10(batch={batch}, augment=[crop(padding=4), flip])
train for 10 epochs
optimizer sgd(momentum=0.9)
precision {precision}
"""
FACTS = DataFacts(channels=3, height=32, width=32, classes=10, train_size=2048, test_size=128)


@dataclass(frozen=True)
class Row:
    """One ratio of the times of a step, with what it is of."""

    what: str
    measured: str
    ratio: str


class Side:
    """Training steps of the engine's parts, one way to compute."""

    def __init__(
        self, plan: Plan, device: torch.device, *, last: bool = False, stream: bool = False,
        compiled: bool = False,
    ) -> None:  # fmt: skip
        self.device, self.plan = device, plan
        images = fake_images(FACTS, None, 0)
        most = 0 if stream else None
        self.feed = Feed(images, plan.data, device, 1, channels_last=last, max_device_bytes=most)
        layout = torch.channels_last if last else torch.contiguous_format
        self.model: nn.Module = network(plan, FACTS).to(device).to(memory_format=layout)
        surgeon = Surgeon(self.model, FACTS, device, 1, {}, lambda _: None)
        self.forward = Compiler(self.model, surgeon).forward() if compiled else self.model
        self.optimizer = plan.optimizer.build(self.model.parameters())
        self.scaler = devices.scaler(device, plan.precision)
        self.done = 0

    def steps(self, count: int) -> float:
        """Seconds of so many steps."""
        began = perf_counter()
        for _ in range(count):
            epoch, index = divmod(self.done, self.feed.steps_per_epoch)
            batch = self.feed.train_batch(epoch, index)
            with devices.autocast(self.device, self.plan.precision):
                outputs = self.forward(batch.images)
            loss = functional.cross_entropy(outputs.float(), batch.targets)
            self.optimizer.zero_grad(set_to_none=True)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.done += 1
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return perf_counter() - began


def compare(what: str, one: Side, other: Side, turns: int, steps: int) -> Row:
    """The time of a step of one side against the other's."""
    for side in (one, other):
        side.steps(2)  # kernels are chosen and compiled
    pairs = [(one.steps(steps), other.steps(steps)) for _ in range(turns)]
    for side in (one, other):
        side.feed.close()
    ratio = statistics.median(first / second for first, second in pairs)
    times = [statistics.median(side) / steps * 1e3 for side in zip(*pairs, strict=True)]
    return Row(what, f"{times[0]:.1f} ms against {times[1]:.1f} ms a step", f"{ratio:.2f}")


def measure(device: torch.device, turns: int, steps: int, batch: int, compiler: bool) -> list[Row]:
    """Every ratio."""
    texts = [RECIPE.format(batch=batch, precision=name) for name in ("fp32", "bf16")]
    plans = {name: compile_source(Source("r.tost", text)).plans[0] for name, text in
             zip(("fp32", "bf16"), texts, strict=True)}  # fmt: skip
    plan = plans["fp32"]

    def row(what: str, one: Callable[[], Side], other: Callable[[], Side]) -> Row:
        return compare(what, one(), other(), turns, steps)

    def plain() -> Side:
        return Side(plan, device)

    rows = [
        row("streamed: resident", lambda: Side(plan, device, stream=True), plain),
        row("channels_last: contiguous", lambda: Side(plan, device, last=True), plain),
        row(
            "channels_last: contiguous, both bf16",
            lambda: Side(plans["bf16"], device, last=True),
            lambda: Side(plans["bf16"], device),
        ),
    ]
    if compiler:
        rows.append(row("compiled: eager", lambda: Side(plan, device, compiled=True), plain))
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    device = devices.choose(given.device)
    size = (1, 1, 16, False) if given.smoke else (7, 2, 64, True)
    rows = measure(device, *size)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    threads = torch.get_num_threads()
    text = "\n".join([
        "# The engine's speed",
        "",
        f"Measured on: {where} ({platform.machine()}, {os.cpu_count()} cores, {threads} threads), "
        f"PyTorch {torch.__version__}, by",
        f"`python benchmarks/engine.py`: `cifar_resnet(8)`, random images of 32 x 32, batch "
        f"{size[2]}. Below 1 the first is faster.",
        *(["On a CPU these say nothing of a GPU, where images go over a bus and layouts matter",
           "more."] if device.type == "cpu" else []),
        "",
        "| ratio | measured | value |",
        "| --- | --- | --- |",
        *(f"| {row.what} | {row.measured} | **{row.ratio}** |" for row in rows),
        "",
    ])  # fmt: skip
    print(text)
    if not given.smoke:
        RESULTS.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
