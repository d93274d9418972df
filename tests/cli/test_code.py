"""Code of a user's own, from the command line: nothing without leave, and what is recorded."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import tostdsl
from tests.cli.conftest import Tost
from tests.conftest import Write
from tostdsl.api import checkup, checkup_run, load, run, verify
from tostdsl.diagnostics import TostError
from tostdsl.engine.run import RunOptions
from tostdsl.engine.verify import VerifyOptions

MARK = "with open('imported', 'a') as file:\n    file.write(__name__ + '\\n')\n"
NETS = f"""{MARK}
from torch import nn
def tiny(num_classes, in_channels, width=4):
    return nn.Sequential(
        nn.Conv2d(in_channels, width, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes))
"""
SETS = f"""{MARK}
import numpy as np
def squares(count=60):
    labels = np.arange(count) % 2
    images = np.full((count, 8, 8), 40, dtype=np.uint8)
    images[labels == 1] += 100
    images[:, 2:5, 2:5] += np.arange(count, dtype=np.uint8)[:, None, None]
    return images, labels, images[:20], labels[:20]
"""
RECIPE = """\
model python("MODEL:tiny", kwargs=["width=6"])
data python("DATA:squares", batch=20)
mask magnitude(sparsity=50%)
train for 2 epochs
"""
WHERE = """\
from torch import nn
def tiny(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, num_classes))
"""


@pytest.fixture
def recipe(own: Write, request: pytest.FixtureRequest) -> Path:
    """A recipe with a network and data of the test's own modules, which tell when imported."""
    name = f"m{hashlib.sha256(request.node.name.encode()).hexdigest()[:8]}"
    own(f"{name}_nets.py", NETS)
    own(f"{name}_sets.py", SETS)
    text = RECIPE.replace("MODEL", f"{name}_nets").replace("DATA", f"{name}_sets")
    return own("r.tost", text)


def imported(folder: Path) -> list[str]:
    """The modules that were imported, by their endings, in order."""
    mark = folder / "imported"
    lines = mark.read_text().split() if mark.exists() else []
    return [line.rpartition("_")[2] for line in lines]


@pytest.mark.parametrize(
    "words",
    [
        ("check", "r.tost"),
        ("check", "r.tost", "--format", "json"),
        ("plan", "r.tost"),
        ("plan", "r.tost", "--json"),
        ("fmt", "r.tost"),
        ("fix", "r.tost"),
        ("explain", "python"),
        ("list", "models"),
        ("list", "data"),
    ],
)
def test_nothing_that_does_not_run_imports_it(
    tost: Tost, recipe: Path, words: tuple[str, ...]
) -> None:
    """Checking, planning, formatting, explaining: the words are enough."""
    found = tost(*words)
    assert (0, "") == (found.code, found.err)
    assert [] == imported(recipe.parent)
    assert "python" in found.out or words[0] in ("check", "fmt", "fix")


@pytest.mark.parametrize("command", ["run", "mask"])
@pytest.mark.parametrize("options", [(), ("--fake-data",)])
def test_without_leave_it_is_refused_before_anything(
    tost: Tost, recipe: Path, command: str, options: tuple[str, ...]
) -> None:
    """Both functions are named as they would be called; nothing is imported or written."""
    before = sorted(recipe.parent.iterdir())
    found = tost(command, "r.tost", *options)
    assert 2 == found.code
    assert "error[T550]: the model of this recipe is code" in found.err
    assert "_nets:tiny(width=6)`" in found.err
    assert ("_sets:squares()`" in found.err) == (not options)
    assert "--allow-code" in found.err
    assert before == sorted(recipe.parent.iterdir())


def test_every_run_of_a_sweep_is_refused_before_the_first(tost: Tost, own: Write) -> None:
    """Also where only a later one names code of its own."""
    own(
        "s.tost",
        'param f = "a_b:c"\nmodel python($f)\ndata digits\ntrain for 1 epoch\n'
        'sweep f over ["a_b:c", "d_e:f"]\n',
    )
    found = tost("run", "s.tost", "--out", "out")
    assert 2 == found.code
    assert "`a_b:c()`" in found.err
    assert "`d_e:f()`" in found.err
    assert not Path("out").exists()


def test_python_refuses_too(recipe: Path, tmp_path: Path) -> None:
    """Each function that would import it, unless told otherwise."""
    plan = load(recipe)
    options = RunOptions(out=tmp_path / "run", smoke=True, allow_code=True, device="cpu")
    for refused in (
        lambda: run(plan, RunOptions(out=tmp_path / "x", device="cpu")),
        lambda: checkup(plan, device="cpu"),
    ):
        with pytest.raises(TostError) as caught:
            refused()
        assert ["T550", "T550"] == [d.code for d in caught.value.diagnostics]
    assert [] == imported(tmp_path)
    folder = run(plan, options).folder
    assert ["sets", "nets"] == imported(tmp_path)
    with pytest.raises(TostError, match="T550"):
        checkup_run(folder)
    assert checkup_run(folder, allow_code=True).found
    assert checkup(plan, device="cpu", allow_code=True).found
    verdict = verify(folder)
    assert (["T550"], False) == ([d.code for d in verdict.refused], verdict.passed)
    assert verify(folder, VerifyOptions(allow_code=True)).passed


