"""`tost run --paranoid`, and what a run tells of its looks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tostdsl.cli.main import tost

RECIPE = """model cifar_resnet(8)
data digits
mask random(sparsity=50%)
train for 9 steps
"""


@pytest.mark.parametrize(
    ("flags", "every", "looks"), [([], 100, "1 look"), (["--paranoid"], 1, "9 looks")]
)
def test_the_summary_tells_what_watching_cost(
    flags: list[str], every: int, looks: str, tmp_path: Path
) -> None:
    """The number of looks, their time and its share; the interval is kept for `tost resume`."""
    recipe, out = tmp_path / "r.tost", tmp_path / "run"
    recipe.write_text(RECIPE)
    done = CliRunner().invoke(tost, ["run", str(recipe), "--out", str(out), *flags])
    assert 0 == done.exit_code, done.output
    (line,) = [line for line in done.output.splitlines() if line.startswith("watched ")]
    told = json.loads((out / "result.json").read_text())["watching"]
    share = f"{told['seconds']:.2f} s, {told['share']:.1%} of the time"
    assert f"watched        {looks} at what must hold: {share}" == line
    options = json.loads((out / "environment.json").read_text())["options"]
    assert (every, every) == (options["watch"], told["every"])
