"""Reads a statement again that the tables refused: puts in missing marks, says what is wrong.

Only lark knows what could have stood at a place, so it is loaded here, on the first mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

from lark import Token as LarkToken
from lark import Tree as LarkTree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from tostdsl import assets
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest
from tostdsl.source import Source, Span
from tostdsl.syntax.layout import Chunk
from tostdsl.syntax.letters import called
from tostdsl.syntax.tables import lark
from tostdsl.syntax.tree import Child, Token, Tree
from tostdsl.syntax.words import KEYWORDS, WORD

MAX_SHOWN = 40
"""Characters of a token that a message shows."""

_INSERTABLE = {"EQUAL": "=", "COMMA": ",", "RPAR": ")", "RSQB": "]", "FOR": "for", "OVER": "over"}
_CLOSERS = {"(": LarkToken("RPAR", ")"), "[": LarkToken("RSQB", "]")}
_BAD_ESCAPE = re.compile(r'"(?:\\["\\]|[^"\\\n])*\\')


@lru_cache(maxsize=1)
def _phrases() -> dict[str, str]:
    import tomllib

    return tomllib.loads((assets.folder("grammar") / "phrases.toml").read_text(encoding="utf-8"))


def recover(source: Source, chunk: Chunk, text: str, found: list[Diagnostic]) -> Tree | None:
    """The tree of a statement with missing marks put in, or None; `found` gets the reports."""
    tree = _Recovery(source, chunk, text, found).recover()
    return None if tree is None else cast(Tree, _plain(tree))


def _plain(item: Any) -> Child:
    """A tree or token of lark's as our own."""
    if item is None:
        return None
    if isinstance(item, LarkToken):
        start, end = cast(int, item.start_pos), cast(int, item.end_pos)
        return Token.of(item.type, str(item), start, end)
    meta = item.meta
    start, end = (-1, -1) if meta.empty else (meta.start_pos, meta.end_pos)
    return Tree(str(item.data), [_plain(child) for child in item.children], start, end)


# -- the parts of lark that have no types


def _tokens(parser: InteractiveParser) -> Iterator[LarkToken]:
    return cast("Any", parser.lexer_thread).lex(parser.parser_state)  # type: ignore[no-any-return]


def _accepts(parser: InteractiveParser) -> set[str]:
    return cast("Any", parser).accepts()  # type: ignore[no-any-return]


def _fed(parser: InteractiveParser, token: LarkToken) -> InteractiveParser | None:
    """A copy of the parser that has read the token, or None where it cannot stand."""
    trial: InteractiveParser = cast("Any", parser).copy(deepcopy_values=False)
    try:
        trial.feed_token(token)
    except UnexpectedToken:
        return None
    return trial


def _tree(parser: InteractiveParser) -> LarkTree[LarkToken]:
    return cast("Any", parser).feed_eof()  # type: ignore[no-any-return]


class _Recovery:
    """Reads one chunk."""

    def __init__(self, source: Source, chunk: Chunk, text: str, found: list[Diagnostic]) -> None:
        self.source = source
        self.chunk = chunk
        self.text = text
        self.found = found
        first = WORD.match(text)
        self.word = first.group() if first else ""

    def at(self, start: int, end: int) -> Span:
        """A span by offsets in the chunk."""
        start, end = (min(offset, len(self.text)) for offset in (start, end))
        limit = max(self.chunk.end, self.chunk.start + 1)
        start, end = self.chunk.start + start, self.chunk.start + end
        return self.source.span(min(start, limit), min(end, limit))

    # -- recovery: insert first, then give the statement up

    def recover(self) -> LarkTree[LarkToken] | None:
        """The tree after inserting missing marks, or None."""
        parser = lark().parse_interactive(self.text)
        last = LarkToken("", "", start_pos=0, end_pos=0)
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
        self, parser: InteractiveParser, token: LarkToken, last: LarkToken
    ) -> InteractiveParser | None:
        """The parser after an unwanted token, with one missing mark before it if that helps."""
        wanted = _accepts(parser)
        if "NAME" in wanted and WORD.fullmatch(str(token)):
            token.type = "NAME"
            return _fed(parser, token)
        for name, mark in _INSERTABLE.items():
            if name not in wanted or (name == "FOR" and self.word != "train"):
                continue
            marked = _fed(parser, self.mark(name, mark, last))
            fed = None if marked is None else _fed(marked, token)
            if fed is not None:
                self.report_missing(mark, last)
                return fed
        return None

    def finish(self, parser: InteractiveParser, last: LarkToken) -> LarkTree[LarkToken] | None:
        """End the statement, closing what was left open."""
        closers, opened = "", []
        for bracket, offset in reversed(self.chunk.open):
            closer = _CLOSERS[bracket]
            if closer.type not in _accepts(parser):
                break
            parser.feed_token(self.mark(closer.type, str(closer), last))
            closers += closer
            opened.append(Label(self.source.span(offset, offset + 1), "opened here"))
        if closers:
            self.report_missing(closers, last, *opened)
        if "$END" not in _accepts(parser):
            self.report_token(parser, self.mark("$END", "", last))
            return None
        return _tree(parser)

    def mark(self, name: str, text: str, last: LarkToken) -> LarkToken:
        """An inserted token, standing right after the last one."""
        return LarkToken(name, text, start_pos=last.end_pos, end_pos=last.end_pos)

    # -- reports

    def report_missing(self, mark: str, last: LarkToken, *more: Label) -> None:
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
        self.found.append(diagnose("T105", self.at(offset, offset + 1), char=called(char)))

    def report_token(self, parser: InteractiveParser, token: LarkToken) -> None:
        """A token that cannot stand where it does."""
        start = cast(int, token.start_pos)
        end = max(start + 1, cast(int, token.end_pos))
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
    ignored = lark().ignore_tokens
    names = (terminal.name for terminal in lark().terminals if terminal.name not in ignored)
    return {name: _phrases().get(name) for name in names}
