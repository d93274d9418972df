"""Plug-ins that fail, each in its own way: they are named, and nothing else suffers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

RECIPE = "model cifar_resnet(8)\ndata digits\ntrain for 2 epochs\n"
SPREAD = '''\
"""Spreads."""
from typing import ClassVar
from tostdsl.plugin import Technique, arg, register


@register("spread")
class Spread(Technique):
    """Spreads."""

    examples: ClassVar[tuple[str, ...]] = ("spread(width=2)",)
    width: int = arg("how far", 2)

    def check(self, site):
        return {}["layers"]
'''


def tost(folder: Path, plugin: str, stage: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line where one plug-in is installed, of this text."""
    metadata = folder / "site" / "extra_masks-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-masks\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[tostdsl.plugins]\nextra = extra_masks\n")
    (folder / "site" / "extra_masks.py").write_text(plugin)
    (folder / "r.tost").write_text(RECIPE + stage)
    paths = [str(folder / "site"), os.environ.get("PYTHONPATH", ""), os.getcwd()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    command = [sys.executable, "-m", "tostdsl", *words]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("plugin", "reason"),
    [
        ("raise SystemExit(0)", "SystemExit(0)"),
        ("import sys\nsys.exit('gone')", "SystemExit('gone')"),
        ("raise ValueError('no')", "no"),
        ("import none_of_that_name", "No module named 'none_of_that_name'"),
    ],
)
def test_one_that_does_not_load_is_passed_over(tmp_path: Path, plugin: str, reason: str) -> None:
    """W004 with its reason, and everything else is done as without it."""
    done = tost(tmp_path, plugin, "", "plan", "r.tost")
    assert f"W004]: the plug-in `extra` could not be loaded: {reason}" in done.stderr
    assert 0 == done.returncode
    assert "cifar_resnet(8, " in done.stdout


def test_one_whose_check_fails_is_named(tmp_path: Path) -> None:
    """T264 at the statement, with the distribution; no traceback, and no talk of our mistakes."""
    done = tost(tmp_path, SPREAD, "spread(width=3)\n", "check", "r.tost")
    assert "T264]: the plug-in `extra-masks` failed at checking `spread`: KeyError: 'layers'" in (
        done.stderr
    )
    assert "r.tost:4:1" in done.stderr
    assert 2 == done.returncode
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr


def test_what_an_output_has_no_letter_for_is_replaced(tmp_path: Path) -> None:
    """An arrow on a terminal of Western Europe is a question mark, not the end of the program."""
    (tmp_path / "other.tost").write_text(RECIPE.replace("2 epochs", "3 epochs"))
    (tmp_path / "r.tost").write_text(RECIPE)
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    environment["PYTHONPATH"] = os.pathsep.join((os.environ.get("PYTHONPATH", ""), os.getcwd()))
    command = [sys.executable, "-m", "tostdsl", "diff", "r.tost", "other.tost"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert (1, b"") == (done.returncode, done.stderr)
    assert b"2 epochs ? 3 epochs" in done.stdout