def test_a_run_with_leave_records_and_verifies(tost: Tost, recipe: Path) -> None:
    """Whole, with a certificate; the run folder has the checksums of both files."""
    found = tost("run", "r.tost", "--allow-code", "--out", "run", "--device", "cpu")
    assert 0 == found.code, found.err
    assert "certificate    passed" in found.out
    code = json.loads(Path("run/environment.json").read_text())["code"]
    assert ["model", "data"] == [each["kind"] for each in code]
    for each, ending in zip(code, ("nets", "sets"), strict=True):
        (path,) = recipe.parent.glob(f"*_{ending}.py")
        assert (path.name, hashlib.sha256(path.read_bytes()).hexdigest()) == (
            each["file"],
            each["sha256"],
        )
    told = tost("verify", "run", "--allow-code", "--evaluate")
    assert (0, "") == (told.code, told.err)
    assert "note" not in told.out
    assert "on 20 test images" in told.out
    again = tost("run", "run/plan.tost", "--allow-code", "--out", "again", "--device", "cpu")
    assert 0 == again.code, again.err
    assert (
        Path("run/model.safetensors").read_bytes() == Path("again/model.safetensors").read_bytes()
    )


def test_the_mask_of_an_own_network_can_be_looked_at(tost: Tost, recipe: Path) -> None:
    """With leave; what the module prints does not spoil what is for programs."""
    (nets,) = recipe.parent.glob("*_nets.py")
    nets.write_text(NETS + "print('a word')\n")
    found = tost("mask", "r.tost", "--allow-code", "--format", "json")
    assert 0 == found.code
    assert 0.5 == json.loads(found.out)["report"]["sparsity"]
    assert "a word" in found.err


def test_random_images_stand_for_own_data(tost: Tost, recipe: Path) -> None:
    """`--fake-data` needs no leave for the data, and does not import it."""
    lines = recipe.read_text().splitlines()
    recipe.write_text("\n".join(["model cifar_resnet(8)", *lines[1:]]) + "\n")
    found = tost("run", "r.tost", "--fake-data", "--smoke", "--out", "run", "--device", "cpu")
    assert (0, "") == (found.code, found.err)
    assert [] == imported(recipe.parent)
    assert [] == json.loads(Path("run/environment.json").read_text())["code"]
    assert 0 == tost("verify", "run", "--evaluate").code


@pytest.mark.parametrize(
    ("edit", "code", "words"),
    [
        (lambda text: text + "# a comment\n", 0, "has changed since the run"),
        (lambda text: text.replace("nn.ReLU()", "nn.Tanh()"), 1, "has changed since the run"),
        (lambda text: text.replace("width, 3,", "width, 1,"), 1, "has changed since the run"),
        (lambda text: text.replace("def tiny", "def small"), 3, "has no function `tiny`"),
        (lambda text: "1 / 0\n", 3, "_nets.py:1: ZeroDivisionError"),
        (lambda text: None, 3, "there is no module `m"),
    ],
    ids=["comment", "activation", "shape", "name", "raises", "gone"],
)
def test_verify_says_when_the_code_has_changed(
    tost: Tost, recipe: Path, edit: object, code: int, words: str
) -> None:
    """A note where it computes the same, beside the failures where it does not; 3 where it fails.

    Each in a process of its own, as an edit of a module is only seen by the next one.
    """
    assert 0 == tost("run", "r.tost", "--allow-code", "--smoke", "--out", "run").code
    (path,) = recipe.parent.glob("*_nets.py")
    text = edit(path.read_text())  # type: ignore[operator]
    path.unlink() if text is None else path.write_text(text)
    found = separate("verify", "run", "--allow-code")
    assert code == found.returncode, found.stderr
    assert words in found.stdout + found.stderr
    assert ("verified, plan" in found.stdout) == (code == 0)


def separate(*words: str) -> subprocess.CompletedProcess[str]:
    """`tost` in a process whose path does not have the current folder, as the installed one's."""
    home = str(Path(tostdsl.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-P", "-m", "tostdsl", *words],
        env={**os.environ, "PYTHONPATH": home},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_current_folder_is_looked_in_first(own: Write) -> None:
    """Though it is not on the path of the installed command."""
    own("tiny_here.py", WHERE)
    own("r.tost", 'model python("tiny_here:tiny")\ndata digits\ntrain for 1 epoch\n')
    found = separate("run", "r.tost", "--smoke", "--allow-code", "--out", "run")
    assert (0, "") == (found.returncode, found.stderr)


def test_a_failure_is_one_message(tost: Tost, recipe: Path) -> None:
    """With the place, status 1, no traceback, and no run folder."""
    (sets,) = recipe.parent.glob("*_sets.py")
    sets.write_text("def squares():\n    return open('not there')\n")
    found = tost("run", "r.tost", "--allow-code", "--out", "run")
    assert 1 == found.code
    assert f"failed at {sets.name}:2: FileNotFoundError" in found.err
    assert "1 error" in found.err
    assert not Path("run").exists()


def test_a_selector_of_an_own_network_is_placed_when_it_runs(tost: Tost, own: Write) -> None:
    """Only building tells its modules; the message has the recipe's line."""
    own("tiny_names.py", WHERE)
    head = 'model python("tiny_names:tiny")\ndata digits\ntrain for 1 epoch\n'
    own("r.tost", head + 'skip on "layer9.*"\n')
    assert 0 == tost("check", "r.tost").code
    found = tost("run", "r.tost", "--allow-code", "--out", "run")
    assert 2 == found.code
    assert "error[T501]" in found.err
    assert "r.tost:4:9" in found.err
    assert not Path("run").exists()
