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

from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest
from tostdsl.source import Span
from tostdsl.syntax import wanted
from tostdsl.syntax.letters import called
from tostdsl.syntax.reading import CLOSERS, MARKS, REACH, Bracket, Reading, State
from tostdsl.syntax.tables import tables
from tostdsl.syntax.tree import Token, Tree
from tostdsl.syntax.words import KEYWORDS, MAX_REPORTS, SLOTS, WORD
from tostdsl.syntax.written import Written

MAX_SKIPS = 20
"""Repairs of one statement that read a part of it anew; after them it is given up."""

_WORD_MARKS = ("for", "over")
_CLOSING = ("RPAR", "RSQB")
_UNREADABLE = "UNREADABLE"
_PUNCTUATION = ("EQUAL", "COMMA", "LPAR", "LSQB", "ARROW", "OP", "DOLLAR")
_JUNK = re.compile(r"\"(?:\\.|[^\"\\\n])*\"|[^\s,()\[\]=\"]+|[^\s]")
_NUMBER_LIKE = re.compile(r"[-+.\d]*\d[\w.%]*")
_BAD_ESCAPE = re.compile(r'"(?:\\["\\]|[^"\\\n])*\\')
_VALUE = re.compile(r"[\w\"$.-]")


def recover(written: Written, found: list[Diagnostic]) -> Tree | None:
    """The tree of a statement with what was missing put in and what was wrong left out.

    None where it cannot be said what it was to be; `found` gets the reports.
    """
    return _Recovery(written, found).recover()


