"""A recipe and an edited one, in a repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compare.test_sides import git

BASE = """\
recipe base
model cifar_resnet(8)
data digits
mask random(sparsity=90%)
train for 5 epochs
seed 1

skip until epoch 3
"""


def edited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the repository, which is now the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "88")
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.tost").write_text(BASE)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    (tmp_path / "b.tost").write_text(BASE.replace("5 epochs", "8 epochs").replace("seed 1", ""))
    return tmp_path
