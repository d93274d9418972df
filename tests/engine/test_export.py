"""Masks out of one run, into a file, into another run, and verified there."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.engine.verify.runs import edit_json, edit_tensors, failures, reseal, trained, verdict
from tostdsl.api import checkup, load
from tostdsl.cli.export import command
from tostdsl.cli.main import tost
from tostdsl.diagnostics import TostError

BASE = "model cifar_resnet(8)\ndata digits\ntrain for 1 epoch\nseed 3\n"
FIRST = BASE + "mask magnitude(sparsity=80%) except first, last\n"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsed run with a mask."""
    return trained({"top.tost": FIRST}, tmp_path_factory.mktemp("first"))


def export(run: Path, out: Path) -> Result:
    return CliRunner().invoke(command, [str(run), "-o", str(out)], standalone_mode=False)


def refused(run: Path, out: Path) -> str:
    error = export(run, out).exception
    assert isinstance(error, TostError)
    (one,) = error.diagnostics
    return f"{one.code}: {one.message}"


@pytest.fixture(scope="module")
def second(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of another seed with the masks of the first, by the statement that is printed."""
    folder = tmp_path_factory.mktemp("second")
    statement = export(first, folder / "ticket.safetensors").output.splitlines()[-1]
    text = BASE.replace("seed 3", "seed 4") + statement + "\n"
    return trained({"top.tost": text}, folder)


def test_the_file_holds_the_masks_and_tells_of_them(first: Path, tmp_path: Path) -> None:
    """The run's own masks, and a manifest with counts and digests that are those of the bytes."""
    said = export(first, tmp_path / "m.safetensors").output
    masks, own = load_file(tmp_path / "m.safetensors"), load_file(first / "masks.safetensors")
    assert list(own) == list(masks)
    assert all(torch.equal(own[name], masks[name]) for name in own)
    with safe_open(tmp_path / "m.safetensors", "pt") as file:
        notes = file.metadata()
    assert ["tostdsl"] == list(notes)
    told = json.loads(notes["tostdsl"])
    result = json.loads((first / "result.json").read_text())
    stored = json.loads((first / "plan.json").read_text())
    assert ("top", stored["fingerprint"]) == (told["recipe"], told["plan"])
    assert "a rehearsal" == told["unreal"]
    kept = result["weights_in_scope"] - result["pruned_weights"]
    assert (kept, result["weights_in_scope"]) == (told["kept"], told["weights"])
    assert result["sparsity"] == told["sparsity"]
    for name, mask in own.items():
        layer = told["layers"][name]
        assert hashlib.sha256(mask.numpy().tobytes()).hexdigest() == layer["sha256"]
        assert (list(mask.shape), int(mask.sum())) == (layer["shape"], layer["kept"])
    assert f"{len(own)} masks, {result['pruned_weights']:,} of" in said
    assert "note: they are of no real run: a rehearsal" in said


def test_the_last_line_is_the_statement(first: Path, tmp_path: Path) -> None:
    """With the digest of the file, and the targets of the run's mask; the same bytes each time."""
    digests = set()
    for name in ("a", "b"):
        line = export(first, tmp_path / name).output.splitlines()[-1]
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        path = (tmp_path / name).as_posix()
        assert f'mask file("{path}", sha256="{digest}") except first, last' == line
        digests.add(digest)
    assert 1 == len(digests)


def test_a_run_with_them_has_the_same_masks_and_verifies(first: Path, second: Path) -> None:
    """Whatever its seed; its folder tells the file's digest and where each mask came from."""
    one, other = (json.loads((run / "certificate.json").read_text()) for run in (first, second))
    assert one["mask_digest"] == other["mask_digest"]
    found = verdict(second)
    assert found.passed
    notes = [note for group in found.groups for note in group.notes]
    assert any("`file` found them as mask_file.json tells" in note for note in notes)
    report = json.loads((second / "mask_file.json").read_text())
    ticket = second.parent / "ticket.safetensors"
    assert hashlib.sha256(ticket.read_bytes()).hexdigest() == report["sha256"]
    assert "masks by the names of their weights, exported by `tost mask export`" == report["what"]
    rows = [json.loads(line) for line in (second / "metrics.jsonl").read_text().splitlines()]
    lines = [row["text"] for row in rows if row["kind"] == "message"]
    for name, layer in report["layers"].items():
        (line,) = [line for line in lines if line.startswith(f"  {name} ")]
        assert f"{layer['kept'] / layer['weights']:.2%}" in line


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda c: c.update(sha256="0" * 64), "names another file than the plan"),
        (lambda c: c["layers"]["layer1.0.conv1.weight"].update(kept=1), "tells another mask of"),
        (lambda c: c["layers"].pop("layer1.0.conv1.weight"), "is about other layers"),
        (lambda c: c.update(layers=[]), "is no match report"),
    ],
)
def test_a_report_made_up_does_not_verify(
    second: Path, tmp_path: Path, change: Any, why: str
) -> None:
    """Even where every checksum fits again."""
    run = Path(shutil.copytree(second, tmp_path / "run"))
    edit_json(run / "mask_file.json", change)
    reseal(run)
    assert why in failures(run)


def test_a_missing_report_does_not_verify(second: Path, tmp_path: Path) -> None:
    """A run with a mask from a file always writes one."""
    run = Path(shutil.copytree(second, tmp_path / "run"))
    (run / "mask_file.json").unlink()
    reseal(run)
    assert "masks: mask_file.json is missing" in failures(run)


def test_it_is_looked_at_without_training(first: Path, tmp_path: Path) -> None:
    """With the statement in a recipe, `tost mask` has the run's mask, and tells the matches."""
    words = ["mask", "export", str(first), "-o", str(tmp_path / "m.safetensors")]
    statement = CliRunner().invoke(tost, words, standalone_mode=False).output.splitlines()[-1]
    (tmp_path / "r.tost").write_text(f"{BASE}{statement}\n")
    found = checkup(load(tmp_path / "r.tost"))
    assert json.loads((first / "certificate.json").read_text())["mask_digest"] == found.digest
    said = CliRunner().invoke(tost, ["mask", str(tmp_path / "r.tost")], standalone_mode=False)
    assert all(line in said.output for line in found.told)
    assert sum("by its name" in line for line in found.told) == len(found.report.layers)


def test_what_cannot_be_exported(first: Path, tmp_path: Path) -> None:
    """No run, one that did not end, a dense one, damaged masks, a file that is there."""
    out = tmp_path / "m.safetensors"
    assert refused(tmp_path, out).startswith("R411")
    run = Path(shutil.copytree(first, tmp_path / "run"))
    edit_tensors(run / "masks.safetensors", lambda t, _: t.popitem())
    assert refused(run, out).startswith("R403: this run does not hold: files: masks.safetensors")
    save_file({"a": torch.full((2, 2), 7, dtype=torch.uint8)}, run / "masks.safetensors")
    reseal(run)
    assert "R403" in refused(run, out)
    edit_json(run / "result.json", lambda c: c.clear() or c.update(state="failed", reason="x"))
    assert refused(run, out).startswith("R412")
    (tmp_path / "dense").mkdir()
    assert refused(trained({"top.tost": BASE}, tmp_path / "dense"), out).startswith("R162")
    assert not out.exists()
    out.write_bytes(b"mine")
    assert refused(first, out).startswith("R603")
    assert b"mine" == out.read_bytes()
