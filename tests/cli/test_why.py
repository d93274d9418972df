"""`tost plan --why`, plans of sweeps, and `--set-file`, as a user calls them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tostdsl.cli.main import tost

BASE = """\
param w = 3x
model resnet20
data cifar10
mask random(sparsity=90%)
train for 180 epochs
ghost(width=$w) until 25%
"""
TOP = 'extends "base.tost"\nparam w = 2x\nghost(activation=swish) until 25%\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two recipes, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.tost").write_text(BASE)
    (tmp_path / "top.tost").write_text(TOP)
    return tmp_path


def ran(*words: str) -> Result:
    return CliRunner().invoke(tost, words, standalone_mode=False)


def test_why_prints_the_value_and_its_chain() -> None:
    """One line for the value, one for each step back."""
    result = ran("plan", "top.tost", "--why", "stages.ghost#2.width", "--set", "w=4x")
    assert (0, "") == (result.return_value, result.stderr)
    assert [
        "stages.ghost#2.width = 4x",
        "  written as `$w` at base.tost:6:13",
        "  `$w` = 4x from `--set w=4x`",
        "  declared `param w = 2x` at top.tost:2:1",
        "  replaces `param w = 3x` at base.tost:1:1",
    ] == result.stdout.splitlines()


def test_why_of_a_start_lists_what_is_below() -> None:
    """Each value has a line with where it was chosen, in one column."""
    lines = ran("plan", "top.tost", "--why", "mask").stdout.splitlines()
    assert ["mask = random(sparsity=90%)", "  written at base.tost:4:1", ""] == lines[:3]
    assert "mask.sparsity = 90%" == lines[3].partition("  ")[0]
    assert lines[3].index("written") == lines[4].index("default")


def test_why_is_repeatable() -> None:
    """Each path has its answer, in the order asked."""
    words = ["--why", "train", "--why", "seed"]
    assert [
        "train = 180 epochs",
        "  written at base.tost:5:11",
        "",
        "seed = 0",
        "  default of the language",
    ] == ran("plan", "top.tost", *words).stdout.splitlines()


def test_an_unknown_path_hides_none_of_the_others() -> None:
    """What is known is printed, the rest is reported, and the exit status says so."""
    result = ran("plan", "top.tost", "--why", "train", "--why", "trian", "--why", "seed")
    assert ["train = 180 epochs", "seed = 0"] == re.findall(r"^\w.*", result.stdout, re.MULTILINE)
    assert 2 == result.return_value
    assert ["error[T231]: `trian` is not a value of this plan"] == [
        line for line in result.stderr.splitlines() if line.startswith("error")
    ]
    as_json = ran("plan", "top.tost", "--why", "nope", "--why", "train", "--json")
    assert ["train"] == [row["path"] for row in json.loads(as_json.stdout)]
    assert 2 == as_json.return_value


def test_why_as_json() -> None:
    """Programs get paths, values and places."""
    content = json.loads(ran("plan", "top.tost", "--why", "train", "--json").stdout)
    place = {"words": "written", "file": "base.tost", "line": 5, "column": 11}
    assert [{"path": "train", "value": "180 epochs", "chain": [place]}] == content


def test_why_shows_no_escape_sequences(folder: Path) -> None:
    """A file's name cannot write to the terminal."""
    (folder / "a\x1b[31m.tost").write_text(BASE)
    assert "\x1b" not in ran("plan", "a\x1b[31m.tost", "--why", "train").stdout


def test_a_sweep_is_a_table(folder: Path) -> None:
    """A row a run with its values and plan; `--all` adds every plan in full."""
    (folder / "top.tost").write_text(TOP + "sweep w over [2x, 4x]\nsweep seed over [1, 2]\n")
    lines = ran("plan", "top.tost").stdout.splitlines()
    assert "top: a sweep of 4 runs" == lines[0]
    assert ["w", "seed", "plan"] == lines[2].split()
    rows = [line.split() for line in lines[3:7]]
    assert [["2x", "1"], ["2x", "2"], ["4x", "1"], ["4x", "2"]] == [row[:2] for row in rows]
    content = json.loads(ran("plan", "top.tost", "--json").stdout)
    assert [plan["fingerprint"][:8] for plan in content] == [row[2] for row in rows]
    full = ran("plan", "top.tost", "--all").stdout
    assert all(f"plan {plan['fingerprint']}" in full for plan in content)
    why = ran("plan", "top.tost", "--why", "seed").stdout.splitlines()
    assert ["in the first of 4 runs: w = 2x, seed = 1", "", "seed = 1"] == why[:3]


