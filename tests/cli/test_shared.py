"""Networks with one weight in two places, and with layers that nothing reaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Tost

CODE = """
import torch
from torch import nn


class Shared(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.a, self.b = (nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in "ab")
        self.b.weight = self.a.weight
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = self.b(self.a(self.stem(x).relu()).relu()).relu()
        return self.fc(x.mean((2, 3)))


class Unused(Shared):
    def __init__(self):
        super().__init__()
        self.unused = nn.Conv2d(8, 8, 3)


def shared(): return Shared()
def unused(): return Unused()
"""


@pytest.mark.parametrize("model", ["shared", "unused"])
@pytest.mark.parametrize(
    "mask",
    ["lottery(sparsity=50%, rate=30%, epochs=1)", "dynamic(sparsity=50%, every=4 steps)"],
)
def test_they_train_and_are_certified(
    model: str, mask: str, tmp_path: Path, tost: Tost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shared weight goes back under the one mask that it has; nothing grows by what is not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nets.py").write_text(CODE)
    text = f'model python("nets:{model}")\ndata digits(batch=64)\nmask {mask}\n'
    (tmp_path / "r.tost").write_text(text + "train for 1 epoch\n")
    said = tost("run", tmp_path / "r.tost", "--allow-code", "--out", tmp_path / "run")
    assert (0, True) == (said.code, "certificate    passed" in said.out), said.err
    assert 0 == tost("verify", tmp_path / "run", "--allow-code").code
