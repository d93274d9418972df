"""`tost mask`: what it prints, and its exit statuses."""

from __future__ import annotations

import json
import re
import shlex
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import click
import pytest

from tests.cli.conftest import Tost
from tostdsl.cli import mask as module

RECIPE = """\
param sparsity = 60%
model cifar_resnet(8)
data digits
mask random(sparsity=$sparsity, distribution=erk) except last
train for 1 epoch
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a recipe, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "r.tost").write_text(RECIPE)
    return tmp_path


def test_the_report(tost: Tost) -> None:
    """A row a layer in scope, then the denominators, paths, 2:4 and multiply-adds."""
    found = tost("mask", "r.tost")
    assert (0, "") == (found.code, found.err)
    lines = found.out.splitlines()
    assert lines[0].startswith("r  plan ")
    assert ["conv1", "144", "144", "100%"] == lines[3].split()[:4]
    assert not any(line.startswith("fc ") for line in lines)
    assert "█" in lines[3]
    for words in (
        "on conv, linear except last: 9 layers, 76,432 weights",
        "not in it: fc (640)",
        "60.00%: 45,859 of the 76,432 weights",
        "groups of 4 input channels keep at most 2",
        "multiply-adds for the forward pass of an image, dense",
        "of 9 layers dense: conv1, ",
        "no layer is empty up to a sparsity of ",
        "looked at   no images",
    ):
        assert words in " ".join(found.out.split()) or words in found.out, words


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(
    columns: int, tost: Tost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns of the table are left out where there is no room, layer and density never."""
    monkeypatch.setenv("COLUMNS", str(columns))
    found = tost("mask", "r.tost")
    assert max(map(len, found.out.splitlines())) <= columns
    row = next(line for line in found.out.splitlines() if line.startswith("layer3.0.conv2"))
    assert "%" in row
    assert ("64x64x3x3" in row) == (columns == 120)
    assert "\x1b" not in found.out


def test_json(tost: Tost) -> None:
    """Everything, for programs; the numbers add up."""
    content = json.loads(tost("mask", "r.tost", "--format", "json", "--set", "sparsity=90%").out)
    report = content["report"]
    assert report["kept"] == sum(layer["kept"] for layer in report["layers"])
    assert pytest.approx(0.9, abs=1e-4) == report["sparsity"]
    assert {"fc": 640} == report["outside_scope"]
    assert report["multiply_adds"]["as_executed"] == report["multiply_adds"]["dense"]
    assert ["last"] == content["scope"]["except"]
    assert content["law"]["dense"]


def test_a_collapse_is_an_error_after_the_table(tost: Tost, folder: Path) -> None:
    """The report is printed all the same; `allow=collapse` goes on with a warning."""
    text = RECIPE.replace("random", "magnitude").replace("erk", "global").replace("60%", "99.9%")
    (folder / "r.tost").write_text(text.replace(" except last", ""))
    found = tost("mask", "r.tost")
    assert 2 == found.code
    assert "error[T507]: layer collapse" in found.err
    assert "COLLAPSED, empty: " in found.out
    assert "fc " in found.out
    (folder / "r.tost").write_text(
        text.replace(" except last", "").replace("global", "global, allow=collapse")
    )
    allowed = tost("mask", "r.tost")
    assert 0 == allowed.code
    assert "warning[W050]" in allowed.err
    assert "error" not in allowed.err


def test_a_request_that_cannot_be_met_names_the_highest_that_can(tost: Tost, folder: Path) -> None:
    """A law that keeps more than is wanted is refused before there is a mask."""
    text = RECIPE.replace("erk", "uniform_plus").replace("60%", "99.99%")
    (folder / "r.tost").write_text(text)
    found = tost("mask", "r.tost")
    assert 2 == found.code
    assert "error[T505]" in found.err
    assert "write `sparsity=" in found.err


def test_a_sweep_has_a_report_each(tost: Tost, folder: Path) -> None:
    """Each run of a sweep is named by its values; the JSON is a list."""
    (folder / "r.tost").write_text(RECIPE + "sweep sparsity over [50%, 70%]\n")
    out = tost("mask", "r.tost").out
    assert "-- 1 of 2: sparsity = 50%" in out
    assert "-- 2 of 2: sparsity = 70%" in out
    content = json.loads(tost("mask", "r.tost", "--format", "json").out)
    kept = [each["report"]["kept"] / each["report"]["weights_in_scope"] for each in content]
    assert pytest.approx([0.5, 0.3], abs=1e-3) == kept


