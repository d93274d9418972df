"""The example plug-in, installed into an environment of its own, is like what is built in."""

from __future__ import annotations

import json
import os
import re
import site
import subprocess
import sys
from pathlib import Path

import pytest

from tostdsl.compile.compiler import compile_file

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "examples" / "plugin"
RECIPE = """\
model cifar_resnet(8)
data digits(batch=256)
mask random(sparsity=90%)
train for 4 epochs
gradient_noise(std=0.05) until epoch 2 on conv
skip until epoch 3
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment's Python, which sees the packages here and has the plug-in."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    near = [str(ROOT), *site.getsitepackages()]
    (Path(said.stdout.strip()) / "near.pth").write_text("\n".join(near) + "\n")
    install = ["pip", "--python", str(python), "install", "--quiet", "--no-index"]
    install += ["--no-build-isolation", "--no-deps", "--disable-pip-version-check", str(PLUGIN)]
    subprocess.run([sys.executable, "-m", *install], check=True)
    return python


@pytest.fixture
def tost(python: Path, tmp_path: Path) -> Tost:
    """The command line of that environment, in a folder with a recipe."""
    (tmp_path / "r.tost").write_text(RECIPE)
    return Tost(python, tmp_path)


class Tost:
    """Calls it, and holds its exit status."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.folder = python, folder

    def __call__(self, *words: str, code: int = 0) -> str:
        """What a command prints, on both streams."""
        done = subprocess.run(
            [self.python, "-m", "tostdsl", *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert code == done.returncode, done.stdout
        return done.stdout


@pytest.mark.parametrize(
    ("stage", "code", "help"),
    [
        ("gradient_nose until epoch 2", "T201", "did you mean `gradient_noise`?"),
        ("gradient_noise(sdt=0.1) until epoch 2", "T203", "did you mean `std`?"),
        ("gradient_noise(sigma=0.1) until epoch 2", "T203", "`std`"),
        ("gradient_noise(std=5%) until epoch 2", "T305", "0.05"),
        ("gradient_noise(std=-1) until epoch 2", "T303", "greater than 0"),
        ("gradient_noise(anneal=linera)", "T201", "`linear`"),
        ("gradient_noise until epoch 9", "T401", "epoch 4"),
        ("gradient_noise at epoch 2", "T408", "stretch"),
        ('gradient_noise on "layer9.*"', "T501", "layer1"),
        ("gradient_noise(std=1)\ngradient_noise", "T404", "noise on the gradients"),
    ],
)
def test_its_mistakes_are_found(tost: Tost, stage: str, code: str, help: str) -> None:
    """At their place, with what to write."""
    (tost.folder / "bad.tost").write_text(RECIPE.replace(RECIPE.splitlines()[4], stage))
    said = tost("check", "bad.tost", code=2)
    assert [code] == re.findall(r"error\[(\w+)\]", said)
    assert f"bad.tost:{5 + stage.count(chr(10))}:" in said
    assert help in said


def test_it_is_known(tost: Tost) -> None:
    """Checked, laid out, completed, listed, explained, planned."""
    assert "r.tost: ok" in tost("check", "r.tost", "--strict")
    (tost.folder / "wild.tost").write_text(RECIPE.replace("(std=0.05) ", "( std = 5e-2 )  "))
    tost("fmt", "r.tost", "wild.tost")
    assert (tost.folder / "r.tost").read_text() == (tost.folder / "wild.tost").read_text()
    code = (
        "from click.shell_completion import BashComplete as B; from tostdsl.cli.main import tost;"
        "print([c.value for c in B(tost, {}, 'tost', '').get_completions(['explain'], 'gradi')])"
    )
    said = subprocess.run([tost.python, "-c", code], capture_output=True, text=True, check=True)
    assert "['gradient_noise']\n" == said.stdout
    lean = "import tost_gradient_noise, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([tost.python, "-c", lean], check=True)
    assert "Gaussian noise on gradients." in tost("list", "techniques")
    page = tost("explain", "gradient_noise")
    for text in ("Neelakantan", "more than 0, at most 10; default 0.01", "std=0.05, anneal=cosine"):
        assert text in page
    assert "gradient_noise" in tost("plan", "r.tost")
    assert "std" in tost("plan", "r.tost", "--why", "stages.gradient_noise.std")


def test_it_is_compared(tost: Tost) -> None:
    """A changed argument is one change, in its words, and later states are others."""
    (tost.folder / "other.tost").write_text(RECIPE.replace("std=0.05", "std=0.1"))
    lines = tost("diff", "r.tost", "other.tost", code=1).splitlines()
    assert "they differ in what is computed (1)" in lines
    assert "  stages.gradient_noise.std  0.05 → 0.1" in lines
    (found,) = [json.loads(tost("diff", "r.tost", "other.tost", "--json", code=1))]
    told = [(c["path"], c["old"], c["new"], c["kind"]) for c in found["changes"]]
    assert [("stages.gradient_noise.std", "0.05", "0.1", "computed")] == told
    assert ["yes", "no", "yes"] == [each["answer"] for each in found["verdicts"]]
    (tost.folder / "other.tost").write_text(RECIPE.replace("noise(std=0.05) ", "noise(std=5e-2)  "))
    assert "the plans are the same" in tost("diff", "r.tost", "other.tost")


def test_it_runs_and_is_verified(tost: Tost) -> None:
    """With a certificate; and a run that was killed and resumed ends with the same bits."""
    tost("run", "r.tost", "--device", "cpu", "--out", "run")
    certificate = json.loads((tost.folder / "run/certificate.json").read_text())
    assert certificate["passed"]
    named = [each["name"] for each in certificate["checks"] if "gradient_noise" in each["name"]]
    assert named
    environment = json.loads((tost.folder / "run/environment.json").read_text())
    assert "0.1.0" == environment["versions"]["tost-gradient-noise"]
    assert "verified" in tost("verify", "run", "--evaluate").splitlines()[-1]
    assert "gradient_noise(std=0.05)" in tost("show", "run")
    again = ("verify-resume", "r.tost", "--full", "--checkpoint", "3 steps", "--steps", "4,11")
    assert "the same to the bit after 2 kills" in tost(*again)


def test_without_the_plug_in_its_plans_are_refused(
    tost: Tost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T271 for a saved plan, by the name of the plug-in; R413 for a run."""
    tost("plan", "r.tost", "-o", "p.json")
    assert "p.json: ok" in tost("check", "p.json")
    monkeypatch.chdir(tost.folder)
    (found,) = compile_file(Path("p.json")).errors
    assert "T271" == found.code
    assert "names the technique `gradient_noise`, which is not registered here" in found.message
    assert "`tost-gradient-noise` 0.1.0" in (found.help or "")
    assert ["T201"] == [d.code for d in compile_file(Path("r.tost")).errors]
    tost("run", "p.json", "--device", "cpu", "--smoke", "--out", "run")
    bare = subprocess.run(
        [sys.executable, "-m", "tostdsl", "verify", "run"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (3, True) == (bare.returncode, "error[R413]" in bare.stderr)


def test_its_own_tests_pass(python: Path) -> None:
    """As its README's recipe does."""
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=PLUGIN, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout
    text = (PLUGIN / "README.md").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^```tost\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    checked = subprocess.run(
        [python, "-m", "tostdsl", "check", "--strict", "-"], input=recipe, text=True, check=False
    )
    assert 0 == checked.returncode
