"""Where data sets lie, and what to say when one does not."""

from __future__ import annotations

import os
from pathlib import Path

from tostdsl.diagnostics import TostError
from tostdsl.plan.bases import LoadOptions

VARIABLE = "TOST_DATA"
_ELSE = (
    f"say where it is with `--data-root DIR` or {VARIABLE}, or rehearse on random images with "
    "`tost run --fake-data`"
)


def cache_home() -> Path:
    """The user's folder of things that can be made again: XDG_CACHE_HOME, else `~/.cache`."""
    told = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(told) if os.path.isabs(told) else Path(os.path.expanduser("~")) / ".cache"
    return base / "tostdsl"


def data_root(options: LoadOptions) -> Path:
    """The folder data sets are looked for in: the option, TOST_DATA, else the user's cache."""
    if options.root is not None:
        return Path(options.root).expanduser()
    told = os.environ.get(VARIABLE)
    return Path(told).expanduser() if told else cache_home() / "data"


def missing(name: str, *places: str) -> TostError:
    """The error of a set that can be downloaded and is at none of its places."""
    how = f"get it with `--download`, {_ELSE}"
    return TostError.of("R101", name=name, where=" or ".join(places), how=how)


def missing_folder(name: str, place: Path) -> TostError:
    """The error of a folder of the user's own that is not there."""
    how = "give a folder that holds `train` and `test`, or rehearse with `tost run --fake-data`"
    return TostError.of("R101", name=name, where=f"`{place}`", how=how)


def broken(name: str, place: Path, reason: str) -> TostError:
    """The error of a place that does not hold what it should."""
    return TostError.of("R102", name=name, where=f"`{place}`", reason=reason)
