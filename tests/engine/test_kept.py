"""Stages that stay in the network, as the published code leaves them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from tests.engine.test_run import plan, rows
from tostdsl import registry
from tostdsl.cli.progress import summary_rows
from tostdsl.compile.compiler import compile_source
from tostdsl.engine.observer import Result
from tostdsl.engine.run import RunOptions, run
from tostdsl.plan.bases import DataFacts
from tostdsl.source import Source

BASE = "model cifar_resnet(8)\ndata digits\ntrain for 2 epochs\nmask random(sparsity=80%)\n"
PUBLISHED = {
    "ghost": "ghost(activation=pswish, anneal=none, keep=yes)\n",
    "skip": "skip(form=add, projection=conv, anneal=none, keep=yes) except first\n",
}


def trained(text: str, out: Path, **options: Any) -> Result:
    return run(plan(BASE + text), RunOptions(out=out, **options))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_stage_that_stays_fails_the_certificate_unless_it_may(name: str, tmp_path: Path) -> None:
    """The one check that fails names the stage; with leave all pass, and the summary says so."""
    refused = trained(PUBLISHED[name], tmp_path / "refused")
    assert not refused.certified
    (failure,) = refused.failures
    assert failure.startswith(f"{name} gone at the end of training: ")
    assert "--allow-ghosts" in failure
    allowed = trained(PUBLISHED[name], tmp_path / "allowed", allow_ghosts=True)
    assert allowed.certified
    assert () == allowed.failures
    verdict = dict(summary_rows(allowed))["certificate"]
    assert verdict.startswith(f"passed, with {name} left in as the recipe says")
    assert (refused.accuracy, refused.loss) == (allowed.accuracy, allowed.loss)
    certificate = json.loads((allowed.folder / "certificate.json").read_text("utf-8"))
    assert [name] == certificate["kept"]
    names = [check["name"] for check in certificate["checks"]]
    assert "no hooks left after what was left in is taken out" in names


def test_the_accuracy_is_that_of_the_network_with_what_stays(tmp_path: Path) -> None:
    """It is measured before what stays is taken out; without it is a line of its own."""
    result = trained(PUBLISHED["ghost"], tmp_path / "run", allow_ghosts=True)
    (bare,) = rows(result.folder, "test_without_kept")
    (test,) = rows(result.folder, "test")
    assert (result.loss, result.accuracy) == (test["loss"], test["accuracy"])
    assert bare["loss"] != test["loss"]


def test_the_model_on_disk_is_plain_and_what_stays_lies_beside_it(tmp_path: Path) -> None:
    """The network loads strictly into the plain architecture; the skips' state has its file."""
    result = trained(PUBLISHED["skip"], tmp_path / "run", allow_ghosts=True)
    content = json.loads((result.folder / "plan.json").read_text("utf-8"))
    made = type(plan(BASE)).from_json(content["plan"], registry.get)
    model = made.model.build(DataFacts(1, 8, 8, 10, 0, 0))
    model.load_state_dict(load_file(result.folder / "model.safetensors"), strict=True)
    state = load_file(result.folder / "ghosts.safetensors")
    assert {"0:module:layer1.0.conv1.projection:weight"} <= set(state)
    assert 6 == sum(name.endswith("projection:weight") for name in state)


@pytest.mark.parametrize(
    "text",
    [
        PUBLISHED["skip"],
        PUBLISHED["ghost"],
        "ghost(width=2x, density=50%, anneal=none, keep=yes)\n",
        PUBLISHED["ghost"] + PUBLISHED["skip"],
    ],
    ids=["skip", "ghost", "wide", "both"],
)
def test_what_stays_is_counted(text: str, tmp_path: Path) -> None:
    """Parameters and sparsity with it and without, as the two files on disk have them."""
    result = trained(text, tmp_path / "run", allow_ghosts=True)
    stored = json.loads((result.folder / "result.json").read_text("utf-8"))
    kept, (bare,) = stored["kept"], rows(result.folder, "test_without_kept")
    state = load_file(result.folder / "ghosts.safetensors")
    statistics = ("running_mean", "running_var", "num_batches_tracked", ":mask")
    added = [t for name, t in state.items() if ":module:" in name and not name.endswith(statistics)]
    weights = [tensor for tensor in added if tensor.dim() > 1]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    assert sum(tensor.numel() for tensor in added) == kept["parameters"]
    assert (sum(w.numel() for w in weights), zeros) == (kept["weights"], kept["zero_weights"])
    masks = load_file(result.folder / "masks.safetensors").values()
    pruned = sum(int((mask == 0).sum()) for mask in masks)
    scope = sum(mask.numel() for mask in masks)
    assert pruned / scope == stored["sparsity"]
    whole = (pruned + zeros) / (scope + kept["weights"])
    assert whole == pytest.approx(kept["sparsity_with"])
    assert (bare["accuracy"], bare["loss"]) == (kept["accuracy_without"], kept["loss_without"])
    names = " and ".join(kept["stages"])
    shown = dict(summary_rows(result))
    assert (
        f"{result.accuracy:.2%} with {names}, {bare['accuracy']:.2%} without"
        == (shown["test accuracy"])
    )
    assert (
        f"{names}: {kept['parameters']:,} parameters more; sparsity with them {whole:.2%}"
        == (shown["left in"])
    )


def test_a_run_that_keeps_nothing_says_so(tmp_path: Path) -> None:
    """No row of the summary, null in the file."""
    result = trained("skip until epoch 1\n", tmp_path / "run")
    assert json.loads((result.folder / "result.json").read_text("utf-8"))["kept"] is None
    assert "left in" not in dict(summary_rows(result))


def test_what_ends_before_leaves_beside_what_stays(tmp_path: Path) -> None:
    """A stage that leaves is certified as ever while another one stays."""
    text = PUBLISHED["ghost"] + "skip until epoch 1\nghost(width=2x)\n"
    result = trained(text, tmp_path / "run", allow_ghosts=True)
    assert result.certified
    assert result.kept is not None
    assert ("ghost",) == result.kept.names


def test_a_lotterys_rounds_leave_nothing(tmp_path: Path) -> None:
    """Only the final training keeps; rounds take everything out."""
    text = BASE.replace("random(sparsity=80%)", "lottery(sparsity=50%, rate=50%, stages=yes)")
    made = plan(text + PUBLISHED["skip"])
    assert run(made, RunOptions(out=tmp_path / "run", allow_ghosts=True)).certified


def test_staying_is_warned_of_and_is_no_jump() -> None:
    """W026 in place of W002; a kept stage with an end, or that fades, is a mistake."""

    def codes(stage: str) -> list[str]:
        return [d.code for d in compile_source(Source("r.tost", BASE + stage)).diagnostics]

    assert ["W026"] == codes("ghost(activation=swish, anneal=none, keep=yes)")
    assert ["T432"] == codes("ghost(activation=swish, anneal=none)")
    assert ["T504"] == codes("ghost(activation=swish, keep=yes)")
    assert ["T504"] == codes("skip(anneal=none, keep=yes) until epoch 1")
