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
from tostdsl.source import Source, Span
from tostdsl.syntax import letters
from tostdsl.syntax.build import Builder, TooLong
from tostdsl.syntax.layout import Chunk, cut
from tostdsl.syntax.nodes import File, Hole, Statement
from tostdsl.syntax.tables import tables
from tostdsl.syntax.tree import Token, Tree
from tostdsl.syntax.words import (
    KEYWORDS,
    MAX_NAME,
    MAX_NESTING,
    MAX_REPORTS,
    MAX_STATEMENTS,
    MAX_TOKEN,
    MAX_VALUES,
    SLOTS,
    WORD,
)
from tostdsl.syntax.written import Written

__all__ = ["KEYWORDS", "MAX_NESTING", "MAX_REPORTS", "parse"]

MAX_LINE = 60
"""Characters of a line that a help line repeats."""

MAX_ATTEMPT = 1000
"""Characters of the longest statement that is searched for what it was meant to set."""

_SETTING = (*SLOTS, "train", "seed", "precision")
_QUOTED = re.compile(r"\"[^\"\n]*\"|#[^\n]*")
_NAMED = re.compile(r"^[^=(\[]*?([A-Za-z_]\w*)\s*[=:]", re.ASCII)
_TARGETS = re.compile(
    r"\s(?:on\s+(?:all|every)|(?:on|except)\s+\w+\(|for\s+(?:\"|conv\b|linear\b|first\b|last\b))"
)
_JSON = re.compile(r"\{\s*(?:\"[^\"\n]*\"\s*:|\}?\s*\Z)")
_KEY = re.compile(r"\"(\w+)\"\s*:")
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
    other = _mapped(source, chunks, found)
    statements = tuple(s for chunk in chunks for s in _Statement(source, chunk, found, room).all())
    return File(source, (*statements, *other), tuple(comments)), found


def _mapped(source: Source, chunks: list[Chunk], found: list[Diagnostic]) -> list[Hole]:
    """What stands in braces from a line's first character on: JSON, which is read no further.

    It is one report, and those chunks are taken away.
    """
    first = next((i for i, c in enumerate(chunks) if _JSON.match(source.text, c.start)), None)
    if first is None:
        return []
    start = chunks[first].start
    end = max(source.text.rfind("}") + 1, chunks[first].end)
    after = next((i for i, c in enumerate(chunks) if c.start >= end), len(chunks))
    span = source.span(start, max(end, chunks[after - 1].end))
    keys = tuple(word for word in _KEY.findall(span.text) if word in _SETTING)
    del chunks[first:after]
    help = "this looks like JSON: a recipe has a statement a line, without braces, quotes and "
    help += "commas, as in `train for 180 epochs`"
    place = source.span(start, start + 1)
    found.append(diagnose("T101", place, help=help, expected="a statement", found="`{`"))
    return [Hole(span, "", keys)]


def _too_long(source: Source, kind: str, start: int, end: int) -> Diagnostic:
    code, limit = ("T152", MAX_NAME) if kind == "name" else ("T151", MAX_TOKEN)
    return diagnose(code, source.span(start, end), kind=kind, length=end - start, limit=limit)


