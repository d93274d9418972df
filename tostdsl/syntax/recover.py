"""Reads a statement again that the tables refused, and says what is wrong with it.

First a missing mark is put in where that makes the next token readable. Where none does, the
token is skipped: inside of brackets up to the next comma or the bracket's end, outside of them up
to the next word that starts a window or targets. What was dropped stands in the tree as a value
without a name (`nodes.LOST`), so that nobody misses it. So each mistake is one report, and the
rest of the statement is read and checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tostdsl.diagnostics import Diagnostic, Label
from tostdsl.source import Span
from tostdsl.syntax.reading import CLOSERS, REACH, Bracket, Reading, State
from tostdsl.syntax.reports import UNREADABLE, Reports, unfinished
from tostdsl.syntax.tables import tables
from tostdsl.syntax.tree import Token, Tree
from tostdsl.syntax.words import KEYWORDS, MAX_REPORTS, SLOTS
from tostdsl.syntax.written import Written

MAX_REPAIRS = 20
"""Repairs of one statement; after them it is given up."""

_CLOSING = ("RPAR", "RSQB")
_PUNCTUATION = ("EQUAL", "COMMA", "LPAR", "LSQB", "ARROW", "OP", "DOLLAR")
_NUMBERS = ("INT", "NUMBER", "PERCENT", "FACTOR")
_JUNK = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|[^\s,()\[\]=\"]+|[^\s]")


def recover(written: Written, found: list[Diagnostic]) -> Tree | None:
    """The tree of a statement with what was missing put in and what was wrong left out.

    None where it cannot be said what it was to be; `found` gets the reports.
    """
    return _Recovery(written, found).recover()


def report_unfinished(span: Span) -> Diagnostic:
    """The report of a statement that is nothing but its first word."""
    word = tables().words.get(span.text, "NAME")
    return unfinished(span, tables().after([0], word) or [0])


class _Recovery:
    """Reads one statement."""

    def __init__(self, written: Written, found: list[Diagnostic]) -> None:
        self.text = written.text
        self.found = found
        self.report = Reports(written, found)
        self.word = self.report.word
        self.reading = Reading()
        self.tokens = list(self._tokens())
        self.at = 0
        self.surplus = self._unopened(0)
        """How many closing brackets there are that nothing opens."""
        self.repairs = 0
        self.put_in: int | None = None
        """The report of a `)` that was put in before a word, while its own may yet come."""
        self.over = False
        """Whether the end of the statement has been given up."""

    def _tokens(self) -> Iterator[Token]:
        """All tokens; what is none reaches to the next blank, comma or bracket."""
        stop = 0
        while True:
            for kind, start, end in tables().tokens(self.text, stop):
                yield Token.of(kind, self.text[start:end], start, end)
                stop = end
            ignored = tables().ignored.match(self.text, stop)
            start = ignored.end() if ignored is not None else stop
            junk = _JUNK.match(self.text, start)
            if junk is None:
                return
            stop = junk.end()
            yield Token.of(UNREADABLE, junk.group(), start, stop)

    def _unopened(self, start: int) -> int:
        """How many closing brackets from a token on close what is opened before it."""
        depth = unopened = 0
        for token in self.tokens[start:]:
            if token.type in CLOSERS:
                depth += 1
            elif token.type in _CLOSING:
                unopened += depth == 0
                depth = max(0, depth - 1)
        return unopened

    def recover(self) -> Tree | None:
        """The tree, or None."""
        repairs = (self.repeated, self.insert, self.bracket, self.skip)
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if self.reading.feed(token):
                self.at += 1
                self.report.calm += 1
                continue
            if len(self.found) >= MAX_REPORTS or self.repairs > MAX_REPAIRS:
                return None
            self.repairs += 1
            if not any(repair(token) for repair in repairs):
                return None
        return self.finish()

    def after(self) -> Token | None:
        """The token behind the one that is looked at."""
        return self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else None

    # -- what stands there twice

    def repeated(self, token: Token) -> bool:
        """Leave out a token that stands there twice: `lr==0.1`, `until until epoch 4`."""
        read, brackets = self.reading.read, self.reading.brackets
        if not read or read[-1] != token or token.type in _CLOSING:
            return self._first_twice(token)
        following = self.after()
        named = following is not None and following.type == "EQUAL"
        listed = bool(brackets) and brackets[-1].kind == "LSQB"
        sure = token.type in _PUNCTUATION or not brackets or named
        if not sure and (listed or token.type not in _NUMBERS):
            return False
        self.report.stray(token)
        if token.type in CLOSERS:
            self.surplus += 1
        self.at += 1
        return True

    def _first_twice(self, token: Token) -> bool:
        """`model model resnet18`: the second one was read as a name."""
        read = self.reading.read
        if self.reading.brackets or len(read) < 2 or read[-1] != read[-2]:
            return False
        trial = self.reading.copy()
        (second,) = trial.restore(trial.before)
        if not trial.feed(token):
            return False
        self.reading = trial
        self.report.stray(second)
        self.at += 1
        return True

    def _opened_twice(self, top: Bracket) -> bool:
        """`at=[[epoch 9, epoch 13], factor=0.1)`: the second one opens nothing."""
        read = self.reading.read
        second = read[top.index + 1 : top.index + 2]
        if not second or second[0].type != top.kind:
            return False
        trial = Reading()
        if not all(map(trial.feed, [*read[: top.index + 1], *read[top.index + 2 :]])):
            return False
        self.reading = trial
        self.report.stray(second[0])
        return True

    # -- what is missing

    def insert(self, token: Token) -> bool:
        """Read an unwanted token with one missing mark before it, where that helps.

        `ghost(width=2x until 25%` lacks a bracket, not a comma before an argument `until`.
        """
        if token.type in _CLOSING:
            return False
        reading, end, following = self.reading, self.reading.end, self.after()
        named = following is not None and following.type == "EQUAL"
        marks = ["LPAR"] if named and self.surplus > 0 else []
        marks += ["EQUAL"] if not named and token.type != "EQUAL" else []
        marks += ["COMMA"] if named or not reading.after_named() else []
        marks += ["RPAR", "RSQB", "OVER", *(["FOR"] if self.word == "train" else [])]
        for kind in filter(None, (tables().words.get(token), token.type)):
            for name in marks:
                if not reading.feed_as(kind, reading.mark(name), token):
                    continue
                self.surplus -= name == "LPAR"
                if self.report.missing([name], end) and name == "RPAR":
                    self.put_in = len(self.found) - 1
                self.at += 1
                return True
        return False

    def bracket(self, token: Token) -> bool:
        """Read on where a bracket is missing, is of the wrong kind or closes nothing."""
        reading = self.reading
        if token.type == "EQUAL":
            return self._list_end()
        if token.type not in _CLOSING:
            return False
        if not reading.brackets:
            self._closes_nothing(token)
            return True
        top, opened = reading.brackets[-1], len(reading.brackets)
        if token.type == CLOSERS[top.kind] or not reading.closable():
            return False
        rest = self._unopened(self.at + 1)
        if rest >= opened:  # one more than needed
            if token.type == "RSQB" and reading.positional() and self._list_start():
                return True
            self._closes_nothing(token)
            return True
        if rest == opened - 1:
            self.report.wrong_closer(token, reading.stack, CLOSERS[top.kind], self.opened(top))
            token.type = CLOSERS[top.kind]
            return True
        return self._opened_twice(top) or self._call_end(top)

    def _closes_nothing(self, token: Token) -> None:
        self.at += 1
        self.surplus = max(0, self.surplus - 1)
        if self.put_in is not None and token.type == "RPAR":
            self.report.misplaced(self.put_in, token)
            self.put_in = None
            return
        self.report.stray(token)

    def _again(self, state: State | None, mark: str) -> bool:
        """Put a mark in at an earlier state, and read on from there as before."""
        if state is None:
            return False
        trial = self.reading.copy()
        tokens = trial.restore(state)
        end, closed = trial.end, trial.brackets[-1]
        if not trial.feed(trial.mark(mark)) or not all(map(trial.feed, tokens)):
            return False
        self.reading = trial
        self.report.missing([mark], end, *([] if mark in CLOSERS else [self.opened(closed)]))
        return True

    def _list_end(self) -> bool:
        """`at=[epoch 9, epoch 13, factor=0.1)`: the bracket belongs before the last comma."""
        for top in self.reading.brackets[-1:]:
            if top.kind == "LSQB":
                return self._opened_twice(top) or self._again(top.comma, "RSQB")
        return False

    def _list_start(self) -> bool:
        """`at=epoch 9, epoch 13], factor=0.1)`: it belongs behind the last `=`."""
        if not self._again(self.reading.brackets[-1].value, "LSQB"):
            return False
        self.surplus = max(0, self.surplus - 1)
        return True

    def _call_end(self, top: Bracket) -> bool:
        """`[crop(padding=4, flip]`: it belongs behind the last argument with a name."""
        if self.reading.positional() and self._again(top.named, "RPAR"):
            return True
        right, end = CLOSERS[top.kind], self.reading.end
        if not self.reading.feed(self.reading.mark(right)):
            return False
        self.report.missing([right], end, self.opened(top))
        return True

    # -- what is left out

    def skip(self, token: Token) -> bool:
        """Leave out what cannot be read, up to where reading can go on."""
        reading = self.reading
        if not self.report.unwanted(token, reading.stack):
            return False
        if not reading.brackets:
            return token.type != "EQUAL" and self._skip_outside()
        start = self.at
        self._pass_item()
        complete = reading.closable() and not reading.empty() and token.type != "EQUAL"
        if complete:
            return True
        if self.at == start and reading.empty():  # a comma with nothing before it
            self.at += 1
            return True
        end = self.tokens[self.at - 1].end_pos if self.at > start else reading.end
        reading.lose(end)
        return True

    def _pass_item(self) -> None:
        """Go to the comma or the bracket behind the item."""
        depth = 0
        while self.at < len(self.tokens):
            kind = self.tokens[self.at].type
            if depth == 0 and kind in ("COMMA", *_CLOSING):
                return
            depth += (kind in CLOSERS) - (kind in _CLOSING)
            self.at += 1

    def _skip_outside(self) -> bool:
        """Up to a word that starts a window or targets, or to the end."""
        choices = [self.reading, self.reading.copy(), self.reading.copy()]
        choices[1].lost_value(choices[1].end, choices[1].end)
        if self.reading.part is not None:
            choices[2].restore(self.reading.part)
        depth = 0
        for at in range(self.at, len(self.tokens)):
            token = self.tokens[at]
            word = tables().words.get(token)
            if depth == 0 and word in REACH:
                for choice in choices:
                    if choice.feed_as(word, token):
                        self.reading, self.at = choice, at + 1
                        return True
            depth = max(0, depth + (token.type in CLOSERS) - (token.type in _CLOSING))
        self.at, self.over = len(self.tokens), True
        return True

    def finish(self) -> Tree | None:
        """End the statement, closing what was left open."""
        reading = self.reading
        if reading.brackets and not reading.closable():
            self.report.unwanted(reading.mark("$END"), reading.stack)
            reading.lose(reading.end)
        for top in reading.brackets[-1:]:
            if len(reading.brackets) > 1 and self._opened_twice(top):
                reading = self.reading
        end, open = reading.end, reading.brackets[::-1]
        if open and reading.close():
            self.report.missing([CLOSERS[top.kind] for top in open], end, *map(self.opened, open))
        if not reading.ends():
            if not self.over and not self.report.unwanted(reading.mark("$END"), reading.stack):
                return None
            self.over = True
            if not reading.lost_value(reading.end, reading.end):
                return None
        tree = tables().built(reading.read)
        if tree is None or tree.data not in ("slot", "stage"):
            return tree
        strange = self.word in KEYWORDS if tree.data == "stage" else self.word not in SLOTS
        return None if strange and self.over else tree

    def opened(self, bracket: Bracket) -> Label:
        """Where a bracket was opened that has no end."""
        return Label(self.report.span(bracket.start, bracket.start + 1), "opened here")
