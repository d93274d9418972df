"""A plan's JSON back to a plan: what a run, a checkpoint and a saved plan hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from tostdsl.plan.differences import incomplete, misfit
from tostdsl.plan.plan import SCHEMA, Plan, canonical_text
from tostdsl.plan.spec import Spec

Find = Callable[[str, str], type[Spec] | None]
"""What is registered of a kind under a name."""


class NotHere(Exception):
    """Why this installation cannot know what a plan means, though another may."""


class NoPlan(Exception):
    """Why nobody can know what a plan means."""


def plan_of(content: Mapping[str, Any], find: Find) -> Plan:
    """The plan of its JSON; `NotHere` or `NoPlan` where there is none to be had.

    It has to be in the very form that is written, since what is only like it (a field left out, `1`
    for `1.0`) may mean something else to another version.
    """
    schema = content.get("schema")
    if schema != SCHEMA and type(schema) is int:
        raise NotHere(f"it is written in schema {schema}, this version reads schema {SCHEMA}")

    def lookup(kind: str, name: str) -> type[Spec]:
        found = find(kind, name)
        if found is None:
            raise NotHere(f"it names the {kind} `{name}`, which is not registered here")
        return found

    try:
        lacking = incomplete(content) if schema == SCHEMA else None
    except RecursionError:
        raise NoPlan("it is nested too deeply") from None
    if lacking is not None:
        raise NoPlan(f"`{lacking}` is missing")
    try:
        plan = Plan.from_json(content, lookup)
        # infinity, for one, has the fingerprint of nothing; and `true` is equal to 1
        if plan.to_json() != content or plan.canonical != canonical_text(content):
            said = misfit(plan.to_json(), content)
            raise NoPlan(said or "it is not in the form in which a plan is written")
        return plan
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        said = first["msg"].removeprefix("Value error, ")
        if "has revision" in said:
            raise NotHere(said) from None
        where = _place(content, first["loc"])
        known = {"missing": "is missing", "extra_forbidden": "is no part of a plan"}
        if first["type"] in known:
            raise NoPlan(f"`{where}` {known[first['type']]}") from None
        raise NoPlan(f"`{where}`: {said[:1].lower()}{said[1:]}" if where else said) from None
    except (ArithmeticError, TypeError, KeyError, AttributeError, ValueError) as error:
        raise NoPlan(f"{type(error).__name__.lower()} in a value") from None


def _place(content: Any, loc: tuple[int | str, ...]) -> str:
    """A place in a plan's JSON, where a call's arguments stand under `args`."""
    path = ""
    for at in loc:
        if isinstance(at, int):
            path += f"[{at}]"
            content = content[at] if isinstance(content, list) and at < len(content) else None
            continue
        holder = content if isinstance(content, dict) else {}
        inside = holder.get("args")
        if at not in holder and isinstance(inside, dict):
            path, holder = f"{path}.args", inside
        path, content = f"{path}.{at}", holder.get(at)
    return path.removeprefix(".")
