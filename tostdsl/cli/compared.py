"""A comparison as lines: for a terminal, and for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tostdsl.compare.changes import KINDS, Change
from tostdsl.diagnostics.screen import columns, printable, wrap
from tostdsl.plan.timeline import margin_of, timeline

if TYPE_CHECKING:
    from tostdsl.compare.comparison import Comparison
    from tostdsl.plan.program import Program

ARROW = "→"
MAX_PATH = 28
"""Columns that the paths of changes may take beside their values."""
MAX_RUNS = 8
"""Runs of sweeps that are named of those with the same changes."""
MARKDOWN_WIDTH = 88


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours for text, where there may be some."""

    on: bool = False

    def __call__(self, text: str, colour: str | None = None, bold: bool = False) -> str:
        return click.style(text, fg=colour, bold=bold or None) if self.on else text


PLAIN = Paint()


def text_lines(group: Sequence[Comparison], width: int, paint: Paint = PLAIN) -> Iterator[str]:
    """What is said of two sides, each one plan, or the runs of a sweep."""
    first = group[0]
    names = [printable(side.name) for side in (first.a, first.b)]
    room = max(map(columns, names))
    for mark, name, plan in zip("ab", names, (first.a.plan, first.b.plan), strict=True):
        tail = f"plan {plan.short}" if len(group) == 1 else f"{len(group)} runs"
        yield f"{paint(mark, bold=True)}  {name}{' ' * (room - columns(name))}  {tail}"
    for alike in _alike(group):
        yield ""
        if len(group) > 1:
            yield from wrap(_runs(alike), width)
        yield from _one(alike[0], width, paint)


def _one(comparison: Comparison, width: int, paint: Paint) -> Iterator[str]:
    yield from (paint(line, bold=True) for line in wrap(comparison.summary, width))
    if comparison.same:
        return
    for kind, words in KINDS.items():
        of_kind = [change for change in comparison.changes if change.kind == kind]
        if of_kind:
            yield ""
            yield words
            yield from _changes(of_kind, width, paint)
    drawn = timelines(comparison, width)
    if drawn:
        yield from ("", *drawn)
    yield ""
    for verdict in comparison.verdicts:
        colour = {"yes": "green", "partly": "yellow", "unknown": "yellow"}.get(
            verdict.answer, "red"
        )
        *most, last = wrap(verdict.question, width)
        yield from most
        if columns(last) + 2 + len(verdict.answer) <= width:
            yield f"{last}  {paint(verdict.answer, colour)}"
        else:
            yield from (last, f"  {paint(verdict.answer, colour)}")
        yield from (f"  {line}" for line in wrap(printable(verdict.why), width - 2))


def _changes(found: Sequence[Change], width: int, paint: Paint) -> Iterator[str]:
    """A line a change, values below one another; long ones have lines of their own."""
    margin = min(MAX_PATH, max(columns(printable(change.path)) for change in found))
    for change in found:
        path, (old, new) = printable(change.path), values(change)
        if old is None or new is None:
            text, sign, colour = (new or "", "+", "green") if old is None else (old, "-", "red")
            if columns(text) + 6 + margin <= width and columns(path) <= margin:
                yield f"  {path:<{margin}}  {paint(f'{sign} {text}', colour)}"
                continue
            parts = [(sign, text, colour)]
        elif columns(old) + columns(new) + 7 + margin <= width and columns(path) <= margin:
            line = f"{paint(old, 'red')} {ARROW} {paint(new, 'green')}"
            yield f"  {path:<{margin}}  {line}"
            continue
        else:
            parts = [("-", old, "red"), ("+", new, "green")]
        yield f"  {path}"
        for sign, text, colour in parts:
            for number, line in enumerate(wrap(text, width - 6)):
                yield "    " + paint(f"{sign if number == 0 else ' '} {line}", colour)


