"""Text to `File`. Never raises: what cannot be read is a `Hole`, with a diagnostic.

Each statement is parsed by itself, so one mistake cannot bury the next line's. Inside a
statement a missing mark is inserted where that makes the rest readable; otherwise the statement
becomes a hole and the file goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from tostdsl import assets
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest
from tostdsl.source import Source, Span
from tostdsl.syntax.build import Builder
from tostdsl.syntax.layout import Chunk, cut
from tostdsl.syntax.nodes import File, Hole, Statement

MAX_BYTES = 1 << 20
MAX_NESTING = 64
MAX_SHOWN = 40
MAX_REPORTS = 500
"""Mistakes after which a wrong statement is skipped without a closer look."""

KEYWORDS = (
    "tost",
    "recipe",
    "extends",
    "without",
    "param",
    "sweep",
    "train",
    "seed",
    "precision",
    "expect",
    "model",
    "data",
    "mask",
    "optimizer",
    "schedule",
)

_INSERTABLE = {"EQUAL": "=", "COMMA": ",", "RPAR": ")", "RSQB": "]", "FOR": "for", "OVER": "over"}
_CLOSERS = {"(": Token("RPAR", ")"), "[": Token("RSQB", "]")}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069]")
_BAD_ESCAPE = re.compile(r'"(?:\\["\\]|[^"\\\n])*\\')
_WORD = re.compile(r"[A-Za-z_]\w*")


@lru_cache(maxsize=1)
def _lark() -> Lark:
    grammar = (assets.folder("grammar") / "tost.lark").read_text(encoding="utf-8")
    return Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        start="statement",
        maybe_placeholders=True,
        propagate_positions=True,
    )


@lru_cache(maxsize=1)
def _phrases() -> dict[str, str]:
    import tomllib

    return tomllib.loads((assets.folder("grammar") / "phrases.toml").read_text(encoding="utf-8"))


def parse(source: Source) -> tuple[File, list[Diagnostic]]:
    """The file's statements and comments, and every mistake in its form."""
    found = list(_forbidden(source))
    chunks, comments = cut(source)
    statements = tuple(_Statement(source, chunk, found).read() for chunk in chunks)
    return File(source, statements, tuple(comments)), found


def _forbidden(source: Source) -> list[Diagnostic]:
    found = []
    for match in _CONTROL.finditer(source.text):
        span = source.span(match.start(), match.end())
        found.append(diagnose("T108", span, char=f"U+{ord(match.group()):04X}"))
    return found[:20]


# -- the parts of lark that have no types


def _tokens(parser: InteractiveParser) -> Iterator[Token]:
    return cast("Any", parser.lexer_thread).lex(parser.parser_state)  # type: ignore[no-any-return]


def _accepts(parser: InteractiveParser) -> set[str]:
    return cast("Any", parser).accepts()  # type: ignore[no-any-return]


def _fed(parser: InteractiveParser, token: Token) -> InteractiveParser | None:
    """A copy of the parser that has read the token, or None where it cannot stand."""
    trial: InteractiveParser = cast("Any", parser).copy(deepcopy_values=False)
    try:
        trial.feed_token(token)
    except UnexpectedToken:
        return None
    return trial


def _tree(parser: InteractiveParser) -> Tree[Token]:
    return cast("Any", parser).feed_eof()  # type: ignore[no-any-return]


