"""`tost run` into a folder that holds a run: what is said of that one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Tost

RECIPE = "model cifar_resnet(8)\ndata digits\ntrain for 1 epoch\n"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"manifest.json": "{}", "result.json": '{"state": "done"}'}, "that run is finished"),
        (
            {"result.json": '{"state": "interrupted"}'},
            "that run was interrupted; go on with it by `tost resume",
        ),
        ({"result.json": '{"state": "failed"}'}, "that run failed; go on with it by `tost resume"),
        ({"result.json": '{"state": "stopped"}'}, "that run was stopped; go on with it by"),
        ({"result.json": "{"}, "still at work, or was killed"),
        ({}, "still at work, or was killed"),
    ],
)
def test_a_taken_folder_tells_how_its_run_ended(
    tmp_path: Path, tost: Tost, files: dict[str, str], words: str
) -> None:
    """By the files that runs leave; whatever they hold, nothing is changed."""
    (tmp_path / "r.tost").write_text(RECIPE)
    taken = tmp_path / "run"
    taken.mkdir()
    for name, text in {"plan.json": "{}", "metrics.jsonl": "", **files}.items():
        (taken / name).write_text(text)
    before = {path.name: path.read_bytes() for path in taken.iterdir()}
    said = tost("run", tmp_path / "r.tost", "--smoke", "--out", taken)
    assert 1 == said.code
    assert "R201" in said.err
    assert words in " ".join(said.err.split())
    assert before == {path.name: path.read_bytes() for path in taken.iterdir()}
