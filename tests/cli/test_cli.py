"""The commands as a user calls them: output, messages, exit statuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"
LTH = str(RECIPES / "resnet18_lth.tost")
GOOD = (RECIPES / "resnet18_lth.tost").read_text(encoding="utf-8")


def tost(*words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from tostdsl.cli.main import entry; entry()", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
    )


def test_shipped_recipes_check_clean_and_are_formatted() -> None:
    """Every shipped recipe has no mistake, no warning, and the one layout."""
    paths = sorted(RECIPES.glob("*.tost"))  # the presets, some warned of, in test_presets
    checked = tost("check", *paths)
    assert (0, "") == (checked.returncode, checked.stderr)
    assert 0 == tost("fmt", "--check", *paths).returncode


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("stem=cifar)", "stem=cifar", ["T102", "missing `)`"]),
        ("ghost(width", "ghots(width", ["T201", "did you mean `ghost`?"]),
        ("until epoch 40", "until epoch 400", ["T401", "training ends at epoch 180"]),
        ("= 90%", "= 90", ["T302", "write `90%`"]),
    ],
)
def test_mistakes_are_pointed_at(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    """Each of the commonest mistakes has a pointed message and exit status 2."""
    path = tmp_path / "r.tost"
    path.write_text(GOOD.replace(old, new, 1))
    result = tost("check", path)
    assert 2 == result.returncode
    assert [] == [word for word in words if word not in result.stderr]
    assert "Traceback" not in result.stderr
    assert 2 == tost("run", path).returncode


@pytest.mark.parametrize(
    "words",
    [
        ["check", LTH],
        ["check", LTH, "--format", "json"],
        ["fix", LTH],
        ["fmt", "--check", LTH],
        ["plan", LTH],
        ["diff", LTH, LTH],
        ["list"],
        ["explain", "ghost", "T201"],
        ["new", "-", "--yes"],
        ["new", "-", "--preset", "published_ghost"],
        ["completion", "fish"],
    ],
    ids=" ".join,
)
def test_language_commands_do_not_load_torch(words: list[str]) -> None:
    """No command but `run` imports torch, torchvision or numpy."""
    code = (
        "import sys\nfrom tostdsl.cli.main import tost\n"
        f"tost.main({words!r}, standalone_mode=False)\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (0, "") == (result.returncode, result.stderr)


def test_plan_shows_values_defaults_phases_and_timeline() -> None:
    """`tost plan` leaves nothing out."""
    shown = tost("plan", RECIPES / "quickstart.tost").stdout
    for words in ("cifar_resnet", "(default)", "phases", "timeline", "segments", "ghost"):
        assert words in shown


def test_plan_numbers_the_stages_of_one_technique(tmp_path: Path) -> None:
    """In the list of stages and in the timeline, as a run calls them; a lone one has no number."""
    recipe = tmp_path / "two.tost"
    recipe.write_text(
        "model cifar_resnet(8)\ndata digits\ntrain for 4 epochs\nskip until 50%\n"
        "ghost(width=2x) until 75%\nghost(activation=swish) until 50%\n",
        encoding="utf-8",
    )
    lines = tost("plan", recipe).stdout.splitlines()
    words = ("stage ", "ghost#", "skip")
    heads = [line.split("(")[0] for line in lines if line.strip().startswith(words)]
    assert [
        "  stage      ghost#1: ghost",
        "  stage      ghost#2: ghost",
        "  stage      skip",
        "ghost#1",
        "ghost#2",
    ] == heads[:5]
    assert heads[5].startswith("skip  ")


def test_plan_json_carries_its_fingerprint() -> None:
    """`tost plan --json` prints the canonical content and its fingerprint."""
    content = json.loads(tost("plan", "--json", RECIPES / "quickstart.tost").stdout)
    assert 64 == len(content["fingerprint"])
    assert 1 == content["plan"]["schema"]


def test_fmt_rewrites_and_then_is_content(tmp_path: Path) -> None:
    """A file is laid out once; `--check` says so before and is content after."""
    path = tmp_path / "r.tost"
    path.write_text("model   resnet20( )\ndata cifar10\ntrain for 2   epochs")
    assert 1 == tost("fmt", "--check", path).returncode
    assert 0 == tost("fmt", path).returncode
    assert "model resnet20\ndata  cifar10\ntrain for 2 epochs\n" == path.read_text()
    assert 0 == tost("fmt", "--check", path).returncode


def test_fmt_leaves_a_broken_file_alone(tmp_path: Path) -> None:
    """A file with mistakes keeps every byte."""
    path = tmp_path / "r.tost"
    path.write_text("model   resnet20(\n")
    assert 2 == tost("fmt", path).returncode
    assert "model   resnet20(\n" == path.read_text()


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["check", "missing.tost"], 3),
        (["chekc", "x"], 2),
        (["check"], 2),
        (["verify", "missing"], 3),
        (["run", str(RECIPES / "quickstart.tost"), "--set", "x"], 2),
        (["run", str(RECIPES / "quickstart.tost"), "--set", "x=1"], 2),
        (["check", str(RECIPES / "quickstart.tost"), "--set", "x=\udcff"], 2),
        (["--version"], 0),
        (["--help"], 0),
    ],
)
def test_exit_statuses(tmp_path: Path, words: list[str], status: int) -> None:
    """What goes wrong before anything runs has its exit status and no traceback."""
    result = tost(*words, cwd=tmp_path)
    assert status == result.returncode
    assert "Traceback" not in result.stderr


def test_unknown_device_is_refused(tmp_path: Path) -> None:
    """A device that is not here is named before anything is written."""
    result = tost("run", RECIPES / "quickstart.tost", "--device", "mps", cwd=tmp_path)
    assert 1 == result.returncode
    assert "R301" in result.stderr
    assert [] == list(tmp_path.iterdir())


def test_missing_data_says_where_and_how(tmp_path: Path) -> None:
    """A data set that is not there is an error that says where it was looked for."""
    result = tost(
        "run", RECIPES / "resnet18_lth.tost", "--data-root", tmp_path / "none", cwd=tmp_path
    )
    assert 1 == result.returncode
    assert "R101" in result.stderr
    assert "--download" in result.stderr
