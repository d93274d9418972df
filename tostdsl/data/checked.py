"""What every built-in data set checks of its arguments."""

from __future__ import annotations

from collections.abc import Iterable

from tostdsl.plan.bases import DataSet
from tostdsl.plan.spec import CheckSite, Problem


class CheckedSet(DataSet):
    """Base of the built-in data sets."""

    def check(self, site: CheckSite) -> Iterable[Problem]:
        if not 0 <= self.validation.value < 100:
            reason = "the share held out must be at least 0% and less than 100%"
            yield Problem("T504", {"name": "validation", "reason": reason}, ("validation",))
        facts = self.facts()
        if facts is not None and not 0 <= self.validation.value < 100:
            facts = None  # one mistake, one report
        if facts and self.validation.value and not self.held_out(facts.train_size):
            reason = f"{self.validation} of {self.used(facts.train_size):,} images is none"
            yield Problem("T504", {"name": "validation", "reason": reason}, ("validation",))
        left = self.used(facts.train_size) - self.held_out(facts.train_size) if facts else None
        if left is not None and 0 < left < self.batch:
            yield Problem("T510", {"batch": self.batch, "count": left}, ("batch",))
        if not 0 < self.use.value <= 100:
            reason = "the share used must be more than 0% and at most 100%"
            yield Problem("T504", {"name": "use", "reason": reason}, ("use",))
