"""A statement that cannot be read, and the ways to rewrite it without moving anything."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose
from tostdsl.source import Source, Span

MAX_SHOWN = 50
"""Characters of a statement that a help line repeats."""

SLOTS = ("model", "data", "mask", "optimizer", "schedule")
BOUNDS = ("from", "until", "for", "at")
REACH = (*BOUNDS, "on", "except")
"""The words that may follow a call in a statement."""

NAME = r"[A-Za-z_]\w*"
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|#[^\n]*')


def either(words: tuple[str, ...]) -> str:
    """The pattern of one of some words."""
    return f"(?:{'|'.join(words)})"


@dataclass(slots=True)
class Meant:
    """A statement as it was probably meant.

    `pieces` are the statements in it, each by its offset in the chunk and its text; a piece is
    never moved, but may be longer at its end. No piece, and a `word`: it cannot be read further,
    and stands for a statement that begins with that word.
    """

    pieces: list[tuple[int, str]] = field(default_factory=list)
    word: str = ""


class Statement:
    """Reads one statement, which `start` places in the source."""

    def __init__(self, source: Source, start: int, text: str) -> None:
        self.source = source
        self.start = start
        self.text = text
        self.found: list[Diagnostic] = []
        self.cuts: list[tuple[int, int]] = []
        self.word: str | None = None

    def read(self) -> Meant | None:
        """What was meant, after all rewriting; None where nothing was found."""
        if self.word is not None:
            return Meant([], self.word)
        if not self.found:
            return None
        starts = [0, *(end for _, end in self.cuts)]
        ends = [*(start for start, _ in self.cuts), len(self.text)]
        pieces = []
        for start, end in zip(starts, ends, strict=True):
            piece = self.text[start:end]
            if piece.strip():
                lead = len(piece) - len(piece.lstrip())
                pieces.append((start + lead, piece.strip()))
        return Meant(pieces)

    # -- the text in other forms, all of one length

    @property
    def bare(self) -> str:
        """The text without what stands in strings and comments."""
        return _STRING.sub(_blanked, self.text)

    @property
    def outer(self) -> str:
        """The same, and without what stands in brackets."""
        depth, out = 0, []
        for char in self.bare:
            depth -= char in ")]" and depth > 0
            out.append("_" if depth and not char.isspace() else char)
            depth += char in "(["
        return "".join(out)

    @property
    def inner(self) -> str:
        """The text without what stands outside of brackets."""
        depth, out = 0, []
        for char in self.bare:
            depth -= char in ")]" and depth > 0
            out.append(char if depth else " ")
            depth += char in "(["
        return "".join(out)

    # -- changes

    def give_up(self) -> None:
        """Read the statement no further."""
        first = re.match(NAME, self.text)
        self.word = first.group() if first else ""

    def span(self, start: int, end: int) -> Span:
        """The span of a range of the statement."""
        return self.source.span(self.start + start, self.start + end)

    def put(self, start: int, end: int, text: str) -> None:
        """Write over a range; what is shorter is filled up with blanks."""
        self.text = self.text[:start] + text.ljust(end - start) + self.text[end:]

    def wrap(self, start: int, end: int, opening: str, closing: str) -> bool:
        """Put a mark into the blank before a range and one into the blank after it."""
        before, after = self.text[start - 1 : start], self.text[end : end + 1]
        if not before.isspace() or (after and not after.isspace()):
            return False
        self.put(start - 1, start, opening)
        self.put(end, end + 1, closing)
        return True

    def report(
        self,
        code: str,
        where: tuple[int, int],
        *edits: tuple[int, int, str],
        certain: bool = True,
        help: str | None = None,
        **values: object,
    ) -> None:
        """Report at a range, with the edits that mend it."""
        made = tuple(Edit(self.span(start, end), text) for start, end, text in edits)
        fix = Fix(made, certain) if made else None
        self.found.append(diagnose(code, Label(self.span(*where)), help=help, fix=fix, **values))


def _blanked(match: re.Match[str]) -> str:
    text = match.group()
    if text[0] == "#":
        return " " * len(text)
    return '"' + "_" * (len(text) - 2) + '"'


def shown(text: str) -> str:
    """A piece of a statement as a help line repeats it."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN else f"{line[: MAX_SHOWN - 1]}…"
