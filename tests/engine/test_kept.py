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


def test_what_ends_before_leaves_beside_what_stays(tmp_path: Path) -> None:
    """A stage that leaves is certified as ever while another one stays."""
    text = PUBLISHED["ghost"] + "skip until epoch 1\nghost(width=2x)\n"
    result = trained(text, tmp_path / "run", allow_ghosts=True)
    assert result.certified
    assert ("ghost",) == result.facts["kept"]


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
