"""Old and new values side by side, as a recipe writes them: each way in which they differ shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tostdsl.compile.print import call_text, string_text, value_text
from tostdsl.plan.spec import Spec
from tostdsl.units import END, START, Duration, Moment, Window, number_text, plain_text


def told(old: Any, new: Any) -> tuple[str | None, str | None]:
    """An argument's two values; None for one that is not set.

    Of calls of one name, alone or in lists, those arguments show on both sides that differ, also
    where they have their defaults.
    """
    if isinstance(old, Spec) and isinstance(new, Spec):
        return calls(old, new)
    if isinstance(old, tuple) and isinstance(new, tuple):
        partners = _partners(old, new)
        back = {j: i for i, j in partners.items()}
        return _listed(old, new, partners), _listed(new, old, back)
    return _text(old), _text(new)


def calls(old: Spec, new: Spec) -> tuple[str, str]:
    """Two calls that are not equal.

    Of another name each shows what it is of: one of defaults alone has its positional argument.
    """
    if old.name != new.name:
        return _whole(old), _whole(new)
    return _beside(old, new), _beside(new, old)


def windows(old: Window, new: Window, trains: tuple[Duration, Duration]) -> tuple[str, str] | None:
    """Two windows that are the same part of trainings of other lengths; None where they are not.

    Each bound that moves with the length is told as its share, with the moment that it is.
    """
    if old == new or trains[0] == trains[1]:
        return None
    for one, other in ((old.start, new.start), (old.stop, new.stop)):
        share = _share(one, trains[0])
        if one != other and (share is None or share != _share(other, trains[1])):
            return None
    found = _window(old, new, trains[0]), _window(new, old, trains[1])
    return found if found[0] != found[1] else None  # they may part behind the last digit shown


# -- calls


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and not value.isidentifier():
        return string_text(value)
    return value_text(value)


def _whole(spec: Spec) -> str:
    place = spec.positional
    given = {place: getattr(spec, place)} if place is not None else {}
    text = call_text(spec)
    return call_text(spec, given=given) if text == spec.name else text


def _beside(spec: Spec, other: Spec) -> str:
    """A call with the arguments that are not defaults, and those that are others in the other."""
    others = other.arguments()
    shown = {}
    for name, info in type(spec).model_fields.items():
        value = getattr(spec, name)
        if info.is_required() or value != info.default or value != others[name]:
            shown[name] = value
    return call_text(spec, given=shown)


def _partners(old: tuple[Any, ...], new: tuple[Any, ...]) -> dict[int, int]:
    """Which call of a list became which of the other: the first of a name the first, and so on."""
    places = dict(_numbered(new))
    pairs = {i: places[key] for key, i in _numbered(old) if key in places}
    return {i: j for i, j in pairs.items() if old[i] != new[j]}


def _numbered(items: tuple[Any, ...]) -> Iterator[tuple[tuple[str, int], int]]:
    seen = Counter[str]()
    for index, item in enumerate(items):
        if isinstance(item, Spec):
            seen[item.name] += 1
            yield (item.name, seen[item.name]), index


def _listed(items: tuple[Any, ...], others: tuple[Any, ...], partners: dict[int, int]) -> str:
    words = [
        _beside(item, others[partners[i]]) if i in partners else value_text(item)
        for i, item in enumerate(items)
    ]
    return f"[{', '.join(words)}]"


# -- windows


def _share(moment: Moment | Duration, train: Duration) -> Fraction | None:
    """How much of training lies before a moment, where that is known without the data."""
    match moment:
        case Moment(unit="start"):
            return Fraction(0)
        case Moment(unit="end"):
            return Fraction(1)
        case Moment(unit="percent", value=value):
            return Fraction(value) / 100
        case Moment(unit=unit, value=value) if unit == train.unit[:-1]:
            return Fraction(value) / train.value
    return None


def _window(window: Window, other: Window, train: Duration) -> str:
    start, stop = (
        _bound(mine, theirs, train)
        for mine, theirs in ((window.start, other.start), (window.stop, other.stop))
    )
    if window.instant:
        return f"at {start}"
    words = [f"from {start}"] if window.start != START else []
    if isinstance(window.stop, Duration):
        words.append(f"for {stop}")
    elif window.stop != END:
        words.append(f"until {stop}")
    return " ".join(words)


def _bound(mine: Moment | Duration, theirs: Moment | Duration, train: Duration) -> str:
    share = _share(mine, train)
    if mine == theirs or share is None:
        return str(mine)
    moment = f"{train.unit[:-1]} {plain_text(_decimal(share * train.value))}"
    return f"{number_text(_decimal(share * 100))}% ({moment})"


def _decimal(value: Fraction) -> Decimal:
    """Exact where four digits behind the point are enough."""
    return round(Decimal(value.numerator) / value.denominator, 4)
