"""Text on a terminal: how wide it is, where it is cut, how it is wrapped."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

ELLIPSIS = "…"
_WORDS = re.compile(r"(?:`[^`]*`|[^\s`])+")


def printable(text: str) -> str:
    """The text with control characters (escape sequences of a stranger's file) made visible."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\ufffd" for c in text)


def _width(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def columns(text: str) -> int:
    """How many columns of a terminal the printable form of a text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


@dataclass(frozen=True, slots=True)
class Cut:
    """What is shown of a line: its printable text, of the code points [start, end)."""

    text: str
    start: int
    end: int

    def place(self, line: str, start: int, end: int) -> tuple[int, int]:
        """Columns before, and columns of, a range of the line within what is shown."""
        before = columns(line[self.start : start]) + (self.start > 0)
        return before, max(1, columns(line[start : min(end, self.end)]))


def cut(line: str, start: int, end: int, room: int) -> Cut:
    """As much of a line as has room, with [start, end) in it as far as that fits.

    Only the neighbourhood of the range is looked at, so a line may be of any length.
    """
    low, high = max(0, start - room), min(len(line), max(end, start + 1) + room)
    if low == 0 and high == len(line) and columns(line) <= room:
        return Cut(printable(line), 0, len(line))
    left = min(start, len(line))
    right = min(len(line), max(end, left + 1), left + room)
    left_room = room - 2  # an ellipsis on either side
    while right > left + 1 and columns(line[left:right]) > left_room:
        right -= 1
    spare = left_room - columns(line[left:right])
    while right > left + 1 and spare < min(room // 4, left):
        right -= 1  # a little of what stands before, also where the range fills the line
        spare += _width(line[right])
    half = max(spare // 2, min(spare, room // 4))
    left, used = _back(line, left, half)
    ahead, used_ahead = _ahead(line, right, spare - used)
    right = ahead
    left, _ = _back(line, left, spare - used - used_ahead)
    text = printable(line[left:right])
    shown = (ELLIPSIS if left > 0 else "") + text + (ELLIPSIS if right < len(line) else "")
    return Cut(shown, left, right)


def _back(line: str, at: int, room: int) -> tuple[int, int]:
    used = 0
    while at > 0 and used + _width(line[at - 1]) <= room:
        at -= 1
        used += _width(line[at])
    return at, used


def _ahead(line: str, at: int, room: int) -> tuple[int, int]:
    used = 0
    while at < len(line) and used + _width(line[at]) <= room:
        used += _width(line[at])
        at += 1
    return at, used


def wrap(text: str, room: int) -> list[str]:
    """The text in lines of at most `room` columns; what stands in backticks stays together.

    A word wider than the room has a line of its own.
    """
    lines: list[str] = []
    for word in _WORDS.findall(text) or [""]:
        if lines and columns(lines[-1]) + 1 + columns(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
