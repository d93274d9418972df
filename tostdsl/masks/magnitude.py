"""The mask `magnitude`."""

from types import MappingProxyType

from tostdsl.masks.scored import Scored, Scores
from tostdsl.plan.masking import MaskSite
from tostdsl.registry import register


@register("magnitude")
class Magnitude(Scored):
    """Keeps the weights that are largest in absolute value, before training.

    With `distribution=global` all weights in scope are ranked together. Before training this
    compares the layers' initial scales, so wide layers, whose weights start small, are starved: on
    ResNet-18 a whole layer is lost between 90% and 94.4%, which is refused as layer collapse. With
    another distribution every layer keeps its own largest, as many as that law gives it (`random`
    tells the laws).

    The total is exact: density times the number of weights in scope, a half rounded up. Of equal
    weights the one earlier in the network is kept.

    Han et al., "Learning both weights and connections for efficient neural networks", 2015. At
    initialisation: Frankle et al., "Pruning neural networks at initialization: why are we missing
    the mark?", 2021.
    """

    blind = True
    examples = ("magnitude(sparsity=90%, distribution=uniform)",)

    other_names = MappingProxyType(
        {
            **dict.fromkeys(("l1", "l1_unstructured", "weight_magnitude"), "magnitude"),
            "global_magnitude": "magnitude(distribution=global)",
            "layer_magnitude": "magnitude(distribution=uniform)",
        }
    )
    other_arguments = MappingProxyType(
        {
            "global": "distribution=global",
            "local": "distribution=uniform",
            "layerwise": "distribution=uniform",
            **dict.fromkeys(("scope", "over"), "write `distribution=global` or `=uniform`"),
        }
    )
    other_values = MappingProxyType(
        {"distribution": dict.fromkeys(("layer", "local", "layerwise"), "uniform")}
    )

    def scores(self, site: MaskSite) -> Scores:
        return {name: weight.detach().abs() for name, weight in site.weights.items()}
