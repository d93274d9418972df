"""Habits in targets: `on not last`, `except first layer`, `on layer1[0]`, `on all`."""

from __future__ import annotations

import re

from tostdsl.syntax.habits.statement import NAME, REACH, Statement, either

GROUPS = ("conv", "linear", "first", "last")
"""Groups of layers, which the language itself names."""
EVERY = ("all", "everything", "everywhere", "every")
"""How every layer is named, which is what no `on` means."""

_LAYERS = r"(?:layers?|modules?|ones?)"
_NEXT = either((*REACH, "but"))
_END = r"(?=\s*(?:,|$)|\s+(?:on|except|from|until|for|at|and)\s)"
_EVERY = re.compile(rf"\s+on\s+(?:{either(EVERY)}(?:\s+{_LAYERS})?)(?:\s*$|(?=\s+{_NEXT}\s))")
_NOT = re.compile(r"\b(on\s+(?:not\s+|!\s*|~\s*))(?=[\w\"])")
_KINDS = re.compile(rf"\b((?:the\s+)?({either(GROUPS)})\s+{_LAYERS}){_END}")
_THE = re.compile(rf"(?<=\s)the\s+(?={either(GROUPS)}{_END})")
_INDEXED = re.compile(rf"(?<![\w.\"*?])({NAME}(?:\.\w+)*(?:\[\d+\](?:\.\w+)*)+)(?![\w.*?\[])")
_CALLED = re.compile(r"\b(?:on|except)\s+((?:layers?|modules?|names?)\(\s*([^()]*?)\s*\))")
_QUOTED = re.compile(rf"(?:\b(?:on|except)|,)\s+('({either(GROUPS)})')")
_REACHED = re.compile(r"\s(?:on|except)\s")


def worth_a_look(text: str) -> bool:
    """Whether a statement that can be read names every layer, or calls layers by a function."""
    return any(habit.search(text) is not None for habit in (_EVERY, _CALLED))


def layers(text: Statement) -> None:
    """Every layer, all but some, and layers by kind, index or function."""
    if _REACHED.search(text.bare) is None and _EVERY.search(text.outer) is None:
        return

    def every(match: re.Match[str]) -> None:
        found = match.group()
        place = (match.start() + len(found) - len(found.lstrip()), match.end())
        help = "remove it: without `on` it is all layers that it can work on"
        mark = found.strip()
        text.mend("T134", match.span(), "", help=help, place=place, mark=mark, reason="")

    def but(match: re.Match[str]) -> None:
        mark = match[1].strip()
        help = "write `except`"
        place = (match.start(1), match.start(1) + len(mark))
        text.mend("T134", match.span(1), "except ", False, help, place, mark=mark, reason="")

    def the(match: re.Match[str]) -> None:
        text.mend("T134", match.span(), "", help="remove it", mark="the", reason="")

    def kind(match: re.Match[str]) -> None:
        text.mend("T144", match.span(1), match[2], found=match[1])

    def indexed(match: re.Match[str]) -> None:
        name = re.sub(r"\[(\d+)\]", r".\1", match[1])
        text.mend("T139", match.span(1), f'"{name}"', certain=False)

    def called(match: re.Match[str]) -> None:
        text.mend("T144", match.span(1), match[2], certain=False, found=match[1])

    def quoted(match: re.Match[str]) -> None:
        text.mend("T133", match.span(1), match[2], certain=False)

    text.each(_EVERY, text.outer, every)
    if re.search(r"\sexcept\s", text.outer) is None:
        text.each(_NOT, text.outer, but)
    text.each(_KINDS, text.outer, kind)
    text.each(_THE, text.outer, the)
    reached = _REACHED.search(text.outer)
    if reached is not None:
        text.each(_INDEXED, " " * reached.end() + text.bare[reached.end() :], indexed)
    text.each(_CALLED, text.text, called)
    text.each(_QUOTED, text.text, quoted)
