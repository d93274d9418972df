"""What people write who come from other languages: `model: resnet18`, `epochs = 10`, a semicolon.

Looked at only where a statement cannot be read. Each habit says what to write and, wherever it
can, rewrites the statement into what was meant without moving anything: a colon becomes a blank,
a blank a bracket. So the rest of the statement is read and checked as if it had been right, and
every place in it is still its place in the source.
"""

from __future__ import annotations

from collections.abc import Callable

from tostdsl.diagnostics import Diagnostic
from tostdsl.source import Source
from tostdsl.syntax.habits import marks, phrases
from tostdsl.syntax.habits.statement import Meant, Statement

MAX_LENGTH = 1000
"""Characters of the longest statement that is looked at; nobody types a longer one by habit."""

_HABITS: tuple[Callable[[Statement], None], ...] = (
    marks.slashes,
    marks.ended,
    phrases.capitals,
    phrases.length,
    phrases.comparison,
    phrases.hyphened,
    marks.called,
    marks.assigned,
    marks.quoted,
    marks.single,
    marks.joined,
    marks.named,
    phrases.moments,
    phrases.misspelt,
    marks.commas,
    phrases.to,
    phrases.order,
    marks.unquoted,
    marks.braced,
    marks.brackets,
    phrases.nameless,
    phrases.valued,
)
"""In the order they are looked for: what one rewrites, the next ones read."""


def meant(source: Source, start: int, text: str) -> tuple[Meant, list[Diagnostic]] | None:
    """What a statement that cannot be read was meant to be, and what to write in its place."""
    if len(text) > MAX_LENGTH:
        return None
    statement = Statement(source, start, text)
    for habit in _HABITS:
        habit(statement)
        if statement.word is not None:
            break
    read = statement.read()
    return None if read is None else (read, statement.found)
