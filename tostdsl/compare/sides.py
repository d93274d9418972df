"""What may stand on either side of a comparison: a recipe, a saved plan, a run, a past revision."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tostdsl.compile.compiler import Compiled, compile_file, compile_source
from tostdsl.compile.load import decode
from tostdsl.compile.saved import read_saved
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.marker import MARKER, holds_run
from tostdsl.plan.plan import Plan

GIT = "git:"
"""Begins `git:REV:path`."""


@dataclass(frozen=True, slots=True)
class Side:
    """A plan, and where it came from."""

    name: str
    plan: Plan
    text: str | None = None
    """The recipe's, where it is one."""
    notes: tuple[Diagnostic, ...] = ()
    """Warnings that came with it."""


def side(given: str, sets: Mapping[str, str] | None = None, seed: int | None = None) -> Side:
    """The plan of what was given; `TostError` for whatever keeps it from being one.

    `sets` and `seed` are for recipes.
    """
    if given.startswith(GIT):
        return past(given, sets, seed)
    path = Path(given)
    if path.is_dir() and holds_run(path):
        return Side(given, read_saved(path / MARKER))
    return _only(given, compile_file(path, sets, seed))


def past(given: str, sets: Mapping[str, str] | None = None, seed: int | None = None) -> Side:
    """`git:REV:path`: the recipe as it was; what it extends is taken as it is now."""
    rev, colon, name = given.removeprefix(GIT).partition(":")
    if not (rev and colon and name):
        raise TostError.of("R801", given=given)
    command = [
        "git",
        "show",
        f"{rev}:{name if '/' in name or name.startswith('.') else './' + name}",
    ]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except OSError as error:
        raise TostError.of("R802", given=given, reason=str(error)) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise TostError.of("R802", given=given, reason=said[0].removeprefix("fatal: "))
    return _only(given, compile_source(decode(done.stdout, given), Path(name), sets, seed))


def _only(name: str, made: Compiled) -> Side:
    if made.errors:
        raise TostError(made.diagnostics)
    if len(made.variants) != 1:
        raise TostError.of("R803", given=name, count=len(made.variants))
    assert made.recipe is not None
    whole = made.plan_file is None and len(made.recipe.sources) == 1
    text = made.recipe.source.text if whole else None
    return Side(name, made.plans[0], text, made.diagnostics)
