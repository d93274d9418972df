"""How a run folder is told from a folder of recipes."""

from __future__ import annotations

import json
from pathlib import Path

MARKER = "plan.json"
"""Holds the plan of the folder's run."""
METRICS = "metrics.jsonl"
PLAN_SUFFIX = ".json"
"""How the name of a saved plan ends."""

MANIFEST = "manifest.json"
"""Closes the folder of a run that came to its end."""
RESULT = "result.json"


def end_of(folder: Path) -> str:
    """How the run in a folder ended: `finished`, `failed`, `stopped`, …, or `not finished`.

    A folder does not tell a run that was killed from one still at work.
    """
    if (folder / MANIFEST).is_file():
        return "finished"
    try:
        said = json.loads((folder / RESULT).read_text(encoding="utf-8"))["state"]
    except (OSError, ValueError, KeyError, TypeError):
        said = None
    return said if said in ("failed", "interrupted", "stopped") else "not finished"


def holds_run(folder: Path) -> bool:
    """Whether a run was written into a folder; a plan printed beside recipes makes none."""
    return (folder / MARKER).is_file() and (folder / METRICS).is_file()
