"""plan.json to a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tostdsl import registry
from tostdsl.diagnostics import TostError, diagnose
from tostdsl.engine.verify.records import Unfit
from tostdsl.plan import stored
from tostdsl.plan.plan import Plan


def plan_of(content: Mapping[str, Any]) -> Plan:
    """The plan of plan.json.

    `TostError` R413 where this installation cannot know what it means, `Unfit` where nobody can.
    """
    try:
        return stored.plan_of(content, registry.find)
    except stored.NotHere as why:
        raise TostError([*registry.warnings(), diagnose("R413", reason=str(why))]) from None
    except stored.NoPlan as why:
        raise Unfit(f"holds no plan: {why}") from None
