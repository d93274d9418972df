"""How a run folder is told from a folder of recipes."""

from __future__ import annotations

import json
from pathlib import Path

from tostdsl.diagnostics import TostError

MARKER = "plan.json"
"""Holds the plan of the folder's run."""
METRICS = "metrics.jsonl"
RECIPE, PRINTED = "recipe.tost", "plan.tost"
"""The recipe's text as it was, and the plan as one recipe of its own."""
CHECKPOINTS = "ckpt"
"""The folder in which the run's checkpoints lie."""
PLAN_SUFFIX = ".json"
"""How the name of a saved plan ends."""

MANIFEST = "manifest.json"
"""Closes the folder of a run that came to its end."""
RESULT = "result.json"
ENVIRONMENT = "environment.json"
REHEARSAL, FAKE = "a rehearsal", "random images"
"""Why a run's figures mean nothing, in words."""


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


def unended(folder: Path, reason: str) -> TostError:
    """R412, with what to do about a run that did not come to its end."""
    return TostError.of("R412", path=folder, reason=reason, help=_way_on(folder))


def _way_on(folder: Path) -> str | None:
    end = end_of(folder)
    if end == "finished":
        return None
    alive = "unless it is still at work, " if end == "not finished" else ""
    if not (holds_run(folder) and any((folder / CHECKPOINTS).glob("step-*"))):
        return f"{alive}start it anew in another folder: it has no checkpoint to go on from"
    if end == "failed":
        return (
            f"mend what it failed of and go on with it by `tost resume {folder}`; where that is in "
            "the recipe, start a new run"
        )
    return f"{alive}go on with it by `tost resume {folder}`"


def unreal_of(folder: Path) -> str | None:
    """Why the figures of the run in a folder mean nothing: `a rehearsal`, `random images`.

    Empty for a real run; None where the folder's files do not tell.
    """
    try:
        said = json.loads((folder / ENVIRONMENT).read_text(encoding="utf-8"))
        smoke, fake = said["options"]["smoke"], said["data"]["fake"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        smoke = fake = None
    if isinstance(smoke, bool) and isinstance(fake, bool):
        return REHEARSAL if smoke else FAKE if fake else ""
    try:
        words = json.loads((folder / RESULT).read_text(encoding="utf-8"))["unreal"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return words if words in (REHEARSAL, FAKE, "") else None


def why_no_run(folder: Path) -> str:
    """Why there is no run in a folder that holds none, in words."""
    if folder.is_dir():
        return "it holds no run"
    return "it is no folder" if folder.exists() else "there is no such folder"


def holds_run(folder: Path) -> bool:
    """Whether a run was written into a folder; a plan printed beside recipes makes none."""
    return (folder / MARKER).is_file() and (folder / METRICS).is_file()
