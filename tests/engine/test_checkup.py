"""A mask without its training: the one that a run gets, on no more than it needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tests.engine.verify.runs import edit_json, edit_tensors
from tests.plans import plan_of
from tostdsl.diagnostics import TostError
from tostdsl.engine.checkup import checkup, checkup_run
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.start import DataOptions
from tostdsl.plan.plan import Plan

HEAD = "model cifar_resnet(8)\ndata digits\ntrain for 1 epoch\n"


def plan(text: str, head: str = HEAD) -> Plan:
    made = plan_of(head + text)
    assert made is not None
    return made


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsal with stages and a mask that images decide."""
    text = "mask snip(sparsity=80%) except last\nskip until 50%\ninit(rescale=fanin_masked)\n"
    out = tmp_path_factory.mktemp("checkup") / "run"
    return run(plan(text), RunOptions(out=out, smoke=True)).folder


@pytest.mark.parametrize(
    "mask", ["random(sparsity=80%) except first", "magnitude(sparsity=80%)", "snip(sparsity=80%)"]
)
def test_it_is_the_mask_of_the_run(mask: str, tmp_path: Path) -> None:
    """The digest in the certificate of a run of the plan is that of the mask looked at."""
    made = plan(f"mask {mask}\nseed 3\n")
    result = run(made, RunOptions(out=tmp_path / "run"))
    certificate = json.loads((result.folder / "certificate.json").read_text("utf-8"))
    found = checkup(made)
    assert certificate["mask_digest"] == found.digest
    assert (result.zeros, result.scope) == (
        found.report.total - found.report.kept,
        found.report.total,
    )


def test_images_are_loaded_only_where_the_method_looks_at_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data that is not there stops `snip` alone; random images stand in for it."""
    monkeypatch.setenv("TOST_DATA", str(tmp_path))
    head = HEAD.replace("digits", "cifar10")
    for mask in ("random", "magnitude"):
        assert checkup(plan(f"mask {mask}(sparsity=50%)", head)).origin is None
    assert checkup(plan("mask synflow(sparsity=50%, iterations=2)", head)).origin is None
    snip = plan("mask snip(sparsity=50%)", head)
    with pytest.raises(TostError, match="R101"):
        checkup(snip)
    found = checkup(snip, DataOptions(fake=True))
    assert "random images in place of cifar10" == found.origin


def test_a_law_tells_what_is_dense_and_how_far_it_goes() -> None:
    """At the named sparsity every layer keeps a weight, a hundredth of a percent above one not."""
    found = checkup(plan("mask random(sparsity=90%, distribution=erk)"))
    assert found.law is not None
    full = [layer.name for layer in found.report.layers if layer.kept == layer.total]
    assert full == list(found.law.dense)
    assert "conv1" in full
    assert found.highest is not None
    edge = float(found.highest * 100)
    at = checkup(plan(f"mask random(sparsity={edge:.2f}%, distribution=erk, allow=collapse)"))
    above = checkup(
        plan(f"mask random(sparsity={edge + 0.01:.2f}%, distribution=erk, allow=collapse)")
    )
    assert () == at.report.empty
    assert above.report.empty


def test_a_mask_that_needs_training_is_not_there() -> None:
    """A lottery's rounds are told with their steps, of the whole scope before it is pruned."""
    made = plan("mask lottery(sparsity=60%, rate=20%)")
    found = checkup(made)
    assert (False, None) == (found.found, found.digest)
    kinds = [phase.kind for phase in found.phases]
    assert [*["round"] * len(made.mask.method.rounds()), "train"] == kinds  # type: ignore[union-attr]
    assert found.report.kept == found.report.total
    content = found.to_json()
    assert content["found_by_training"]
    assert pytest.approx(0.6) == content["phases"][-2]["sparsity"]
    assert "report" not in content


