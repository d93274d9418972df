"""Masks by score: what is kept is what scores highest, over all layers or layer by layer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, ClassVar, Literal

from tostdsl.masks.allocate import highest_of, keep_largest
from tostdsl.masks.shares import counts, highest_alive
from tostdsl.masks.silence import refuse_silence, silent
from tostdsl.plan.masking import MaskSite, Sparsifier, kept_total, shapes_of
from tostdsl.plan.spec import arg

if TYPE_CHECKING:
    from torch import Tensor

    from tostdsl.masks.bench import Bench

Scores = Mapping[str, "Tensor"]
Ranking = Literal["global", "uniform", "uniform_plus", "er", "erk", "balanced", "smart_ratio"]


class Scored(Sparsifier):
    """Base of masks that rank weights by a score taken once.

    The total is exact: density times the number of weights in scope, a half rounded up. Of equal
    scores the weight earlier in the network is kept. A layer whose every weight scores 0 before
    training is not pruned by its order but refused.
    """

    silence: ClassVar[str] = ""
    """What keeps a layer's scores at 0 where its weights are not; empty if nothing can."""
    distribution: Ranking = arg(
        "global", "what is ranked together: all weights, or each layer's own under a law of sizes"
    )

    def scores(self, site: MaskSite) -> Scores:
        """A score for each weight in scope; the highest are kept."""
        raise NotImplementedError

    def choose(self, site: MaskSite, sparsity: Fraction | None) -> "dict[str, Tensor]":
        assert sparsity is not None
        scores = self.scores(site)
        masks = self.keep(scores, sparsity)
        self.refuse_silence(site, silent(scores), masks)
        return masks

    def refuse_silence(
        self, site: MaskSite, found: Sequence[str], masks: "Mapping[str, Tensor]"
    ) -> None:
        """Raise T504 where masks prune weights that score nothing but 0 before training."""
        refuse_silence(type(self).name, site, found, masks, self.silence)

    def highest(self, site: MaskSite) -> Fraction | None:
        if self.distribution == "global":
            return highest_of(self.scores(site))
        return highest_alive(self.distribution, shapes_of(site.weights))

    def masks_at(self, site: MaskSite) -> "Callable[[Fraction], dict[str, Tensor]] | None":
        scores = self.scores(site)
        return lambda sparsity: self.keep(scores, sparsity, dict(site.masks) or None)

    def shared_out(
        self, shapes: Mapping[str, Sequence[int]], sparsity: Fraction | None
    ) -> dict[str, int] | None:
        assert sparsity is not None
        return (
            None if self.distribution == "global" else counts(self.distribution, shapes, sparsity)
        )

    def keep(
        self,
        scores: Scores,
        sparsity: Fraction,
        among: "Mapping[str, Tensor] | None" = None,
        least: Fraction | None = None,
    ) -> "dict[str, Tensor]":
        """Keep the highest scores at a sparsity, of those `among` (bool) that may be kept.

        `least` is the sparsity that is wanted in the end: no layer falls below its count there.
        """
        shapes = shapes_of(scores)
        wanted = self.shared_out(shapes, sparsity)
        if wanted is None:
            total = sum(map(prod, shapes.values()))
            return keep_largest(scores, kept_total(total, sparsity), among)
        floor = self.shared_out(shapes, least) if least is not None else None
        masks: dict[str, Tensor] = {}
        for name, score in scores.items():
            here = {name: among[name]} if among else None
            most = int(among[name].sum()) if among else score.numel()
            count = min(most, max(wanted[name], floor[name] if floor else 0))
            masks |= keep_largest({name: score}, count, here)
        return masks


class Iterated(Scored):
    """Base of masks whose scores are taken again and again on the network pruned so far.

    After iteration t of n the density is d^(t/n) (`decay=exponential`) or 1 - (1 - d) t / n
    (`linear`), of the wanted density d; what is pruned does not return.
    """

    iterations: int = arg(1, "how many times scores are taken, the network pruned a bit each", ge=1)
    decay: Literal["exponential", "linear"] = arg(
        "exponential", "how the density falls over the iterations"
    )

    def bench(self, site: MaskSite) -> "Bench":
        """The copy of the network that scores are taken on."""
        raise NotImplementedError

    def score(self, bench: "Bench", site: MaskSite) -> Scores:
        """Scores in the network as the bench has it, pruned so far."""
        raise NotImplementedError

    def returns(self) -> bool:
        """Whether a weight that was pruned in an iteration may be kept in a later one."""
        return False

    def sparsities(self, sparsity: Fraction) -> Iterator[Fraction]:
        """The sparsity after each iteration; the last is the wanted one, exact."""
        density, n = float(1 - sparsity), self.iterations
        for t in range(1, n):
            left = density ** (t / n) if self.decay == "exponential" else 1 - (1 - density) * t / n
            yield min(sparsity, 1 - Fraction(left))
        yield sparsity

    def choose(self, site: MaskSite, sparsity: Fraction | None) -> "dict[str, Tensor]":
        assert sparsity is not None
        bench, masks = self.bench(site), dict(site.masks)
        times = f"{self.iterations} times" if self.iterations > 1 else "once"
        site.tell(f"{type(self).name}: scores are taken {times}")
        dead: tuple[str, ...] | None = None
        for now in self.sparsities(sparsity):
            if masks:
                bench.prune(masks)
            scores = self.score(bench, site)
            among = None if self.returns() else masks or None
            masks = self.keep(scores, now, among, sparsity)
            dead = silent(scores) if dead is None else dead  # later ones may be cut off
            self.refuse_silence(site, dead, masks)
        return masks

    def scores(self, site: MaskSite) -> Scores:
        return self.score(self.bench(site), site)

    def highest(self, site: MaskSite) -> Fraction | None:
        iterated = self.distribution == "global" and self.iterations > 1
        return None if iterated else super().highest(site)

    def masks_at(self, site: MaskSite) -> "Callable[[Fraction], dict[str, Tensor]] | None":
        return None if self.iterations > 1 else super().masks_at(site)
