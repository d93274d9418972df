"""Expectations that no run can meet together, or that say the same twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from tostdsl.diagnostics import Diagnostic, Label, diagnose
from tostdsl.plan.plan import Expectation
from tostdsl.syntax import nodes as n

MAX_COMPARED = 1000
"""Expectations that are compared with one another."""


def contradictions(said: Sequence[tuple[Expectation, n.Expect]]) -> Iterator[Diagnostic]:
    """Expectations about one metric that cannot hold together, or of which one is idle.

    Each is reported once, against the first that it does not go with.
    """
    told: set[int] = set()
    for (first, node), (second, other) in combinations(said[:MAX_COMPARED], 2):
        if first.metric != second.metric or id(node) in told or id(other) in told:
            continue
        if first.op[0] != second.op[0]:
            if _apart(first, second):
                told.add(id(other))
                label = Label(node.span, "against this")
                yield diagnose("T420", other.span, label, first=first, second=second)
            continue
        if _strictness(second) > _strictness(first):
            first, node, second, other = second, other, first, node
        told.add(id(other))
        label = Label(node.span, "this says it")
        yield diagnose("T421", other.span, label, first=first, second=second)


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
