"""Forgeries whose checksums fit are found by what does not fit together."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.engine.verify.forged_records import RECORDS
from tests.engine.verify.forged_tensors import TENSORS
from tests.engine.verify.runs import Damage, failures, reseal, trained

FORGED = [*TENSORS, *RECORDS]


@pytest.mark.parametrize(("damage", "words"), FORGED, ids=[damage.__name__ for damage, _ in FORGED])
def test_a_forgery_with_checksums_that_fit_is_found(run: Path, damage: Damage, words: str) -> None:
    """What a file says is held against the plan, the network, and the other files."""
    damage(run)
    reseal(run)
    found = failures(run)
    assert words in found
    assert "as it was written" not in found


def test_the_model_of_another_run_is_found(run: Path, tmp_path: Path) -> None:
    """The same network from another seed: its shapes fit, and nothing else does."""
    folder = tmp_path / "other"
    folder.mkdir()
    text = "seed 7\nmodel cifar_resnet(8)\ndata digits\ntrain for 1 epoch\n"
    text += "mask random(sparsity=90%, distribution=erk)\n"
    other = trained({"top.tost": text}, folder)
    shutil.copy(other / "model.safetensors", run / "model.safetensors")
    reseal(run)
    found = failures(run)
    for words in ("network: model.safetensors is of another run", "masked weights are not", "outp"):
        assert words in found
