"""Cuts a recipe's text into statements and comments, before any grammar.

A line end ends a statement, except inside brackets. When a bracket was forgotten, the line that
follows is still recognised as a statement of its own wherever no value could continue there:
two values never stand side by side without a comma, and no value starts with two names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tostdsl.source import Source, Span
from tostdsl.syntax.nodes import Comment
from tostdsl.syntax.words import KEYWORDS, MAX_NAME, MAX_NESTING, MAX_TOKEN, WORD

_PIECE = re.compile(
    r"""
      (?P<string>"(?:\\.|[^"\\\n])*(?P<closed>")?)
    | (?P<comment>\#[^\n]*)
    | (?P<open>[(\[])
    | (?P<close>[)\]])
    | (?P<newline>\n)
    | (?P<space>[ \t\r\f]+)
    | (?P<text>[^"\#()\[\]\n \t\r\f]+)
    """,
    re.VERBOSE,
)
_STATEMENT_LINE = re.compile(
    r"[ \t]*(?!(?:epoch|step)[ \t])[A-Za-z_][A-Za-z0-9_]*[ \t]+(?:[A-Za-z_0-9\"$])"
)
_LONG_NAME = re.compile(rf"(?<!\w)[^\W\d]\w{{{MAX_NAME},}}")
_LONG_PIECE = re.compile(rf"[^,=$]{{{MAX_TOKEN + 1},}}")
_CALL_LINE = re.compile(r"[ \t]*[A-Za-z_]")


@dataclass(slots=True)
class Chunk:
    """The text of one statement: its range, the brackets left open, strings left open."""

    start: int
    end: int = 0
    open: list[tuple[str, int]] = field(default_factory=list)
    unclosed: list[Span] = field(default_factory=list)
    depth: int = 0
    long: tuple[str, int, int] | None = None
    """A piece past the limits: what it is, and its range."""
    joins: tuple[tuple[int, int], ...] = ()
    """The ranges between the parts of it that were written on lines of their own."""


def _indent(text: str, offset: int) -> int:
    return offset - (text.rfind("\n", 0, offset) + 1)


def _breaks(text: str, chunk: Chunk, newline: int, last: str) -> bool:
    """Whether the line after `newline` starts a statement although a bracket is open."""
    if _STATEMENT_LINE.match(text, newline + 1):
        return True
    match = _CALL_LINE.match(text, newline + 1)
    if match is None or last[-1:] in ("(", "[", ",", "=", ">"):
        return False
    return _indent(text, match.end() - 1) <= _indent(text, chunk.start)


def _long(kind: str | None, start: int, value: str) -> tuple[str, int, int] | None:
    """The piece itself, or a name in it, where it is past the limits."""
    if kind == "string":
        return ("string", start, start + len(value)) if len(value) > MAX_TOKEN else None
    for name, pattern in (("name", _LONG_NAME), ("piece", _LONG_PIECE)):
        match = pattern.search(value)
        if match is not None:
            return name, start + match.start(), start + match.end()
    return None


_REACH = ("from ", "until ", "for ", "at ", "on ", "except ")
_WINDOW_LINE = re.compile(
    r"(?:from|until|at)[ \t]+(?:epoch|step|start|end|\d|\$)"
    r"|for[ \t]+[\d$]|(?:on|except)[ \t]+[\w\"]"
)


_BARE = re.compile(r"\A(?:[a-z]+[ \t]+)?[A-Za-z_]\w*\Z", re.ASCII)
"""A call without its brackets, which may stand on the next line."""
_SECTION = re.compile(r"\[{1,2}[A-Za-z_]\w*\]{1,2}", re.ASCII)
"""The head of a section of TOML."""
_KEY_LINE = re.compile(r"[A-Za-z_]\w*\s*=(?!=)", re.ASCII)
_BRACE = re.compile(r"[{}]")
MAX_BLOCK = 1000
"""Characters of the longest block in braces that is read as one statement."""


def _block_end(text: str, start: int) -> int:
    """Where a block ends whose brace was opened before a place, or -1."""
    depth = 1
    for match in _BRACE.finditer(text, start, start + MAX_BLOCK):
        depth += 1 if match.group() == "{" else -1
        if depth == 0:
            return match.end()
    return -1


def _join(source: Source, chunks: list[Chunk]) -> list[Chunk]:
    """The chunks, with windows on lines of their own and blocks of YAML, TOML and HCL put together.

    Neither is a statement by itself, and what is wrong is wrong once.
    """
    text = source.text
    joined: list[Chunk] = []
    inside = closed = -1
    section = False
    for chunk in _commented(text, chunks):
        before = joined[-1] if joined else None
        section = section and _KEY_LINE.match(text, chunk.start) is not None
        if before is not None and (chunk.start < closed or section):
            _add(before, chunk)
            continue
        if before is not None and inside >= 0 and _indent(text, chunk.start) > inside:
            _add(before, chunk)
            continue
        inside = -1
        if (
            before is not None
            and text[chunk.start] == "("
            and _BARE.match(text[before.start : before.end])
        ):
            before.joins += ((before.end, chunk.start),)
            _add(before, chunk)
            continue
        if before is not None and text.startswith(_REACH, chunk.start):
            deeper = _indent(text, chunk.start) > _indent(text, before.start)
            word = WORD.match(text, before.start)
            own = word is None or word.group() not in KEYWORDS or word.group() == "mask"
            if own and _WINDOW_LINE.match(text, chunk.start) and (deeper or not before.open):
                before.joins += ((before.end, chunk.start),)
                _add(before, chunk)
                continue
        joined.append(chunk)
        if text[chunk.end - 1] == ":" and not chunk.open:
            inside = _indent(text, chunk.start)
        elif text[chunk.end - 1] == "{":
            closed = _block_end(text, chunk.end)
        section = _SECTION.fullmatch(text, chunk.start, chunk.end) is not None
    return joined


def _commented(text: str, chunks: list[Chunk]) -> list[Chunk]:
    """The chunks, with what stands in a comment `/* … */` over several lines in one."""
    last = text.rfind("*/")
    if last < 0:
        return chunks
    whole: list[Chunk] = []
    end = -1
    for chunk in chunks:
        if chunk.start < end:
            _add(whole[-1], chunk)
            whole[-1].end = max(end, chunk.end)
        else:
            end = _comment_end(text, chunk, last)
            chunk.end = max(end, chunk.end)
            whole.append(chunk)
        if end > 0:
            whole[-1].unclosed = []  # quotes in a comment are none
    return whole


def _comment_end(text: str, chunk: Chunk, last: int) -> int:
    """Where a comment ends that begins in a chunk and goes on beyond it, or -1."""
    at = text.find("/*", chunk.start, chunk.end)
    while 0 <= at < last:
        end = text.find("*/", at + 2) + 2
        if text[at - 1 : at].strip():  # `a/*`
            end = at + 2
        elif end > chunk.end or end < 2:
            return end if end > chunk.end else -1
        at = text.find("/*", end, chunk.end)
    return -1


def _add(chunk: Chunk, other: Chunk) -> None:
    chunk.end = other.end
    chunk.open += other.open
    chunk.unclosed += other.unclosed
    chunk.depth = max(chunk.depth, other.depth)
    chunk.long = chunk.long or other.long


def cut(source: Source) -> tuple[list[Chunk], list[Comment]]:
    """The statements' chunks and all comments, in order."""
    chunks: list[Chunk] = []
    comments: list[Comment] = []
    for item in _walk(source):
        if isinstance(item, Chunk):
            chunks.append(item)
        else:
            comments.append(item)
    return _join(source, chunks), comments


def _walk(source: Source) -> Iterator[Chunk | Comment]:
    text = source.text
    chunk: Chunk | None = None
    last = ""
    line_empty = True
    for piece in _PIECE.finditer(text):
        kind, value, start, end = piece.lastgroup, piece.group(), piece.start(), piece.end()
        if kind == "closed":
            kind = "string"
        if kind == "space":
            continue
        if kind == "comment":
            body = value.rstrip()
            yield Comment(source.span(start, start + len(body)), body, line_empty)
            line_empty = False
            continue
        if kind == "newline":
            if chunk is not None and (not chunk.open or _breaks(text, chunk, start, last)):
                yield chunk
                chunk = None
            line_empty = True
            continue
        line_empty = False
        if chunk is None:
            chunk = Chunk(start)
        if kind == "open":
            if len(chunk.open) <= MAX_NESTING:  # deeper ones are refused, not remembered
                chunk.open.append((value, start))
            chunk.depth = max(chunk.depth, len(chunk.open))
        elif kind == "close" and chunk.open:
            chunk.open.pop()
        elif kind == "string" and piece.group("closed") is None:
            chunk.unclosed.append(source.span(start, end))
        if end - start > MAX_NAME and chunk.long is None:
            chunk.long = _long(kind, start, value)
        chunk.end = end
        last = value
    if chunk is not None:
        yield chunk
