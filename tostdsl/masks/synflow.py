"""The mask `synflow`."""

from types import MappingProxyType
from typing import TYPE_CHECKING

from tostdsl.masks.scored import Iterated, Scores
from tostdsl.plan.masking import MaskSite
from tostdsl.plan.spec import arg
from tostdsl.registry import register

if TYPE_CHECKING:
    from tostdsl.masks.bench import Bench


@register("synflow")
class SynFlow(Iterated):
    """Keeps the weights that carry most synaptic flow; looks at no data, and collapses no layer.

    On a copy whose parameters and statistics are all replaced by their absolute values, one image
    of ones is passed through and the outputs are summed to R. The score is |w * dR/dw|, which a
    layer hands on undiminished, so that ranking all layers together starves none as long as the
    network is pruned a bit at a time: 100 iterations, the density falling exponentially.
    Normalisations use running statistics; all is computed in float64, as R is a product over all
    layers.

    Activations that bend above zero (ReLU6, Hardswish, GELU) break the law that makes this work;
    it goes on with them, and refuses to prune a layer that gets no flow at all.

    Tanaka et al., "Pruning neural networks without any data by iteratively conserving synaptic
    flow", 2020.
    """

    blind = True
    examples = ("synflow(sparsity=98%)",)
    other_names = MappingProxyType({"synaptic_flow": "synflow"})
    other_arguments = MappingProxyType({"steps": "iterations", "epochs": "iterations"})

    silence = "an activation or a cut path stops the flow there"

    iterations: int = arg(
        100, "how many times scores are taken, the network pruned a bit each", ge=1
    )

    def bench(self, site: MaskSite) -> "Bench":
        import torch

        from tostdsl.masks.bench import Bench

        bench = Bench(site, dtype=torch.float64)
        with torch.no_grad():
            for tensor in (*bench.model.parameters(), *bench.model.buffers()):
                if tensor.is_floating_point():
                    tensor.abs_()
            for original in bench.original.values():
                original.abs_()
        return bench

    def score(self, bench: "Bench", site: MaskSite) -> Scores:
        import torch

        device = next(iter(bench.weights.values())).device
        ones = torch.ones(1, *site.facts.shape, dtype=torch.float64, device=device)
        flow = bench.derive(bench.model(ones).sum())
        return {n: (weight.detach() * flow[n]).abs() for n, weight in bench.weights.items()}
