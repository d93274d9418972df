"""What may stand on either side of a comparison: a recipe, a saved plan, a run, a past revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tostdsl.compare.git import GIT, spelled
from tostdsl.compare.past import compile_past
from tostdsl.compile.compiler import Compiled, compile_file, compile_source
from tostdsl.compile.load import read
from tostdsl.compile.saved import read_saved
from tostdsl.diagnostics import TostError, diagnose
from tostdsl.plan.marker import MARKER, holds_run
from tostdsl.plan.plan import Plan
from tostdsl.source import Source

CHECKPOINTS = "ckpt"
"""The folder of a run in which its checkpoints lie."""


@dataclass(frozen=True, slots=True)
class Side:
    """A plan, and where it came from."""

    name: str
    plan: Plan
    texts: tuple[str, ...] = ()
    """The recipe's and those of what it extends, where it is one."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Of one run of a sweep, what it is swept over."""

    def __repr__(self) -> str:
        """In a line, for a prompt; texts are long."""
        swept = "".join(f", {name} {value}" for name, value in self.values.items())
        return f"<Side {self.name}{swept}: {self.plan!r}>"

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs."""
        return {
            "name": self.name,
            "recipe": self.plan.name,
            "fingerprint": self.plan.fingerprint,
            "values": dict(self.values),
        }


def sides(
    given: str,
    sets: Mapping[str, str] | None = None,
    seed: int | None = None,
    set_file: Path | None = None,
) -> tuple[Side, ...]:
    """The plans of what was given, one for each run where it is a recipe with sweeps.

    That is a recipe file, `git:REV:path`, a saved plan (`.json`), a run folder, or a checkpoint in
    one; a run folder is the plan that ran, whatever recipes lie in it. `sets`, `seed` and
    `set_file` are for recipes. `TostError` for whatever keeps it from being plans.
    """
    if given.startswith(GIT):
        parts = spelled(given)
        if parts is None:
            raise TostError.of("R801", given=given)
        values = read(set_file, hints=False) if set_file is not None else None
        return of(given, compile_past(parts[0], Path(parts[1]), dict(sets or {}), seed, values))
    path = Path(given)
    if path.is_dir():
        return (Side(given, read_saved(_run(path) / MARKER)),)
    return of(given, compile_file(path, sets, seed, set_file))


def side(given: str, sets: Mapping[str, str] | None = None, seed: int | None = None) -> Side:
    """The one plan of what was given, for Python; `TostError` R803 where there are several."""
    found = sides(given, sets, seed)
    if len(found) != 1:
        if given.startswith(GIT):
            raise several(found, "have it as a file, and compare its plans one by one")
        help = f"compare its plans one by one: `tost.plans({given!r})` gives each, with its values"
        raise several(found, help)
    return found[0]


def of_source(given: str, source: Source, path: Path) -> tuple[Side, ...]:
    """The plans of a recipe's text that is taken to lie at a path."""
    return of(given, compile_source(source, path))


def of(name: str, made: Compiled) -> tuple[Side, ...]:
    """The plans of a recipe that was compiled; `TostError` with all of its mistakes."""
    if made.errors:
        raise TostError(made.diagnostics)
    return tuple(
        Side(
            name,
            variant.plan,
            tuple(source.text for source in variant.recipe.sources),
            variant.values,
        )
        for variant in made.variants
        if variant.plan is not None
    )


def several(found: tuple[Side, ...], help: str | None = None) -> TostError:
    """The error that a side stands for several plans, which have no partners."""
    names = " and ".join(f"`sweep {name}`" for name in found[0].values)
    help = help or f"leave {names} out there, or have the same on both sides"
    return TostError([diagnose("R803", given=found[0].name, count=len(found), help=help)])


def _run(folder: Path) -> Path:
    """The run's folder, of it or of one of its checkpoints."""
    above = folder.resolve().parent
    for each in (folder, above.parent) if above.name == CHECKPOINTS else (folder,):
        if holds_run(each):
            return each
    reason = "this folder holds no run, and is no checkpoint of one"
    raise TostError.of("R804", path=folder, reason=reason)
