"""Recipes as texts and files: what the compiler says of one, and its one layout."""

from __future__ import annotations

from pathlib import Path

from tostdsl import api
from tostdsl.build.recipe import Recipe
from tostdsl.compile.print import print_plan
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.plan import Plan
from tostdsl.source import Source
from tostdsl.syntax.format import format_text


def check(recipe: Recipe | str | Path) -> tuple[Diagnostic, ...]:
    """All that the compiler has to say of a recipe, or of the file at a path."""
    if isinstance(recipe, Recipe):
        return recipe.check()
    return api.compile_file(Path(recipe)).diagnostics


def format(recipe: Recipe | Plan | str) -> str:
    """The one layout of a recipe: of a plan with every default spelled out, of a text as it is.

    A text keeps its comments; `TostError` where its form is wrong.
    """
    if isinstance(recipe, Recipe):
        return recipe.text
    text = recipe if isinstance(recipe, str) else print_plan(recipe)
    laid, found = format_text(Source("recipe.tost", text))
    if laid is None:
        raise TostError(found)
    return laid
