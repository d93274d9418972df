"""Files that ship beside the code: the grammar and the recipes.

In a wheel they lie inside the package as `_grammar` and `_recipes`; in a checkout they are the
top-level folders `grammar/` and `recipes/`, which a symlink could not stand in for everywhere.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path


def folder(name: str) -> Traversable:
    """The shipped folder `name`: `grammar` or `recipes`."""
    inside = files("tostdsl") / f"_{name}"
    return inside if inside.is_dir() else Path(str(files("tostdsl"))).parent / name
