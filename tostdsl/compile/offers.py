"""Fixes that may be offered: what stands there afterwards must be right, wherever it is used.

A fix changes the text of one value. Where that is a param's, it changes every use of the param.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tostdsl.compile.params import references
from tostdsl.compile.recipe import Recipe
from tostdsl.compile.words import MISSING
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label
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
        if reader.budget.tries <= 0:
            reader.found[index] = replace(report, fix=Fix(report.fix.edits, certain=False))
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
        if report.fix is not None and report.span is not None and _elsewhere(report):
            asked.setdefault(report.fix.edits, set()).add(report.span)
    allowed: dict[tuple[Edit, ...], tuple[bool, str]] = {}
    used = Uses(recipe) if asked else None
    homes = _homes(recipe) if asked else []
    for edits, spans in asked.items():
        home = _home(homes, edits)
        if home is not None and used is not None:
            name, swept = home
            allowed[edits] = (swept, "" if used.of(name) <= spans else name)
    return _merged([_shared(report, allowed) for report in found])


def _merged(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The reports, those that one change of a shared value mends as one, at its first use."""
    kept: dict[object, Diagnostic] = {}
    for index, report in enumerate(found):
        fix = report.fix
        key: object = index
        if fix is not None and fix.certain and report.span is not None and _elsewhere(report):
            key = (report.code, fix.edits)
        first = kept.setdefault(key, report)
        if first is not report and report.span is not None:
            places = {label.span for label in first.labels}
            if report.span not in places and len(first.labels) < MAX_PLACES:
                label = Label(report.span, "and here")
                kept[key] = replace(first, labels=(*first.labels, label))
    return list(kept.values())


MAX_PLACES = 5
"""Places that a report of a shared value shows."""


def _elsewhere(report: Diagnostic) -> bool:
    """Whether a report's fix changes another place than the one it is about."""
    assert report.fix is not None
    span = report.span
    return span is None or not any(
        edit.span.source is span.source
        and edit.span.start <= span.end
        and span.start <= edit.span.end
        for edit in report.fix.edits
    )


_Home = tuple[int, int, Span, str, bool]


def _homes(recipe: Recipe) -> list[_Home]:
    """Where values of params stand, in an order to search in, and whether that is a sweep."""
    places = [(known.value.span, name, False) for name, known in recipe.params.items()]
    places += [(sweep.values.span, sweep.name.text, True) for sweep in recipe.sweeps]
    homes = [(id(span.source), span.start, span, name, swept) for span, name, swept in places]
    return sorted(homes, key=lambda home: home[:2])


def _home(homes: Sequence[_Home], edits: Sequence[Edit]) -> tuple[str, bool] | None:
    """The param whose value edits change, and whether they do so in a sweep."""
    for edit in edits:
        key = (id(edit.span.source), edit.span.start)
        index = bisect_right(homes, key, key=lambda home: home[:2])
        if index and _within(edit.span, homes[index - 1][2]):
            return homes[index - 1][3:]
    return None


def _shared(report: Diagnostic, allowed: Mapping[tuple[Edit, ...], tuple[bool, str]]) -> Diagnostic:
    fix = report.fix
    verdict = allowed.get(fix.edits) if fix is not None else None
    if fix is None or verdict is None or not _elsewhere(report):
        return report
    swept, name = verdict
    if not name:
        return replace(report, fix=Fix(fix.edits, fix.certain and not swept))
    where = f"`${name}` is used elsewhere, where that is wrong"
    help = f"write `{fix.edits[0].text}` in a param of its own: {where}"
    return replace(report, fix=None, help=help)


class Uses:
    """Where a recipe's statements refer to its params."""

    def __init__(self, recipe: Recipe) -> None:
        self.behind: dict[str, list[str]] = {}
        for other, known in recipe.params.items():
            for reference in references(known.value):
                self.behind.setdefault(reference.name, []).append(other)
        said: list[Iterable[n.Node]] = [recipe.slots.values(), recipe.settings.values()]
        said += [recipe.stages, recipe.expects, [taking.node for taking in recipe.removals]]
        self.places: dict[str, set[Span]] = {}
        for reference in references([list(part) for part in said]):
            self.places.setdefault(reference.name, set()).add(reference.span)

    def of(self, name: str) -> set[Span]:
        """The references to a param, or to another that comes to it."""
        through, waiting = {name}, [name]
        while waiting:
            more = [each for each in self.behind.get(waiting.pop(), ()) if each not in through]
            through.update(more)
            waiting += more
        return {span for each in through for span in self.places.get(each, ())}
