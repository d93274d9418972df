"""How a run folder is told from a folder of recipes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    if os.path.isfile(folder / MANIFEST):
        return "finished"
    said = _said(folder / RESULT).get("state")
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
    said = _said(folder / ENVIRONMENT)
    try:
        smoke, fake = said["options"]["smoke"], said["data"]["fake"]
    except (KeyError, TypeError):
        smoke = fake = None
    if isinstance(smoke, bool) and isinstance(fake, bool):
        return REHEARSAL if smoke else FAKE if fake else ""
    words = _said(folder / RESULT).get("unreal")
    return words if words in (REHEARSAL, FAKE, "") else None


def why_no_run(folder: Path) -> str:
    """Why there is no run in a folder that holds none, in words."""
    try:
        if not folder.is_dir():
            return "it is no folder" if folder.exists() else "there is no such folder"
        (folder / MARKER).exists()  # what nobody may look into says so here
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return "it holds no run"


def holds_run(folder: Path) -> bool:
    """Whether a run was written into a folder; a plan printed beside recipes makes none.

    None is in a folder that cannot be looked into; `why_no_run` says why.
    """
    return os.path.isfile(folder / MARKER) and os.path.isfile(folder / METRICS)


def regular(path: Path) -> bytes:
    """The content of a regular file; a pipe that nobody writes to does not keep it waiting.

    Raises:
        OSError: it cannot be read, or is no regular file.

    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        return file.read()


def _said(path: Path) -> Mapping[str, Any]:
    """What a JSON file of a run folder says; nothing where it cannot be read or is damaged."""
    try:
        said = json.loads(regular(path))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
