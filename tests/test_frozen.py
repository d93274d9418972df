"""Frozen classes behave as frozen dataclasses do."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from typing import ClassVar

import pytest

from tostdsl.frozen import frozen


@frozen
class Base:
    """A base."""

    place: int = field(compare=False, repr=False)


@frozen
class Point(Base):
    """A point."""

    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    more: list[int] = field(default_factory=list)

    def total(self) -> int:
        """The sum."""
        return self.x + self.y


@dataclass(frozen=True, slots=True)
class TheirBase:
    place: int = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Theirs(TheirBase):
    kind: ClassVar[str] = "point"
    x: int
    y: int = 2
    more: list[int] = field(default_factory=list)


def test_it_has_the_fields_of_a_dataclass() -> None:
    """`fields`, `is_dataclass` and `match` see what they would see of a dataclass."""
    assert is_dataclass(Point)
    assert [f.name for f in fields(Theirs)] == [f.name for f in fields(Point)]  # type: ignore[arg-type]
    assert Theirs.__match_args__ == Point.__match_args__  # type: ignore[attr-defined]
    assert ("x", "y", "more") == Point.__slots__  # type: ignore[attr-defined]
    assert "point" == Point.kind


def test_values_and_defaults() -> None:
    """Positional, named and default values, and a new list for each."""
    point = Point(1, 5)
    assert (1, 5, 2, []) == (point.place, point.x, point.y, point.more)
    assert 7 == point.total()
    assert point.more is not Point(1, 5).more
    assert [3] == Point(1, x=5, more=[3]).more
    with pytest.raises(TypeError):
        Point(1)  # type: ignore[call-arg]


def test_equality_and_hash_leave_out_what_is_not_compared() -> None:
    """And another class is never equal."""
    assert Point(1, 5) == Point(2, 5)
    assert Point(1, 5) != Point(1, 6)
    assert Base(1) == Base(2)
    assert hash(Base(1)) == hash(Base(2))
    assert Base(1) != Theirs(1, 2)
    assert repr(Theirs(1, 5)).removeprefix("Theirs") == repr(Point(1, 5)).removeprefix("Point")


def test_nothing_can_be_assigned() -> None:
    """Neither a field nor anything else."""
    point = Point(1, 5)
    with pytest.raises(FrozenInstanceError):
        point.x = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del point.x
    assert not hasattr(point, "__dict__")


def test_copies() -> None:
    """`replace`, `copy` and `pickle` give equal ones, places included."""
    point = Point(1, 5, more=[1])
    for other in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert point == other
        assert point.place == other.place
    assert Point(1, 9) == replace(Point(1, 5), x=9)  # type: ignore[type-var]
