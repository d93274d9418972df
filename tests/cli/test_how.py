"""How the device computes, asked for on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Tost

RECIPE = "model cifar_resnet(8)\ndata digits(batch=128)\ntrain for 1 epoch\nseed 3\n"


def test_what_is_asked_for_is_taken_down(
    tost: Tost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given or not, with its `--no-` form or not; a run that has ended is not resumed by it."""
    monkeypatch.chdir(tmp_path)
    Path("r.tost").write_text(RECIPE, "utf-8")
    words = ["--channels-last", "--deterministic", "--no-tf32"]
    assert 0 == tost("run", "r.tost", "--device", "cpu", "--out", "run", *words).code
    options = json.loads(Path("run/environment.json").read_text("utf-8"))["options"]
    found = {name: options[name] for name in ("channels_last", "compile", "deterministic", "tf32")}
    assert {
        "channels_last": True, "compile": False, "deterministic": True, "tf32": False,
    } == found  # fmt: skip
    assert 0 == tost("verify", "run").code


@pytest.mark.parametrize("words", [("run", "r.tost"), ("resume", "run")])
def test_what_the_device_cannot_do_is_refused(
    words: tuple[str, str], tost: Tost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `tost run` and by `tost resume`, with what to leave out."""
    monkeypatch.chdir(tmp_path)
    Path("r.tost").write_text(RECIPE, "utf-8")
    if words[0] == "resume":
        assert 0 == tost("run", "r.tost", "--device", "cpu", "--out", "run").code
        Path("run/manifest.json").unlink()
        Path("run/result.json").unlink()
    said = tost(*words, "--device", "cpu", "--tf32")
    assert 1 == said.code
    assert "error[R330]: `--tf32` cannot be had on cpu" in said.err
    assert "leave `--tf32` out" in said.err
