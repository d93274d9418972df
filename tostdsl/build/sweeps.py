"""The plans that a recipe with sweeps stands for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tostdsl.asked import from_outside, path_of
from tostdsl.compile.compiler import compile_file
from tostdsl.diagnostics import TostError
from tostdsl.plan.plan import Plan


class Swept(NamedTuple):
    """A plan of a recipe with sweeps, and what it stands for."""

    values: Mapping[str, str]
    """What each name has that the recipe sweeps over, as it is written there: `{"seed": "2"}`."""
    plan: Plan


def plans(
    path: str | Path,
    sets: Mapping[str, str] | None = None,
    seed: int | None = None,
    set_file: Path | None = None,
) -> tuple[Swept, ...]:
    """All plans of a recipe file, each with its values, in the order in which they would run.

    `for values, plan in tostdsl.plans("sweep.tost")` goes through them. A recipe without sweeps has
    one, without values. `TostError` carries every mistake there is.
    """
    from_outside(sets, seed)
    made = compile_file(path_of(path, "a recipe"), sets, seed, set_file)
    if made.errors:
        raise TostError(made.diagnostics)
    return tuple(Swept(each.values, each.plan) for each in made.variants if each.plan is not None)
