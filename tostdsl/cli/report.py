"""Printing diagnostics, and the options that several commands share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from tostdsl.diagnostics import Diagnostic
from tostdsl.diagnostics.render import render_all


def colour() -> bool:
    """Whether messages may be coloured."""
    return "NO_COLOR" not in os.environ and sys.stderr.isatty()


def show(diagnostics: Iterable[Diagnostic]) -> None:
    """Print diagnostics to the error stream."""
    found = list(diagnostics)
    if found:
        click.echo(render_all(found, colour()), err=True, color=True)


def status(diagnostics: Iterable[Diagnostic]) -> int:
    """The exit status of diagnostics: 2 mistakes, 3 a file that could not be read, else 0."""
    errors = [d for d in diagnostics if d.severity == "error"]
    if not errors:
        return 0
    return 3 if all(d.code in UNREADABLE and not d.labels for d in errors) else 2


UNREADABLE = ("T106", "T109", "T213")

recipe_argument = click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE")


def _pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"`{value}` is not NAME=VALUE, for example sparsity=95%")
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
        help="Set a param of the recipe; repeatable.",
    )(function)


def seed_option(function: Any) -> Any:
    """`--seed N` in place of the recipe's."""
    return click.option(
        "--seed", type=click.IntRange(0, 2**63 - 1), help="Use this seed instead of the recipe's."
    )(function)
