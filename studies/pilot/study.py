"""The pilot: what each technique does at its defaults, against the same run without it.

    python studies/pilot/study.py [--jobs 2] [--only ARM] [--out runs/pilot]

Every recipe beside this file is an arm, `base.tost` the one the others are compared with. Arms of
one seed are paired: they have the same images, initial weights, mask and batches. Runs that are
there already, of the same plan, are not repeated. Needs CIFAR-10 in TOST_DATA, or `--download`;
writes results.md and results.json beside this file when all arms have run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev

HERE = Path(__file__).parent
BASE = "base"
ARMS = (BASE, "ghost_activation", "ghost_width", "skip", "init", "labels", "all")
OTHERS = ("ghost_width_linear", "init_full", "init_learned")
"""What defaults were chosen over: measured, not judged."""
HARM = 1.0
"""Points of accuracy that no technique may lose on average at its defaults."""


@dataclass(frozen=True)
class Measured:
    """One run: accuracy in percent and cross-entropy on the 10,000 test images."""

    arm: str
    seed: int
    accuracy: float
    loss: float
    fingerprint: str
    certified: bool
    seconds: float


def train(arm: str, number: int, out: Path, download: bool) -> Measured:
    """Run one seed of an arm, or read the run that is there."""
    from tostdsl import api
    from tostdsl.engine.run import RunOptions

    compiled = api.compile_file(HERE / f"{arm}.tost")
    plan = compiled.plans[number]
    folder = out / f"{arm}-{plan.seed}-{plan.short}"
    kept = folder.with_suffix(".json")
    if kept.exists():
        return Measured(**json.loads(kept.read_text(encoding="utf-8")))
    assert compiled.recipe is not None  # `plans` has raised where the recipe has mistakes
    options = RunOptions(folder, "cpu", download=download)
    result = api.run(plan, options, sources=compiled.recipe.sources)
    measured = Measured(
        arm,
        plan.seed,
        round(100 * result.accuracy, 2),
        round(result.loss, 4),
        plan.fingerprint,
        result.certified,
        round(result.seconds, 1),
    )
    kept.write_text(json.dumps(asdict(measured)), encoding="utf-8")
    return measured


def table(runs: list[Measured]) -> Iterator[str]:
    """Lines of a Markdown table, an arm a line."""
    seeds = sorted({run.seed for run in runs})
    base = {run.seed: run.accuracy for run in runs if run.arm == BASE}
    yield f"| arm | {' / '.join(f'seed {seed}' for seed in seeds)} | mean | against the base |"
    yield "| --- | --- | --- | --- |"
    for arm in (*ARMS, *OTHERS):
        own = {run.seed: run.accuracy for run in runs if run.arm == arm}
        if not own:
            continue
        each = " / ".join(f"{own[seed]:.1f}" for seed in seeds)
        gaps = [own[seed] - base[seed] for seed in seeds]
        gap = "" if arm == BASE else f"{mean(gaps):+.1f} ± {stdev(gaps):.1f}"
        yield f"| `{arm}` | {each} | {mean(own.values()):.1f} | {gap} |"


def report(machine: Mapping[str, str], runs: list[Measured]) -> str:
    """The content of results.md."""
    told = ", ".join(f"{name} {value}" for name, value in machine.items())
    how = "Test accuracy in percent; gaps are paired by seed, mean and deviation."
    return "\n".join(["# The pilot, measured", "", how, f"CPU, {told}.", "", *table(runs), ""])


def harmful(runs: list[Measured]) -> list[str]:
    """Arms that lose more than `HARM` points on average against the base."""
    base = mean(run.accuracy for run in runs if run.arm == BASE)
    means = {arm: mean(run.accuracy for run in runs if run.arm == arm) for arm in ARMS}
    return [arm for arm in ARMS if means[arm] < base - HARM]


def where() -> Mapping[str, str]:
    """What the runs ran on."""
    import torch

    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "processor": platform.machine(),
        "threads a run": os.environ["OMP_NUM_THREADS"],
    }


def main() -> int:
    """Run what is asked for; exit 1 if an arm does harm."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    parser.add_argument("--only", choices=(*ARMS, *OTHERS), action="append", help="just this arm")
    parser.add_argument("--out", type=Path, default=Path("runs/pilot"), help="where runs are kept")
    parser.add_argument("--download", action="store_true", help="fetch CIFAR-10 if it is not there")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # in the workers, before they load torch
    options.out.mkdir(parents=True, exist_ok=True)
    arms = options.only or (*ARMS, *OTHERS)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(train, arm, number, options.out, options.download)
            for number in range(3)
            for arm in arms
        ]
        runs = []
        for job in jobs:
            runs.append(job.result())
            print(f"{runs[-1].arm} {runs[-1].seed}: {runs[-1].accuracy:.2f} %", flush=True)
    if options.only:
        return 0
    machine = where()
    content = {"where": machine, "runs": [asdict(run) for run in runs]}
    text = report(machine, runs)
    print(text)
    (HERE / "results.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (HERE / "results.md").write_text(text, encoding="utf-8")
    bad = harmful(runs)
    print(f"these do harm at their defaults: {', '.join(bad)}" if bad else "none does harm")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
