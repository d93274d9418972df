"""What a parser hands on: tokens and trees with their places in the text."""

from __future__ import annotations

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


class Tree:
    """A rule's name and children; None stands for a part that was left out.

    A rule that read nothing has the range -1 to -1.
    """

    __slots__ = ("children", "data", "end_pos", "start_pos")

    def __init__(self, data: str, children: list[Child], start: int = -1, end: int = -1) -> None:
        self.data = data
        self.children = children
        self.start_pos = start
        self.end_pos = end


Child: TypeAlias = Tree | Token | None
