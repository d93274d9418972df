"""A comparison as lines: for a terminal, and for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from tostdsl.compare.changes import KINDS, Change
from tostdsl.diagnostics.screen import columns, printable, wrap
from tostdsl.plan.timeline import margin_of, timeline

if TYPE_CHECKING:
    from tostdsl.compare.comparison import Compared, Comparison
    from tostdsl.compare.side import Side
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


def text_lines(group: Compared, width: int, paint: Paint = PLAIN) -> Iterator[str]:
    """What is said of two sides, each one plan, or the runs of a sweep."""
    yield from _head(group, width, paint)
    for alike in _alike(group.pairs):
        yield ""
        if group.swept:
            yield from wrap(f"-- {_runs([each.a for each in alike])}", width)
            for line in _noted(alike[0]):
                yield from wrap(line, width)
        yield from _one(alike[0], width, paint)
    for words, runs in _alone(group):
        yield from ("", *wrap(f"{words}: {_runs(runs)}", width))


def _head(group: Compared, width: int, paint: Paint) -> Iterator[str]:
    """Each side's name, with its plan and what is to be known of it, or how many runs it has."""
    names = [printable(name) for name in (group.a, group.b)]
    often = [len(group.pairs) + len(runs) for runs in (group.gone, group.new)]
    sides = (group.pairs[0].a, group.pairs[0].b) if not group.swept else (None, None)
    room = max(map(columns, names))
    for mark, name, side, count in zip("ab", names, sides, often, strict=True):
        head = f"{paint(mark, bold=True)}  {name}{' ' * (room - columns(name))}  "
        if side is None:
            yield head + f"{count} run{'s' if count != 1 else ''}"
            continue
        tail = ", ".join([f"plan {side.plan.short}", *_notes(side)])
        if room + 5 + columns(tail) <= width or not _notes(side):
            yield head + tail
            continue
        yield head + f"plan {side.plan.short}"
        yield from (f"   {line}" for line in wrap(", ".join(_notes(side)), max(width - 3, 20)))


def _notes(side: Side) -> list[str]:
    """Which run of a sweep it is, and what is to be known of a run besides its plan."""
    run = [printable(f"the run of {side.run_of}")] if side.values else []
    return [*run, *side.notes]


def _noted(comparison: Comparison) -> list[str]:
    """What is to be known of the two runs, a line each."""
    sides = (("a", comparison.a), ("b", comparison.b))
    return [f"{mark} is {', '.join(side.notes)}" for mark, side in sides if side.notes]


def _one(comparison: Comparison, width: int, paint: Paint) -> Iterator[str]:
    yield from (paint(line, bold=True) for line in wrap(comparison.summary, width))
    if comparison.same:
        if comparison.unreal:
            yield ""
            yield from _verdicts(comparison, width, paint)
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
    yield from _verdicts(comparison, width, paint)


def _verdicts(comparison: Comparison, width: int, paint: Paint) -> Iterator[str]:
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
        key = [(c.path, c.old, c.new, c.kind) for c in each.changes], each.differs, _noted(each)
        found.setdefault(str(key), []).append(each)
    return list(found.values())


def _alone(group: Compared) -> Iterator[tuple[str, Sequence[Side]]]:
    """The runs that only one side has, if there are any."""
    for mark, runs in (("a", group.gone), ("b", group.new)):
        if runs:
            yield f"only in {mark}", runs


def _runs(runs: Sequence[Side]) -> str:
    named = [printable(side.run_of) for side in runs[:MAX_RUNS]]
    more = f"; and {len(runs) - MAX_RUNS} more" if len(runs) > MAX_RUNS else ""
    return "; ".join(named) + more


# -- markdown


def markdown_lines(group: Compared) -> Iterator[str]:
    """The same for a pull request: a table of changes, the timelines, a list of verdicts."""
    yield f"### {coded(group.a)} {ARROW} {coded(group.b)}"
    if not group.swept:
        sides = (("a", group.pairs[0].a), ("b", group.pairs[0].b))
        told = [f"- {mark}: {escaped(', '.join(_notes(s)))}" for mark, s in sides if _notes(s)]
        yield from ("", *told) if told else ()
    for alike in _alike(group.pairs):
        yield ""
        if group.swept:
            yield f"{escaped(_runs([each.a for each in alike]))}:"
            yield ""
            noted = [f"- {escaped(line)}" for line in _noted(alike[0])]
            yield from (*noted, "") if noted else ()
        yield from _markdown(alike[0])
    for words, runs in _alone(group):
        yield from ("", f"{words}: {escaped(_runs(runs))}.")


def _markdown(comparison: Comparison) -> Iterator[str]:
    yield f"{escaped(comparison.summary)}."
    if comparison.same:
        if comparison.unreal:
            yield from ("", *_listed(comparison))
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
    yield from ("", *_listed(comparison))


def _listed(comparison: Comparison) -> Iterator[str]:
    for verdict in comparison.verdicts:
        yield f"- {verdict.question} **{verdict.answer}**: {printable(verdict.why)}"


def coded(text: str, cell: bool = False) -> str:
    """A text as code, whatever is in it; a cell of a table ends at every bar."""
    text = printable(text)
    if cell:
        text = text.replace("|", "\\|")
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{text}{fence}" if len(fence) == 1 else f"{fence} {text} {fence}"


def escaped(text: str) -> str:
    """A text in which nothing is taken for markdown's own, for HTML, a link, or a person's name."""
    text = re.sub(r"([\\`*_\[\]|~!#])", r"\\\1", text).replace("<", "&lt;")
    return text.replace("@", "&#64;").replace("://", "&#58;//").replace("www.", "www&#46;")
