"""What folders stand for: a run, a checkpoint wherever it lies, the numbered runs of a sweep.

A run is the plan that ran, whatever recipes lie in its folder; its recipe tells only whether the
plan's name was said, and which values it had of a sweep.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tostdsl.compare.side import Side
from tostdsl.compile.compiler import Variant, compile_kept
from tostdsl.compile.load import decode, fetch
from tostdsl.compile.saved import checked, content_of, read_saved
from tostdsl.diagnostics import TostError
from tostdsl.plan.marker import CHECKPOINTS, MARKER, RECIPE, end_of, holds_run, unreal_of
from tostdsl.plan.plan import Plan
from tostdsl.source import Source
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import parse

NUMBER = re.compile(r"[0-9]{3,}")
"""The names of a sweep's runs in the folder that holds them."""


def of_folder(given: str, path: Path) -> tuple[Side, ...]:
    """The run of a folder, that of a checkpoint, or all runs of a sweep.

    `TostError` R804 where it is none of them, R605 for a checkpoint that cannot be read.
    """
    above = path.resolve().parent
    for each in (path, above.parent) if above.name == CHECKPOINTS else (path,):
        if holds_run(each):
            return (of_run(given, each),)
    from tostdsl.engine.provenance import RECORD

    if os.path.isfile(path / RECORD):
        return (_of_checkpoint(given, path),)
    try:
        runs = [each for each in path.iterdir() if NUMBER.fullmatch(each.name) and holds_run(each)]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TostError.of("R804", path=path, reason=reason) from None
    if not runs:
        reason = "this folder holds no run, and is no checkpoint of one"
        raise TostError.of("R804", path=path, reason=reason)
    known: dict[str, tuple[Variant, ...]] = {}
    found = []
    for run in sorted(runs, key=lambda each: int(each.name)):
        name = str(Path(given) / run.name)
        plan = read_saved(run / MARKER)
        found.append(of_run(name, run, plan, _values(run, plan, known), given))
    return tuple(found)


def of_run(
    name: str,
    folder: Path,
    plan: Plan | None = None,
    values: Mapping[str, str] | None = None,
    sweep: str = "",
) -> Side:
    """The side of a run folder; its plan is read where it is not given."""
    plan = plan or read_saved(folder / MARKER)
    named = None
    with suppress(TostError):
        named = is_named(decode(fetch(folder / RECIPE), RECIPE))
    return Side(
        name,
        plan,
        values=values or {},
        sweep=sweep,
        named=named,
        unreal=unreal_of(folder),
        state=end_of(folder),
    )


def is_named(source: Source) -> bool:
    """Whether a recipe's text says its name."""
    return any(isinstance(each, n.RecipeName) for each in parse(source)[0].statements)


def _of_checkpoint(given: str, path: Path) -> Side:
    """A checkpoint that lies in no run: it holds its plan and recipe, and whether it is real."""
    from tostdsl.engine.provenance import kept

    found = kept(path)
    text = found.texts.get(RECIPE)
    named = is_named(Source(RECIPE, text.decode("utf-8", "replace"))) if text is not None else None
    return Side(given, checked(found.plan, path), named=named, unreal=found.unreal)


def _values(run: Path, plan: Plan, known: dict[str, tuple[Variant, ...]]) -> Mapping[str, str]:
    """The values that a run of a sweep had, as its recipe tells; none where it does not.

    `known` are the runs of the recipes that were already looked at, which most share.
    """
    try:
        given = content_of(run / MARKER).get("given")
        text = decode(fetch(run / RECIPE), RECIPE).text
    except TostError:
        return {}
    sets, seed = _given(given)
    key = repr((text, sets, seed))
    if key not in known:
        known[key] = compile_kept(run / RECIPE, sets, seed).variants
    mine = [each for each in known[key] if each.plan and each.plan.fingerprint == plan.fingerprint]
    return mine[0].values if len(mine) == 1 else {}


def _given(content: Any) -> tuple[dict[str, str], int | None]:
    """What was set from outside of a run's recipe, in a file that anybody may have edited."""
    content = content if isinstance(content, dict) else {}
    sets, seed = content.get("params"), content.get("seed")
    sets = sets if isinstance(sets, dict) else {}
    return {str(k): str(v) for k, v in sets.items()}, seed if type(seed) is int else None
