"""In what two plans differ, field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tostdsl.plan.plan import Plan

SHOWN = 8
"""How many a message names."""
CALL = ("name", "revision", "args")
"""What the JSON of a call has."""


def differences(one: Plan, other: Plan) -> list[str]:
    """`path: old -> new` for each field that differs; empty where the plans mean the same."""
    a, b = dict(_flat(one.to_json())), dict(_flat(other.to_json()))
    return [
        f"{path}: {_shown(a, path)} -> {_shown(b, path)}"
        for path in dict.fromkeys([*a, *b])
        if a.get(path, _NONE) != b.get(path, _NONE)
    ]


def misfit(written: Any, found: Any, path: str = "") -> str | None:
    """In words, the first place where a plan's JSON is not the one that would be written of it."""
    if isinstance(written, dict) and isinstance(found, dict):
        for key, value in written.items():
            if key not in found:
                return f"`{_at(path, key)}` is missing; its default is written {_json(value)}"
            said = misfit(value, found[key], _at(path, key))
            if said is not None:
                return said
        more = next((key for key in found if key not in written), None)
        return None if more is None else f"`{_at(path, more)}` is no part of a plan"
    if isinstance(written, list) and isinstance(found, list):
        return _list_misfit(written, found, path)
    if repr(written) == repr(found):
        return None
    return (
        f"`{path}` is not as it would be written: it is {_json(found)}, and would be "
        f"{_json(written)}"
    )


def _list_misfit(written: list[Any], found: list[Any], path: str) -> str | None:
    texts = [_json(each) for each in found]
    wanted = [_json(each) for each in written]
    if texts == wanted:
        return None
    firsts: dict[str, int] = {}
    for at, text in enumerate(texts):
        first = firsts.setdefault(text, at)
        if first != at:
            return f"`{path}[{at}]` stands twice: it is the same as `{path}[{first}]`"
    if firsts.keys() == set(wanted):
        at = next(at for at, text in enumerate(wanted) if text != texts[at])
        return (
            f"`{path}` is not in the order in which it is written: `{path}[{firsts[wanted[at]]}]` "
            f"comes before `{path}[{at}]`"
        )
    if len(written) != len(found):
        return f"`{path}` has {len(found)} entries, and would be written with {len(written)}"
    said = (
        misfit(a, b, f"{path}[{at}]") for at, (a, b) in enumerate(zip(written, found, strict=True))
    )
    return next(filter(None, said), None)


def incomplete(content: Any, path: str = "") -> str | None:
    """The first call in a plan's JSON without its name, revision or arguments: what it lacks."""
    if isinstance(content, list):
        within = (incomplete(each, f"{path}[{at}]") for at, each in enumerate(content))
        return next(filter(None, within), None)
    if not isinstance(content, dict):
        return None
    if len(content) == 2 and content.keys() < set(CALL):
        return next(_at(path, key) for key in CALL if key not in content)
    within = (incomplete(each, _at(path, key)) for key, each in content.items())
    return next(filter(None, within), None)


def _at(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _json(value: Any) -> str:
    """A value on one line."""
    return json.dumps(value, sort_keys=True)


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
