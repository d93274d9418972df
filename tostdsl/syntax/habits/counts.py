"""Habits in counting: `until epoch five`, `until ep 10`, `for the first 5 epochs`."""

from __future__ import annotations

import re
from decimal import Decimal

from tostdsl.syntax.habits.statement import BOUNDS, Statement, either
from tostdsl.syntax.habits.values import MAX_PLACES

_WORDS = "one two three four five six seven eight nine ten eleven twelve"
_NUMBERS = {word: value for value, word in enumerate(_WORDS.split(), 1)}
_NUMBERS |= {"fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100}
_NUMBER = either(tuple(_NUMBERS))
_COUNTED = re.compile(
    rf"\b{either(BOUNDS)}\s+((?P<unit>ep|eps|epo|it|iter|iteration|batch|epoch|step)s?\s+"
    rf"(?P<number>\d+(?:\.\d+)?[eE]\+?\d{{1,2}}|\d+|{_NUMBER}))(?=\s|$)",
    re.IGNORECASE,
)
_LONG = re.compile(rf"\bfor\s+(({_NUMBER})\s+((?:epoch|step)s?))(?=\s|$)", re.IGNORECASE)
_FIRST_OF = re.compile(r"\bfor\s+((?:the\s+)?first\s+(\d+ (?:epoch|step)s?))(?=\s|$)")
_IN_WORDS = re.compile(
    r"(?<=\S)\s+(up\s+(?:to|until)|prior\s+to|no\s+later\s+than|as\s+of|as\s+from"
    r"|starting\s+(?:at|from|with)|beginning\s+(?:at|from|with))(?=\s+(?:epoch|step|\d|end|\$))"
)


def counted(text: Statement) -> None:
    """`until epoch five`, `until ep 10`, `until step 1e2`, `for the first 5 epochs`."""

    def mend(match: re.Match[str]) -> None:
        found, unit = match[1], match["unit"].lower()
        number = match["number"]
        if number.isalpha():
            number = str(_NUMBERS[number.lower()])
        elif not number.isdecimal():
            number = f"{Decimal(number).normalize():f}"
        unit = "epoch" if unit.startswith("e") else "step"
        write = f"{unit} {number}"
        sure = number == match["number"] or not match["number"].isalpha()
        if write != found and len(number) < MAX_PLACES:
            text.mend("T136", match.span(1), write, certain=sure, found=found)

    def length(match: re.Match[str]) -> None:
        write = f"{_NUMBERS[match[2].lower()]} {match[3]}"
        text.mend("T144", match.span(1), write, found=match[1])

    def first(match: re.Match[str]) -> None:
        text.mend("T144", match.span(1), match[2], found=match[1])

    def reach(match: re.Match[str]) -> None:
        meant = "until" if match[1].startswith(("up", "prior", "no")) else "from"
        help = f"write `{meant}`"
        text.mend("T134", match.span(1), meant, False, help, mark=match[1], reason="")

    text.each(_IN_WORDS, text.outer, reach)
    text.each(_COUNTED, text.outer, mend)
    text.each(_LONG, text.outer, length)
    text.each(_FIRST_OF, text.outer, first)
