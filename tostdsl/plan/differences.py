"""In what two plans differ, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tostdsl.plan.plan import Plan

SHOWN = 8
"""How many a message names."""


def differences(one: Plan, other: Plan) -> list[str]:
    """`path: old -> new` for each field that differs; empty where the plans mean the same."""
    a, b = dict(_flat(one.to_json())), dict(_flat(other.to_json()))
    return [
        f"{path}: {_shown(a, path)} -> {_shown(b, path)}"
        for path in dict.fromkeys([*a, *b])
        if a.get(path, _NONE) != b.get(path, _NONE)
    ]


def first_difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """The path of the first field in which two JSON contents differ, in value or in type."""
    a, b = dict(_flat(one)), dict(_flat(other))
    return next(
        (path for path in dict.fromkeys([*a, *b]) if repr(a.get(path)) != repr(b.get(path))), "all"
    )


def few(found: list[str]) -> str:
    """The first of them, for a message."""
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


_NONE = object()


def _shown(fields: dict[str, Any], path: str) -> str:
    return str(fields[path]) if path in fields else "not there"


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for index, each in enumerate(value):
            yield from _flat(each, f"{path}[{index}]")
    else:
        yield path, value
