"""Printing diagnostics, and the options that several commands share."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from tostdsl.cli import complete
from tostdsl.diagnostics import Diagnostic, TostError


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


def unexpected(error: Exception) -> tuple[Diagnostic, ...]:
    """What a user is told of an error that nobody thought of; `TOST_DEBUG` raises it instead."""
    if os.environ.get("TOST_DEBUG"):
        raise error
    reason = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return TostError.of("R901", reason=reason).diagnostics


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
    if diagnostic.span is not None and diagnostic.span.source.name.startswith("--"):
        return False
    # a file that an `extends` asks for in vain is a mistake of the recipe, and has a label
    return diagnostic.code in ("T106", "T109", "T158") or (
        diagnostic.code in ("T213", "R340", "R411", "R413", "R601", "R605")
        and not diagnostic.labels
    )


class Named(click.Path):
    """A path that says something: an empty one would mean the current folder."""

    def __init__(self) -> None:
        super().__init__(readable=False, path_type=Path, allow_dash=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; an empty one is a mistake on the command line."""
        if not str(value).strip():
            self.fail("the path is empty; `.` is the current folder", param, ctx)
        return super().convert(value, param, ctx)


recipe_argument = click.argument(
    "recipe",
    type=Named(),
    metavar="RECIPE",
    shell_complete=complete.recipes_and_plans,
)


_SEVERAL = re.compile(r"\s*\w+\s*=[^,=()\[\]\"]+(,\s*\w+\s*=[^,=()\[\]\"]+)+$")
"""`a=1,b=2`."""


def _pairs(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for value in values:
        if _SEVERAL.match(value):
            each = " ".join(f"--set {part.strip()}" for part in value.split(","))
            raise click.BadParameter(f"`{value}` sets more than one; repeat it: `{each}`")
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
        type=Named(),
        metavar="FILE",
        help="Set params from lines `NAME = value`; `--set` wins.",
    )(function)


def code_option(function: Any) -> Any:
    """`--allow-code`, a flag."""
    return click.option(
        "--allow-code",
        is_flag=True,
        help="Import and call the Python functions that the recipe names (`python(…)`).",
    )(function)


def seed_option(function: Any) -> Any:
    """`--seed N` in place of the recipe's."""
    return click.option(
        "--seed", type=click.IntRange(0, 10**15 - 1), help="Use this seed instead of the recipe's."
    )(function)