class _Recovery:
    """Reads one statement."""

    def __init__(self, written: Written, found: list[Diagnostic]) -> None:
        self.written = written
        self.text = written.text
        self.found = found
        first = WORD.match(self.text)
        self.word = first.group() if first else ""
        self.reading = Reading()
        self.tokens = list(self._tokens())
        self.at = 0
        self.surplus = self._surplus()
        self.skips = 0
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
            yield Token.of(_UNREADABLE, junk.group(), start, stop)

    def _surplus(self) -> int:
        """How many closing brackets there are that nothing opens."""
        depth = surplus = 0
        for token in self.tokens:
            if token.type in CLOSERS:
                depth += 1
            elif token.type in _CLOSING:
                surplus += depth == 0
                depth = max(0, depth - 1)
        return surplus

    def span(self, start: int, end: int) -> Span:
        """A span by offsets in the statement."""
        return self.written.span(start, end)

    def recover(self) -> Tree | None:
        """The tree, or None."""
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if self.reading.feed(token):
                self.at += 1
                continue
            if len(self.found) >= MAX_REPORTS or self.skips > MAX_SKIPS:
                return None
            self.skips += 1
            repairs = (self.repeated, self.insert, self.bracket, self.skip)
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
        if not read or read[-1] != token or token in (")", "]"):
            return self._first_twice(token)
        following = self.after()
        named = following is not None and following.type == "EQUAL"
        listed = bool(brackets) and brackets[-1].kind == "LSQB"
        if token.type in _PUNCTUATION or not brackets or named:
            pass
        elif listed or token.type not in ("INT", "NUMBER", "PERCENT", "FACTOR"):
            return False
        self.report_stray(token)
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
        self.report_stray(second)
        self.at += 1
        return True

    # -- what is missing

    def insert(self, token: Token) -> bool:
        """Read an unwanted token with one missing mark before it, where that helps.

        `ghost(width=2x until 25%` lacks a bracket, not a comma before an argument `until`.
        """
        reading = self.reading
        end = reading.end
        following = self.after()
        named = following is not None and following.type == "EQUAL"
        marks = ["EQUAL"] if not named and token.type != "EQUAL" else []
        if named and self.surplus > 0:
            marks.insert(0, "LPAR")
        if named or not reading.after_named():
            marks.append("COMMA")
        marks += ["RPAR", "RSQB", "OVER", *(["FOR"] if self.word == "train" else [])]
        if token.type in _CLOSING:
            return False
        for kind in filter(None, (tables().words.get(token), token.type)):
            for name in marks:
                if not reading.feed_as(kind, reading.mark(name), token):
                    continue
                if name == "LPAR":
                    self.surplus -= 1
                if name == "RPAR" and token.type not in _CLOSING:
                    self.put_in = len(self.found)
                self.report_missing(MARKS[name], end)
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
        top = reading.brackets[-1]
        if token.type == CLOSERS[top.kind] or not reading.closable():
            return False
        rest = self._unopened(self.at + 1)
        if rest >= len(reading.brackets):  # one more than needed
            if token.type == "RSQB" and self.reading.positional() and self._list_start():
                return True
            self.surplus = max(0, self.surplus - 1)
            self.report_stray(token)
            self.at += 1
            return True
        if rest == len(reading.brackets) - 1:
            right = CLOSERS[top.kind]
            span = self.span(token.start_pos, token.end_pos)
            fix = Fix((Edit(span, MARKS[right]),))
            self.report_expected(token, self.opened(top), help=f"write `{MARKS[right]}`", fix=fix)
            token.type = right
            return True
        return self._call_end()

    def _closes_nothing(self, token: Token) -> None:
        self.at += 1
        self.surplus = max(0, self.surplus - 1)
        if self.put_in is not None and token.type == "RPAR":
            earlier = self.found[self.put_in]
            edits = earlier.fix.edits if earlier.fix is not None else ()
            here = self.span(token.start_pos, token.end_pos)
            label = Label(here, "it stands here")
            self.found[self.put_in] = diagnose(
                earlier.code,
                *earlier.labels,
                label,
                token=")",
                fix=Fix((*edits, Edit(here, ""))),
            )
            self.put_in = None
            return
        self.report_stray(token)

    def _unopened(self, start: int) -> int:
        """How many closing brackets from a token on belong to what is open there."""
        depth = unopened = 0
        for token in self.tokens[start:]:
            if token.type in CLOSERS:
                depth += 1
            elif token.type in _CLOSING:
                unopened += depth == 0
                depth = max(0, depth - 1)
        return unopened

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
        opened = [] if mark in CLOSERS else [self.opened(closed)]
        self.report_missing(MARKS[mark], end, *opened)
        return True

    def _list_end(self) -> bool:
        """`at=[epoch 9, epoch 13, factor=0.1)`: the bracket belongs before the last comma."""
        top = self.reading.brackets[-1:]
        return bool(top) and top[0].kind == "LSQB" and self._again(top[0].comma, "RSQB")

    def _list_start(self) -> bool:
        """`at=epoch 9, epoch 13], factor=0.1)`: it belongs behind the last `=`."""
        top = self.reading.brackets[-1]
        if not self._again(top.value, "LSQB"):
            return False
        self.surplus = max(0, self.surplus - 1)
        return True

    def _call_end(self) -> bool:
        """`[crop(padding=4, flip]`: it belongs behind the last argument with a name."""
        top = self.reading.brackets[-1]
        if self.reading.positional() and self._again(top.named, "RPAR"):
            return True
        right = CLOSERS[top.kind]
        end = self.reading.end
        if not self.reading.feed(self.reading.mark(right)):
            return False
        self.report_missing(MARKS[right], end, self.opened(top))
        return True

    # -- what is left out

    def skip(self, token: Token) -> bool:
        """Leave out what cannot be read, up to where reading can go on."""
        if not self.report_token(token):
            return False
        if self.reading.brackets:
            self._skip_inside()
            return True
        return self._skip_outside()

    def _skip_inside(self) -> None:
        """Up to the comma or the bracket behind the item."""
        reading, start = self.reading, self.at
        depth = 0
        while self.at < len(self.tokens):
            kind = self.tokens[self.at].type
            if depth == 0 and kind in ("COMMA", "RPAR", "RSQB"):
                break
            depth += (kind in CLOSERS) - (kind in _CLOSING)
            self.at += 1
        if reading.closable() and not reading.empty():
            return  # the item was complete
        if self.at == start and reading.empty():  # a comma with nothing before it
            self.at += 1
            return
        end = self.tokens[self.at - 1].end_pos if self.at > start else reading.end
        reading.lose(end)

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
            depth += (token.type in CLOSERS) - (token.type in _CLOSING)
            depth = max(0, depth)
        self.at, self.over = len(self.tokens), True
        return True

    def finish(self) -> Tree | None:
        """End the statement, closing what was left open."""
        reading = self.reading
        if reading.brackets and not reading.closable():
            self.report_token(reading.mark("$END"))
            reading.lose(reading.end)
            reading.close()
        end, open = reading.end, reading.brackets[::-1]
        if open and reading.close():
            closers = "".join(MARKS[CLOSERS[top.kind]] for top in open)
            self.report_missing(closers, end, *map(self.opened, open))
        if not reading.ends():
            if not self.over and not self.report_token(reading.mark("$END")):
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
        return Label(self.span(bracket.start, bracket.start + 1), "opened here")

    # -- reports

    def report_missing(self, mark: str, end: int, *more: Label) -> None:
        """A mark that was inserted."""
        here = self.span(end, end)
        text = f" {mark} " if mark in _WORD_MARKS else mark
        fix = Fix((Edit(here, text.rstrip() if text == mark else f" {mark}"),))
        self.found.append(diagnose("T102", self.span(end, end + 1), *more, token=mark, fix=fix))

    def report_stray(self, token: Token) -> None:
        """A token that is one too many."""
        span = self.span(token.start_pos, token.end_pos)
        before = len(self.text[: token.start_pos].rstrip())
        fix = Fix((Edit(self.span(before, token.end_pos), ""),))
        self.found.append(diagnose("T134", span, help="remove it", mark=token, reason="", fix=fix))

    def report_expected(
        self, token: Token, *more: Label, help: str | None, fix: Fix | None = None
    ) -> None:
        """A token that stands where others are expected."""
        span = self.span(token.start_pos, max(token.start_pos + 1, token.end_pos))
        expected = wanted.expected(self.reading.stack)
        found = wanted.found(token)
        self.found.append(
            diagnose("T101", span, *more, help=help, fix=fix, expected=expected, found=found)
        )

    def report_character(self, token: Token) -> None:
        """A character no token starts with."""
        offset = token.start_pos
        escape = _BAD_ESCAPE.match(self.text, offset)
        if escape is not None:  # a string that is closed, so only this can be wrong with it
            offset = escape.end() - 1
        char = self.text[offset]
        self.found.append(diagnose("T105", self.span(offset, offset + 1), char=called(char)))

    def report_token(self, token: Token) -> bool:
        """A token that cannot stand where it does; whether the statement is worth reading on."""
        start = token.start_pos
        if token.type == _UNREADABLE and not _NUMBER_LIKE.fullmatch(token):
            self.report_character(token)
            return True
        first = WORD.match(self.text)
        second = first is not None and self.text[first.end() : start].strip() == ""
        if first and second and self.word not in KEYWORDS and _VALUE.match(str(token)):
            meant = nearest(self.word, KEYWORDS)
            span = self.span(first.start(), first.end())
            help = f"did you mean `{meant}`?" if meant else wanted.statements()
            fix = Fix((Edit(span, meant),), certain=False) if meant else None
            self.found.append(diagnose("T103", span, name=self.word, help=help, fix=fix))
            return False
        help = wanted.NUMBERS if token.type == _UNREADABLE else wanted.form(self.word)
        self.report_expected(token, help=help)
        return True


def unfinished(span: Span) -> Diagnostic:
    """The report of a statement that is nothing but its first word."""
    wants = wanted.expected(tables().after([0], tables().words.get(span.text, "NAME")) or [0])
    at = span.source.span(span.end, span.end)
    found = wanted.phrases()["$END"]
    help = wanted.form(span.text)
    return diagnose("T101", Label(at), help=help, expected=wants, found=found)
