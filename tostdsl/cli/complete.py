"""What completes what is being typed: recipes, their params, names from the registry."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tostdsl.compile.recipe import ParamValue, Recipe

    Items: TypeAlias = list[CompletionItem[str]]

Completer: TypeAlias = "Callable[[click.Context, click.Parameter, str], Items]"


def _items(known: Iterable[tuple[str, str | None]], incomplete: str) -> Items:
    from click.shell_completion import CompletionItem

    return [
        CompletionItem(name, help=help or None)
        for name, help in known
        if name.startswith(incomplete)
    ]


def recipes(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Recipe files and the folders that may hold some."""
    return _items(((name, None) for name in _entries(incomplete)), incomplete)


def recipes_and_plans(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Recipe files, files that may be saved plans, and the folders that may hold some."""
    return _items(((name, None) for name in _entries(incomplete, (".tost", ".json"))), incomplete)


def comparables(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Recipe files, files that may be saved plans, and folders; one that holds a run is a word."""
    known = _entries(incomplete, (".tost", ".json"), runs=True)
    return _items(((name, None) for name in known), incomplete)


def _entries(
    incomplete: str, endings: tuple[str, ...] = (".tost",), runs: bool = False
) -> list[str]:
    """What lies in the folder being typed; one folder alone is entered, as there is no choice.

    With `runs` it is not where it holds a run, which may be meant itself.
    """
    folder, start = os.path.split(incomplete)
    found = []
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as entries:
            for entry in entries:
                if not entry.name.startswith(start) or not entry.name.isprintable():
                    continue
                if entry.name.startswith(".") and not start.startswith("."):
                    continue
                if entry.is_dir():
                    found.append(os.path.join(folder, entry.name, ""))
                elif entry.name.endswith(endings):
                    found.append(os.path.join(folder, entry.name))
    except OSError:
        return []
    if len(found) == 1 and found[0].endswith(os.sep):
        from tostdsl.plan.marker import holds_run

        if runs and holds_run(Path(found[0]).expanduser()):
            return found
        return _entries(found[0], endings, runs) or found
    return sorted(found)


MAX_READ = 20
"""Recipes that are read to complete a word."""


def params(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """`NAME=` for each param of the recipes already on the line, with its value as help.

    Behind `NAME=` it is the values that they give it. Where there is no recipe on the line yet,
    those in the current folder are meant.
    """
    recipes = [recipe for word in _words(ctx) if (recipe := _recipe(word))]
    if not recipes:
        here = [name for name in _entries("") if name.endswith(".tost")]
        recipes = [recipe for name in here[:MAX_READ] if (recipe := _recipe(name))]
    name, equals, _ = incomplete.partition("=")
    if equals:
        known = [value for recipe in recipes if (value := recipe.params.get(name))]
        return _items(((f"{name}={text}", None) for text in _values(known)), incomplete)
    found: dict[str, str | None] = {}
    for recipe in recipes:
        for each, value in recipe.params.items():
            found.setdefault(f"{each}=", value.value.span.text)
    return _items(sorted(found.items()), incomplete)


def _values(params: Iterable[ParamValue]) -> list[str]:
    """The values that params are given in recipes, on one line each; both for `yes` and `no`."""
    found: dict[str, None] = {}
    for param in params:
        value: ParamValue | None = param
        while value is not None:
            text = value.value.span.text
            found |= dict.fromkeys(("yes", "no") if text in ("yes", "no") else (text,))
            value = value.over
    return [text for text in found if text.isprintable()]


def _words(ctx: click.Context) -> list[str]:
    """Everything on the line that may be a path; what a lone `--set` leaves is in `ctx.args`."""
    words: list[str] = list(ctx.args)
    for name in ("recipe", "paths"):
        value = ctx.params.get(name)
        words += [str(item) for item in (value if isinstance(value, tuple) else [value]) if item]
    return words


def _recipe(word: str) -> Recipe | None:
    from tostdsl.compile.load import read
    from tostdsl.compile.resolve import Resolver
    from tostdsl.diagnostics import TostError

    path = Path(word).expanduser()
    if not path.is_file():
        return None
    try:
        return Resolver(path.resolve().parent).resolve(read(path), path)
    except TostError:
        return None


def values(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """The paths of the values of the recipe on the line, for `--why`."""
    from tostdsl.compile.compiler import compile_file
    from tostdsl.compile.origins import trace

    for word in _words(ctx):
        path = Path(word).expanduser()
        variants = compile_file(path).variants if path.is_file() else ()
        if variants and variants[0].plan is not None:
            origins = trace(variants[0].recipe, variants[0].lowered).by_path
            return _items(((each, origins[each].value) for each in origins), incomplete)
    return []


def kinds(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """The kinds that `tost list` knows."""
    from tostdsl.compile.describe import kind_words

    words = [*kind_words(), "statements", "presets", "codes"]
    return _items(((word, None) for word in words), incomplete)


def names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """Everything that `tost explain` knows."""
    from tostdsl import registry
    from tostdsl.cli.main import COMMANDS
    from tostdsl.compile.describe import summary
    from tostdsl.compile.language import LANGUAGE
    from tostdsl.compile.terms import TERMS
    from tostdsl.diagnostics import CATALOGUE

    known: dict[str, str | None] = {
        word: entry.meaning
        for entry in (*LANGUAGE, *TERMS)
        for word in entry.names
        if word.isidentifier()
    }
    known |= {cls.name: summary(cls) for cls in registry.everything()}
    for command, help in COMMANDS.items():
        known.setdefault(command, help)
    codes = {code: entry.message for code, entry in CATALOGUE.items()} if incomplete else {}
    return _items(sorted({**known, **codes}.items()), incomplete)


def presets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
    """The shipped presets, with their titles."""
    from tostdsl.cli.presets import titles

    return _items(titles().items(), incomplete)


def of_kind(kind: str) -> Completer:
    """The names of one kind; after a comma, one more."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> Items:
        from tostdsl import registry
        from tostdsl.compile.describe import summary

        before, comma, _ = incomplete.rpartition(",")
        known = [cls for cls in registry.everything() if cls.kind == kind]
        return _items(((before + comma + cls.name, summary(cls)) for cls in known), incomplete)

    return complete
