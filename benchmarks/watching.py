"""What watching a run costs, as ratios within one process: `python benchmarks/watching.py`.

A recipe is trained without a look at what must hold, with the default's looks, and with one after
every step (`tost run --paranoid`), in turn, so that a busy machine slows all sides alike. What is
compared is the least processor time of a step of several trainings; a run's start and end are left
out. So is what masking gradients costs, which is always done: a row of its own tells it.
Writes benchmarks/results/watching.md; `--smoke` measures little and writes nothing.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import torch

import tostdsl.engine.run as runs
from tostdsl.compile.compiler import compile_source
from tostdsl.engine.loop import Loop
from tostdsl.engine.masked import Masked
from tostdsl.engine.watch import EVERY
from tostdsl.plan.plan import Plan
from tostdsl.source import Source

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "watching.md"
TIMES = 3
"""Trainings of each kind."""
IMAGES = 512
"""A split; what they show does not matter."""
RECIPE = """model {model}
data cifar10(batch={batch})
mask random(sparsity=90%)
optimizer {optimizer}
ghost(activation=swish) until 50%
skip until 50%
train for {steps} steps
"""


@dataclass(frozen=True)
class Case:
    """A network, a batch, an optimizer, and how long it is trained."""

    model: str
    batch: int
    optimizer: str
    steps: int

    @property
    def plan(self) -> Plan:
        """Its plan."""
        (plan,) = compile_source(Source("made.tost", RECIPE.format(**vars(self)))).plans
        return plan


CASES = (
    Case("cifar_resnet(8)", 32, "sgd", 200),
    Case("resnet20", 32, "sgd", 100),
    Case("resnet20", 32, "adam", 100),
    Case("resnet18(stem=cifar)", 8, "sgd", 30),
)
SMOKE = (Case("cifar_resnet(8)", 8, "sgd", 6),)
SIDES: dict[str, tuple[int | None, bool]] = {
    "none": (None, True),
    "default": (EVERY, True),
    "paranoid": (1, True),
    "gradients not masked": (None, False),
}
"""Steps from look to look, and whether gradients are masked."""


def trained(plan: Plan, watch: int | None, masking: bool) -> float:
    """Milliseconds of processor time a step."""
    spent = [0.0]
    steps, mask, images = Loop._run, Masked.mask_gradients, runs.images_of

    def timed(self: Loop, *given: object) -> None:
        began = process_time()
        steps(self, *given)  # type: ignore[arg-type]
        spent[0] += process_time() - began

    Loop._run = timed  # type: ignore[method-assign]
    runs.images_of = lambda plan, source, _: images(plan, source, IMAGES)
    if not masking:
        Masked.mask_gradients = lambda _self: None  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder:
            options = runs.RunOptions(
                Path(folder) / "run", "cpu", fake_data=True, checkpoint=None, watch=watch
            )
            result = runs.run(plan, options)
    finally:
        Loop._run, Masked.mask_gradients = steps, mask  # type: ignore[method-assign]
        runs.images_of = images
    assert result.certified
    return spent[0] * 1e3 / int(plan.train.value)


def row(case: Case, times: int) -> str:
    """The ratios of a case, as a row of the table."""
    plan = case.plan
    least = dict.fromkeys(SIDES, float("inf"))
    for _ in range(times):
        for side, (watch, masking) in SIDES.items():
            least[side] = min(least[side], trained(plan, watch, masking))
    base = least["none"]
    ratios = [
        least["default"] / base,
        least["paranoid"] / base,
        base / least["gradients not masked"],
    ]
    what = f"{case.model}, batch {case.batch}, {case.optimizer}, {case.steps} steps"
    return f"| {what} | {base:.1f} ms | " + " | ".join(f"**{r:.3f}**" for r in ratios) + " |"


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="measure little, write nothing")
    smoke = parser.parse_args().smoke
    head = (
        f"| training | a step, nobody looking | looks every {EVERY} steps | after every step "
        "| masking gradients against not |\n| --- | --- | --- | --- | --- |\n"
    )
    shown = head + "".join(
        row(c, 1 if smoke else TIMES) + "\n" for c in (SMOKE if smoke else CASES)
    )
    print(shown)
    if smoke:
        return
    version = ".".join(map(str, sys.version_info[:3]))
    threads = torch.get_num_threads()
    said = "thread" if threads == 1 else "threads"
    text = (
        f"# What watching a run costs\n\nCPU, {threads} {said}, Python {version}, torch "
        f"{torch.__version__}. As measured by `python benchmarks/watching.py`: ratios of the least "
        f"processor time of a step, of {TIMES} trainings each, taken in turn. Each training has "
        "two segments, whose last steps are looked at, too.\n\n"
    )
    RESULTS.write_text(text + shown, encoding="utf-8")


if __name__ == "__main__":
    main()
