"""Initial weights made for a mask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Hook, Network
from tostdsl.plan.bases import Technique
from tostdsl.plan.masking import MaskMethod
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register

if TYPE_CHECKING:
    from torch import Tensor

LAWS: dict[str, dict[str, Any]] = {
    "fanin_masked": {"mode": "fan_in", "behind_norm": "relative"},
    "layer_density": {},
    "learned": {
        "iterations": 180,
        "lr": 0.01,
        "eta": 0.1,
        "gamma": 1.0,
        "normalise": True,
        "clip": 1.0,
        "floor": 0.01,
    },
    "isometry": {"iterations": 1000, "lr": 0.1, "tolerance": 1e-4},
}
"""The arguments of each law, with their defaults; one that another law owns is refused."""


@register("init")
class Init(Technique):
    """Rescales initial weights for the mask, by one of four laws.

    Initial weights are drawn for a neuron with all its inputs. A mask takes most of them away,
    and what the neuron computes shrinks.

    `rescale=fanin_masked` multiplies each kept weight, from input v to neuron u, by one of

        mode=fan_in     sqrt(fan_in / fan_in_u)
        mode=fan_out    sqrt(fan_out / fan_out_v)
        mode=average    sqrt((fan_in + fan_out) / (fan_in_u + fan_out_v))

    where `fan_in` counts all inputs of a neuron (output channel or feature), kernel positions
    included, and `fan_in_u` those the mask keeps; `fan_out` all weights that leave an input, and
    `fan_out_v` those kept. In a grouped convolution both count within the group. That gives an
    existing draw the variance of one made for the mask, in place; a neuron without inputs stays
    at zero. The variances are those of Evci, Ioannou, Keskin and Dauphin, Gradient Flow in Sparse
    Neural Networks and How Lottery Tickets Win (AAAI 2022), whose code draws anew and has the
    average as its default. Their finding: it improves the flow of gradients, but does
    not close the gap to dense networks that have normalisation and skips.

    Behind a normalisation a layer's scale changes nothing that the network computes; larger
    weights there only make every step smaller, at 98 % sparsity by a factor of 50. So with
    `behind_norm=relative`, the default and our own choice, a layer whose scale normalisations take
    out again keeps the norm of its weights, and only its neurons are rescaled against one another;
    the run says how many layers those are. All that such a layer gives out goes to normalisations,
    past moved axes, concatenation, pooling, dropout or nothing at all; what meets a sum or anything
    else as well does not count. Batch and instance normalisation take each channel by itself, so
    that with `mode=fan_in` the network computes what it did. Layer and group normalisation take
    out only what all they normalise over has in common, so all of it must be one layer's, without
    a bias; a bias must be zero before dropout, too. All other layers get the formula in full, and
    `behind_norm=full` is the formula everywhere. In `studies/pilot` (ResNet-8, 98 % sparse, 8
    epochs of CIFAR-10, three seeds) `full` loses 3.7 points of accuracy on average, `relative`
    0.2.

    `rescale=layer_density` divides a layer's weights by the square root of its density, one
    factor for all its neurons: `layer_scaled_init` of the same code.

    `rescale=learned` is LRsI, the re-scaled initialisation of Jaiswal, Ma, Chen, Ding and Wang,
    Training Your Sparse Neural Network Better with Any Mask (ICML 2022), which is GradInit (Zhu,
    Ni, Xu, Kong, Huang and Goldstein, NeurIPS 2021) on a masked network. Each weight and bias
    tensor of a convolution, linear layer or normalisation gets one scale, from 1. An iteration
    takes training batches A and B, and the gradient g of their loss. While ||g|| over all
    trained tensors is above `gamma`, the scales move to lessen ||g||; else they move to lessen

        loss(weights - eta * g / ||g||; batches A and C) / eta

    with the step itself held fixed (`normalise=no` steps by eta * g). They move by Adam (0.9,
    0.999, 1e-8) on the slopes, clipped to +-`clip`, with a first moment for each of the two aims
    and one second moment for both; weights' scales stay at `floor` or above, biases' at 0. Tensors
    that are all zero, such as fresh biases, stay; a bias scaled to 0 stays there. Batch
    normalisations use the batch and leave their running statistics alone, dropout is off,
    labels are true ones, and the arithmetic is that of the weights' precision. Other parameters
    (a class token, the stacked projections of an attention, a layer scale) have no scale, but are
    in ||g|| and the step. Stages at work are
    in the network, ghosts' own weights held as they are. With `on` or `except` only the selected
    layers' scales move, while ||g|| and the step are the whole network's. `eta`, `gamma`,
    `iterations`, `lr`, `clip` and `floor` are those in the README of the ToST code, normalisation
    included (its scripts' own defaults differ: 390 iterations, lr 0.001, no gamma, no
    normalisation). GradInit's scripts for CIFAR have 390 iterations, and an lr of 0.1 for VGG-19
    and 0.001 for ResNet-110. Where this deviates: masks come first and gradients are masked
    before their norm and before the step. The ToST code either learns scales in the dense network
    and masks after, or (in its second script) masks first but lets pruned weights into the norm
    and the step, so that the network looked ahead to is dense.

    `rescale=isometry` moves the kept weights themselves, to lessen

        || W W^T - I ||  (Frobenius)

    of each layer, W being neurons x inputs (kernel positions among the inputs; a matrix for each
    group), by plain gradient steps of `lr`, masks applied after each. From Lee, Ajanthan, Gould
    and Torr, A Signal Propagation Perspective for Pruning Neural Networks at Initialization
    (ICLR 2020), whose code takes 10,000 steps of 0.1. Here a layer stops when its best value has
    not improved by the share `tolerance` in 100 steps, at the latest after `iterations`, and
    keeps its best weights: with steps of a fixed length it circles in the end. It needs no data.
    With more neurons than inputs, zero is out of reach. A weight all of whose neighbours at the
    same input are zero gets no slope, so after `base=orthogonal` only the centres of kernels move.

    `base` draws the selected layers' weights anew first, masks applied after: `kaiming` from a
    normal of variance 2 / fan_in (all inputs counted), `orthogonal` a random orthogonal matrix
    (orthonormal rows or columns where it is not square) as `delta-orthogonal` kernels do: at the
    kernel's centre, zero elsewhere (Xiao et al., ICML 2018). Beside a mask that knows nothing of
    it, most kept weights of a 3x3 kernel then start at zero. Biases and normalisations stay.
    Each layer's draw depends on the seed and the layer's name only.

    With a `lottery` it acts on the weights that training starts from, those of the rewind point,
    which is why `base` cannot draw others there; with `stages=yes` it acts in every round.

    `fanin_masked` and `layer_density` leave layers without a mask alone, and a recipe without a
    mask cannot use them. It acts once, at the start unless the recipe says `at` when.
    """

    examples = (
        "init(rescale=fanin_masked)",
        "init(rescale=fanin_masked, mode=average)",
        "init(rescale=layer_density, base=kaiming)",
        "init(rescale=learned)",
        "init(rescale=isometry, base=orthogonal)",
    )
    other_arguments = MappingProxyType(
        {
            "recalibrate": "`init` acts before training and leaves nothing behind, so there is no "
            "end to recalibrate at: leave it out",
            "anneal": "`init` acts at one moment, so nothing fades: leave it out",
        }
    )
    other_values = MappingProxyType(
        {
            "rescale": {
                **dict.fromkeys(("lrsi", "gradinit", "learnt"), "learned"),
                **dict.fromkeys(("approxiso", "dynamical_isometry"), "isometry"),
            }
        }
    )
    acts = "instant"
    rescale: Literal["fanin_masked", "layer_density", "learned", "isometry"] = arg(
        "fanin_masked", "the law of the rescaling"
    )
    base: Literal["keep", "kaiming", "orthogonal"] = arg(
        "keep", "the weights it starts from: those there, or drawn anew"
    )
    mode: Literal["fan_in", "fan_out", "average"] | None = arg(
        None, "what `fanin_masked` counts; fan_in when left out"
    )
    behind_norm: Literal["relative", "full"] | None = arg(
        None, "how `fanin_masked` treats layers that a normalisation follows; relative"
    )
    iterations: int | None = arg(
        None, "steps of `learned` (180 when left out) or at most of `isometry` (1000)", ge=1
    )
    lr: float | None = arg(
        None, "step size of `learned` (0.01 when left out) or `isometry` (0.1)", gt=0
    )
    eta: float | None = arg(None, "size of the step `learned` looks ahead; 0.1", gt=0)
    gamma: float | None = arg(None, "the gradient norm `learned` stays below; 1", gt=0)
    normalise: bool | None = arg(None, "whether `learned` looks ahead by a step of length eta; yes")
    clip: float | None = arg(None, "bound on the slopes `learned` follows; 1", gt=0)
    floor: float | None = arg(None, "least scale of a weight tensor in `learned`; 0.01", ge=0, lt=1)
    tolerance: float | None = arg(
        None, "gain in 100 steps below which `isometry` stops; 1e-4", ge=0, lt=1
    )

    @model_validator(mode="after")
    def _fill(self) -> Self:
        """The law's own defaults, so that the plan says what is used."""
        for name, value in LAWS[self.rescale].items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        return self

    def initial(self) -> bool:
        return True

    def needs_mask(self) -> bool:
        return self.rescale in ("fanin_masked", "layer_density")

    def claims(self) -> frozenset[str]:
        return frozenset({"the initial weights"})

    def check(self, site: CheckSite) -> Iterable[Problem]:
        own = LAWS[self.rescale]
        for name in dict.fromkeys(name for law in LAWS.values() for name in law):
            if name in own or getattr(self, name) is None:
                continue
            owners = " and ".join(f"`rescale={law}`" for law, its in LAWS.items() if name in its)
            verb = "have" if " and " in owners else "has"
            values = {"name": name, "owner": f"rescale={self.rescale}", "owners": owners}
            yield Problem("T520", {**values, "verb": verb}, (name,))
        if self.base != "keep" and isinstance(site.mask, MaskMethod) and site.mask.rounds():
            reason = f"`mask {site.mask.name}` goes back to weights that belong to its mask"
            help = "leave `base` out, or choose a mask that is not found by training"
            yield Problem("T504", {"name": "base", "reason": reason}, ("base",), help)

    def hook(self) -> InitHook:
        return InitHook(self)


