"""Diagnostics as text for a terminal: the line, the span underlined, what to write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TextIO

from tostdsl.diagnostics.model import Diagnostic, Label, Severity
from tostdsl.diagnostics.screen import Cut, columns, cut, printable, wrap
from tostdsl.source import Source

__all__ = ["printable", "render", "render_all", "terminal_width", "wants_colour"]

NARROWEST = 40
"""Columns below which nothing is made any narrower."""
USUAL = 80
"""Columns where nobody says how many there are."""

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}
_BLUE, _GREEN = "34", "32"


def wants_colour(stream: TextIO, environ: Mapping[str, str] | None = None) -> bool:
    """Whether text on a stream may be coloured.

    `NO_COLOR` (not empty) says no, else `CLICOLOR_FORCE` (not empty, not 0) says yes, else it is
    coloured on a terminal that is not dumb.
    """
    told = os.environ if environ is None else environ
    if told.get("NO_COLOR"):
        return False
    if told.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return told.get("TERM") != "dumb" and stream.isatty()


def terminal_width() -> int:
    """Columns of the terminal: what COLUMNS says, else what it says itself, else 80."""
    return max(NARROWEST, shutil.get_terminal_size((USUAL, 24)).columns)


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour and text else text


@dataclass(slots=True)
class _Page:
    """The lines of one diagnostic: a gutter of line numbers, and the room beside it."""

    lines: list[str]
    gutter: int
    room: int
    colour: bool

    def put(self, text: str, number: int | None = None, bar: str = "|", tint: str = _BLUE) -> None:
        """A line beside the gutter."""
        shown = "" if number is None else str(number)
        left = _paint(f"{shown:>{self.gutter}}", _BLUE, self.colour and number is not None)
        self.lines.append(f"{left} {_paint(bar, tint, self.colour)} {text}".rstrip(" "))

    def label(self, label: Label, first: bool, tint: str, view: Cut | None) -> Cut:
        """The line of a label, unless `view` shows it already, and its underline."""
        source = label.span.source
        line, column = source.position(label.span.start)
        text = source.line_text(line)
        start = min(column - 1, len(text))
        end = min(len(text), start + label.span.end - label.span.start)
        if view is None or not (view.start <= start and end <= view.end):
            view = cut(text, start, end, self.room)
            self.put(view.text, line)
        before, length = view.place(text, start, end)
        self.underline(before, ("^" if first else "-") * length, printable(label.text), tint)
        return view

    def underline(self, before: int, marks: str, text: str, tint: str) -> None:
        """Marks below a line and the reason: beside them, or below where it has no room."""
        beside = f"{marks} {text}".rstrip()
        if before + len(marks) + 1 + columns(text) <= self.room or not text:
            self.put(" " * before + _paint(beside, tint, self.colour))
            return
        self.put(" " * before + _paint(marks, tint, self.colour))
        indent = before if self.room - before >= NARROWEST // 2 else 0
        for part in wrap(text, self.room - indent):
            self.put(" " * indent + _paint(part, tint, self.colour))

    def help(self, text: str, indented: bool) -> None:
        """The help, wrapped below its first word."""
        indent = " " * (self.gutter + 1) if indented else "  "
        first, *more = wrap(printable(text), self.room + self.gutter + 3 - len(indent) - 8)
        self.lines.append(f"{indent}{_paint('=', _BLUE, self.colour)} help: {first}")
        self.lines += [f"{indent}        {part}" for part in more]


@dataclass(frozen=True, slots=True)
class _Mended:
    """A line as a fix would leave it, and where in it the change is."""

    number: int
    text: str
    start: int
    end: int


def _mended(diagnostic: Diagnostic) -> _Mended | None:
    """The line of a fix that changes one line of the file the mistake is in."""
    span, fix = diagnostic.span, diagnostic.fix
    if span is None or fix is None or not fix.edits:
        return None
    edits = sorted(fix.edits, key=lambda edit: (edit.span.start, edit.span.end))
    source: Source = edits[0].span.source
    number = edits[0].span.line
    last = source.position(edits[-1].span.end)[0]
    if source is not span.source or last != number or any("\n" in e.text for e in edits):
        return None
    base, text = source.line_start(number), source.line_text(number)
    start, end = edits[0].span.start - base, len(text) - (edits[-1].span.end - base)
    parts: list[str] = []
    at = 0
    for edit in edits:
        parts += (text[at : edit.span.start - base], edit.text)
        at = edit.span.end - base
    text = "".join((*parts, text[at:]))
    return _Mended(number, text, start, len(text) - end) if text.strip() else None


def render(diagnostic: Diagnostic, colour: bool = False, width: int = USUAL) -> str:
    """One diagnostic, without a line end after it.

    Lines of the recipe that are wider than the terminal are cut around what is underlined, long
    help is wrapped. A fix that changes one line is shown as that line with a `+` before it.
    """
    tint = _COLOURS[diagnostic.severity]
    head = _paint(f"{diagnostic.severity}[{diagnostic.code}]", f"1;{tint}", colour)
    mended = _mended(diagnostic)
    numbers = [label.span.line for label in diagnostic.labels]
    gutter = max((len(str(n)) for n in [*numbers, mended.number if mended else 1]), default=1)
    page = _Page([], gutter, max(NARROWEST, width) - gutter - 3, colour)
    page.lines.append(f"{head}: {_paint(printable(diagnostic.message), '1', colour)}")
    shown, line, view = None, 0, None
    for index, label in enumerate(diagnostic.labels):
        name = label.span.source.name
        if name != shown:
            arrow = _paint("-->" if index == 0 else ":::", _BLUE, colour)
            page.lines.append(f"{'':>{gutter}}{arrow} {printable(str(label.span))}")
            page.put("")
            shown, line = name, 0
        view = page.label(
            label,
            index == 0,
            tint if index == 0 else _BLUE,
            view if label.span.line == line else None,
        )
        line = label.span.line
    if diagnostic.help:
        page.help(diagnostic.help, indented=bool(diagnostic.labels))
    if mended is not None:
        page.put("")
        text = cut(mended.text, mended.start, mended.end, page.room).text
        page.put(_paint(text, _GREEN, colour), mended.number, "+", _GREEN)
    return "\n".join(page.lines)


def counts(diagnostics: Iterable[Diagnostic]) -> dict[str, int]:
    """How many there are of each severity."""
    found = list(diagnostics)
    return {str(word): sum(d.severity is word for d in found) for word in Severity}


def render_all(diagnostics: Iterable[Diagnostic], colour: bool = False, width: int = USUAL) -> str:
    """Several diagnostics with a blank line between them, then their count."""
    found = list(diagnostics)
    blocks = [render(diagnostic, colour, width) for diagnostic in found]
    summary = [
        f"{number} {word}{'s' if number != 1 else ''}"
        for word, number in counts(found).items()
        if number
    ]
    return "\n\n".join([*blocks, ", ".join(summary)])
