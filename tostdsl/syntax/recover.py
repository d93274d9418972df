"""Reads a statement again that the tables refused: puts in missing marks, says what is wrong."""

from __future__ import annotations

import re
from functools import lru_cache

from tostdsl import assets
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest
from tostdsl.source import Source, Span
from tostdsl.syntax.layout import Chunk
from tostdsl.syntax.letters import called
from tostdsl.syntax.tables import Stack, tables
from tostdsl.syntax.tree import Token, Tree
from tostdsl.syntax.words import KEYWORDS, MAX_REPORTS, WORD

MAX_SHOWN = 40
"""Characters of a token that a message shows."""

_INSERTABLE = {"EQUAL": "=", "COMMA": ",", "RPAR": ")", "RSQB": "]", "FOR": "for", "OVER": "over"}
_CLOSERS = {"(": "RPAR", "[": "RSQB"}
_BAD_ESCAPE = re.compile(r'"(?:\\["\\]|[^"\\\n])*\\')


@lru_cache(maxsize=1)
def _phrases() -> dict[str, str]:
    import tomllib

    return tomllib.loads((assets.folder("grammar") / "phrases.toml").read_text(encoding="utf-8"))


def recover(source: Source, chunk: Chunk, text: str, found: list[Diagnostic]) -> Tree | None:
    """The tree of a statement with missing marks put in, or None; `found` gets the reports."""
    return _Recovery(source, chunk, text, found).recover()


