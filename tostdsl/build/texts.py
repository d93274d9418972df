"""Recipes as texts and files: what the compiler says of one, and its one layout."""

from __future__ import annotations

from pathlib import Path

from tostdsl import api
from tostdsl.asked import path_of, wrong
from tostdsl.build.recipe import Recipe
from tostdsl.build.written import source_of
from tostdsl.compile.print import print_plan
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.plan import Plan
from tostdsl.syntax.format import format_text


def check(recipe: Recipe | str | Path) -> tuple[Diagnostic, ...]:
    """All that the compiler has to say of a recipe, or of the file at a path."""
    if isinstance(recipe, Recipe):
        return recipe.check()
    what = "what is checked"
    wanted = "a Recipe, or the path of one as text or Path"
    return api.compile_file(path_of(recipe, what, wanted)).diagnostics


def format(recipe: Recipe | Plan | str) -> str:
    """The one layout of a recipe: of a plan with every default spelled out, of a text as it is.

    A text keeps its comments; `TostError` where its form is wrong.
    """
    if isinstance(recipe, Recipe):
        return recipe.text
    if not isinstance(recipe, Plan | str):
        raise wrong("what is laid out", "a Recipe, a Plan, or a recipe's text", recipe)
    text = recipe if isinstance(recipe, str) else print_plan(recipe)
    laid, found = format_text(source_of(text, "recipe.tost"))
    if laid is None:
        raise TostError(found)
    return laid
