"""The shape of a diagnostic, and the exception that carries some out of the Python API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tostdsl.diagnostics.catalogue import CATALOGUE
from tostdsl.source import Span


class Severity(StrEnum):
    """How much a diagnostic weighs: an error stops, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Label:
    """A span with the reason it is shown."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """Put `text` in place of a span."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that mend the mistake; `certain` ones may be applied without a look."""

    edits: tuple[Edit, ...]
    certain: bool = True

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs: each edit puts `text` in place of what stands there."""
        edits = [{**_place(edit.span), "text": edit.text} for edit in self.edits]
        return {"certain": self.certain, "edits": edits}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake. The first label is where it stands, the others where it disagrees."""

    code: str
    severity: Severity
    message: str
    labels: tuple[Label, ...] = ()
    help: str | None = None
    fix: Fix | None = None

    @property
    def span(self) -> Span | None:
        """Where it stands, if it stands in a text."""
        return self.labels[0].span if self.labels else None

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs.

        Lines and columns count from 1, in code points; an end is the place after the last
        character. `fix` is null or edits to apply together, `certain` when without a look.
        """
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "help": self.help,
            "labels": [{**_place(label.span), "text": label.text} for label in self.labels],
            "fix": self.fix.to_json() if self.fix is not None else None,
        }


def _place(span: Span) -> dict[str, Any]:
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


PATHS = {"path", "other", "actual", "given"}
"""Values of messages that are paths, or what stands in the place of one."""
MAX_PATH = 72
"""Characters of a path that a message of a recipe shows."""


def clipped(path: str) -> str:
    """A path that is not longer than a message can bear: its beginning, and its last parts."""
    if len(path) <= MAX_PATH:
        return path
    tail = path[-(MAX_PATH * 2 // 3) :]
    tail = tail[max(0, tail.find("/")) :]
    return f"{path[: MAX_PATH - len(tail) - 1]}…{tail}"


def diagnose(
    code: str,
    *labels: Label | Span | None,
    help: str | None = None,
    fix: Fix | None = None,
    **values: object,
) -> Diagnostic:
    """The diagnostic of a catalogue entry, its message filled with `values`.

    A label given as a bare span has no reason of its own; `help` replaces the entry's.
    """
    entry = CATALOGUE[code]
    if code[0] == "T":  # what a recipe says, which underlines it, may be of any length
        for name in PATHS & values.keys():
            values[name] = clipped(str(values[name]))
    shown = tuple(
        item if isinstance(item, Label) else Label(item) for item in labels if item is not None
    )
    text = entry.help.format(**values) if help is None and entry.help else help
    severity = Severity(entry.severity)
    return Diagnostic(code, severity, entry.message.format(**values), shown, text or None, fix)


class TostError(Exception):
    """Raised by the Python API and the engine; carries every diagnostic there is.

    `about` is what of a plan it is about, so that who knows the text can show the place.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic], about: object = None) -> None:
        self.diagnostics = tuple(diagnostics)
        self.about = about
        super().__init__(self.diagnostics, about)

    @property
    def brief(self) -> str:
        """A line for each: its code and its message."""
        return "\n".join(f"[{d.code}] {d.message}" for d in self.diagnostics)

    def __str__(self) -> str:
        """What the command line shows: the places underlined, and what to write."""
        from tostdsl.diagnostics.render import render

        return "\n\n".join(map(render, self.diagnostics))

    @classmethod
    def of(cls, code: str, **values: Any) -> TostError:
        """An error of one diagnostic without a place in a text."""
        return cls([diagnose(code, **values)])


def brief(error: BaseException) -> str:
    """What an exception says, short: of ours codes and messages, without the places."""
    return error.brief if isinstance(error, TostError) else str(error)
