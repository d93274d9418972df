"""`tost run --trace gradients` as a user calls it."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.test_cli import tost

RECIPE = """\
model cifar_resnet(8)
data  digits
mask  random(sparsity=90%, distribution=erk)
train for 4 epochs

ghost(activation=swish) until epoch 1
skip until 50%
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "r.tost"
    path.write_text(RECIPE, encoding="utf-8")
    return path


def test_a_rehearsal_is_traced_at_each_of_its_steps(recipe: Path, tmp_path: Path) -> None:
    """Ghost and skip have their columns while they are there, and the picture its panels."""
    ran = tost("run", recipe, "--smoke", "--trace", "gradients", "--out", tmp_path / "run")
    assert (0, "") == (ran.returncode, ran.stderr)
    assert "trace: 6 steps of 10 layers in trace.jsonl and trace.svg" in ran.stdout
    assert 2 == ran.stdout.count("\nseam at step ")
    lines = (tmp_path / "run" / "trace.jsonl").read_text("utf-8").splitlines()
    _, *steps = [json.loads(line) for line in lines]
    both, one, none = {"ghost", "skip"}, {"skip"}, set[str]()
    assert [(0, both), (21, both), (22, one), (43, one), (44, none), (87, none)] == [
        (row["step"], set(row["without"])) for row in steps
    ]
    for row in steps:
        for measured in (row["with"], *row["without"].values()):
            assert {"loss", "gradients", "dead"} == set(measured)
            assert all(norm > 0 for norm in measured["gradients"].values())
            assert all(0 <= share <= 1 for share in measured["dead"].values())
    root = ET.parse(tmp_path / "run" / "trace.svg").getroot()
    words = [each.text or "" for each in root.iter() if each.tag.endswith("text")]
    for stage in both:
        assert f"gradient norm: with {stage} / without" in words
        assert f"dead units: with {stage} \N{MINUS SIGN} without" in words


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trace-every", "5"], "add `--trace gradients`"),
        (["--trace", "everything"], "'everything' is not 'gradients'"),
        (["--trace", "gradients", "--trace-every", "0"], "0 is not in the range x>=1"),
    ],
)
def test_wrong_options_are_refused(recipe: Path, words: list[str], said: str) -> None:
    """Before anything runs, with what to write."""
    ran = tost("run", recipe, "--smoke", *words, cwd=recipe.parent)
    assert 2 == ran.returncode
    assert said in ran.stderr
    assert not (recipe.parent / "runs").exists()


def test_without_the_option_there_is_no_trace(recipe: Path, tmp_path: Path) -> None:
    """Nothing is looked at unless it is asked for."""
    assert 0 == tost("run", recipe, "--smoke", "--out", tmp_path / "run").returncode
    assert [] == list((tmp_path / "run").glob("trace*"))
