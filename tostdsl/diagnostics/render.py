"""Diagnostics as text for a terminal: the line, the span underlined, what to write."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from tostdsl.diagnostics.model import Diagnostic, Label, Severity

_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour and text else text


def printable(text: str) -> str:
    """The text with control characters (escape sequences of a stranger's file) made visible."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in text)


def _columns(text: str) -> int:
    """How many columns of a terminal the printable form of a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    return len(text) + wide - sum(unicodedata.combining(c) != 0 for c in text)


def _underline(
    label: Label, mark: str, width: int, colour: str, on: bool, repeated: bool
) -> list[str]:
    line, column = label.span.source.position(label.span.start)
    text = label.span.source.line_text(line)
    before, covered = text[: column - 1], text[column - 1 :][: label.span.end - label.span.start]
    length = max(1, _columns(covered))
    bar = _paint("|", "34", on)
    number = _paint(f"{line:>{width}}", "34", on)
    under = _paint(mark * length + (f" {printable(label.text)}" if label.text else ""), colour, on)
    marked = f"{'':>{width}} {bar} {' ' * _columns(before)}{under}"
    return [marked] if repeated else [f"{number} {bar} {printable(text)}", marked]


def render(diagnostic: Diagnostic, colour: bool = False) -> str:
    """One diagnostic, without a line end after it."""
    code = _COLOURS[diagnostic.severity]
    head = _paint(f"{diagnostic.severity}[{diagnostic.code}]", f"1;{code}", colour)
    lines = [f"{head}: {_paint(printable(diagnostic.message), '1', colour)}"]
    width = max((len(str(label.span.line)) for label in diagnostic.labels), default=1)
    shown, line = None, 0
    for index, label in enumerate(diagnostic.labels):
        name = label.span.source.name
        arrow = "-->" if index == 0 else ":::"
        if name != shown:
            lines.append(f"{'':>{width}}{_paint(arrow, '34', colour)} {printable(str(label.span))}")
            shown, line = name, 0
            lines.append(f"{'':>{width}} {_paint('|', '34', colour)}")
        mark, tint = ("^", code) if index == 0 else ("-", "34")
        lines.extend(_underline(label, mark, width, tint, colour, label.span.line == line))
        line = label.span.line
    if diagnostic.help:
        indent = f"{'':>{width}} " if diagnostic.labels else "  "
        lines.append(f"{indent}{_paint('=', '34', colour)} help: {printable(diagnostic.help)}")
    return "\n".join(lines)


def render_all(diagnostics: Iterable[Diagnostic], colour: bool = False) -> str:
    """Several diagnostics with a blank line between them, then their count."""
    found = list(diagnostics)
    blocks = [render(diagnostic, colour) for diagnostic in found]
    counts = [
        f"{n} {word}{'s' if n != 1 else ''}"
        for word in ("error", "warning", "note")
        if (n := sum(d.severity == word for d in found))
    ]
    return "\n\n".join([*blocks, ", ".join(counts)])
