"""The mask `taylor`."""

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from tostdsl.masks.scored import Iterated, Scores
from tostdsl.plan.masking import MaskSite
from tostdsl.plan.spec import arg
from tostdsl.registry import register

if TYPE_CHECKING:
    from tostdsl.masks.bench import Bench


@register("taylor")
class Taylor(Iterated):
    """Keeps the weights whose removal would change the loss of single batches most.

    The score is the sum of (w * dL/dw)^2 over `per_class` batches with one training image of every
    class each, the square of the first term of a Taylor series taken batch by batch: unlike in
    `snip`, gradients of different batches do not cancel. Normalisations use their running
    statistics; `statistics=batch` the images' own.

    Molchanov et al., "Importance estimation for neural network pruning", 2019 (there for neurons
    of trained networks; here weight by weight).
    """

    examples = ("taylor(sparsity=90%)",)
    other_names = MappingProxyType({"first_order": "taylor", "fisher": "taylor"})
    silence = "no gradient reaches them"

    per_class: int = arg(10, "training images of every class that the loss is taken on", ge=1)
    statistics: Literal["running", "batch"] = arg(
        "running", "what normalisations use: their running statistics, or the images' own"
    )

    def bench(self, site: MaskSite) -> "Bench":
        from tostdsl.masks.bench import Bench

        return Bench(site, self.statistics)

    def score(self, bench: "Bench", site: MaskSite) -> Scores:
        import torch

        scores = {name: torch.zeros_like(weight) for name, weight in bench.weights.items()}
        images, labels = site.images(self.per_class)
        # the n-th image of every class, for each n
        turn = torch.stack([(labels[:i] == label).sum() for i, label in enumerate(labels)])
        for n in torch.unique(turn):
            for name, gradient in bench.gradients(images[turn == n], labels[turn == n]).items():
                scores[name] += (bench.weights[name].detach() * gradient).square()
        return scores
