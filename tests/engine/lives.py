"""Runs that are cut off after a step, as a kill would, and go on in this process."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from tostdsl.engine.keeper import Every
from tostdsl.engine.manifest import MANIFEST
from tostdsl.engine.resume import resume
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.twins import differences
from tostdsl.plan.plan import Plan

ENDS = (
    "model.safetensors",
    "masks.safetensors",
    "ghosts.safetensors",
    "outputs.safetensors",
    "trace.svg",
    "certificate.json",
    "result.json",
    MANIFEST,
)
"""What a run writes after its last step, in order."""


def watched(plan: Plan, out: Path, **more: object) -> Path:
    """The folder of a run that keeps the state of each of its steps."""
    options = {"smoke": True, "fake_data": True, "device": "cpu", "allow_ghosts": True, **more}
    every = Every(1, "steps")
    return run(plan, RunOptions(out=out, checkpoint=every, keep=10_000, **options)).folder  # type: ignore[arg-type]


def kept(run: Path) -> list[str]:
    """The names of its checkpoints, oldest first."""
    return sorted(path.name for path in (run / "ckpt").iterdir())


def cut(run: Path, name: str, into: Path) -> Path:
    """A copy of a run as a kill after the checkpoint of that name leaves it.

    Lines that were written later are there, as a kill may leave those of lost steps; nothing that a
    run writes at its end is. Later checkpoints are not copied, so no life can use them.
    """
    shutil.rmtree(into, ignore_errors=True)

    def later(folder: str, names: list[str]) -> set[str]:
        gone = {each for each in names if each.startswith("step-") and each > name}
        return gone | (set(ENDS) & set(names) if Path(folder) == run else set())

    shutil.copytree(run, into, ignore=later)
    return into


def unequal(run: Path, names: list[str], into: Path) -> Iterator[str]:
    """Where runs that go on from these checkpoints do not end as the run did, and in what."""
    for name in names:
        again = cut(run, name, into)
        resume(again)
        yield from (f"{name}: {each}" for each in differences(run, again))