def values(change: Change) -> tuple[str | None, str | None]:
    """What stood there and what stands there now; None only where a whole statement is new or gone.

    An argument without a value is `not set`.
    """
    whole = change.path == "mask" or change.place[0] == "expect"
    whole = whole or (change.place[0] == "stages" and len(change.place) == 2)
    old, new = (text if text is None else printable(text) for text in (change.old, change.new))
    return (old, new) if whole else (old or "not set", new or "not set")


# -- timelines


def timelines(comparison: Comparison, width: int) -> list[str]:
    """Costs, and the final trainings over one another in one scale of epochs, where they differ."""
    a, b = comparison.programs
    if a is None or b is None:
        return []
    lines = []
    if comparison.steps is not None:
        lines.append(
            f"steps in all: {a.steps:,} {ARROW} {b.steps:,} ({b.steps / a.steps:.3g} times)"
        )
    if timeline(a, width) == timeline(b, width):
        return lines
    margin = max(margin_of(a.plan), margin_of(b.plan))
    longest = max(_epochs(a), _epochs(b))
    lines += ["", "timeline of the final training"] if lines else ["timeline of the final training"]
    for mark, program in (("a", a), ("b", b)):
        drawn = timeline(program, width - 3, margin, _epochs(program) / longest)
        lines += [f"{mark if number == 0 else ' '}  {line}" for number, line in enumerate(drawn)]
    return lines


def _epochs(program: Program) -> float:
    clock = program.phases[-1].clock
    return clock.total / clock.steps_per_epoch


# -- sweeps


def _alike(group: Sequence[Comparison]) -> list[list[Comparison]]:
    """The comparisons, those with the same changes together."""
    found: dict[object, list[Comparison]] = {}
    for each in group:
        key = [(c.path, c.old, c.new, c.kind) for c in each.changes], each.differs
        found.setdefault(str(key), []).append(each)
    return list(found.values())


def _runs(alike: Sequence[Comparison]) -> str:
    named = [
        printable(", ".join(f"{name} = {text}" for name, text in each.a.values.items()))
        for each in alike[:MAX_RUNS]
    ]
    more = f"; and {len(alike) - MAX_RUNS} more" if len(alike) > MAX_RUNS else ""
    return f"-- {'; '.join(named)}{more}"


# -- markdown


def markdown_lines(group: Sequence[Comparison]) -> Iterator[str]:
    """The same for a pull request: a table of changes, the timelines, a list of verdicts."""
    first = group[0]
    yield f"### {coded(first.a.name)} {ARROW} {coded(first.b.name)}"
    for alike in _alike(group):
        yield ""
        if len(group) > 1:
            yield f"{escaped(_runs(alike).removeprefix('-- '))}:"
            yield ""
        yield from _markdown(alike[0])


def _markdown(comparison: Comparison) -> Iterator[str]:
    yield f"{escaped(comparison.summary)}."
    if comparison.same:
        return
    yield from ("", "| kind | value | a | b |", "| --- | --- | --- | --- |")
    for kind, words in KINDS.items():
        for change in comparison.changes:
            if change.kind == kind:
                cells = (change.path, *values(change))
                shown = ("" if each is None else coded(each, cell=True) for each in cells)
                yield f"| {words} | {' | '.join(shown)} |"
    drawn = timelines(comparison, MARKDOWN_WIDTH)
    if drawn:
        yield from ("", "```text", *drawn, "```")
    yield ""
    for verdict in comparison.verdicts:
        yield f"- {verdict.question} **{verdict.answer}**: {printable(verdict.why)}"


def coded(text: str, cell: bool = False) -> str:
    """A text as code, whatever is in it; a cell of a table ends at every bar."""
    text = printable(text)
    if cell:
        text = text.replace("|", "\\|")
    if "`" not in text:
        return f"`{text}`"
    return f"`` {text} ``" if "``" not in text else f"```` {text} ````"


def escaped(text: str) -> str:
    """A text in which nothing is taken for markdown's own, or for HTML."""
    return text.replace("<", "&lt;").replace("|", "\\|")
