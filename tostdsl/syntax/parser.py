"""Text to `File`. Never raises: what cannot be read is a `Hole`, with a diagnostic.

Each statement is parsed by itself, so one mistake cannot bury the next line's. Inside a
statement a missing mark is inserted where that makes the rest readable (`recover.py`); otherwise
the statement becomes a hole and the file goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tostdsl.diagnostics import Diagnostic, Edit, Fix, diagnose
from tostdsl.quiet import quiet
from tostdsl.source import Source
from tostdsl.syntax import letters
from tostdsl.syntax.build import Builder, TooLong
from tostdsl.syntax.layout import Chunk, cut
from tostdsl.syntax.nodes import File, Hole, Statement
from tostdsl.syntax.tables import tables
from tostdsl.syntax.tree import Tree
from tostdsl.syntax.words import (
    KEYWORDS,
    MAX_NAME,
    MAX_NESTING,
    MAX_REPORTS,
    MAX_STATEMENTS,
    MAX_TOKEN,
    MAX_VALUES,
    WORD,
)

__all__ = ["KEYWORDS", "MAX_NESTING", "MAX_REPORTS", "parse"]

_PARAM = re.compile(r"param\s+([A-Za-z_]\w*)", re.ASCII)


@quiet
def parse(source: Source) -> tuple[File, list[Diagnostic]]:
    """The file's statements and comments, and every mistake in its form."""
    found = list(letters.forbidden(source))
    chunks, comments = cut(source)
    if len(chunks) > MAX_STATEMENTS:
        first = chunks[MAX_STATEMENTS]
        span = source.span(first.start, first.end)
        found.append(diagnose("T150", span, limit=MAX_STATEMENTS))
        del chunks[MAX_STATEMENTS:]
    for comment in comments:
        if len(comment.text) > MAX_TOKEN:
            found.append(_too_long(source, "comment", comment.span.start, comment.span.end))
            break
    room = [MAX_VALUES]
    statements = tuple(s for chunk in chunks for s in _Statement(source, chunk, found, room).all())
    return File(source, statements, tuple(comments)), found


def _too_long(source: Source, kind: str, start: int, end: int) -> Diagnostic:
    code, limit = ("T152", MAX_NAME) if kind == "name" else ("T151", MAX_TOKEN)
    return diagnose(code, source.span(start, end), kind=kind, length=end - start, limit=limit)


class _Statement:
    """Reads one chunk."""

    def __init__(
        self, source: Source, chunk: Chunk, found: list[Diagnostic], room: list[int]
    ) -> None:
        self.source = source
        self.room = room
        self.chunk = chunk
        self.found = found
        self.text = source.text[chunk.start : chunk.end]
        self.span = source.span(chunk.start, chunk.end)
        self.strange = False
        """Whether characters were reported; what else is wrong comes from them."""
        self.word: str | None = None
        """What a hole here begins with, where that was found out."""
        self.more: list[tuple[int, str]] = []
        """Statements that were written on the same line."""

    def all(self) -> Iterator[Statement]:
        """The statement, and those that were written on its line."""
        yield self.read()
        for offset, text in self.more:
            start = self.chunk.start + offset
            other = _Statement(self.source, Chunk(start, start + len(text)), self.found, self.room)
            other.text = text
            yield other.read()

    def read(self) -> Statement:
        """The statement, or a hole."""
        tree = self.tree()
        if tree is None:
            return self.hole()
        before = len(self.found)
        base, limit = self.chunk.start, self.chunk.end
        builder = Builder(self.source, base, limit, self.found, self.room[0])
        try:
            return builder.statement(tree, self.span)
        except TooLong as long:
            del self.found[before:]
            if self.room[0] >= 0:
                self.report(long.diagnostic)
            return self.hole()
        finally:
            self.room[0] = builder.room
            del self.found[max(before, MAX_REPORTS) :]

    def tree(self) -> Tree | None:
        """The tree of the statement, as it stands or as it was meant."""
        chunk = self.chunk
        refused = None
        if chunk.depth > MAX_NESTING:
            refused = diagnose("T110", self.span, limit=MAX_NESTING)
        elif chunk.long is not None:
            refused = _too_long(self.source, *chunk.long)
        elif not self.text.isascii() and not self.plain():
            return None
        elif chunk.unclosed:
            span = chunk.unclosed[0]
            end = self.source.span(span.end, span.end)
            refused = diagnose("T104", span, fix=Fix((Edit(end, '"'),), certain=False))
        if refused is not None:
            self.report(refused)
            return None
        self.text, controls = letters.uncontrolled(self.text)
        tree = tables().read(self.text)
        if tree is not None or controls or self.strange or len(self.found) >= MAX_REPORTS:
            return tree
        return self.meant()

    def meant(self) -> Tree | None:
        """The tree of a statement that cannot be read, with what was meant put in its place."""
        from tostdsl.syntax import habits
        from tostdsl.syntax.recover import recover

        guess = habits.meant(self.source, self.chunk.start, self.text)
        if guess is not None:
            read, reports = guess
            for report in reports:
                self.report(report)
            if not read.pieces:
                self.word = read.word
                return None
            (offset, text), *self.more = read.pieces
            start = self.chunk.start + offset
            self.span = self.source.span(start, min(self.chunk.end, start + len(text)))
            self.text = " " * offset + text
            tree = tables().read(self.text)
            if tree is not None:
                return tree
        return recover(self.source, self.chunk, self.text, self.found)

    def plain(self) -> bool:
        """Put what was meant in the place of strange characters; whether that is certain."""
        reports: list[Diagnostic] = []
        plain = letters.Plain(self.source, self.chunk.start, self.text, reports).read()
        for report in reports:
            self.report(report)
        self.text, self.strange = plain.text, bool(reports)
        if reports:
            self.chunk.unclosed = []
        return plain.certain

    def report(self, diagnostic: Diagnostic) -> None:
        """A mistake, unless there are enough."""
        if len(self.found) < MAX_REPORTS:
            self.found.append(diagnostic)

    def hole(self) -> Hole:
        """This statement as one that could not be read."""
        if self.word is not None:
            return Hole(self.span, self.word)
        match = _PARAM.match(self.text) or WORD.match(self.text)
        word = match.group() if match else ""
        return Hole(self.span, f"${match[1]}" if match is not None and match.lastindex else word)


def kinds() -> dict[str, str | None]:
    """Terminals a statement is made of, with the words messages use for them."""
    from tostdsl.syntax import recover

    return recover.kinds()
