"""torchvision imports, beside whatever torch there is."""

from __future__ import annotations

import subprocess
import sys

import pytest

BROKEN = """
import torch

def refuse(path):
    raise OSError("undefined symbol")

torch.ops.load_library = refuse
"""
USE = """
import warnings

warnings.simplefilter("error")
from tostdsl.vision import torchvision

library = torchvision()
import torch

print(library is torchvision(), library.datasets.MNIST.__name__)
print(library.models.get_model("squeezenet1_1", weights=None)(torch.zeros(1, 3, 32, 32)).shape[1])
"""


@pytest.mark.parametrize("before", ["", BROKEN], ids=["as installed", "operators do not load"])
def test_it_imports_without_a_warning(before: str) -> None:
    """Networks and data sets are there whether or not the compiled operators load."""
    got = subprocess.run(
        [sys.executable, "-c", before + USE], capture_output=True, text=True, check=False
    )
    assert (0, ["True MNIST", "1000"]) == (got.returncode, got.stdout.splitlines()), got.stderr


def test_specs_load_no_torch() -> None:
    """Importing every model, optimizer and schedule loads neither torch nor torchvision."""
    code = (
        "import sys, tostdsl.models, tostdsl.optimizers, tostdsl.schedules\n"
        "print(sorted({'torch', 'torchvision', 'numpy'} & set(sys.modules)))"
    )
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]" == got.stdout.strip()
