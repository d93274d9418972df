"""What recovery says of the marks it puts in and of the tokens it leaves out."""

from __future__ import annotations

import re

from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest
from tostdsl.source import Span
from tostdsl.syntax import wanted
from tostdsl.syntax.letters import called
from tostdsl.syntax.reading import MARKS
from tostdsl.syntax.tables import Stack
from tostdsl.syntax.tree import Token
from tostdsl.syntax.words import KEYWORDS, WORD
from tostdsl.syntax.written import Written

UNREADABLE = "UNREADABLE"
"""The kind of what is no token."""
CALM = 2
"""Tokens that have to be read after something was left out, until a report is believed again.

What goes wrong sooner comes from the same mistake.
"""

_WORD_MARKS = ("FOR", "OVER")
_NUMBER_LIKE = re.compile(r"[-+.\d]*\d[\w.%]*")
_BAD_ESCAPE = re.compile(r'"(?:\\["\\]|[^"\\\n])*\\')
_VALUE = re.compile(r"[\w\"$.-]")


class Reports:
    """The reports of one statement."""

    def __init__(self, written: Written, found: list[Diagnostic]) -> None:
        self.written = written
        self.text = written.text
        self.found = found
        first = WORD.match(self.text)
        self.word = first.group() if first else ""
        self.calm = CALM
        """How many tokens have been read since something was left out."""

    def span(self, start: int, end: int) -> Span:
        """A span by offsets in the statement."""
        return self.written.span(start, end)

    def add(self, diagnostic: Diagnostic) -> bool:
        """A report, where it is not one of the mistake before it; whether it was made."""
        if self.calm >= CALM:
            self.found.append(diagnostic)
        return self.calm >= CALM

    def missing(self, kinds: list[str], end: int, *more: Label) -> bool:
        """Marks that were put in."""
        here, mark = self.span(end, end), "".join(MARKS[kind] for kind in kinds)
        fix = Fix((Edit(here, f" {mark}" if kinds[0] in _WORD_MARKS else mark),))
        return self.add(diagnose("T102", self.span(end, end + 1), *more, token=mark, fix=fix))

    def misplaced(self, index: int, token: Token) -> None:
        """A mark that was put in, of which the missing one turned up elsewhere."""
        earlier, here = self.found[index], self.span(token.start_pos, token.end_pos)
        edits = earlier.fix.edits if earlier.fix is not None else ()
        labels = (*earlier.labels, Label(here, "it stands here"))
        fix = Fix((*edits, Edit(here, "")))
        self.found[index] = diagnose(earlier.code, *labels, token=token, fix=fix)

    def stray(self, token: Token) -> None:
        """A token that is one too many."""
        before = len(self.text[: token.start_pos].rstrip())
        fix = Fix((Edit(self.span(before, token.end_pos), ""),))
        span = self.span(token.start_pos, token.end_pos)
        self.add(diagnose("T134", span, help="remove it", mark=token, reason="", fix=fix))

    def expected(
        self, token: Token, stack: Stack, help: str, *more: Label, fix: Fix | None = None
    ) -> None:
        """A token that stands where others are expected."""
        span = self.span(token.start_pos, max(token.start_pos + 1, token.end_pos))
        expected, found = wanted.expected(stack), wanted.found(token)
        self.add(diagnose("T101", span, *more, help=help, fix=fix, expected=expected, found=found))

    def wrong_closer(self, token: Token, stack: Stack, right: str, opened: Label) -> None:
        """A bracket that is closed as another kind of bracket would be."""
        fix = Fix((Edit(self.span(token.start_pos, token.end_pos), MARKS[right]),))
        self.expected(token, stack, f"write `{MARKS[right]}`", opened, fix=fix)
        self.calm = 0

    def unwanted(self, token: Token, stack: Stack) -> bool:
        """A token that cannot be read where it stands; whether to read on behind it."""
        if token.type == UNREADABLE and not _NUMBER_LIKE.fullmatch(token):
            self._character(token)
        elif self._no_statement(token):
            return False
        else:
            unreadable = token.type == UNREADABLE
            help = wanted.NUMBERS if unreadable else wanted.form(self.word)
            self.expected(token, stack, help)
        self.calm = 0
        return True

    def _no_statement(self, token: Token) -> bool:
        """Whether a word that starts no statement stands before a value; then it is reported."""
        first = WORD.match(self.text)
        if first is None or self.word in KEYWORDS or not _VALUE.match(str(token)):
            return False
        if self.text[first.end() : token.start_pos].strip():
            return False
        meant = nearest(self.word, KEYWORDS)
        span = self.span(*first.span())
        help = f"did you mean `{meant}`?" if meant else wanted.statements()
        fix = Fix((Edit(span, meant),), certain=False) if meant else None
        self.add(diagnose("T103", span, name=self.word, help=help, fix=fix))
        return True

    def _character(self, token: Token) -> None:
        """A character no token starts with."""
        offset = token.start_pos
        escape = _BAD_ESCAPE.match(self.text, offset)
        if escape is not None:  # a string that is closed, so only this can be wrong with it
            offset = escape.end() - 1
        char = called(self.text[offset])
        self.add(diagnose("T105", self.span(offset, offset + 1), char=char))


def unfinished(span: Span, stack: Stack) -> Diagnostic:
    """The report of a statement that is nothing but its first word."""
    at = span.source.span(span.end, span.end)
    expected, found = wanted.expected(stack), wanted.phrases()["$END"]
    return diagnose("T101", at, help=wanted.form(span.text), expected=expected, found=found)
