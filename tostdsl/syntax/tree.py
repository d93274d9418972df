"""What a parser hands on: tokens and trees with their places in the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


class Token(str):
    """A token's text, with the terminal it is of and its range."""

    __slots__ = ("end_pos", "start_pos", "type")
    type: str
    start_pos: int
    end_pos: int

    @classmethod
    def of(cls, type: str, text: str, start: int, end: int) -> Token:
        """A token of a terminal over a range."""
        token = cls(text)
        token.type, token.start_pos, token.end_pos = type, start, end
        return token


@dataclass(slots=True)
class Tree:
    """A rule's name and children; None stands for a part that was left out.

    A rule that read nothing has the range -1 to -1.
    """

    data: str
    children: list[Child]
    start_pos: int = -1
    end_pos: int = -1


Child: TypeAlias = Tree | Token | None