class _Statement:
    """Reads one chunk."""

    def __init__(self, source: Source, chunk: Chunk, found: list[Diagnostic]) -> None:
        self.source = source
        self.chunk = chunk
        self.found = found
        self.text = source.text[chunk.start : chunk.end]
        self.span = source.span(chunk.start, chunk.end)

    def read(self) -> Statement:
        """The statement, or a hole."""
        if self.chunk.depth > MAX_NESTING:
            self.found.append(diagnose("T110", self.span, limit=MAX_NESTING))
            return self.hole()
        if self.chunk.unclosed:
            self.found.append(diagnose("T104", self.chunk.unclosed[0]))
            return self.hole()
        try:
            tree = _lark().parse(self.text)
        except UnexpectedInput:
            if len(self.found) >= MAX_REPORTS:
                return self.hole()
            recovered = self.recover()
            if recovered is None:
                return self.hole()
            tree = recovered
        builder = Builder(self.source, self.chunk.start, self.found)
        return builder.statement(tree, self.span)

    def hole(self) -> Hole:
        """This statement as one that could not be read."""
        match = _WORD.match(self.text)
        return Hole(self.span, match.group() if match else "")

    def at(self, start: int, end: int) -> Span:
        """A span by offsets in the chunk."""
        return self.source.span(self.chunk.start + start, self.chunk.start + end)

    # -- recovery: insert first, then give the statement up

    def recover(self) -> Tree[Token] | None:
        """The tree after inserting missing marks, or None."""
        parser = _lark().parse_interactive(self.text)
        last = Token("", "", start_pos=0, end_pos=0)
        while True:
            try:
                token = next(_tokens(parser), None)
            except UnexpectedToken as error:
                token = error.token  # known, but not wanted here
            except UnexpectedCharacters as error:
                self.report_character(cast(int, error.pos_in_stream))
                return None
            if token is None:
                return self.finish(parser, last)
            fed = _fed(parser, token) or self.inserted(parser, token, last)
            if fed is None:
                self.report_token(parser, token)
                return None
            parser, last = fed, token

    def inserted(
        self, parser: InteractiveParser, token: Token, last: Token
    ) -> InteractiveParser | None:
        """The parser after an unwanted token, with one missing mark before it if that helps."""
        wanted = _accepts(parser)
        if "NAME" in wanted and _WORD.fullmatch(str(token)):
            token.type = "NAME"
            return _fed(parser, token)
        for name, mark in _INSERTABLE.items():
            if name not in wanted or (name == "FOR" and self.hole().word != "train"):
                continue
            marked = _fed(parser, self.mark(name, mark, last))
            fed = None if marked is None else _fed(marked, token)
            if fed is not None:
                self.report_missing(mark, last)
                return fed
        return None

    def finish(self, parser: InteractiveParser, last: Token) -> Tree[Token] | None:
        """End the statement, closing what was left open."""
        for bracket, offset in reversed(self.chunk.open):
            closer = _CLOSERS[bracket]
            if closer.type not in _accepts(parser):
                break
            parser.feed_token(self.mark(closer.type, str(closer), last))
            opened = Label(self.source.span(offset, offset + 1), "opened here")
            self.report_missing(str(closer), last, opened)
        if "$END" not in _accepts(parser):
            self.report_token(parser, self.mark("$END", "", last))
            return None
        return _tree(parser)

    def mark(self, name: str, text: str, last: Token) -> Token:
        """An inserted token, standing right after the last one."""
        return Token(name, text, start_pos=last.end_pos, end_pos=last.end_pos)

    # -- reports

    def report_missing(self, mark: str, last: Token, *more: Label) -> None:
        """A mark that was inserted."""
        end = cast(int, last.end_pos)
        text = f" {mark} " if mark in _WORD_MARKS else mark
        fix = Fix((Edit(self.at(end, end), text.rstrip() if text == mark else f" {mark}"),))
        self.found.append(diagnose("T102", self.at(end, end + 1), *more, token=mark, fix=fix))

    def report_character(self, offset: int) -> None:
        """A character no token starts with."""
        escape = _BAD_ESCAPE.match(self.text, offset)
        if escape is not None:  # a string that is closed, so only this can be wrong with it
            offset = escape.end() - 1
        char = self.text[offset]
        self.found.append(diagnose("T105", self.at(offset, offset + 1), char=_visible(char)))

    def report_token(self, parser: InteractiveParser, token: Token) -> None:
        """A token that cannot stand where it does."""
        start = cast(int, token.start_pos)
        end = max(start + 1, cast(int, token.end_pos))
        first = _WORD.match(self.text)
        meant = nearest(first.group(), KEYWORDS) if first else None
        second = first is not None and self.is_second(start, first.end())
        if first and second and first.group() not in KEYWORDS and _VALUE.match(str(token)):
            span = self.at(first.start(), first.end())
            help = f"did you mean `{meant}`?" if meant else _statements_help()
            fix = Fix((Edit(span, meant),), certain=False) if meant else None
            self.found.append(diagnose("T103", span, name=first.group(), help=help, fix=fix))
            return
        phrases = _phrases()
        wanted = sorted({phrases.get(name, name) for name in _grouped(_accepts(parser))})
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
_GROUPS = {
    "a statement": frozenset(("RECIPE", "PARAM", "TRAIN", "EXPECT", "NAME")),
    "a value": frozenset(("INT", "STRING", "LSQB", "NAME")),
}


def _grouped(accepted: set[str]) -> set[str]:
    """The terminals the parser accepts, with one phrase for what always comes together."""
    if _GROUPS["a statement"] <= accepted:
        return {"a statement"}
    if _GROUPS["a value"] <= accepted:
        return (accepted & {"RPAR", "RSQB", "COMMA"}) | {"a value"}
    return accepted


def _statements_help() -> str:
    return "a line starts with " + ", ".join(f"`{word}`" for word in KEYWORDS) + " or a technique"


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _visible(char: str) -> str:
    return f"`{char}`" if char.isprintable() else f"U+{ord(char):04X}"


def kinds() -> dict[str, str | None]:
    """Terminals a statement is made of, with the words messages use for them."""
    ignored = _lark().ignore_tokens
    names = (terminal.name for terminal in _lark().terminals if terminal.name not in ignored)
    return {name: _phrases().get(name) for name in names}
