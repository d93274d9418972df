"""Files that ship beside the code: the grammar and the recipes.

In a wheel they lie inside the package as `_grammar` and `_recipes`; in a checkout they are the
top-level folders `grammar/` and `recipes/`, which a symlink could not stand in for everywhere.
Both are plain files: `importlib.resources`, which also reads packages out of archives, takes
longer to load than the grammar.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The shipped folder `name`: `grammar` or `recipes`."""
    inside = _PACKAGE / f"_{name}"
    return inside if inside.is_dir() else _PACKAGE.parent / name
