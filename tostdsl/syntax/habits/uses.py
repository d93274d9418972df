"""Habits where a param is used: `until epoch $e`, `for $n epochs`, `sparsity=$s%`."""

from __future__ import annotations

import re

from tostdsl.diagnostics import Edit, Fix, diagnose
from tostdsl.syntax.habits.statement import NAME, Statement

_USED = re.compile(
    rf"(?P<moment>\b(?:epoch|step)s?)[ \t]+\$(?P<a>{NAME})"
    rf"|\$(?P<b>{NAME})[ \t]+(?P<length>(?:epoch|step)s?)\b"
    rf"|\$(?P<c>{NAME})(?P<mark>%|x(?!\w))"
)


def units(text: Statement) -> None:
    """A unit beside the use of a param, whose value has one of its own."""

    def mend(match: re.Match[str]) -> None:
        name = match["a"] or match["b"] or match["c"]
        found, used = match.group(), f"${name}"
        declared = _declaration(text, name)
        edits = [Edit(text.span(*match.span()), used)]
        help, read = f"a param's value has its unit: write `{used}`", used
        if declared is not None:
            value = _with_unit(match, declared[1])
            span = text.written.source.span(*declared.span(1))
            edits.append(Edit(span, value))
            help += f", and `param {name} = {value}` where it is declared"
            read = value
        fix = Fix(tuple(edits), certain=False)
        place = text.span(*match.span())
        text.found.append(diagnose("T144", place, help=help, fix=fix, found=found, write=used))
        text.put(*match.span(), read)

    text.each(_USED, text.bare, mend)


def _declaration(text: Statement, name: str) -> re.Match[str] | None:
    """The param's line in this file, where its value is a number without a unit."""
    pattern = rf"(?m)^[ \t]*param[ \t]+{name}[ \t]*=[ \t]*(\d+(?:\.\d+)?)[ \t]*(?:#|$)"
    return re.search(pattern, text.written.source.text)


def _with_unit(match: re.Match[str], number: str) -> str:
    if match["moment"]:
        return f"{match['moment'].rstrip('s')} {number}"
    if match["length"]:
        return f"{number} {match['length'].rstrip('s')}s"
    return f"{number}{match['mark']}"
