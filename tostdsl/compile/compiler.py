"""The front end in one call: text to plans and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tostdsl import registry
from tostdsl.compile.check import check, unused_params
from tostdsl.compile.load import read
from tostdsl.compile.lower import Lowered, Lowering
from tostdsl.compile.recipe import Recipe
from tostdsl.compile.resolve import Resolver, set_params, with_param
from tostdsl.diagnostics import Diagnostic, TostError, diagnose
from tostdsl.plan.plan import Plan
from tostdsl.source import Source
from tostdsl.syntax import nodes as n

MAX_SWEEP = 1000


@dataclass(frozen=True, slots=True)
class Variant:
    """One recipe of a sweep: the values it stands for, and its plan when it has one."""

    values: dict[str, str]
    plan: Plan | None
    lowered: Lowered


@dataclass(frozen=True, slots=True)
class Compiled:
    """What compiling a recipe gave."""

    recipe: Recipe | None
    variants: tuple[Variant, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that stop."""
        return tuple(d for d in self.diagnostics if d.severity == "error")

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans, one for each variant; raises `TostError` when there are errors."""
        if self.errors:
            raise TostError(self.diagnostics)
        return tuple(v.plan for v in self.variants if v.plan is not None)


def compile_file(
    path: Path, sets: Mapping[str, str] | None = None, seed: int | None = None
) -> Compiled:
    """Compile a recipe file; an unreadable one is a diagnostic like any other."""
    try:
        source = read(path)
    except TostError as error:
        return Compiled(None, (), error.diagnostics)
    return compile_source(source, path, sets, seed)


def compile_source(
    source: Source,
    path: Path | None = None,
    sets: Mapping[str, str] | None = None,
    seed: int | None = None,
) -> Compiled:
    """Compile a recipe's text. `path` is where it lies, for `extends`."""
    resolver = Resolver(path.resolve().parent if path is not None else None)
    recipe = resolver.resolve(source, path)
    found = [*registry.warnings(), *resolver.found]
    found += set_params(recipe, sets or {})
    used: set[str] = set()
    variants = []
    combinations = _sweeps(recipe, found)
    for values in combinations:
        mistakes: list[Diagnostic] = []
        variant = _variant(recipe, values, seed, mistakes)
        used |= variant.lowered.used
        variants.append(variant)
        found += [d for d in mistakes if d not in found]
    if variants:
        found += unused_params(recipe, used)
    return Compiled(recipe, tuple(variants), tuple(_in_order(found)))


def _variant(
    recipe: Recipe, values: Mapping[str, n.Value], seed: int | None, found: list[Diagnostic]
) -> Variant:
    for name, value in values.items():
        if name != "seed":
            recipe = with_param(recipe, name, value)
    chosen = values.get("seed")
    if isinstance(chosen, n.Literal) and isinstance(chosen.value, int):
        seed = chosen.value
    lowered = Lowering(recipe, found).lower(seed)
    found += check(recipe, lowered)
    texts = {name: value.span.text for name, value in values.items()}
    plan = None if any(d.severity == "error" for d in found) else lowered.plan
    return Variant(texts, plan, lowered)


def _sweeps(recipe: Recipe, found: list[Diagnostic]) -> list[dict[str, n.Value]]:
    names, lists = [], []
    for sweep in recipe.sweeps:
        name = sweep.name.text
        if not isinstance(sweep.values, n.ListValue) or not sweep.values.items:
            found.append(
                diagnose(
                    "T301",
                    sweep.values.span,
                    name=f"sweep {name}",
                    expected="a list of values such as `[1, 2]`",
                    found=f"`{sweep.values.span.text}`",
                )
            )
            continue
        if name == "seed":
            for item in sweep.values.items:
                if not isinstance(item, n.Literal) or type(item.value) is not int or item.value < 0:
                    found.append(
                        diagnose(
                            "T301",
                            item.span,
                            name="seed",
                            expected="a whole number from 0",
                            found=f"`{item.span.text}`",
                        )
                    )
        elif name not in recipe.params:
            found.append(
                diagnose("T204", sweep.name.span, name=name, help=f"declare it: `param {name} = …`")
            )
            continue
        names.append(name)
        lists.append(sweep.values.items)
    count = 1
    for values in lists:
        count *= len(values)
    if count > MAX_SWEEP:
        found.append(diagnose("T310", recipe.sweeps[0].span, count=count, limit=MAX_SWEEP))
        return [{}]
    return [dict(zip(names, values, strict=True)) for values in product(*lists)]


def _in_order(found: list[Diagnostic]) -> list[Diagnostic]:
    """By file and place, those without a place first; nothing is said of a refused number twice."""
    refused = [d.span for d in found if d.code == "T306"]
    found = [d for d in found if d.code == "T306" or d.span is None or d.span not in refused]
    names: dict[str, int] = {}
    for d in found:
        if d.span is not None:
            names.setdefault(d.span.source.name, len(names))
    return sorted(
        found,
        key=lambda d: (-1, 0) if d.span is None else (names[d.span.source.name], d.span.start),
    )
