# ruff: noqa: RUF001 - letters that look like others are what this is about
"""Characters that do not belong into a recipe, and what was meant by them.

Control characters, and those that turn the direction of text around, are refused everywhere: they
make a reader see another recipe than the one that runs. Letters beyond ASCII may stand in strings
and comments only; where one is certain to stand for a plain character, the message says which, and
the statement is read as if it were written so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from tostdsl.diagnostics import Diagnostic, Edit, Fix, diagnose
from tostdsl.source import Source, Span

MAX_SHOWN = 20
"""Characters of a sort that are reported; the rest would say the same."""

_CONTROL = (
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_QUOTED = r'"(?:\\.|[^"\\\n])*"|#[^\n]*'

LOOKALIKES = {
    **dict(zip("аеорсухіјѕԁһԛԝАВЕКМНОРСТХУЅІЈ", "aeopcyxijsdhqwABEKMHOPCTXYSIJ", strict=True)),
    **dict(zip("οαινρυΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "oaivpuABEZHIKMNOPTYX", strict=True)),
    **dict(zip("ıȷɡɑſ", "ijgas", strict=True)),
}
"""Cyrillic, Greek and rare Latin letters that look like plain ones."""

QUOTES = "“”„‟«»″＂"
MARKS = {
    **dict.fromkeys("‐‑‒–—―−﹣", "-"),
    **dict.fromkeys("\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006", " "),
    **dict.fromkeys("\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "),
    **dict.fromkeys("\u200b\u200c\u200d\u2060\u00ad", ""),
    **dict.fromkeys("→⟶⇒➔", "->"),
    **dict(zip("≥≤", (">=", "<="), strict=True)),
    **dict(zip("‚、×", (",", ",", "x"), strict=True)),
}
"""Characters that programs for prose put in the place of what was typed."""

_MARK = f"[{''.join(MARKS)}]"
_WORD = f"[A-Za-z0-9_]*(?:[^\\x00-\\x7f{''.join(MARKS)}][A-Za-z0-9_]*)+"


_NO_TEXT = re.compile(
    rf"(?:=|\b(?:from|until|for|at|model|data|mask|optimizer|schedule)\s)\s*"
    rf"([{QUOTES}](?:[A-Za-z_]\w*|-?[\d.]+[%x]?|(?:epoch|step)\s\d+|\d+\s(?:epoch|step)s?)[{QUOTES}])"
)
"""Quotes around what is no text."""
_ARROW = re.compile(r"[\d%x]\s[‒–—―]\s[\d.$]")

_SPACES = str.maketrans("", "", "\n\t\r")


def controlled(text: str) -> bool:
    """Whether a text may hold a control character; most hold none, which is seen at once."""
    return not text.translate(_SPACES).isprintable()


def uncontrolled(text: str) -> tuple[str, int]:
    """The text with a space in the place of each control character, and how many there were."""
    return re.subn(_CONTROL, " ", text) if controlled(text) else (text, 0)


def forbidden(source: Source) -> Iterator[Diagnostic]:
    """Reports of control characters anywhere, and of lines that are not in normal form."""
    for count, match in enumerate(_controls(source.text)):
        if count == MAX_SHOWN:
            break
        span = source.span(*match.span())
        yield diagnose("T108", span, char=f"U+{ord(match.group()):04X}", fix=_edit(span, "", False))
    if source.text.isascii() or unicodedata.is_normalized("NFC", source.text):
        return
    start = shown = 0
    for line in source.text.split("\n"):
        normal = unicodedata.normalize("NFC", line)
        if normal != line and shown < MAX_SHOWN:
            span = source.span(start, start + len(line))
            yield diagnose("T157", span, fix=_edit(span, normal))
            shown += 1
        start += len(line) + 1


def _controls(text: str) -> Iterator[re.Match[str]]:
    return re.finditer(_CONTROL, text) if controlled(text) else iter(())


class Plain:
    """Reads a statement's text as plain characters; what was meant is in `text`."""

    def __init__(self, source: Source, start: int, text: str, found: list[Diagnostic]) -> None:
        self.source = source
        self.start = start
        self.text = text
        self.found = found
        self.certain = True
        """Whether every strange character has become a plain one."""

    def read(self) -> Plain:
        """Report every strange character outside of strings and comments once."""
        bare = [i for match in _NO_TEXT.finditer(self._open()) for i in match.span(1)]
        bare[1::2] = [i - 1 for i in bare[1::2]]
        self._each("", [i for i in bare if self.text[i] in QUOTES])
        self._each('"', [i for i, c in enumerate(self._open()) if c in QUOTES])
        places: dict[tuple[str, str], list[int]] = {}
        for match in re.finditer(_MARK, self._open()):
            char, at = match.group(), match.start()
            write = "->" if _ARROW.match(self.text, max(0, at - 2)) else MARKS[char]
            places.setdefault((char, write), []).append(at)
        for (_, write), offsets in places.items():
            self._each(write, offsets)
        for match in list(re.finditer(_WORD, self._open())):
            self._word(match.group(), *match.span())
        return self

    def _open(self) -> str:
        """The text with what is in strings and comments blanked out."""
        return re.sub(_QUOTED, lambda match: " " * len(match.group()), self.text)

    def _each(self, write: str, offsets: list[int]) -> None:
        if not offsets:
            return
        spans = [self.source.span(self.start + at, self.start + at + 1) for at in offsets]
        fix = Fix(tuple(Edit(span, write) for span in spans))
        help = {"": "remove it", " ": "write a plain space"}.get(write)
        char = called(spans[0].text)
        self.found.append(diagnose("T156", spans[0], char=char, write=write, help=help, fix=fix))
        chars = list(self.text)  # all of them at once: a text may hold many
        for at in offsets:
            if len(write) == 2 and chars[at + 1 : at + 2] == [" "]:
                chars[at : at + 2] = write
            elif len(write) == 1:
                chars[at] = write
            elif not write and chars[at] in QUOTES:
                chars[at] = " "
            else:  # what was meant does not fit there
                self.certain = False
        self.text = "".join(chars)

    def _word(self, word: str, start: int, end: int) -> None:
        span = self.source.span(self.start + start, self.start + end)
        meant = "".join(map(_looks_like, word))
        strange = next(char for char in word if not char.isascii())
        if len(meant) == len(word) and meant.isascii():
            mixed = any(c.isascii() and c.isalpha() for c in word) or strange not in LOOKALIKES
            letters = f"it is written with {called(strange)}"
            fix = _edit(span, meant, mixed)
            self.found.append(
                diagnose("T154", span, found=word, meant=meant, letters=letters, fix=fix)
            )
            self.text = self.text[:start] + meant + self.text[end:]
            return
        self.certain = False
        if re.search(_CONTROL, word) or not unicodedata.is_normalized("NFC", word):
            return  # it has its report
        strange = next(char for char in word if not _looks_like(char).isascii())
        at = span.start + word.index(strange)
        self.found.append(diagnose("T155", self.source.span(at, at + 1), char=called(strange)))


def _looks_like(char: str) -> str:
    if char.isascii():
        return char
    folded = LOOKALIKES.get(char) or unicodedata.normalize("NFKC", char)
    return folded if len(folded) == 1 and folded.isascii() and folded.isprintable() else char


def called(char: str) -> str:
    """A character as messages show it: itself where it can be seen, and its number and name."""
    name = unicodedata.name(char, "").lower()
    number = f"U+{ord(char):04X}" + (f", {name}" if name else "")
    return f"`{char}` ({number})" if char.isprintable() else number


def _edit(span: Span, text: str, certain: bool = True) -> Fix:
    return Fix((Edit(span, text),), certain)
