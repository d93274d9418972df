"""Habits of arithmetic: `64*2`, `5*10^-4`, `1 - $sparsity`."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

from tostdsl.syntax.habits.statement import Statement
from tostdsl.syntax.habits.values import DIGITS as _DIGITS
from tostdsl.syntax.habits.values import MAX_PLACES
from tostdsl.units import number_text

_OPERAND = rf"(?:\d+ (?:epoch|step)s?|{_DIGITS}[%x]?|\$\w+|\b(?:start|end)\b|(?:epoch|step) \d+)"
_ARITHMETIC = re.compile(
    rf"(?<![\w.$-])(-?{_OPERAND})((?:\s*(?:\*\*|[*/+]|\s-\s|(?<=\w)-)\s*-?{_OPERAND})+)(?![\w.])"
)
_TERM = re.compile(
    rf"(?:(epoch|step) )?({_DIGITS})(?:\s+(epoch|step)s?)?\s*([*/+-])"
    rf"\s*({_DIGITS})(?:\s+(epoch|step)s?)?"
)
_COMPUTE: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
}


_POWER = re.compile(
    r"(?<![\w.$^*/+-])(-?)(?:(\d+(?:\.\d+)?)\s*\*\s*)?(\d+)\s*(?:\^|\*\*)\s*\(?\s*([+-]?\d{1,3})"
    r"(?:\s*\))?(?![\w.^*/+]|\s*[*/+])"
)


def powers(text: Statement) -> None:
    """`10^-3`, `5*10^-4`, `2**7`."""

    def mend(match: re.Match[str]) -> None:
        found = match.group()
        if found.count("(") < found.count(")"):
            found = found[:-1].rstrip()
        where = (match.start(), match.start() + len(found))
        sign, factor, base, exponent = match.groups()
        write = f"{sign}{factor or 1}e{int(exponent)}"
        if base != "10" or int(exponent) > 0:
            power = Decimal(base) ** int(exponent) * Decimal(factor or 1)
            write = f"{sign}{power.normalize():f}"
        if len(write) <= MAX_PLACES:
            text.mend("T145", where, write, certain=False, found=found)

    text.each(_POWER, text.bare, mend)


def arithmetic(text: Statement) -> None:
    """`batch=64*2`, `lr=$lr/2`, `until end - 1 epoch`."""

    def mend(match: re.Match[str]) -> None:
        found = match.group()
        moment = re.search(r"\b(?:from|until|at)\s+$", text.bare[: match.start()]) is not None
        value = _computed(found, moment)
        if value is not None:
            text.mend("T145", match.span(), value, certain=False, found=found)
            return
        help = "work it out, and write the value"
        text.report("T145", match.span(), help=help, found=found, write="")
        unit = re.search(r"(?:epoch|step)s?$", found)
        bare = unit is not None and match[1].isdecimal()
        text.put(*match.span(), f"{match[1]} {unit.group()}" if unit and bare else match[1])

    text.each(_ARITHMETIC, text.bare, mend)


def _computed(found: str, moment: bool) -> str | None:
    """What two numbers come to; a whole number where it counts something."""
    term = _TERM.fullmatch(found)
    if term is None or (term[4] == "/" and not Decimal(term[5])):
        return None
    left, right = Decimal(term[2]), Decimal(term[5])
    if max(abs(left.adjusted()), abs(right.adjusted())) >= MAX_PLACES:
        return None
    result = _COMPUTE[term[4]](left, right)
    value = number_text(result)
    units = {unit for unit in (term[1], term[3], term[6]) if unit}
    if not units:
        return value if len(value) <= MAX_PLACES else None
    if len(units) > 1 or result < 1 or result != result.to_integral_value() or "e" in value:
        return None
    (unit,) = units
    return f"{unit} {value}" if moment or term[1] else f"{value} {unit}s"