def test_a_long_sweep_is_cut(folder: Path) -> None:
    """A table of many runs says how many it leaves out."""
    seeds = ", ".join(map(str, range(200)))
    (folder / "top.tost").write_text(TOP + f"sweep seed over [{seeds}]\n")
    shown = ran("plan", "top.tost").stdout
    assert "… 180 more" in shown
    assert len(shown.splitlines()) < 30


def test_a_given_seed_is_no_default() -> None:
    """`--seed` is what the plan shows, without the mark of a default."""
    lines = ran("plan", "top.tost", "--seed", "3").stdout.splitlines()
    line = next(line for line in lines if "seed" in line)
    assert ["seed", "3"] == line.split()


@pytest.mark.parametrize("command", ["check", "plan"])
def test_set_file(folder: Path, command: str) -> None:
    """Values come from a file; a mistake in it is shown there, and `--set` wins."""
    (folder / "v.set").write_text("# wide\nw = 5x\n")
    five = ran(command, "top.tost", "--set-file", "v.set")
    assert five.stdout == ran(command, "top.tost", "--set", "w=5x").stdout
    both = ran(command, "top.tost", "--set-file", "v.set", "--set", "w=6x")
    assert both.stdout == ran(command, "top.tost", "--set", "w=6x").stdout
    (folder / "v.set").write_text("# wide\n  w = 5%\n")
    wrong = ran(command, "top.tost", "--set-file", "v.set")
    assert 2 == wrong.return_value
    assert "--> v.set:2:7" in wrong.stderr
    missing = ran(command, "top.tost", "--set-file", "none.set")
    assert (3, True) == (missing.return_value, "none.set" in missing.stderr)


def test_set_file_is_an_option_of_run() -> None:
    """`tost run` takes it too, and reads it before anything is trained."""
    result = ran("run", "top.tost", "--set-file", "none.set")
    assert (3, True) == (result.return_value, "T213" in result.stderr)


def test_setting_a_name_twice_is_refused() -> None:
    """Of two values for one name neither is preferred in silence."""
    result = ran("check", "top.tost", "--set", "w=2x", "--set", "w=3x")
    assert result.exception is not None
    assert "`w` is set twice" in str(result.exception)


def test_the_first_stage_of_a_name_is_number_one(folder: Path) -> None:
    """`#1` is the one stage there is, and of two the first alone."""
    alone = ran("plan", "base.tost", "--why", "stages.ghost#1.width").stdout
    assert ran("plan", "base.tost", "--why", "stages.ghost.width").stdout == alone
    first = ran("plan", "top.tost", "--why", "stages.ghost#1.activation").stdout
    assert "stages.ghost.activation = swish" == first.splitlines()[0]
    whole = ran("plan", "top.tost", "--why", "stages.ghost#1").stdout
    assert "#2" not in whole
    assert "\nstages.ghost.width = " in whole


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("ghost", "`stages.ghost`"),
        ("lr", "`optimizer.lr`"),
        ("mask.lr", "`optimizer.lr`"),
        ("mask.sparsty", "`mask.sparsity`"),
        ("stages.ghst.width", "`stages.ghost.width`"),
        ("width", "`model.width` or `stages.ghost.width` or `stages.ghost#2.width`"),
    ],
)
def test_a_path_that_leads_nowhere_gets_whole_ones(folder: Path, path: str, meant: str) -> None:
    """By its end, by its letters part by part, by its last word."""
    (folder / "top.tost").write_text("model cifar_resnet(8)\n" + TOP)
    result = ran("plan", "top.tost", "--why", path)
    assert (2, "") == (result.return_value, result.stdout.strip())
    assert f"help: did you mean {meant}?" in " ".join(result.stderr.split())


def test_what_was_taken_out_is_told(folder: Path) -> None:
    """A default that `without` brought back has the way there."""
    (folder / "top.tost").write_text('extends "base.tost"\nwithout mask\n')
    assert [
        "mask = none: dense training",
        "  default of the language",
        "  after `without mask` at top.tost:2:9",
        "  replaces `mask random(sparsity=90%)` at base.tost:4:1",
    ] == ran("plan", "top.tost", "--why", "mask").stdout.splitlines()


def test_json_says_which_run_of_a_sweep(folder: Path) -> None:
    """The values it was explained for."""
    (folder / "top.tost").write_text(TOP + "sweep seed over [7, 8]\n")
    (row,) = json.loads(ran("plan", "top.tost", "--why", "seed", "--json").stdout)
    assert ({"seed": "7"}, "7") == (row["run"], row["value"])
