"""The front end in one call: text to plans and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tostdsl import registry
from tostdsl.compile.check import check
from tostdsl.compile.load import read, relocate
from tostdsl.compile.lower import Lowered, Lowering
from tostdsl.compile.params import Given, circular, settle, unused
from tostdsl.compile.recipe import Recipe, one_line
from tostdsl.compile.resolve import Resolver
from tostdsl.compile.sweeps import axes, chosen, combinations, idle, too_much
from tostdsl.diagnostics import Diagnostic, TostError, diagnose
from tostdsl.later import Later
from tostdsl.plan.marker import PLAN_SUFFIX
from tostdsl.plan.plan import Plan
from tostdsl.quiet import quiet
from tostdsl.source import Source
from tostdsl.syntax import nodes as n
from tostdsl.syntax.words import MAX_REPORTS

if TYPE_CHECKING:
    from tostdsl.compile import kept, offers, said, saved
else:
    kept = Later("tostdsl.compile.kept")
    offers = Later("tostdsl.compile.offers")
    said = Later("tostdsl.compile.said")
    saved = Later("tostdsl.compile.saved")


@dataclass(frozen=True, slots=True)
class Variant:
    """One recipe of a sweep: the values it stands for, and its plan when it has one."""

    values: dict[str, str]
    recipe: Recipe
    plan: Plan | None
    lowered: Lowered

    def placed(self, error: TostError) -> TostError:
        """An error about a stage of the plan, shown where the recipe has that stage."""
        for site in self.lowered.stages:
            if site.plan == error.about:
                chosen = (*site.node.targets.on, *site.node.targets.exclude)
                span = chosen[0].span.to(chosen[-1].span) if chosen else site.node.call.span
                return TostError(relocate(error, span))
        return error


@dataclass(frozen=True, slots=True)
class PlanFile:
    """The file of a saved plan, as it was read."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """What compiling a recipe gave."""

    recipe: Recipe | None
    variants: tuple[Variant, ...]
    diagnostics: tuple[Diagnostic, ...]
    plan_file: PlanFile | None = None
    """Where there was a saved plan in place of a recipe; `recipe` is then that plan's text."""

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

    def only(self, given: object, help: str | None = None) -> Plan:
        """The one plan of what was `given`; `TostError` for mistakes, R831 for several plans."""
        if len(plans := self.plans) != 1:
            raise TostError([diagnose("R831", help=help, given=given, count=len(plans))])
        return plans[0]


def compile_file(
    path: Path,
    sets: Mapping[str, str] | None = None,
    seed: int | None = None,
    set_file: Path | None = None,
) -> Compiled:
    """Compile a recipe file, or a saved plan (`.json`).

    An unreadable one is a diagnostic like any other. `sets` and `set_file` give values to the
    recipe's params, `sets` wins where both do.
    """
    if path.suffix == PLAN_SUFFIX:
        given_too = {"--set": sets, "--set-file": set_file, "--seed": seed is not None}
        return saved.compile_saved(path, [name for name, value in given_too.items() if value])
    try:
        source = read(path)
        given = Given(
            sets or {}, read(set_file, hints=False) if set_file is not None else None, seed
        )
    except TostError as error:
        return Compiled(None, (), error.diagnostics)
    return _compile(source, path, given)


def compile_source(
    source: Source,
    path: Path | None = None,
    sets: Mapping[str, str] | None = None,
    seed: int | None = None,
    set_file: Source | None = None,
    resolver: Resolver | None = None,
) -> Compiled:
    """Compile a recipe's text. `path` is where it lies, for its name and for `extends`.

    Another `resolver` than the usual one finds elsewhere what is extended.
    """
    return _compile(source, path, Given(sets or {}, set_file, seed), resolver)


def compile_kept(
    path: Path, sets: Mapping[str, str] | None = None, seed: int | None = None
) -> Compiled:
    """Compile a recipe of a run folder, which keeps what it extends in a form of its own."""
    try:
        source = read(path, path.name)
    except TostError as error:
        return Compiled(None, (), error.diagnostics)
    return _compile(source, path, Given(sets or {}, None, seed), kept.KeptResolver(path.parent))


@quiet
def _compile(
    source: Source, path: Path | None, given: Given, resolver: Resolver | None = None
) -> Compiled:
    resolver = resolver or Resolver(path.resolve().parent if path is not None else None)
    recipe = resolver.resolve(source, path)
    found = [*registry.warnings(), *resolver.found, *settle(recipe, given)]
    found += circular(recipe.params)
    if sum(d.severity == "error" for d in found) >= MAX_REPORTS:
        # no more are shown, and finding them takes time that a stranger's file is to waste
        shown = _in_order(found)
        more = () if len(shown) > MAX_REPORTS else (diagnose("W090", count="any"),)
        return Compiled(recipe, (), (*shown, *more))
    used: set[str] = set()
    told: set[Diagnostic] = set()
    variants = []
    swept = axes(recipe, given, found)
    for values in combinations(swept):
        mistakes: list[Diagnostic] = []
        variant = _variant(chosen(recipe, values), values, mistakes)
        used |= variant.lowered.used
        variants.append(variant)
        found += [d for d in mistakes if d not in told]
        told.update(mistakes)
        if len(told) > MAX_REPORTS or too_much(recipe, swept, variant.lowered.values, found):
            break
    found += unused(recipe, used)
    if not any(d.severity == "error" for d in found):
        found += idle(recipe, used)
    return Compiled(
        recipe, tuple(variants), tuple(_in_order(offers.shared(recipe, found) if found else found))
    )


def _variant(recipe: Recipe, values: Mapping[str, n.Value], found: list[Diagnostic]) -> Variant:
    lowered = Lowering(recipe, found).lower()
    found += check(recipe, lowered)
    texts = {name: one_line(value.span) for name, value in values.items()}
    plan = None if any(d.severity == "error" for d in found) else lowered.plan
    return Variant(texts, recipe, plan, lowered)


def _in_order(found: list[Diagnostic]) -> list[Diagnostic]:
    """By file and place, those without a place first; nothing is said twice."""
    found = said.once(found) if found else found
    names: dict[str, int] = {}
    for d in found:
        if d.span is not None:
            names.setdefault(d.span.source.name, len(names))
    found.sort(
        key=lambda d: (-1, 0) if d.span is None else (names[d.span.source.name], d.span.start)
    )
    if len(found) <= MAX_REPORTS:
        return found
    errors = [d for d in found if d.severity == "error"]
    shown = (errors or found)[:MAX_REPORTS]
    return [*shown, diagnose("W090", count=len(found) - len(shown))]
