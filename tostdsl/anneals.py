"""The anneals a stage may name, over `tostdsl.curves`."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType

from tostdsl import curves
from tostdsl.plan.bases import Anneal
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Percent


@register("linear")
class Linear(Anneal):
    """Falls in a straight line: w = 1 - p."""

    def weight(self, progress: float) -> float:
        return curves.linear(progress)


@register("cosine")
class Cosine(Anneal):
    """Falls along half a cosine, flat at both ends: w = (1 + cos(pi p)) / 2."""

    other_names = dict.fromkeys(("cos", "cosine_annealing", "half_cosine"), "cosine")

    def weight(self, progress: float) -> float:
        return curves.cosine(progress)


@register("exponential")
class Exponential(Anneal):
    """Falls fast first, then slowly: w = (exp(-5 p) - exp(-5)) / (1 - exp(-5))."""

    other_names = MappingProxyType({"exp": "exponential"})

    def weight(self, progress: float) -> float:
        return curves.exponential(progress)


@register("step")
class Step(Anneal):
    """Falls in equal stairs at the given shares of the window, to 0 at the last."""

    positional = "at"
    at: tuple[Percent, ...] = arg(
        doc="where the stairs are, in percent of the window", min_length=1
    )

    def weight(self, progress: float) -> float:
        return curves.stairs(progress, [float(point) for point in self.at])

    def check(self, site: CheckSite) -> Iterable[Problem]:
        shares = [point.value for point in self.at]
        if shares != sorted(set(shares)) or not all(0 < share < 100 for share in shares):
            reason = "the stairs must rise, each between 0% and 100%"
            yield Problem("T504", {"name": "at", "reason": reason}, ("at",))


@register("none")
class Constant(Anneal):
    """Stays at 1 until the window ends, then jumps to 0."""

    def weight(self, progress: float) -> float:
        return curves.constant(progress)
