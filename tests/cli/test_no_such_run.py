"""What commands say of folders whose names no folder can have, and of manifests without files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Tost

RECIPE = "model cifar_resnet(8)\ndata digits\ntrain for 1 epoch\n"


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["y" * 200] * 25)])
@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("resume", "X"), 1, "R701"),
        (("diff", "X", "X"), 2, "T213"),
        (("run", "r.tost", "--from", "X", "--out", "new"), 1, "R710"),
    ],
)
def test_a_name_that_is_too_long(
    tost: Tost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    words: tuple[str, ...],
    status: int,
    code: str,
) -> None:
    """There is no such folder, and the reason is told."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.tost").write_text(RECIPE)
    found = tost(*(name if word == "X" else word for word in words))
    assert status == found.code
    assert f"error[{code}]" in found.err
    assert "file name too long" in " ".join(found.err.split())
    assert not (tmp_path / "new").exists()


def test_a_manifest_without_files(tost: Tost, tmp_path: Path) -> None:
    """The recipe is shown all the same, as that of a run that has none."""
    (tmp_path / "r.tost").write_text(RECIPE)
    run = tmp_path / "run"
    words = "--smoke", "--out", run, "--checkpoint", "none"
    assert 0 == tost("run", tmp_path / "r.tost", *words).code
    (run / "manifest.json").write_text("{}")
    found = tost("show", run)
    assert (0, RECIPE) == (found.code, found.out)
