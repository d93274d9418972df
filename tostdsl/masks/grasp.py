"""The mask `grasp`."""

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from tostdsl.diagnostics import TostError
from tostdsl.masks.scored import Iterated, Scores
from tostdsl.plan.masking import MaskSite
from tostdsl.plan.spec import arg
from tostdsl.registry import register

if TYPE_CHECKING:
    from tostdsl.masks.bench import Bench


@register("grasp")
class Grasp(Iterated):
    """Keeps the weights whose removal would most weaken the flow of gradients, before training.

    With g the gradient of the loss and H its Hessian, the score of a weight is w * (H g), signed:
    the lowest are removed. The loss is taken on `per_class` training images of every class, in
    two halves, with the logits divided by `temperature`; normalisations use the images' own
    statistics, as in the original. H g is exact, by differentiating twice; a network with an
    operation that cannot be (Hardswish's gate is one) is refused.

    Wang et al., "Picking winning tickets before training by preserving gradient flow", 2020.
    """

    examples = ("grasp(sparsity=90%)",)
    other_names = MappingProxyType({"gradient_flow": "grasp"})
    other_arguments = MappingProxyType(
        {"samples_per_class": "per_class", "t": "temperature", "steps": "iterations"}
    )
    silence = "no gradient reaches them"

    per_class: int = arg(10, "training images of every class that the loss is taken on", ge=1)
    temperature: float = arg(200, "what the logits are divided by", gt=0)
    statistics: Literal["running", "batch"] = arg(
        "batch", "what normalisations use: their running statistics, or the images' own"
    )

    def bench(self, site: MaskSite) -> "Bench":
        from tostdsl.masks.bench import Bench

        return Bench(site, self.statistics)

    def score(self, bench: "Bench", site: MaskSite) -> Scores:
        import torch

        from tostdsl.masks.bench import halves

        parts = list(halves(*site.images(self.per_class)))
        gradient = {name: torch.zeros_like(weight) for name, weight in bench.weights.items()}
        for images, labels in parts:
            loss = bench.loss(images, labels, self.temperature) / len(images)
            for name, part in bench.derive(loss).items():
                gradient[name] += part
        curved = {name: torch.zeros_like(weight) for name, weight in bench.weights.items()}
        for images, labels in parts:
            loss = bench.loss(images, labels, self.temperature) / len(images)
            flow = bench.derive(loss, create_graph=True)
            product = torch.stack([(gradient[n] * flow[n]).sum() for n in flow]).sum()
            try:
                second = bench.derive(product)
            except RuntimeError as error:
                said = str(error).strip().splitlines()[0]
                reason = f"it needs second derivatives, and the network has none: {said}"
                raise TostError.of("T504", name="grasp", reason=reason) from None
            for name, part in second.items():
                curved[name] += part
        return {name: weight.detach() * curved[name] for name, weight in bench.weights.items()}
