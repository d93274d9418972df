"""Names close to an unknown one."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tostdsl.diagnostics.suggest import distance, nearest

words = st.text(alphabet="abc", max_size=6)


def slow(a: str, b: str) -> int:
    """The distance by its definition, without a table."""

    @cache
    def steps(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        found = [steps(i - 1, j) + 1, steps(i, j - 1) + 1]
        found.append(steps(i - 1, j - 1) + (a[i - 1] != b[j - 1]))
        if i > 1 and j > 1 and a[i - 2 : i] == b[j - 2 : j][::-1]:
            found.append(steps(i - 2, j - 2) + 1)
        return min(found)

    return steps(len(a), len(b))


@given(words, words)
def test_distance_is_its_definition(a: str, b: str) -> None:
    """The table gives what the recursive definition gives, either way round."""
    assert slow(a, b) == distance(a, b) == distance(b, a)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        *[("", "", 0), ("ghost", "ghost", 0), ("", "abc", 3), ("ghsot", "ghost", 1)],
        *[("modle", "model", 1), ("ca", "abc", 3), ("kitten", "sitting", 3)],
    ],
)
def test_known_distances(a: str, b: str, expected: int) -> None:
    """Two neighbours swapped are one step; a swapped pair is not edited again."""
    assert expected == distance(a, b)


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("ghots", ["ghost", "skip"], "ghost"),
        ("GHOST", ["ghost", "skip"], "ghost"),
        ("sparcity", ["density", "sparsity"], "sparsity"),
        ("xyz", ["ghost", "skip"], None),
        ("ab", ["xy"], None),
        ("a", [], None),
        ("cat", ["car", "bat"], "bat"),
        ("resnet18", ["resnet20", "resnet34", "resnet18_wide"], "resnet20"),
    ],
)
def test_nearest(name: str, known: list[str], expected: str | None) -> None:
    """The closest name wins, the first of equals, and none when all are far."""
    assert expected == nearest(name, known)
    assert expected == nearest(name, reversed(known))


@given(words, st.lists(words))
def test_the_nearest_is_a_known_name_and_none_is_nearer(name: str, known: list[str]) -> None:
    """Whatever is suggested was offered, is close, and nothing offered is closer."""
    found = nearest(name, known)
    steps = [slow(name, word) for word in known]
    limit = max(1, len(name) // 3)
    assert (found is None) == (min(steps, default=99) > limit)
    if found is not None:
        assert min(steps) == slow(name, found)