@pytest.mark.parametrize("name", ["r.tost", "a b.tost", "-"])
def test_a_picture_of_a_sweep_is_refused_with_what_works(
    name: str, tost: Tost, folder: Path
) -> None:
    """Before any mask is chosen; what is said to do leads to a picture."""
    text = RECIPE + "sweep sparsity over [50%, 70%]\n"
    if name != "-":
        (folder / name).write_text(text)
    found = tost("mask", name, "--picture", "m.svg", stdin=text.encode())
    assert (2, "") == (found.code, found.out)
    save, taken = re.findall(r"`(tost plan [^`]*)`.*`([^`]*\.json)`", " ".join(found.err.split()))[
        0
    ]
    assert 0 == tost(*shlex.split(save)[1:], stdin=text.encode()).code
    assert 0 == tost("mask", taken, "--picture", "m.svg").code
    assert (folder / "m.svg").is_file()


def test_a_lottery_says_that_it_takes_training(tost: Tost, folder: Path) -> None:
    """Rounds, sparsities and cost are told in place of a table."""
    (folder / "r.tost").write_text(RECIPE.replace("random(sparsity=$sparsity, distribution=erk)",
                                                  "lottery(sparsity=$sparsity)"))  # fmt: skip
    found = tost("mask", "r.tost")
    assert 0 == found.code
    words = " ".join(found.out.split())
    assert "training: 5 rounds come first" in words
    assert "20.00%, 36.00%, 48.80%, 59.04%, 60.00%" in words
    assert "6.0 times the final training" in words
    assert "density" not in found.out
    assert 2 == tost("mask", "r.tost", "--picture", "m.svg").code


def test_a_run(tost: Tost) -> None:
    """The folder of a run is looked at; nothing can be set of it."""
    assert 0 == tost("run", "r.tost", "--smoke", "--out", "run").code
    found = tost("mask", "run")
    assert 0 == found.code
    assert "looked at   the run run" in found.out
    assert "sparsity    60.00%" in found.out
    for words in (("--set", "sparsity=90%"), ("--seed", "0"), ("--fake-data",)):
        assert 2 == tost("mask", "run", *words).code


def test_what_cannot_be_looked_at(tost: Tost, folder: Path) -> None:
    """No mask is a mistake of the recipe (2); a folder without a run, and no file, are 3."""
    (folder / "dense.tost").write_text("model cifar_resnet(8)\ndata digits\ntrain for 1 epoch\n")
    found = tost("mask", "dense.tost")
    assert 2 == found.code
    assert "error[T540]: `dense` has no mask" in found.err
    (folder / "empty").mkdir()
    assert 3 == tost("mask", "empty").code
    assert 3 == tost("mask", "missing.tost").code


def test_a_recipe_from_standard_input(tost: Tost) -> None:
    """`-` reads it."""
    assert 0 == tost("mask", "-", stdin=RECIPE.encode()).code


def test_a_picture(tost: Tost, folder: Path) -> None:
    """A bar a layer, as long as its density."""
    assert 0 == tost("mask", "r.tost", "--picture", "m.svg").code
    root = ET.parse(folder / "m.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    words = [each.text for each in root.iter(f"{space}text")]
    assert "layer3.0.conv2" in words
    content = json.loads(tost("mask", "r.tost", "--format", "json").out)
    densities = [layer["density"] for layer in content["report"]["layers"]]
    bars = [each for each in root.iter(f"{space}rect") if each.get("fill") == "#3b528b"]
    lengths = [float(str(each.get("width"))) for each in bars]
    assert pytest.approx(densities, abs=1e-3) == [length / max(lengths) for length in lengths]


def test_a_first_word_may_be_a_subcommand(tost: Tost, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is registered as one gets the other words; anything else is a recipe."""
    got = []

    @click.command("other")
    @click.argument("word")
    def command(word: str) -> int:
        got.append(word)
        return 0

    stand_in = ModuleType("tostdsl.cli.other")
    stand_in.command = command  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tostdsl.cli.other", stand_in)
    monkeypatch.setitem(module.SUBCOMMANDS, "other", "Does something else.")
    assert 0 == tost("mask", "other", "r.tost").code
    assert ["r.tost"] == got
    assert "other   Does something else." in tost("mask", "--help").out


def test_what_takes_long_is_said_before(tost: Tost, folder: Path) -> None:
    """The line comes on stderr, outside of the report; JSON has it, too."""
    text = RECIPE.replace("random(", "synflow(iterations=3, ").replace("=erk", "=global")
    (folder / "s.tost").write_text(text)
    found = tost("mask", "s.tost", "--format", "json")
    line = "synflow: scores are taken 3 times"
    assert line == found.err.splitlines()[0]
    assert [line] == json.loads(found.out)["told"]
