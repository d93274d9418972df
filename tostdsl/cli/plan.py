"""`tost plan`: what a recipe means, with nothing left out."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tostdsl.cli import complete
from tostdsl.cli.files import compiled, write_text
from tostdsl.cli.report import (
    Named,
    recipe_argument,
    say,
    seed_option,
    set_file_option,
    set_option,
    show,
    status,
)
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.marker import MARKER, PLAN_SUFFIX, holds_run

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
@click.option(
    "-o",
    "--out",
    type=Named(),
    metavar="FILE.json",
    help="Save the plan, for `tost run FILE.json`; a sweep's plans are numbered, FILE-001.json.",
)
def command(
    recipe: Path,
    sets: dict[str, str],
    set_file: Path | None,
    seed: int | None,
    everything: bool,
    paths: tuple[str, ...],
    as_json: bool,
    out: Path | None,
) -> int:
    """Show the resolved values, the phases and the timeline of a recipe.

    RECIPE may be `-` for standard input, or a saved plan. A sweep is shown as a table of its runs.
    PATH is a value of the plan (`train`, `data.batch`, `stages.ghost#2.until`, `params.sparsity`),
    the start of some (`mask`), or a pattern (`stages.*.anneal`).
    """
    if out is not None and (everything or paths or as_json):
        raise click.UsageError("`-o` saves the plan and shows nothing; leave the other option out")
    if out is not None and out.suffix != PLAN_SUFFIX:
        raise click.UsageError(
            f"`{out}` does not end in `{PLAN_SUFFIX}`, by which `tost run` knows a saved plan"
        )
    from tostdsl.cli.screen import plan_lines

    made = compiled(recipe, sets, seed, set_file)
    show(made.diagnostics)
    code = status(made.diagnostics)
    if code:
        return code
    if out is not None:
        return _save(made.variants, out)
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


def _save(variants: Sequence[Variant], out: Path) -> int:
    """Write each plan to a file; none where one of those is there and is no plan."""
    from tostdsl.compile.saved import holds_plan, saved_text

    several = len(variants) > 1
    names = [f"{out.stem}-{index:03d}{out.suffix}" for index in range(1, len(variants) + 1)]
    files = [out.with_name(name) for name in names] if several else [out]
    for file in files:
        if os.path.lexists(file) and (_of_run(file) or not holds_plan(file)):
            raise TostError.of("R603", path=file)
    for variant, file in zip(variants, files, strict=True):
        assert variant.plan is not None
        write_text(file, saved_text(variant.plan))
        say(f"{file}: plan {variant.plan.short}" + (f" ({_values(variant)})" if several else ""))
    return 0


def _of_run(file: Path) -> bool:
    return file.name == MARKER and holds_run(file.parent)


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
