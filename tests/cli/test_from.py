"""`tost run --from`, and the same from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import tostdsl as py
from tests.cli.conftest import Tost
from tests.engine.lives import kept

RECIPE = """\
recipe base
model cifar_resnet(8, width=0.5x)
data digits(batch=256)
mask random(sparsity=50%)
schedule constant
skip until step 4
train for 10 steps
seed 3
"""
SWEPT = "param at = step 6\nlabels(smoothing=0.2) from $at\nsweep at over [step 6, step 8]\n"


def test_from_python_and_the_command_line(
    tmp_path: Path, tost: Tost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every run of a sweep begins there; where none can, it is said and nothing is written."""
    monkeypatch.chdir(tmp_path)
    Path("a.tost").write_text(RECIPE)
    Path("b.tost").write_text(RECIPE + SWEPT)
    Path("c.tost").write_text(RECIPE.replace("seed 3", "seed 4"))
    words = "--checkpoint", "1 step", "--keep", 20, "--device", "cpu"
    assert 0 == tost("run", "a.tost", "--out", "a", *words).code
    done = tost("run", "b.tost", "--from", "a", "--out", "b", "--device", "cpu")
    assert 0 == done.code
    plan = py.load("a.tost")
    for step in (6, 8):
        assert f"begins at step {step} of a's run (plan {plan.short})\n" in done.out
    assert 0 == tost("verify", "b/001").code
    failed = tost("run", "c.tost", "--from", "a", "--out", "c", "--device", "cpu")
    assert (1, True) == (failed.code, "error[R710]: no run can begin" in failed.err)
    assert not Path("c").exists()
    swept = RECIPE.replace("seed 3", "seed 3\nsweep seed over [3, 4]").replace("base", "d")
    Path("d.tost").write_text(swept.replace("for 10", "for 11"))
    failed = tost("run", "d.tost", "--from", "a", "--out", "d", "--device", "cpu")
    assert (1, True) == (failed.code, "first step on: seed: 3 becomes 4\n" in failed.err)
    assert "train: " not in failed.err
    assert not Path("d").exists(), "nothing is trained before all of them may begin"
    for inside in ("a/new", "a/ckpt/step-0000099"):
        failed = tost("run", "b.tost", "--from", "a", "--out", inside, "--device", "cpu")
        assert (1, True) == (failed.code, "would lie in it" in failed.err)
    assert 0 == tost("verify", "a").code
    same = py.run("a.tost", "again", begin_from="a", device="cpu")
    assert ["step-0000010"] == kept(same.folder)
    assert py.open_run("a").metrics("test") == same.metrics("test")
