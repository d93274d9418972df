"""A statement that cannot be read, and the ways to rewrite it into what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose
from tostdsl.source import Span
from tostdsl.syntax.tables import tables
from tostdsl.syntax.written import Written

MAX_SHOWN = 60
"""Characters of a statement that a help line repeats."""

BOUNDS = ("from", "until", "for", "at")
REACH = (*BOUNDS, "on", "except")
"""The words that may follow a call in a statement."""

NAME = r"[A-Za-z_]\w*"
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|#[^\n]*')
_OPEN, _CLOSE = "([{", ")]}"


def either(words: Sequence[str]) -> str:
    """The pattern of one of some words."""
    return f"(?:{'|'.join(words)})"


@dataclass(slots=True)
class Meant:
    """A statement as it was probably meant.

    `pieces` are the statements in it. No piece, and a `word`: it cannot be read further, and
    stands for a statement that begins with that word.
    """

    pieces: list[Written] = field(default_factory=list)
    word: str = ""


class Statement:
    """Reads one statement."""

    def __init__(self, written: Written) -> None:
        self.written = written
        self.found: list[Diagnostic] = []
        self.more: list[Written] = []
        """Statements on the same line, behind this one."""
        self.word: str | None = None

    def read(self) -> Meant | None:
        """What was meant, after all rewriting; None where nothing was found."""
        if self.word is not None:
            return Meant([], self.word)
        if not self.found:
            return None
        whole = self.written.part(0, len(self.text))
        return Meant([piece for piece in (whole, *self.more) if piece.text])

    @property
    def text(self) -> str:
        """The statement as it is read now."""
        return self.written.text

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
            depth -= char in _CLOSE and depth > 0
            out.append("_" if depth and not char.isspace() else char)
            depth += char in _OPEN
        return "".join(out)

    @property
    def inner(self) -> str:
        """The text without what stands outside of brackets."""
        depth, out = 0, []
        for char in self.bare:
            depth -= char in _CLOSE and depth > 0
            out.append(char if depth else " ")
            depth += char in _OPEN
        return "".join(out)

    def closing(self, at: int) -> int | None:
        """Where the bracket that is opened at a place is closed, by whatever closes one."""
        depth = 0
        bare = self.bare
        for end in range(at, len(bare)):
            depth += (bare[end] in _OPEN) - (bare[end] in _CLOSE)
            if depth == 0:
                return end
        return None

    def reads_with(self, start: int, end: int, text: str) -> bool:
        """Whether the statement can be read with something else in a range."""
        return tables().read(self.text[:start] + text + self.text[end:]) is not None

    # -- changes

    def give_up(self) -> None:
        """Read the statement no further."""
        first = re.match(NAME, self.text)
        self.word = first.group() if first else ""

    def span(self, start: int, end: int) -> Span:
        """The span of a range of the statement."""
        return self.written.span(start, end)

    def put(self, start: int, end: int, text: str) -> None:
        """Write over a range."""
        self.written = self.written.with_put(start, end, text)

    def mend(
        self,
        code: str,
        where: tuple[int, int],
        write: str,
        certain: bool = True,
        help: str | None = None,
        place: tuple[int, int] | None = None,
        **values: object,
    ) -> None:
        """Report a range (or a `place` in it), with its fix, and read it as that was meant."""
        values.setdefault("write", shown(write))
        self.report(code, place or where, (*where, write), certain=certain, help=help, **values)
        self.put(*where, write)

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

    def each(
        self, pattern: re.Pattern[str], view: str, habit: Callable[[re.Match[str]], None]
    ) -> None:
        """Look at each match in a view of the text, the last one first, so that places stay."""
        for match in reversed(list(pattern.finditer(view))):
            habit(match)


def _blanked(match: re.Match[str]) -> str:
    text = match.group()
    if text[0] == "#":
        return " " * len(text)
    return '"' + "_" * (len(text) - 2) + '"'


def shown(text: str) -> str:
    """A piece of a statement as a help line repeats it."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_SHOWN else f"{line[: MAX_SHOWN - 1]}…"
