"""How a run folder is told from a folder of recipes."""

from __future__ import annotations

from pathlib import Path

MARKER = "plan.json"
"""Holds the plan of the folder's run."""
METRICS = "metrics.jsonl"


def holds_run(folder: Path) -> bool:
    """Whether a run was written into a folder; a plan printed beside recipes makes none."""
    return (folder / MARKER).is_file() and (folder / METRICS).is_file()
