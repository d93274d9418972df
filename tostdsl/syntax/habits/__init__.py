"""What people write who come from other languages: `model: resnet18`, `epochs = 10`, a semicolon.

Looked at only where a statement cannot be read. Each habit says what to write and, wherever it
can, rewrites the statement into what was meant. So the rest of the statement is read and checked
as if it had been right, and every place in it is still its place in the source.
"""

from __future__ import annotations

from collections.abc import Callable

from tostdsl.diagnostics import Diagnostic
from tostdsl.syntax.habits import (
    blocks,
    brackets,
    counts,
    layers,
    leads,
    marks,
    names,
    openings,
    phrases,
    sentences,
    sums,
    turned,
    uses,
    values,
)
from tostdsl.syntax.habits.statement import Meant, Statement
from tostdsl.syntax.written import Written

MAX_LENGTH = 1000
"""Characters of the longest statement that is looked at; nobody types a longer one by habit."""

_HABITS: tuple[Callable[[Statement], None], ...] = (
    marks.comments,
    marks.continued,
    marks.ended,
    openings.leading,
    openings.wrapped,
    openings.loops,
    openings.filled,
    blocks.grouped,
    blocks.blocks,
    blocks.dashed,
    phrases.capitals,
    phrases.doubled,
    turned.crossed,
    turned.turned,
    leads.dotted,
    leads.leads,
    openings.switched,
    sentences.sweep,
    sentences.param,
    sentences.removal,
    sentences.chosen,
    phrases.whole,
    counts.counted,
    marks.reached,
    marks.stated,
    layers.layers,
    values.paths,
    values.quoted,
    values.references,
    uses.units,
    values.thousands,
    values.numbers,
    values.ramps,
    values.ranges,
    sums.powers,
    sums.arithmetic,
    values.tuples,
    values.dotted,
    brackets.shares,
    brackets.spread,
    phrases.length,
    phrases.train,
    phrases.recipe,
    sentences.comparison,
    sentences.checksum,
    sentences.names,
    names.hyphened,
    names.kebab,
    names.spaced,
    marks.called,
    marks.assigned,
    marks.quoted,
    marks.single,
    brackets.braced,
    marks.named,
    phrases.moments,
    phrases.misspelt,
    sentences.several,
    brackets.brackets,
    marks.commas,
    phrases.reaching,
    phrases.listed,
    phrases.order,
    marks.unquoted,
    phrases.nameless,
    phrases.valued,
)
"""In the order they are looked for: what one rewrites, the next ones read."""


def meant(written: Written) -> tuple[Meant, list[Diagnostic]] | None:
    """What a statement that cannot be read was meant to be, and what to write in its place."""
    statement = Statement(written)
    if len(written.text) > MAX_LENGTH:
        if not marks.is_comment(written.text):
            return None
        marks.comments(statement)
    for habit in _HABITS:
        if statement.word is not None or len(statement.text) > MAX_LENGTH:
            break
        habit(statement)
    read = statement.read()
    return None if read is None else (read, statement.found)
