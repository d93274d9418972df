"""Expectations that no run or every run meets, alone or together, or that say the same twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from tostdsl.diagnostics import Diagnostic, Label, diagnose
from tostdsl.plan.plan import Expectation
from tostdsl.syntax import nodes as n
from tostdsl.units import Percent, number_text

MAX_COMPARED = 1000
"""Expectations that are compared with one another."""


def expect_text(expect: Expectation) -> str:
    """An expectation as a recipe writes it."""
    value = expect.value
    written = value if isinstance(value, Percent) else number_text(value)
    return f"{expect.metric} {expect.op} {written}"


def outcome(expect: Expectation) -> bool | None:
    """Whether every run meets an expectation, or none does; None where that is up to the run."""
    share = isinstance(expect.value, Percent)
    lowest, highest = 0.0, 100.0 if share else float("inf")
    value = float(expect.value.value if isinstance(expect.value, Percent) else expect.value)
    upper, touching = expect.op[0] == "<", "=" in expect.op
    kind, unkind = (highest, lowest) if upper else (lowest, highest)
    if value == kind and touching:
        return True
    return False if value == unkind and not touching else None


def foregone(said: Sequence[tuple[Expectation, n.Expect]]) -> Iterator[Diagnostic]:
    """Expectations that every run meets, or none."""
    for expect, node in said:
        met = outcome(expect)
        if met is not None:
            ends = "below 0% nor above 100%" if isinstance(expect.value, Percent) else "below 0"
            extent = f"`{expect.metric}` is never {ends}"
            code = "W022" if met else "T425"
            yield diagnose(code, node.span, expect=expect_text(expect), extent=extent)


def contradictions(said: Sequence[tuple[Expectation, n.Expect]]) -> Iterator[Diagnostic]:
    """Expectations about one metric that cannot hold together, or of which one is idle.

    Each is reported once, against the first that it does not go with.
    """
    told = {id(node) for expect, node in said if outcome(expect) is not None}
    for (first, node), (second, other) in combinations(said[:MAX_COMPARED], 2):
        if first.metric != second.metric or id(node) in told or id(other) in told:
            continue
        if first.op[0] != second.op[0]:
            if _apart(first, second):
                told.add(id(other))
                label = Label(node.span, "against this")
                texts = _texts(first, second)
                yield diagnose("T420", other.span, label, **texts)
            continue
        if _strictness(second) > _strictness(first):
            first, node, second, other = second, other, first, node
        told.add(id(other))
        label = Label(node.span, "this says it")
        texts = _texts(first, second)
        yield diagnose("T421", other.span, label, **texts)


def _texts(first: Expectation, second: Expectation) -> dict[str, Any]:
    return {"first": expect_text(first), "second": expect_text(second)}


def _apart(a: Expectation, b: Expectation) -> bool:
    """Whether a lower and an upper bound leave nothing between them."""
    lower, upper = (a, b) if a.op[0] == ">" else (b, a)
    distance = float(lower.value) - float(upper.value)
    touching = "=" in lower.op and "=" in upper.op
    return distance > 0 or (distance == 0 and not touching)


def _strictness(expect: Expectation) -> tuple[float, bool]:
    """How much a bound asks for, among bounds of one direction."""
    value = float(expect.value)
    return (value if expect.op[0] == ">" else -value), "=" not in expect.op
