"""`tost diff`: in what two recipes, plans or runs differ, and what that means."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tostdsl.cli.complete import comparables
from tostdsl.cli.files import PIPED, STDIN, compiled
from tostdsl.cli.report import (
    Named,
    seed_option,
    set_file_option,
    set_option,
    show,
    unexpected,
)
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.marker import PLAN_SUFFIX

if TYPE_CHECKING:
    from tostdsl.compare.comparison import Compared
    from tostdsl.compare.side import Side

TROUBLE = 2


@click.command("diff")
@click.argument("paths", nargs=-1, required=True, type=Named(), shell_complete=comparables)
@set_option
@set_file_option
@seed_option
@click.option("--against", metavar="REVISION", help="Compare recipes with what they were in git.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How to print what is found; `markdown` is for a pull request.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--git", "driver", is_flag=True, help="Be git's diff driver for recipes.")
def command(
    paths: tuple[Path, ...],
    sets: dict[str, str],
    set_file: Path | None,
    seed: int | None,
    against: str | None,
    form: str,
    as_json: bool,
    driver: bool,
) -> int:
    """Tell in what plan B differs from plan A, in a recipe's words, and what it means.

    PATHS are A and B: recipes, `-` for standard input, `git:REVISION:PATH`, folders of runs and
    of sweeps, checkpoints, or saved plans (`.json`). With --against they are recipes or folders of
    them, each compared with what it was. Options that set values hold for the recipes on both
    sides. Sweeps over the same names are compared run by run, one plan with the run nearest to it.

    Exits with 0 when the plans are the same, 1 when they differ (with --against also where a recipe
    is new, gone, renamed, or had mistakes), 2 for trouble.
    """
    from tostdsl.cli.gitdiff import drive

    given = bool(sets) or set_file is not None or seed is not None
    if driver:
        if given or against is not None or as_json or form != "text":
            raise click.UsageError("`--git` takes no other options")
        return drive([str(path) for path in paths])
    if against is None and len(paths) != 2:
        raise click.UsageError("name two to compare, or use `--against`")
    if against is None and paths[0] == paths[1] == STDIN:
        raise click.UsageError("standard input can be one of the two only")
    if against is not None and STDIN in paths:
        raise click.UsageError("standard input has no past")
    form = "json" if as_json else form
    if against is not None:
        from tostdsl.cli.against import run
        from tostdsl.compare.sides import sides

        return _printed(
            lambda: run(against, paths, lambda word: sides(word, sets, seed, set_file), form)
        )
    try:
        found = _compared((str(paths[0]), str(paths[1])), sets, seed, set_file)
    except (click.ClickException, OSError):
        raise
    except TostError as error:
        show(error.diagnostics)
        return TROUBLE
    except Exception as error:  # 1 would say that they differ
        show(unexpected(error))
        return TROUBLE
    return _printed(lambda: _print(found, form))


def _printed(printing: Callable[[], int]) -> int:
    """The status that printing gives; whoever has not read all knows nothing: that is trouble."""
    from tostdsl.cli.main import FULL, output_failed

    try:
        return printing()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        if error.filename is not None or error.errno not in FULL:
            raise
        output_failed(error)
    except (click.ClickException, TostError):
        raise
    except Exception as error:  # 1 would say that they differ
        show(unexpected(error))
    return TROUBLE


def _compared(
    words: tuple[str, str], sets: dict[str, str], seed: int | None, set_file: Path | None
) -> Compared:
    from tostdsl.compare.comparison import comparisons
    from tostdsl.compare.git import GIT
    from tostdsl.compare.sides import of, sides

    given = bool(sets) or set_file is not None or seed is not None
    recipes = [word.startswith(GIT) or _is_recipe(Path(word)) for word in words]

    def plans(word: str, recipe: bool) -> tuple[Side, ...]:
        if word == str(STDIN):
            return of(str(PIPED), compiled(STDIN, sets, seed, set_file))
        if not recipe:
            return sides(word)
        return sides(word, sets, seed, set_file)

    if given and not any(recipes):
        raise click.UsageError("options that set values are for recipes, and neither side is one")

    mistakes: list[Diagnostic] = []
    made = []
    for word, recipe in zip(words, recipes, strict=True):
        try:
            made.append(plans(word, recipe))
        except TostError as error:
            mistakes += error.diagnostics
    if mistakes:
        raise TostError(mistakes)
    return comparisons(*made)


def _is_recipe(path: Path) -> bool:
    """Whether a path names a recipe, in which options set values."""
    return path.suffix != PLAN_SUFFIX and not os.path.isdir(path)


def _print(group: Compared, form: str) -> int:
    from tostdsl.cli.compared import Paint, markdown_lines, text_lines
    from tostdsl.diagnostics.render import terminal_width, wants_colour

    if form == "json":
        content = group.to_json()
        click.echo(json.dumps(content[0] if len(content) == 1 else content, indent=2))
        return int(not group.same)
    width, paint = min(110, terminal_width()), Paint(wants_colour(sys.stdout))
    lines = markdown_lines(group) if form == "markdown" else text_lines(group, width, paint)
    click.echo("\n".join(lines), color=True)
    return int(not group.same)
