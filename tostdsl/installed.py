"""Which groups of entry points the installed distributions declare, found without their library.

`importlib.metadata` takes longer to load than a recipe to check, and mostly finds nothing; so the
files it would read are looked into first, wherever they are plain files.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.machinery import PathFinder


def declared(group: str) -> bool:
    """Whether a distribution declares entry points of this group, or may do so unseen."""
    found = _groups()
    return found is None or f"[{group}]".encode() in found


@cache
def _groups() -> bytes | None:
    """All entry points' files, one after the other; None where some cannot be looked into."""
    others = (finder for finder in sys.meta_path if finder is not PathFinder)
    if any(hasattr(finder, "find_distributions") for finder in others):
        return None
    found = []
    for folder in dict.fromkeys(path or "." for path in sys.path):
        if os.path.isfile(folder):  # an archive
            return None
        try:
            names = [name for name in os.listdir(folder) if name.endswith(("-info", ".egg"))]
        except OSError:
            continue
        if any(name.endswith(".egg") for name in names):
            return None
        for name in names:
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:
                    found.append(file.read())
            except OSError:
                continue
    return b"\n".join(found)
