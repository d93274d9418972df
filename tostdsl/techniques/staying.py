"""What every technique asks of a stage that stays in the network (`keep=yes`)."""

from __future__ import annotations

from collections.abc import Iterable

from tostdsl.plan.bases import Anneal
from tostdsl.plan.spec import CheckSite, Problem
from tostdsl.units import END, Window


def keep_problems(name: str, anneal: Anneal, site: CheckSite) -> Iterable[Problem]:
    """What is wrong with a stage that stays, and the warning that it does."""
    if anneal.name != "none":
        reason = "what stays does not fade"
        yield Problem("T504", {"name": "keep", "reason": reason}, ("keep",), "write `anneal=none`")
    elif isinstance(site.window, Window) and site.window.stop != END:
        reason = f"what stays has no end, and this window has one (`{site.window}`)"
        yield Problem("T504", {"name": "keep", "reason": reason}, ("keep",), "remove the end")
    else:
        yield Problem("W026", {"name": name}, ("keep",))