class _Statement:
    """Reads one chunk."""

    def __init__(
        self,
        source: Source,
        chunk: Chunk,
        found: list[Diagnostic],
        room: list[int],
        written: Written | None = None,
    ) -> None:
        self.source = source
        self.room = room
        self.chunk = chunk
        self.found = found
        self.text = source.text[chunk.start : chunk.end] if written is None else written.text
        self.written = written
        """The text as it was meant, where that is not what stands in the source."""
        self.strange = False
        """Whether characters were reported; what else is wrong comes from them."""
        self.word: str | None = None
        """What a hole here begins with, where that was found out."""
        self.more: list[Written] = []
        """Statements that were written on the same line."""

    @property
    def span(self) -> Span:
        """The range the statement stands in."""
        if self.written is None:
            return self.source.span(self.chunk.start, self.chunk.end)
        span = self.written.span(0, len(self.written.text))
        if span.start < span.end:
            return span
        return self.source.span(max(0, span.start - 1), max(1, span.end))

    def all(self) -> Iterator[Statement]:
        """The statement, and those that were written on its line."""
        yield self.read()
        more = self.more
        while more:
            piece = more.pop(0)
            other = _Statement(self.source, self.chunk, self.found, self.room, piece)
            yield other.read()
            more = other.more + more

    def read(self) -> Statement:
        """The statement, or a hole."""
        tree = self.tree()
        if tree is None:
            return self.hole()
        before = len(self.found)
        base, limit = self.chunk.start, self.chunk.end
        builder = Builder(self.source, base, limit, self.found, self.room[0], self.written)
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
        if self.written is not None:
            return tables().read(self.text) or self.meant()
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
        for join in chunk.joins:
            self.joined(*join)
        self.text, controls = letters.uncontrolled(self.text)
        tree = tables().read(self.text)
        if self.text in KEYWORDS:
            from tostdsl.syntax.recover import report_unfinished

            self.report(report_unfinished(self.span))
            return None
        if tree is not None and tree.data in ("slot", "stage") and self.is_strange(tree):
            tree = None
        if tree is not None or controls or self.strange or len(self.found) >= MAX_REPORTS:
            return tree
        return self.meant()

    def joined(self, start: int, end: int) -> None:
        """Report a window that stands on a line of its own."""
        word = WORD.match(self.source.text, end)
        mark = word.group() if word is not None else "("
        before = start - self.chunk.start
        if self.text[before - 1] == "\\":  # a line that was to go on
            self.text = f"{self.text[: before - 1]} {self.text[before:]}"
            start = self.chunk.start + len(self.text[:before].rstrip())
        between = self.source.span(start, end)
        fix = Fix((Edit(between, " " if word else ""),)) if "#" not in between.text else None
        line = " ".join(self.text.split())
        line = line if word else line.replace(" (", "(", 1)
        help = "a statement ends with its line: put this at the end of the line above"
        if "#" not in line and len(line) <= MAX_LINE:
            help = f"a statement ends with its line: write `{line}`"
        span = self.source.span(end, end + len(mark))
        self.report(diagnose("T134", span, help=help, fix=fix, mark=mark, reason=""))

    def is_strange(self, tree: Tree) -> bool:
        """Whether a statement has the form of one but is none: `device cuda`, `model`."""
        first = tree.children[0]
        if _TARGETS.search(self.text):
            from tostdsl.syntax.habits import layers

            if layers.worth_a_look(self.text):
                return True
        if isinstance(first, Token):
            if first in SLOTS:
                return False
            from tostdsl.syntax.habits import leads

            return leads.strange(first, self.text[first.end_pos :].strip())
        return False

    def meant(self) -> Tree | None:
        """The tree of a statement that cannot be read, with what was meant put in its place."""
        from tostdsl.syntax import habits
        from tostdsl.syntax.recover import recover

        written = self.written or Written.at(self.source, self.chunk.start, self.text)
        guess = habits.meant(written)
        if guess is not None:
            read, reports = guess
            for report in reports:
                self.report(report)
            if not read.pieces:
                self.word = read.word
                return None
            self.written, *self.more = read.pieces
            self.text = self.written.text
            tree = tables().read(self.text)
            if tree is not None:
                return tree
            written = self.written
        return recover(written, self.found)

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
        word = self.word
        if word is None:
            match = _PARAM.match(self.text) or WORD.match(self.text)
            word = match.group() if match else ""
            word = f"${match[1]}" if match is not None and match.lastindex else word
        return Hole(self.span, word, tuple(also for also in self.attempted() if also != word))

    def attempted(self) -> tuple[str, ...]:
        """What else the statement may have been meant to set: `no model resnet18`."""
        if len(self.text) > MAX_ATTEMPT:
            return ()
        bare = _QUOTED.sub("", self.text)
        names = [f"${name}" for name in _NAMED.findall(bare)]
        return (*(word for word in WORD.findall(bare) if word in _SETTING), *names)
