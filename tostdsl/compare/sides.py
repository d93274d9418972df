"""What may stand on either side of a comparison: a recipe, a saved plan, a run, a past revision."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tostdsl.compare.folders import of_folder
from tostdsl.compare.git import GIT, spelled
from tostdsl.compare.past import compile_past
from tostdsl.compare.side import Side
from tostdsl.compile.compiler import Compiled, compile_file, compile_source
from tostdsl.compile.load import read
from tostdsl.diagnostics import TostError, diagnose
from tostdsl.source import Source

__all__ = ["Side", "of", "of_source", "several", "sides"]


def sides(
    given: str,
    sets: Mapping[str, str] | None = None,
    seed: int | None = None,
    set_file: Path | None = None,
) -> tuple[Side, ...]:
    """The plans of what was given, one for each run where it is a recipe with sweeps.

    That is a recipe file, `git:REV:path`, a saved plan (`.json`), a run folder, the folder of a
    sweep's runs, or a checkpoint; a run folder is the plan that ran, whatever recipes lie in it.
    `sets`, `seed` and `set_file` are for recipes. `TostError` for whatever keeps it from being
    plans.
    """
    if given.startswith(GIT):
        parts = spelled(given)
        if parts is None:
            raise TostError.of("R801", given=given)
        values = read(set_file, hints=False) if set_file is not None else None
        return of(given, compile_past(parts[0], Path(parts[1]), dict(sets or {}), seed, values))
    path = Path(given)
    if os.path.isdir(path):  # `is_dir` fails for a name that is too long
        return of_folder(given, path)
    return of(given, compile_file(path, sets, seed, set_file))


def of_source(given: str, source: Source, path: Path) -> tuple[Side, ...]:
    """The plans of a recipe's text that is taken to lie at a path."""
    return of(given, compile_source(source, path))


def of(name: str, made: Compiled) -> tuple[Side, ...]:
    """The plans of a recipe that was compiled; `TostError` with all of its mistakes."""
    if made.errors:
        raise TostError(made.diagnostics)
    saved = made.plan_file is not None
    return tuple(
        Side(
            name,
            variant.plan,
            () if saved else tuple(source.text for source in variant.recipe.sources),
            variant.values,
            named=None if saved else variant.recipe.named is not None,
        )
        for variant in made.variants
        if variant.plan is not None
    )


def several(found: Sequence[Side], help: str | None = None) -> TostError:
    """The error that a side stands for several plans where one is wanted."""
    first = found[0]
    names = " and ".join(f"`sweep {name}`" for name in first.values)
    if help is None and names:
        help = f"leave {names} out, or name one of its runs"
    if first.sweep:
        help = f"name one of its runs, such as `{first.name}`"
    given, reason = first.together, "where one is compared"
    return TostError([diagnose("R803", given=given, count=len(found), reason=reason, help=help)])
