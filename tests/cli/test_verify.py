"""`tost verify`: what it prints, and its exit statuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Tost

RECIPE = """\
param smoothing = 0.1
model cifar_resnet(8)
data digits
mask random(sparsity=90%)
train for 2 epochs
labels(smoothing=$smoothing)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsed run, by the command line's own way."""
    from click.testing import CliRunner

    from tostdsl.cli.main import tost

    folder = tmp_path_factory.mktemp("verify")
    (folder / "r.tost").write_text(RECIPE)
    words = ["run", str(folder / "r.tost"), "--smoke", "--out", str(folder / "run")]
    words += ["--set", "smoothing=0.2", "--seed", "4"]
    result = CliRunner().invoke(tost, words, standalone_mode=False)
    assert 0 == result.return_value
    return folder / "run"


def test_a_sound_run(trained: Path, tost: Tost) -> None:
    """A line a group with what was compared, the verdict last, nothing on the error stream."""
    found = tost("verify", trained, "--evaluate")
    assert (0, "") == (found.code, found.err)
    words = [line.split()[0] for line in found.out.splitlines() if line[0] != " "]
    groups = ["files", "plan", "network", "masks", "ghosts", "outputs", "figures", "certificate"]
    assert ["run", *groups, "accuracy", "verdict"] == words
    for text in ("equal to the bit on 8 images", "on 256 test images", "NOT A RESULT"):
        assert text in found.out
    assert found.out.splitlines()[-1].startswith("verdict      verified, plan ")


def test_json(trained: Path, tost: Tost) -> None:
    """Every check by group, for programs."""
    content = json.loads(tost("verify", trained, "--json").out)
    assert content["verified"]
    assert "a rehearsal" == content["unreal"]
    assert all(check["passed"] for group in content["groups"] for check in group["checks"])


def test_a_damaged_run(trained: Path, tost: Tost, tmp_path: Path) -> None:
    """Each failure is an error with its code, group and file; the status is a failed run's."""
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    data = bytearray((run / "model.safetensors").read_bytes())
    data[-100] ^= 1
    (run / "model.safetensors").write_bytes(data)
    found = tost("verify", run)
    assert 1 == found.code
    assert "error[R403]: this run does not hold: files: model.safetensors is not as" in found.err
    assert "files        FAILED: 1 of " in found.out
    assert "verdict      NOT VERIFIED" in found.out
    assert not json.loads(tost("verify", run, "--json").out)["verified"]


def test_what_is_no_run_and_what_did_not_end(trained: Path, tost: Tost, tmp_path: Path) -> None:
    """3 where there is nothing to read, 1 for a run that never ended, 2 for a wrong call."""
    found = tost("verify", tmp_path)
    assert 3 == found.code
    assert "error[R411]" in found.err
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    for name in ("manifest.json", "result.json"):
        (run / name).unlink()
    found = tost("verify", run)
    assert 1 == found.code
    assert "error[R412]" in found.err
    assert 2 == tost("verify").code


def test_a_plan_of_another_version(trained: Path, tost: Tost, tmp_path: Path) -> None:
    """It cannot be read here: 3, and nothing is said against the run."""
    from tests.engine.verify.runs import edit_json, reseal

    run = Path(shutil.copytree(trained, tmp_path / "run"))
    edit_json(run / "plan.json", lambda c: c["plan"].update(schema=0))
    reseal(run)
    found = tost("verify", run)
    assert 3 == found.code
    assert "error[R413]" in found.err
    assert "R403" not in found.err
    assert "not verified here" in found.out


def test_names_that_control_a_terminal_do_not(trained: Path, tost: Tost, tmp_path: Path) -> None:
    """A stranger's folder may be called anything."""
    run = Path(shutil.copytree(trained, tmp_path / "run\x1b[2J"))
    (run / "a\x1b[31m.txt").write_text("")
    found = tost("verify", run)
    assert 0 == found.code
    assert "\x1b" not in found.out + found.err


@pytest.mark.parametrize(("options", "warned"), [((), True), (("--allow-ghosts",), False)])
def test_leave_to_keep_ghosts_is_not_asked_for_twice(
    tost: Tost, tmp_path: Path, options: tuple[str, ...], warned: bool
) -> None:
    """W026 says that the certificate will fail, so it is told only where it will."""
    recipe = tmp_path / "r.tost"
    recipe.write_text(
        "model cifar_resnet(8)\ndata digits\ntrain for 1 epoch\n"
        "ghost(activation=swish, anneal=none, keep=yes)\n",
        encoding="utf-8",
    )
    ran = tost("run", recipe, "--smoke", "--out", tmp_path / "run", *options)
    assert warned == ("W026" in ran.err)
    assert int(warned) == ran.code


def test_a_stage_that_cannot_be_served_is_shown_at_its_place(tost: Tost, tmp_path: Path) -> None:
    """With the line of the recipe, and before there is a folder."""
    recipe = tmp_path / "r.tost"
    text = (
        'model cifar_resnet(8)\ndata digits\ntrain for 1 epoch\nskip on "layer1.*"\nskip on "fc"\n'
    )
    recipe.write_text(text, encoding="utf-8")
    ran = tost("run", recipe, "--smoke", "--out", tmp_path / "run")
    assert ran.code != 0
    assert "error[T502]: `skip` has nothing to work on in `" in ran.err
    assert "r.tost:5:9" in ran.err
    assert '5 | skip on "fc"' in ran.err
    assert not (tmp_path / "run").exists()
