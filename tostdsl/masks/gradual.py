"""The mask `gradual`."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

from tostdsl.diagnostics import TostError
from tostdsl.masks.allocate import percent_below
from tostdsl.masks.scored import Scored, Scores
from tostdsl.plan.masking import MaskSite, Update, kept_total, shapes_of
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Clock, Duration, Percent

if TYPE_CHECKING:
    import torch


@register("gradual")
class Gradual(Scored):
    """Prunes the smallest weights bit by bit while the network trains, until `sparsity`.

    Over the mask's window the sparsity rises from `initial` along a cubic: at progress p it is
    sparsity + (initial - sparsity) * (1 - p)^3. It is brought up to that after each `every`, and
    exactly to `sparsity` at the window's end; what is pruned never returns. Without a window it
    prunes until 75% of training; what is left of it lets the network recover.

    Weights are ranked by absolute value, over all layers together or layer by layer
    (`distribution`). How high a sparsity the network stands only training tells; what is left
    without a path is refused after the last prune. Fewer weights than layers are refused before.

    Zhu and Gupta, "To prune, or not to prune: exploring the efficacy of pruning for model
    compression", 2018.
    """

    moves = True
    later = MappingProxyType({"sparsity": "update", "every": "told"})
    examples = ("gradual(sparsity=90%)", "gradual(sparsity=90%, initial=50%, every=1000 steps)")
    other_names = MappingProxyType(
        dict.fromkeys(("gmp", "agp", "gradual_magnitude", "polynomial", "cubic"), "gradual")
    )
    other_arguments = MappingProxyType(
        {
            "initial_sparsity": "initial",
            "init_sparsity": "initial",
            "final_sparsity": "sparsity",
            "frequency": "every",
            "update_frequency": "every",
            "start_epoch": "write `from epoch {value}` behind it",
            "end_epoch": "write `until epoch {value}` behind it",
        }
    )

    initial: Percent = arg(Percent.from_json({"percent": 0}), "sparsity at the window's start")
    every: Duration = arg(Duration("epochs", 1), "how long training goes on between two prunes")

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from super().check(site)
        if not 0 <= self.initial.fraction < self.sparsity.fraction:
            bound = f"at least 0% and below `sparsity`, {self.sparsity}"
            values = {"name": "initial", "bound": bound, "found": f"`{self.initial}`"}
            yield Problem("T303", values, ("initial",))

    def first(self) -> Fraction:
        return self.initial.fraction

    def updates(self, start: int, stop: int, clock: Clock) -> Sequence[int]:
        """After each `every`, and at the window's end."""
        return (*range(start + clock.steps(self.every), stop, clock.steps(self.every)), stop)

    def sparsity_at(self, progress: Fraction) -> Fraction:
        final, first = self.sparsity.fraction, self.initial.fraction
        return final + (first - final) * (1 - progress) ** 3

    def choose(self, site: MaskSite, sparsity: Fraction | None) -> "dict[str, torch.Tensor]":
        self.refuse(shapes_of(site.weights))
        return super().choose(site, sparsity)

    def refuse(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Raise T505 where in the end fewer weights would be kept than there are layers."""
        total = sum(map(prod, shapes.values()))
        kept, layers = kept_total(total, self.sparsity.fraction), len(shapes)
        if kept < layers and self.allow != "collapse":
            reason = (
                f"in the end it keeps {kept} of {total:,} weights, and there are {layers} layers"
            )
            most = percent_below(1 - Fraction(layers, total))
            help = f"write `sparsity={most}` at most, better far less, or `allow=collapse`"
            raise TostError.of("T505", wanted=str(self.sparsity), reason=reason, help=help)

    def highest(self, site: MaskSite) -> Fraction | None:
        # what the weights are worth by then only training tells; a law goes by shapes
        return None if self.distribution == "global" else super().highest(site)

    def masks_at(self, site: MaskSite) -> None:
        """None: at another sparsity training would have gone another way."""

    def scores(self, site: MaskSite) -> Scores:
        return {name: weight.detach().abs() for name, weight in site.weights.items()}

    def update(self, site: MaskSite, update: Update) -> "dict[str, torch.Tensor]":
        wanted = self.sparsity_at(update.progress)
        return self.keep(self.scores(site), wanted, site.masks, self.sparsity.fraction)

    def kept_at(self, shapes: Mapping[str, Sequence[int]], update: Update) -> int | None:
        if self.distribution != "global":
            return None
        return kept_total(sum(map(prod, shapes.values())), self.sparsity_at(update.progress))
