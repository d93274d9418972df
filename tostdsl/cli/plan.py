"""`tost plan`: what a recipe means, with nothing left out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click

from tostdsl.cli.report import recipe_argument, seed_option, set_option, show, status


@click.command("plan")
@recipe_argument
@set_option
@seed_option
@click.option("--json", "as_json", is_flag=True, help="Print the canonical JSON.")
def command(recipe: Path, sets: dict[str, str], seed: int | None, as_json: bool) -> int:
    """Show the resolved values, the phases and the timeline of a recipe."""
    from tostdsl.cli.screen import plan_lines
    from tostdsl.compile.compiler import compile_file

    compiled = compile_file(recipe, sets, seed)
    show(compiled.diagnostics)
    code = status(compiled.diagnostics)
    if code:
        return code
    if as_json:
        content = [{"fingerprint": p.fingerprint, "plan": p.to_json()} for p in compiled.plans]
        shown = content[0] if len(content) == 1 else content
        click.echo(json.dumps(shown, indent=2, sort_keys=True))
        return 0
    width = min(110, shutil.get_terminal_size((88, 24)).columns)
    for variant in compiled.variants:
        if variant.values:
            values = ", ".join(f"{name} = {text}" for name, text in variant.values.items())
            click.echo(f"-- {values}")
        if variant.plan is not None:
            click.echo("\n".join(plan_lines(variant.plan, compiled.recipe, width)) + "\n")
    return 0
