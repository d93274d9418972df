"""The mask `snip`."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from tostdsl.masks.scored import Iterated, Scores
from tostdsl.plan.masking import MaskSite
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register

if TYPE_CHECKING:
    from tostdsl.masks.bench import Bench


@register("snip")
class Snip(Iterated):
    """Keeps the weights whose removal would change the loss most, before training.

    The score is |w * dL/dw|, of the loss on `per_class` training images of every class; the
    gradients are summed over the images before the absolute value is taken. Normalisations use
    their running statistics, which at initialisation change nothing, as in the original;
    `statistics=batch` uses the images' own.

    With `iterations` above 1 the network is pruned a bit at a time and scored anew (iterative
    SNIP); with `regrow=yes` also those pruned before are scored, by their original values and the
    gradients in the pruned network, and may return (FORCE). One iteration at high sparsity can
    take all weights of a layer, which is refused as layer collapse.

    Lee et al., "SNIP: single-shot network pruning based on connection sensitivity", 2019.
    Iterative SNIP and FORCE: de Jorge et al., "Progressive skeletonization: trimming more fat
    from a network at initialization", 2021.
    """

    examples = ("snip(sparsity=90%)", "snip(sparsity=98%, iterations=60)")
    other_names = MappingProxyType(
        {
            "iterative_snip": "snip(iterations=60)",
            "force": "snip(iterations=60, regrow=yes)",
            "connection_sensitivity": "snip",
        }
    )
    other_arguments = MappingProxyType({"steps": "iterations", "samples_per_class": "per_class"})
    silence = "no gradient reaches them"

    per_class: int = arg(10, "training images of every class that the loss is taken on", ge=1)
    statistics: Literal["running", "batch"] = arg(
        "running", "what normalisations use: their running statistics, or the images' own"
    )
    regrow: bool = arg(False, "whether a weight pruned in an earlier iteration may return")

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from super().check(site)
        if self.regrow and self.iterations == 1:
            reason = "with one iteration nothing is pruned that could return"
            values = {"name": "regrow", "reason": reason}
            yield Problem("T504", values, ("regrow",), "raise `iterations`, or remove it")

    def returns(self) -> bool:
        return self.regrow

    def bench(self, site: MaskSite) -> "Bench":
        from tostdsl.masks.bench import Bench

        return Bench(site, self.statistics)

    def score(self, bench: "Bench", site: MaskSite) -> Scores:
        weights = bench.original if self.regrow else bench.weights
        gradients = bench.gradients(*site.images(self.per_class))
        return {name: (weights[name].detach() * g).abs() for name, g in gradients.items()}
