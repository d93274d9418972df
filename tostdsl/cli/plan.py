"""`tost plan`: what a recipe means, with nothing left out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tostdsl.cli import complete
from tostdsl.cli.files import compiled
from tostdsl.cli.report import (
    recipe_argument,
    say,
    seed_option,
    set_file_option,
    set_option,
    show,
    status,
)
from tostdsl.diagnostics import Diagnostic, TostError

if TYPE_CHECKING:
    from tostdsl.compile.compiler import Variant

MAX_ROWS = 20
"""Runs of a sweep that are listed without `--all`."""


@click.command("plan")
@recipe_argument
@set_option
@set_file_option
@seed_option
@click.option("--all", "everything", is_flag=True, help="Of a sweep, show every run's plan.")
@click.option(
    "--why",
    "paths",
    multiple=True,
    metavar="PATH",
    shell_complete=complete.values,
    help="Tell where a value came from, for example `stages.ghost.width`; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the canonical JSON.")
def command(
    recipe: Path,
    sets: dict[str, str],
    set_file: Path | None,
    seed: int | None,
    everything: bool,
    paths: tuple[str, ...],
    as_json: bool,
) -> int:
    """Show the resolved values, the phases and the timeline of a recipe.

    RECIPE may be `-` for standard input. A sweep is shown as a table of its runs. PATH is a value
    of the plan (`train`, `data.batch`, `stages.ghost#2.until`, `params.sparsity`), the start of
    some (`mask`), or a pattern (`stages.*.anneal`).
    """
    from tostdsl.cli.screen import plan_lines

    made = compiled(recipe, sets, seed, set_file)
    show(made.diagnostics)
    code = status(made.diagnostics)
    if code:
        return code
    if paths:
        return _why(made.variants, paths, as_json)
    if as_json:
        content = [{"fingerprint": p.fingerprint, "plan": p.to_json()} for p in made.plans]
        shown = content[0] if len(content) == 1 else content
        click.echo(json.dumps(shown, indent=2, sort_keys=True))
        return 0
    if len(made.variants) > 1:
        click.echo("\n".join(_table(made.variants, everything)))
        if not everything:
            return 0
        click.echo()
    width = min(110, shutil.get_terminal_size((88, 24)).columns)
    for variant in made.variants:
        if variant.values:
            say(f"-- {_values(variant)}")
        if variant.plan is not None:
            click.echo("\n".join(plan_lines(variant.plan, variant.recipe, width)) + "\n")
    return 0


def _values(variant: Variant) -> str:
    return ", ".join(f"{name} = {text}" for name, text in variant.values.items())


def _table(variants: Sequence[Variant], everything: bool) -> list[str]:
    """A row a run: the swept values, the plan's fingerprint."""
    rows = [(*variants[0].values, "plan")]
    for variant in variants if everything else variants[:MAX_ROWS]:
        plan = variant.plan.short if variant.plan is not None else ""
        rows.append((*variant.values.values(), plan))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{variants[0].recipe.name}: a sweep of {len(variants)} runs", ""]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        lines.append("  " + "  ".join(cells).rstrip())
    hidden = len(variants) - len(rows) + 1
    if hidden:
        lines.append(f"  … {hidden} more")
    return lines if everything else [*lines, "", "`--all` shows every plan in full"]


def _why(variants: Sequence[Variant], paths: Sequence[str], as_json: bool) -> int:
    from tostdsl.cli.why import why_json, why_lines
    from tostdsl.compile.origins import trace

    first = variants[0]
    origins = trace(first.recipe, first.lowered)
    known: list[str] = []
    unknown: list[Diagnostic] = []
    for path in paths:
        try:
            origins.why(path)
            known.append(path)
        except TostError as error:
            unknown += error.diagnostics
    if as_json:
        run = {"run": first.values} if len(variants) > 1 else {}
        content = [{**row, **run} for path in known for row in why_json(origins, path)]
        click.echo(json.dumps(content, indent=2))
    elif known:
        blocks = ["\n".join(why_lines(origins, path)) for path in known]
        if len(variants) > 1:
            say(f"in the first of {len(variants)} runs: {_values(first)}")
            click.echo()
        click.echo("\n\n".join(blocks))
    show(unknown)
    return status(unknown)
