"""Runs go on from any step to the bits of a run never stopped (M1, M3, M7, D1, D2, P4, S8)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.engine.faults.runs import begun, checkpoints, cut, resumed, rows, unequal

TOTAL = 24
"""Steps of two rounds and the training after them; windows, rounds' ends and epochs in between."""


def test_the_run_has_windows_in_each_phase_and_rounds(base: Path) -> None:
    """What the sweep below is worth: states within windows, in rounds, at their borders."""
    records = [json.loads((p / "state.json").read_text()) for p in checkpoints(base)]
    assert [*range(TOTAL + 1)] == [record["position"]["done"] for record in records]
    assert {0, 1, 2} == {record["position"]["phase"] for record in records}
    attached = {tuple(r["training"]["attached"]) for r in records if r["training"]}
    assert {(), (0, 1, 2, 3)} <= {tuple(sorted(each)) for each in attached}


@pytest.mark.parametrize("step", range(TOTAL + 1))
def test_each_step_resumes_to_the_same_bits(base: Path, tmp_path: Path, step: int) -> None:
    """Weights, masks, moments, figures, rows, certificate and last state are equal."""
    again = cut(base, tmp_path / "again", step)
    assert resumed(again).certified
    assert [] == unequal(base, again)


def test_a_resumed_run_can_be_resumed_again_and_moved(base: Path, tmp_path: Path) -> None:
    """Three lives in one epoch, the folder renamed in between."""
    again = cut(base, tmp_path / "first", 3)
    for step in (5, 6):
        resumed(again)
        moved = tmp_path / f"moved-{step}"
        shutil.move(again, moved)
        again = cut(moved, tmp_path / f"cut-{step}", step)
        shutil.rmtree(moved)
    resumed(again)
    assert [] == unequal(base, again)
    lives = [json.loads(line) for line in (again / "lives.jsonl").read_text().splitlines()]
    assert ["started", "resumed", "resumed", "resumed"] == [each["kind"] for each in lives]
    assert [3, 5, 6] == [each["done"] for each in lives[1:]]


GROWN = """\
model cifar_resnet(8, width=0.5x)
data digits(batch=256)
mask dynamic(sparsity=80%, grow=random, every=2 steps, fraction=50%)
optimizer sgd(lr=0.1, momentum=0.9)
init(rescale=fanin_masked) at start
train for 9 steps
seed 3
"""
"""A mask that moves, with draws and with equal scores; a stage of one moment."""


def test_a_moving_mask_goes_on_with_its_draws(tmp_path: Path) -> None:
    """From each step, where weights that have just grown are all zero, and so equal."""
    whole = tmp_path / "whole"
    assert begun(whole, text=GROWN, keep=1000).certified
    moves = [row for row in rows(whole) if row["kind"] == "mask"]
    assert len(moves) > 1
    assert all(row["grown"] == row["dropped"] > 0 for row in moves)
    for path in checkpoints(whole):
        again = cut(whole, tmp_path / "again", int(path.name.removeprefix("step-")))
        resumed(again)
        assert [] == unequal(whole, again), path.name


def test_a_trace_goes_on_where_it_was(tmp_path: Path) -> None:
    """Each phase and step once, in all layers, from any step; the picture is of all of them."""
    whole = tmp_path / "whole"
    assert begun(whole, 3, keep=1000, trace_every=2).certified
    for path in checkpoints(whole):
        again = cut(whole, tmp_path / "again", int(path.name.removeprefix("step-")))
        resumed(again)
        assert [] == unequal(whole, again), path.name
        assert (whole / "trace.svg").read_bytes() == (again / "trace.svg").read_bytes(), path.name
