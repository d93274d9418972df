"""The console script's start: pydantic is spared its search for plug-ins, unless there are some."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
from tostdsl.cli import start
start._skip_plugins()
from pydantic import BaseModel
class Model(BaseModel):
    number: int
assert Model(number="3").number == 3
print("importlib.metadata" in sys.modules)
"""
PLUGIN = """
print("loaded", flush=True)
class Plugin:
    def new_schema_validator(self, *_, **__):
        return None, None, None
plugin = Plugin()
"""


def out_of(folder: Path) -> list[str]:
    """What the code prints with a folder on the path before all others."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{CODE}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("group", [None, "other", "tostdsl.plugins", "pydantic"])
def test_plugins_of_pydantic_are_looked_for_where_there_are_some(
    tmp_path: Path, group: str | None
) -> None:
    if group is not None:
        info = tmp_path / "strange-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\nstrange = strange:plugin\n")
        (tmp_path / "strange.py").write_text(PLUGIN)
    assert (["loaded", "True"] if group == "pydantic" else ["False"]) == out_of(tmp_path)
