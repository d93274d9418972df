"""What a spec says of its own arguments, also where a plug-in's spec fails at that."""

from __future__ import annotations

import os

from tostdsl import registry
from tostdsl.plan.spec import CheckSite, Problem, Spec


def problems(spec: Spec, site: CheckSite) -> list[Problem]:
    """The problems that a spec's own `check` finds; T264 where a plug-in's `check` raises."""
    try:
        return list(spec.check(site))
    except Exception as error:
        plugin = registry.plugin_of(spec.kind, spec.name)
        if plugin is None or os.environ.get("TOST_DEBUG"):
            raise
        said = (str(error).strip().splitlines() or [""])[0]
        reason = f"{type(error).__name__}: {said}" if said else type(error).__name__
        return [Problem("T264", {"name": spec.name, "plugin": plugin, "reason": reason})]
