"""`tost plan -o` saves a plan, and what takes a recipe takes the saved plan."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Tost

RECIPE = """\
param sparsity = 90%
model cifar_resnet(8)
data  digits
mask  random(sparsity=$sparsity, distribution=erk)
train for 2 epochs
seed  3

ghost(activation=swish) until epoch 1
skip until 60%
"""
SWEEP = "sweep sparsity over [80%, 90%]\nsweep seed over [1, 2, 3]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a recipe."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.tost").write_text(RECIPE)
    return tmp_path


def digest(name: str) -> str:
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def test_a_plan_runs_as_its_recipe(tost: Tost) -> None:
    """To the same network, bit for bit; its folder says where it came from, and is verified."""
    assert 0 == tost("plan", "r.tost", "--set", "sparsity=80%", "-o", "p.json").code
    plan = ["run", "p.json", "--device", "cpu", "--out", "b"]
    assert 0 == tost("run", "r.tost", *plan[2:4], "--set", "sparsity=80%", "--out", "a").code
    Path("r.tost").unlink()
    assert 0 == tost(*plan).code
    for name in ("model.safetensors", "masks.safetensors", "outputs.safetensors", "plan.tost"):
        assert digest(f"a/{name}") == digest(f"b/{name}")
    assert not Path("b/recipe.tost").exists()
    said = json.loads(Path("b/plan.json").read_text())
    origin = {"name": "p.json", "sha256": digest("p.json")}
    assert {"params": {}, "seed": None, "plan_file": origin} == said["given"]
    found = tost("verify", "b")
    assert 0 == found.code
    assert "started from the saved plan `p.json`" in found.out
    # a run's own plan is a saved plan too, wherever it lies
    assert 0 == tost("run", "a/plan.json", "--device", "cpu", "--out", "c").code
    assert digest("a/model.safetensors") == digest("c/model.safetensors")
    assert 0 == tost("verify", "c").code


def test_a_plan_whose_file_has_no_name_in_utf8_is_verified(tost: Tost) -> None:
    """Its run says where it came from as well as UTF-8 can."""
    name = os.fsdecode(b"p\xff.json")
    assert 0 == tost("plan", "r.tost", "-o", name).code
    assert 0 == tost("run", name, "--smoke", "--device", "cpu", "--out", "b").code
    found = tost("verify", "b")
    assert (0, "") == (found.code, found.err)
    assert "started from the saved plan `p?.json`" in found.out


def test_what_takes_a_recipe_takes_a_plan(tost: Tost) -> None:
    """With the fingerprint that the recipe has."""
    short = json.loads(tost("plan", "r.tost", "--json").out)["fingerprint"]
    assert f"p.json: plan {short[:8]}\n" == tost("plan", "r.tost", "-o", "p.json").out
    assert short == json.loads(tost("plan", "p.json", "--json").out)["fingerprint"]
    assert f"p.json: ok (plan {short[:8]})\n" == tost("check", "p.json").out
    mask = tost("mask", "p.json", "--format", "json")
    assert mask.out == tost("mask", "r.tost", "--format", "json").out
    again = tost("verify-resume", "p.json", "--steps", "2")
    assert (0, short[:8]) == (again.code, again.out.split()[-1])
    assert "train" in tost("plan", "p.json", "--why", "train").out


def test_a_sweep_is_saved_plan_by_plan(tost: Tost) -> None:
    """Numbered in the order in which it runs, each with what it stands for."""
    Path("r.tost").write_text(RECIPE + SWEEP)
    plans = json.loads(tost("plan", "r.tost", "--json").out)
    found = tost("plan", "r.tost", "-o", "p.json")
    assert 0 == found.code
    names = [f"p-{index:03d}.json" for index in range(1, 7)]
    assert names == sorted(path.name for path in Path().glob("*.json"))
    saved = [json.loads(Path(name).read_text())["plan"] for name in names]
    assert [each["plan"] for each in plans] == saved
    assert "(sparsity = 80%, seed = 2)" in found.out.splitlines()[1]


def test_nothing_but_plans_is_written_over(tost: Tost) -> None:
    """R603 for another file and for a run's plan; of a sweep nothing is written then."""
    Path("r.tost").write_text(RECIPE + SWEEP)
    Path("p-004.json").write_text('{"mine": 1}')
    found = tost("plan", "r.tost", "-o", "p.json")
    assert (1, True) == (found.code, "error[R603]: `p-004.json`" in found.err)
    assert ["p-004.json"] == [path.name for path in Path().glob("*.json")]
    Path("r.tost").write_text(RECIPE)
    os.symlink("nowhere", "link.json")
    assert 1 == tost("plan", "r.tost", "-o", "link.json").code
    assert 0 == tost("plan", "r.tost", "-o", "p.json").code
    before = digest("p.json")
    assert 0 == tost("plan", "r.tost", "--seed", "9", "-o", "p.json").code
    assert before != digest("p.json")
    Path("run").mkdir()
    Path("run/metrics.jsonl").touch()
    Path("run/plan.json").write_bytes(Path("p.json").read_bytes())
    assert "error[R603]" in tost("plan", "r.tost", "-o", "run/plan.json").err


def test_wrong_calls(tost: Tost) -> None:
    """A name by which nobody would know a plan, what cannot be done at once, a bad recipe."""
    assert "does not end in `.json`" in tost("plan", "r.tost", "-o", "plan.txt").err
    for option in ("--json", "--all", "--why=train"):
        assert 2 == tost("plan", "r.tost", "-o", "p.json", option).code
    Path("r.tost").write_text("model nothing\n")
    assert 2 == tost("plan", "r.tost", "-o", "p.json").code
    assert "error[R202]" in tost("plan", "-", "-o", "no/p.json", stdin=RECIPE.encode()).err
    assert [] == list(Path().rglob("*.json"))
    assert 3 == tost("run", "none.json").code
    Path("p.json").write_text("{}")
    for command in ("check", "plan", "run", "mask", "verify-resume"):
        found = tost(command, "p.json")
        assert (2, True) == (found.code, "error[T270]" in found.err), command