def test_a_mask_that_moves_is_the_one_it_starts_from() -> None:
    """Its first sparsity and its updates are told, not what only training knows."""
    head = HEAD.replace("1 epoch", "8 epochs")
    found = checkup(plan("mask gradual(sparsity=90%, initial=50%) until epoch 4", head))
    assert pytest.approx(0.5) == float(found.report.sparsity)
    steps = found.plan.data.steps_per_epoch(1437)
    assert [steps, 2 * steps, 3 * steps, 4 * steps] == found.to_json()["moves_at_steps"]


def test_without_a_mask_there_is_none() -> None:
    """A dense plan is told so."""
    with pytest.raises(TostError, match="T540"):
        checkup(plan(""))


def test_a_run_is_looked_at_as_it_is(trained: Path) -> None:
    """Its own masks are counted, and its trained weights."""
    found = checkup_run(trained)
    masks = load_file(trained / "masks.safetensors")
    assert [int(mask.sum()) for mask in masks.values()] == [la.kept for la in found.report.layers]
    certificate = json.loads((trained / "certificate.json").read_text("utf-8"))
    assert certificate["mask_digest"] == found.digest
    assert 0 == found.report.zeros


def test_live_zeros_of_a_run(trained: Path, tmp_path: Path) -> None:
    """Weights that something else than the mask set to zero are found."""
    copy = Path(shutil.copytree(trained, tmp_path / "run"))
    masks = load_file(copy / "masks.safetensors")

    def zero(tensors: dict, _notes: dict) -> None:  # type: ignore[type-arg]
        tensors["layer2.0.conv1.weight"][0] = 0

    edit_tensors(copy / "model.safetensors", zero)
    found = checkup_run(copy)
    planted = int(masks["layer2.0.conv1.weight"][0].sum())
    assert planted == found.report.zeros > 0
    assert "W053" in [d.code for d in found.findings]


@pytest.mark.parametrize(("name", "code"), [("plan.json", "R411"), ("model.safetensors", "R412")])
def test_a_run_without_a_file(trained: Path, tmp_path: Path, name: str, code: str) -> None:
    """What is no run, and what did not come to its end, are told apart."""
    copy = Path(shutil.copytree(trained, tmp_path / "run"))
    (copy / name).unlink()
    with pytest.raises(TostError, match=code):
        checkup_run(copy)


def test_a_run_with_damaged_masks(trained: Path, tmp_path: Path) -> None:
    """A mask of another shape, and a plan that is none, are named with their file."""
    copy = Path(shutil.copytree(trained, tmp_path / "run"))

    def cut(tensors: dict, _notes: dict) -> None:  # type: ignore[type-arg]
        tensors["conv1.weight"] = tensors["conv1.weight"][:1]

    edit_tensors(copy / "masks.safetensors", cut)
    with pytest.raises(TostError, match=r"R403.*masks\.safetensors holds `conv1\.weight` as"):
        checkup_run(copy)
    edit_json(copy / "plan.json", lambda content: content["plan"].update(seed="x"))
    with pytest.raises(TostError, match=r"R411.*plan\.json holds no plan"):
        checkup_run(copy)


@pytest.mark.parametrize("name", ["gradual", "dynamic"])
def test_a_run_says_what_its_last_update_leaves(name: str, tmp_path: Path) -> None:
    """Six weights of a classifier of ten classes reach six at most, and the run says so."""
    made = plan(f"mask {name}(sparsity=99%, distribution=uniform, every=2 steps)\n")
    result = run(made, RunOptions(out=tmp_path / "run", smoke=True))
    rows = (result.folder / "metrics.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(row) for row in rows]
    last = max(i for i, row in enumerate(found) if row["kind"] == "mask")
    said = [row["text"] for row in found[last - 3 : last] if row["kind"] == "message"]
    (line,) = [text for text in said if "nothing of the image reaches" in text]
    assert line.endswith("of 10 outputs")
    assert 4 <= int(line.split("reaches ")[1].split()[0]) < 10
