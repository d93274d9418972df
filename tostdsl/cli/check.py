"""`tost check`: says whether recipes can run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from tostdsl.cli.files import STDIN, compiled, paths_argument, recipe_files
from tostdsl.cli.report import say, seed_option, set_file_option, set_option, show, status
from tostdsl.diagnostics import Diagnostic


@click.command("check")
@paths_argument
@set_option
@set_file_option
@seed_option
@click.option("--strict", is_flag=True, help="Exit with 1 when there are warnings.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How to print what is found.",
)
def command(
    paths: tuple[Path, ...],
    sets: dict[str, str],
    set_file: Path | None,
    seed: int | None,
    strict: bool,
    form: str,
) -> int:
    """Check recipes without training; every mistake at its place.

    PATHS are recipes, folders of them, or `-` for standard input. Exits with 0 when all is well,
    1 for warnings with --strict, 2 for mistakes, 3 when something could not be read; of several
    the highest.
    """
    worst = 0
    everything: list[Diagnostic] = []
    told: set[object] = set()
    for item in recipe_files(paths):
        found, shown = _one(item, sets, seed, set_file)
        code = status(found)
        if strict and not code and any(d.severity == "warning" for d in found):
            code = 1
        worst = max(worst, code)
        fresh = [d for d in found if _key(d) not in told]
        told.update(map(_key, fresh))
        everything += fresh
        if form == "text":
            show(fresh)
            if code == 0:
                say(f"{'<stdin>' if item == STDIN else item}: ok ({shown})")
    if form != "text":
        click.echo(_rendered(everything, form), nl=form == "json" or bool(everything))
    return worst


def _one(
    item: Path | Diagnostic, sets: dict[str, str], seed: int | None, set_file: Path | None
) -> tuple[tuple[Diagnostic, ...], str]:
    """What is found in a file, and in words what it stands for."""
    if isinstance(item, Diagnostic):
        return (item,), ""
    made = compiled(item, sets, seed, set_file)
    if made.errors:
        return made.diagnostics, ""
    plans = made.plans
    shown = f"plan {plans[0].short}" if len(plans) == 1 else f"{len(plans)} plans"
    return made.diagnostics, shown


def _key(diagnostic: Diagnostic) -> object:
    """Equal for what two recipes have in common: a mistake in what both extend, a lost plug-in."""
    places = tuple((str(label.span), label.span.end, label.text) for label in diagnostic.labels)
    # without a place it may be about any file
    return (diagnostic.code, diagnostic.message, places or diagnostic.code == "W004" or object())


def _rendered(diagnostics: Iterable[Diagnostic], form: str) -> str:
    if form == "json":
        from tostdsl.diagnostics.render_json import render
    else:
        from tostdsl.diagnostics.render_github import render
    return render(diagnostics).removesuffix("\n")
