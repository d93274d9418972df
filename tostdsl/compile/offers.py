"""Fixes that may be offered: what stands there afterwards must be right, wherever it is used.

A fix changes the text of one value. Where that is a param's, it changes every use of the param.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tostdsl.compile.params import references
from tostdsl.compile.recipe import Recipe
from tostdsl.compile.words import MISSING
from tostdsl.diagnostics import Diagnostic, Edit, Fix
from tostdsl.source import Source, Span
from tostdsl.syntax import nodes as n
from tostdsl.syntax.assignments import parse_assignments

if TYPE_CHECKING:
    from tostdsl.compile.values import Reader

Read = Callable[["Reader", n.Value], Any]
Fits = Callable[[Any], str | None]


def parsed(text: str) -> n.Value | None:
    """The value that a text is, if it is one."""
    given, found = parse_assignments(Source("", f"x = {text}"))
    return given[0].value if not found and len(given) == 1 else None


def vet(reader: Reader, before: int, node: n.Value, read: Read, fits: Fits) -> None:
    """Take back what the reports since `before` offer and would leave no better.

    Args:
        reader: Whose reports they are.
        before: How many reports it had before the value was read.
        node: The value, or what refers to it.
        read: Reads it.
        fits: Says, in a help line, what a value of the right type must be, where it is not that.
    """
    reports = reader.found[before:]
    for index, report in enumerate(reports, before):
        if report.fix is None:
            continue
        changed = _changed(reader, node, report.fix.edits)
        if changed is None:
            continue
        trial, there = changed
        value = MISSING if there is None else read(trial, there)
        against = fits(value) if value is not MISSING else None
        if against is not None or _weight(trial.found) >= _weight(reports):
            code = "T301" if report.code == "T305" else report.code
            help = against if report.code in _WRITE else report.help
            reader.found[index] = replace(report, code=code, fix=None, help=help)


_WRITE = ("T301", "T302", "T305", "W001")
"""Reports whose help is what the fix would write."""


def _weight(found: Sequence[Diagnostic]) -> tuple[int, int]:
    return sum(d.severity == "error" for d in found), len(found)


def _changed(
    reader: Reader, node: n.Value, edits: Sequence[Edit]
) -> tuple[Reader, n.Value | None] | None:
    """A reader, and what it must read to meet the value after the edits; None for other edits."""
    trial = reader.trial()
    if all(_within(edit.span, node.span) for edit in edits):
        return trial, _after(reader, node, edits)
    for name, known in reader.params.items():
        if all(_within(edit.span, known.value.span) for edit in edits):
            value = _after(reader, known.value, edits)
            if value is None:
                return trial, None
            trial.params = {**reader.params, name: replace(known, value=value)}
            return trial, node
    return None


def _after(reader: Reader, node: n.Value, edits: Sequence[Edit]) -> n.Value | None:
    if reader.budget.tries <= 0:
        return None
    reader.budget.tries -= 1
    text = node.span.text
    for edit in sorted(edits, key=lambda edit: -edit.span.start):
        start, end = (at - node.span.start for at in (edit.span.start, edit.span.end))
        text = text[:start] + edit.text + text[end:]
    return parsed(text)


def _within(inner: Span, outer: Span) -> bool:
    same = inner.source is outer.source
    return same and outer.start <= inner.start and inner.end <= outer.end


# -- values that several places share


def shared(recipe: Recipe, found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The reports, less the fixes of a shared value that not every use of it asks for.

    In a sweep the values must stay of one kind, so changing one of them always needs a look.
    """
    asked: dict[tuple[Edit, ...], set[Span]] = {}
    for report in found:
        if report.fix is not None and report.span is not None:
            asked.setdefault(report.fix.edits, set()).add(report.span)
    return [_shared(recipe, report, asked) for report in found]


def _shared(
    recipe: Recipe, report: Diagnostic, asked: dict[tuple[Edit, ...], set[Span]]
) -> Diagnostic:
    fix = report.fix
    if fix is None:
        return report
    for sweep in recipe.sweeps:
        if any(_within(edit.span, sweep.values.span) for edit in fix.edits):
            return _judged(report, sweep.name.text, recipe, asked[fix.edits], certain=False)
    for name, known in recipe.params.items():
        if any(_within(edit.span, known.value.span) for edit in fix.edits):
            return _judged(report, name, recipe, asked[fix.edits], certain=fix.certain)
    return report


def _judged(
    report: Diagnostic, name: str, recipe: Recipe, asked: set[Span], certain: bool
) -> Diagnostic:
    assert report.fix is not None
    if report.span is not None and report.code == "T301":  # at the value itself
        return replace(report, fix=Fix(report.fix.edits, certain=False))
    if set(uses(recipe, name)) <= asked:
        return replace(report, fix=Fix(report.fix.edits, certain))
    write = report.fix.edits[0].text
    help = (
        f"write `{write}` in a param of its own: `${name}` is used elsewhere, where that is wrong"
    )
    return replace(report, fix=None, help=help)


def uses(recipe: Recipe, name: str) -> Iterator[Span]:
    """Where statements refer to a param, or to another that comes to it."""
    through = {name}
    while more := set(_through(recipe, through)) - through:
        through |= more
    said: list[Iterable[n.Node]] = [recipe.slots.values(), recipe.settings.values()]
    said += [recipe.stages, recipe.expects, [taking.node for taking in recipe.removals]]
    for reference in references([list(part) for part in said]):
        if reference.name in through:
            yield reference.span


def _through(recipe: Recipe, names: set[str]) -> Iterator[str]:
    for name, known in recipe.params.items():
        if any(reference.name in names for reference in references(known.value)):
            yield name
