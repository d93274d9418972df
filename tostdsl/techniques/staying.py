"""What every technique asks of a stage that stays in the network (`keep=yes`)."""

from __future__ import annotations

from collections.abc import Iterable

from tostdsl.plan.bases import Anneal
from tostdsl.plan.spec import CheckSite, Problem
from tostdsl.units import END, Window


def keep_problems(name: str, anneal: Anneal, site: CheckSite) -> Iterable[Problem]:
    """What is wrong with a stage that stays, all in one, or the warning that it does."""
    reasons, writes = [], []
    if anneal.name != "none":
        reasons.append("does not fade")
        writes.append("write `anneal=none`")
    if isinstance(site.window, Window) and site.window.stop != END:
        reasons.append(f"has no end, and this window has one (`{site.window}`)")
        writes.append("remove the end")
    if reasons:
        values = {"name": "keep", "reason": f"what stays {' and '.join(reasons)}"}
        help = f"{', '.join(writes)} and run with `--allow-ghosts`"
        yield Problem("T504", values, ("keep",), help)
    else:
        yield Problem("W026", {"name": name}, ("keep",))
