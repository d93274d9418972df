"""`tost verify-resume`: what it prints, its exit statuses, and what it leaves."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import Tost

RECIPE = """\
param smoothing = 0.1
model cifar_resnet(8)
data digits(batch=128)
mask random(sparsity=90%)
train for 2 epochs
labels(smoothing=$smoothing) until epoch 1
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "r.tost").write_text(RECIPE)
    return tmp_path / "r.tost"


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command's scratch folders are made."""
    import tostdsl.cli.verify_resume as module

    folder = tmp_path / "scratch"
    folder.mkdir()
    makers = {
        name: partial(getattr(tempfile, name), dir=folder)
        for name in ("mkdtemp", "TemporaryDirectory")
    }
    monkeypatch.setattr(module, "tempfile", SimpleNamespace(**makers))
    return folder


def test_a_run_that_resumes(recipe: Path, scratch: Path, tost: Tost) -> None:
    """A line a kill, then the verdict; the scratch folder is gone."""
    found = tost("verify-resume", recipe, "--steps", "2,3", "--set", "smoothing=0.2")
    assert (0, "") == (found.code, found.err)
    first, second, verdict = found.out.splitlines()
    assert first.startswith("   1  killed after step 2: ")
    assert second.startswith("   2  killed after step 3: ")
    assert verdict.startswith("the same to the bit after 2 kills: a rehearsal of 4 steps, plan ")
    assert [] == list(scratch.iterdir())


def test_kept_folders(recipe: Path, scratch: Path, tost: Tost) -> None:
    """Both runs stay, each with its end, and are named."""
    found = tost("verify-resume", recipe, "--kills", 1, "--keep-folders")
    assert 0 == found.code
    (folder,) = scratch.iterdir()
    said = f"kept: {folder / 'unstopped'} and {folder / 'killed'}"
    assert said in found.out.splitlines()
    for name in ("unstopped", "killed"):
        assert (folder / name / "manifest.json").exists()


def test_a_run_that_ends_otherwise(
    recipe: Path, scratch: Path, tost: Tost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first difference is an error with its place, how many there are is said; status 1."""
    import tostdsl.engine.trial as trial

    def found_two(one: Path, other: Path) -> list[str]:
        assert (one.name, other.name) == ("unstopped", "killed")
        return ["model.safetensors: `a` differs in 1 of 9 values", "result.json: loss"]

    monkeypatch.setattr(trial, "differences", found_two)
    found = tost("verify-resume", recipe, "--kills", 1)
    assert 1 == found.code
    assert "error[R720]" in found.err
    assert "model.safetensors: `a` differs in 1 of 9 values, and one more" in found.err
    assert "the same" not in found.out


def test_mistakes_of_a_recipe(tmp_path: Path, scratch: Path, tost: Tost) -> None:
    """They are what `tost check` tells; nothing runs."""
    path = tmp_path / "bad.tost"
    path.write_text(RECIPE.replace("sparsity=90%", "sparsity=90"))
    found = tost("verify-resume", path)
    assert (2, "") == (found.code, found.out)
    assert "90%" in found.err
    assert 3 == tost("verify-resume", tmp_path / "none.tost").code
    assert [] == list(scratch.iterdir())


def test_a_sweep_is_refused(tmp_path: Path, tost: Tost) -> None:
    """One run is verified at a time."""
    path = tmp_path / "sweep.tost"
    path.write_text(RECIPE + "sweep seed over [1, 2, 3]\n")
    found = tost("verify-resume", path)
    assert 2 == found.code
    assert "the recipe is a sweep of 3 runs; one is verified at a time" in found.err


def test_missing_data(tmp_path: Path, scratch: Path, tost: Tost) -> None:
    """It is told once, as `tost run` tells it, and not as a run that could not be resumed."""
    path = tmp_path / "r.tost"
    path.write_text(RECIPE.replace("digits", "cifar10"))
    found = tost("verify-resume", path, "--data-root", tmp_path / "nowhere")
    assert 1 == found.code
    assert "error[R101]" in found.err
    assert 1 == found.err.count("error[")
    assert [] == list(scratch.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--steps", "3", "--kills", "2"), "`--steps` says where to kill; leave `--kills` out"),
        (("--steps", "3,x"), "`3,x` is no list of steps such as `3,17`"),
        (("--steps", "0"), "`0` is no list of steps such as `3,17`"),
        (("--kills", "0"), "0 is not in the range"),
        (("--checkpoint", "none"), "a run that keeps no state cannot be resumed"),
    ],
)
def test_mistakes_on_the_command_line(
    recipe: Path, tost: Tost, words: tuple[str, ...], said: str
) -> None:
    """Each is named, with status 2."""
    found = tost("verify-resume", recipe, *words)
    assert 2 == found.code
    assert said in found.err


def test_a_step_behind_the_last(recipe: Path, scratch: Path, tost: Tost) -> None:
    """There is nothing to kill there."""
    found = tost("verify-resume", recipe, "--steps", "9")
    assert 1 == found.code
    assert "error[R721]: a kill did not come to its end: there is no step 9" in found.err
