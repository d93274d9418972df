"""Names close to one that is unknown."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_WORK = 200_000
"""Pairs of letters that are compared for one suggestion."""


def distance(a: str, b: str) -> int:
    """Edits from a to b, counting two neighbours swapped as one (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        current = [i]
        for j, right in enumerate(b, 1):
            best = min(row[j] + 1, current[j - 1] + 1, row[j - 1] + (left != right))
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == right:
                best = min(best, before[j - 2] + 1)
            current.append(best)
        before, row = row, current
    return row[-1]


def related(name: str, known: Iterable[str]) -> str | None:
    """The nearest known name, else one that says the same in fewer letters.

    That is a part of the name (`batch` for `batch_size`) or its initials (`lr` for
    `learning_rate`).
    """
    names = sorted(known)
    close = nearest(name, names)
    if close is not None:
        return close
    parts = name.lower().split("_")
    initials = "".join(part[:1] for part in parts)
    same = [each for each in names if each in parts or (len(parts) > 1 and each == initials)]
    return same[0] if same else None


_NUMBER = re.compile(r"\d+")


def _siblings(a: str, b: str) -> bool:
    """Whether two names differ in their numbers only, so that each means something of its own."""
    a, b = a.lower(), b.lower()
    return a != b and _NUMBER.sub("", a) == _NUMBER.sub("", b)


def twins(name: str, known: Iterable[str]) -> list[str]:
    """The known names that differ from one in their numbers only: `cifar10` for `cifar100`."""
    found = [each for each in known if _siblings(name, each)]
    return sorted(found, key=lambda each: (len(each), each))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name a reader most likely meant, or None when none is close enough."""
    limit = max(1, len(name) // 3)
    best: str | None = None
    room = MAX_WORK
    for candidate in sorted(known):
        if abs(len(candidate) - len(name)) > limit:
            continue
        room -= len(candidate) * len(name)
        if room < 0:  # a stranger's file may have thousands of long names
            break
        steps = distance(name.lower(), candidate.lower())
        if steps < limit or (steps == limit and best is None):
            best, limit = candidate, steps
    return best