class _Recovery:
    """Reads one chunk."""

    def __init__(self, source: Source, chunk: Chunk, text: str, found: list[Diagnostic]) -> None:
        self.source = source
        self.chunk = chunk
        self.text = text
        self.found = found
        first = WORD.match(text)
        self.word = first.group() if first else ""
        self.stack: Stack = [0]
        self.read: list[Token] = []
        """What has been read, with the marks that were put in."""

    def at(self, start: int, end: int) -> Span:
        """A span by offsets in the chunk."""
        start, end = (min(offset, len(self.text)) for offset in (start, end))
        limit = max(self.chunk.end, self.chunk.start + 1)
        start, end = self.chunk.start + start, self.chunk.start + end
        return self.source.span(min(start, limit), min(end, limit))

    # -- recovery: insert first, then give the statement up

    def recover(self) -> Tree | None:
        """The tree after inserting missing marks, or None."""
        stop = 0
        for kind, start, stop in tables().tokens(self.text):
            token = Token.of(kind, self.text[start:stop], start, stop)
            if self.feed(token):
                continue
            if not self.insert(token):
                self.report_token(token)
                return None
            if len(self.found) >= MAX_REPORTS:
                return None
        rest = tables().ignored.match(self.text, stop)
        if rest is not None and rest.end() < len(self.text):
            self.report_character(rest.end())
            return None
        return self.finish()

    def feed(self, token: Token) -> bool:
        """Read a token, a word as a keyword where one can stand; or leave all as it was."""
        return any(self.feed_as(kind, token) for kind in (tables().words.get(token), token.type))

    def feed_as(self, kind: str | None, *tokens: Token) -> bool:
        """Read tokens, the last one as of a kind; or leave all as it was."""
        if kind is None:
            return False
        stack: Stack | None = self.stack
        for token in tokens:
            if stack is not None:
                stack = tables().after(stack, kind if token is tokens[-1] else token.type)
        if stack is None:
            return False
        self.stack, tokens[-1].type = stack, kind
        self.read += tokens
        return True

    def insert(self, token: Token) -> bool:
        """Read an unwanted token with one missing mark before it, where that helps.

        `ghost(width=2x until 25%` lacks a bracket, not a comma before an argument `until`.
        """
        end = self.end
        marks = [name for name in _INSERTABLE if name != "FOR" or self.word == "train"]
        for kind in (tables().words.get(token), token.type):
            for name in marks:
                mark = _INSERTABLE[name]
                if self.feed_as(kind, self.mark(name, mark), token):
                    self.report_missing(mark, end)
                    return True
        return False

    def finish(self) -> Tree | None:
        """End the statement, closing what was left open."""
        end, closers, opened = self.end, "", []
        for bracket, offset in reversed(self.chunk.open):
            kind = _CLOSERS[bracket]
            closer = _INSERTABLE[kind]
            if not self.feed_as(kind, self.mark(kind, closer)):
                break
            closers += closer
            opened.append(Label(self.source.span(offset, offset + 1), "opened here"))
        if closers:
            self.report_missing(closers, end, *opened)
        tree = tables().built(self.read)
        if tree is None:
            self.report_token(self.mark("$END", ""))
        return tree

    @property
    def end(self) -> int:
        """Where the last token ends."""
        return self.read[-1].end_pos if self.read else 0

    def mark(self, kind: str, text: str) -> Token:
        """An inserted token, standing right after the last one."""
        return Token.of(kind, text, self.end, self.end)

    # -- reports

    def report_missing(self, mark: str, end: int, *more: Label) -> None:
        """A mark that was inserted."""
        text = f" {mark} " if mark in _WORD_MARKS else mark
        fix = Fix((Edit(self.at(end, end), text.rstrip() if text == mark else f" {mark}"),))
        self.found.append(diagnose("T102", self.at(end, end + 1), *more, token=mark, fix=fix))

    def report_character(self, offset: int) -> None:
        """A character no token starts with."""
        escape = _BAD_ESCAPE.match(self.text, offset)
        if escape is not None:  # a string that is closed, so only this can be wrong with it
            offset = escape.end() - 1
        char = self.text[offset]
        self.found.append(diagnose("T105", self.at(offset, offset + 1), char=called(char)))

    def report_token(self, token: Token) -> None:
        """A token that cannot stand where it does."""
        start, end = token.start_pos, max(token.start_pos + 1, token.end_pos)
        first = WORD.match(self.text)
        meant = nearest(first.group(), KEYWORDS) if first else None
        second = first is not None and self.is_second(start, first.end())
        if first and second and first.group() not in KEYWORDS and _VALUE.match(str(token)):
            span = self.at(first.start(), first.end())
            help = f"did you mean `{meant}`?" if meant else _statements_help()
            fix = Fix((Edit(span, meant),), certain=False) if meant else None
            self.found.append(diagnose("T103", span, name=first.group(), help=help, fix=fix))
            return
        phrases = _phrases()
        wanted = sorted(
            {phrases.get(name, name) for name in _grouped(tables().accepted(self.stack))}
        )
        wanted.sort(key=phrases["$END"].__eq__)  # it comes last
        shown = token if len(token) <= MAX_SHOWN else f"{token[: MAX_SHOWN - 1]}…"
        found = phrases["$END"] if token.type == "$END" else f"`{shown}`"
        self.found.append(
            diagnose("T101", self.at(start, end), expected=_either(wanted), found=found)
        )

    def is_second(self, start: int, first_end: int) -> bool:
        """Whether a token at `start` is the one right after the statement's first word."""
        return self.text[first_end:start].strip() == "" and start >= first_end


_WORD_MARKS = ("for", "over")
_VALUE = re.compile(r"[\w\"$.-]")
_WINDOW, _TARGETS = "a window such as `until epoch 40`", "targets such as `on conv`"
_GROUPS = {
    _WINDOW: frozenset(("FROM", "UNTIL", "FOR", "AT", "ON", "EXCEPT")),
    "a statement": frozenset(("RECIPE", "PARAM", "TRAIN", "EXPECT", "NAME")),
    "a value": frozenset(("INT", "STRING", "LSQB", "NAME")),
}


def _grouped(accepted: set[str]) -> set[str]:
    """The terminals the parser accepts, with one phrase for what always comes together."""
    if _GROUPS["a statement"] <= accepted:
        return {"a statement"}
    reach = _GROUPS[_WINDOW]
    if reach <= accepted:
        return (accepted - reach) | {_WINDOW, _TARGETS}
    if _GROUPS["a value"] <= accepted:
        return (accepted & {"RPAR", "RSQB", "COMMA"}) | {"a value"}
    return accepted


def _statements_help() -> str:
    return "a line starts with " + ", ".join(f"`{word}`" for word in KEYWORDS) + " or a technique"


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def kinds() -> dict[str, str | None]:
    """Terminals a statement is made of, with the words messages use for them."""
    return {name: _phrases().get(name) for name in tables().kinds}
