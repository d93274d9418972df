"""`tost check`: says whether a recipe can run."""

from __future__ import annotations

from pathlib import Path

import click

from tostdsl.cli.report import set_option, show, status


@click.command("check")
@click.argument("recipes", nargs=-1, required=True, type=click.Path(path_type=Path))
@set_option
def command(recipes: tuple[Path, ...], sets: dict[str, str]) -> int:
    """Check recipes without training; every mistake at its place."""
    from tostdsl.compile.compiler import compile_file

    worst = 0
    for path in recipes:
        compiled = compile_file(path, sets)
        show(compiled.diagnostics)
        code = status(compiled.diagnostics)
        worst = max(worst, code)
        if code == 0:
            plans = compiled.plans
            shown = f"plan {plans[0].short}" if len(plans) == 1 else f"{len(plans)} plans"
            click.echo(f"{path}: ok ({shown})")
    return worst