class InitHook(Hook[Init]):
    """Draws and rescales on entering."""

    def prepare(self, net: Network) -> None:
        if self.stage.rescale == "learned":
            from tostdsl.techniques import gradinit

            gradinit.check(net)

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        from tostdsl.techniques import gradinit, isometry, redraw, rescale

        stage = self.stage
        names = [name for name in net.targets if f"{name}.weight" in _parameters(net)]
        if stage.rescale in ("fanin_masked", "layer_density"):
            names = [name for name in names if f"{name}.weight" in net.masks]
            if not names:
                raise _nothing(net, "has a mask", "add a `mask`, or remove `init`")
        elif not names:
            raise _nothing(net, "has a weight of its own")
        if stage.base != "keep":
            redraw.redraw(net, names, stage.base)
        if stage.rescale == "fanin_masked":
            rescale.by_fans(net, names, stage.mode or "fan_in", stage.behind_norm != "full")
        elif stage.rescale == "layer_density":
            rescale.by_density(net, names)
        elif stage.rescale == "learned":
            wanted = {name: getattr(stage, name) for name in LAWS["learned"]}
            gradinit.learn(net, names, gradinit.Settings(**wanted))
        else:
            wanted = {name: getattr(stage, name) for name in LAWS["isometry"]}
            isometry.approach(net, names, isometry.Settings(**wanted))


def _parameters(net: Network) -> set[str]:
    """Names of parameters; one that layers share has its first name only."""
    return {name for name, _ in net.model.named_parameters()}


def _nothing(net: Network, lacking: str, help: str | None = None) -> TostError:
    which = "selected layer" if net.chosen else "layer"
    model = type(net.model).__name__
    return TostError.of(
        "T502", stage="init", model=model, reason=f"no {which} {lacking}", help=help
    )
