"""Printing diagnostics, and the options that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from tostdsl.cli import complete
from tostdsl.diagnostics import Diagnostic


def colour() -> bool:
    """Whether messages may be coloured."""
    from tostdsl.diagnostics.render import wants_colour

    return wants_colour(sys.stderr)


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics to the error stream."""
    found = list(diagnostics)
    if found:
        from tostdsl.diagnostics.render import render_all, terminal_width

        click.echo(render_all(found, colour(), terminal_width()), err=True, color=True)


def say(text: str, err: bool = False) -> None:
    """Print a line in which names of files or words of a recipe stand: none controls a terminal."""
    from tostdsl.diagnostics.screen import printable

    click.echo(printable(text), err=err)


def status(diagnostics: Iterable[Diagnostic]) -> int:
    """The exit status of diagnostics: 2 mistakes, 3 a file that could not be read, else 0."""
    errors = [d for d in diagnostics if d.severity == "error"]
    if not errors:
        return 0
    return 3 if all(_unreadable(d) for d in errors) else 2


def _unreadable(diagnostic: Diagnostic) -> bool:
    # a file that an `extends` asks for in vain is a mistake of the recipe, and has a label
    return diagnostic.code == "T106" or (
        diagnostic.code in ("T109", "T213", "R411", "R413", "R601") and not diagnostic.labels
    )


recipe_argument = click.argument(
    "recipe",
    type=click.Path(readable=False, path_type=Path),
    metavar="RECIPE",
    shell_complete=complete.recipes,
)


def _pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"`{value}` is not NAME=VALUE, for example sparsity=95%")
        if name.strip() in pairs:
            raise click.BadParameter(f"`{name.strip()}` is set twice")
        pairs[name.strip()] = text.strip()
    return pairs


def set_option(function: Any) -> Any:
    """`--set NAME=VALUE`, repeatable, as a dict."""
    return click.option(
        "--set",
        "sets",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_pairs,
        shell_complete=complete.params,
        help="Set a param of the recipe; repeatable.",
    )(function)


def set_file_option(function: Any) -> Any:
    """`--set-file FILE`, a path."""
    return click.option(
        "--set-file",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Set params from lines `NAME = value`; `--set` wins.",
    )(function)


def seed_option(function: Any) -> Any:
    """`--seed N` in place of the recipe's."""
    return click.option(
        "--seed", type=click.IntRange(0, 2**63 - 1), help="Use this seed instead of the recipe's."
    )(function)
