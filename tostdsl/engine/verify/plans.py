"""plan.json to a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tostdsl import registry
from tostdsl.diagnostics import TostError, diagnose
from tostdsl.engine.verify.records import Unfit
from tostdsl.plan.plan import SCHEMA, Plan
from tostdsl.plan.spec import Spec


def plan_of(content: Mapping[str, Any]) -> Plan:
    """The plan of plan.json.

    `TostError` R413 where this installation cannot know what it means, `Unfit` where nobody can.
    """
    schema = content.get("schema")
    if schema != SCHEMA and type(schema) is int:
        reason = f"it is written in schema {schema}, this version reads schema {SCHEMA}"
        raise TostError.of("R413", reason=reason)

    def lookup(kind: str, name: str) -> type[Spec]:
        found = registry.find(kind, name)
        if found is None:
            reason = f"it names the {kind} `{name}`, which is not registered here"
            raise TostError([*registry.warnings(), diagnose("R413", reason=reason)])
        return found

    try:
        plan = Plan.from_json(content, lookup)
        if plan.to_json() != content:  # infinity, for one, has the fingerprint of nothing
            raise Unfit("holds a plan, but not in the form that a run writes")
        return plan
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        if "has revision" in first["msg"]:
            reason = first["msg"].removeprefix("Value error, ")
            raise TostError.of("R413", reason=reason) from None
        where = ".".join(map(str, first["loc"])) or "all of it"
        raise Unfit(f"holds no plan: {where}: {first['msg']}") from None
    except (ArithmeticError, TypeError, KeyError, AttributeError, ValueError) as error:
        raise Unfit(f"holds no plan: {type(error).__name__.lower()} in a value") from None
