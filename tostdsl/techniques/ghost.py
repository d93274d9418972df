"""Ghost neurons: soft activations and extra neurons that fade while the network trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from tostdsl.anneals import Linear
from tostdsl.engine.hooks import Hook, Network
from tostdsl.plan.bases import AnyAnneal, Technique
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.techniques.widening import widen
from tostdsl.units import Factor, Ramp

if TYPE_CHECKING:
    from torch import Tensor, nn

Activation = Literal["swish", "pswish", "mish", "gelu", "elu", "softplus"]
PSWISH_BETA = 2.0
"""What the reference code fixes it at; it learns nothing there."""


@register("ghost")
class Ghost(Technique):
    """Ghost neurons: soft activations, extra neurons, or both, at work for a part of training.

    A sparse network passes little gradient: most of its weights are gone, and a rectifier blocks
    what flows through inactive units. Ghosts let more through while training is young, and are
    gone when their window ends. `w` is the stage's weight, which falls along `anneal`.

    `activation=` blends every activation with a soft one:

        w * soft(x) + (1 - w) * act(x)

    `swish` is x * sigmoid(beta * x): beta = 1 is SiLU, a large beta is nearly ReLU, and a ramp
    (`beta=1 -> 20`) moves from one to the other. `pswish` is Swish with beta fixed at 2. `mish`,
    `gelu`, `elu` and `softplus` are PyTorch's, with their default settings. With `on` and
    `except` only the activations that follow the selected layers are blended, else all.

    `width=2x` gives each hidden layer as many ghost neurons as it has neurons (`1.5x` half as
    many, rounded). A ghost sees what a neuron of its layer sees, is normalised and activated like
    one, and its output times w is added to what the next layer computes, so that at w = 1 the
    network is one twice as wide, and at w = 0 the one of the recipe. Ghosts have their own dense
    weights, drawn by PyTorch's default law for the wider layer, uniform in +-1/sqrt(fan-in); they
    are trained, never masked, and never part of the saved model. A layer is widened when its
    output goes to exactly one convolution or linear layer, past at most a batch normalisation,
    activations, pooling, dropout and flattening; the run reports which are not, and why.

    Soft activations are from Jaiswal, Ma, Chen, Ding and Wang, Training Your Sparse Neural
    Network Better with Any Mask (ICML 2022). How and when they fade is this project's choice:
    neither the paper's abstract nor its code says.
    """

    examples = (
        "ghost(activation=swish) until 25%",
        "ghost(width=2x, anneal=cosine) until epoch 40",
    )

    activation: Activation | None = arg(None, "the soft activation to blend in")
    width: Factor | None = arg(None, "how many times as wide hidden layers get", unit="factor")
    beta: float | Ramp = arg(1.0, "steepness of `swish`; above 0")
    anneal: AnyAnneal = arg(Linear(), "the law by which the ghosts fade")

    def claims(self) -> frozenset[str]:
        claimed = set()
        if self.activation is not None:
            claimed.add("the activation function")
        if self.width is not None:
            claimed.add("the width of layers")
        return frozenset(claimed)

    def adds_to_network(self) -> bool:
        return True

    def check(self, site: CheckSite) -> Iterable[Problem]:
        if self.activation is None and self.width is None:
            reason = "neither `activation` nor `width` is given, so it does nothing"
            help = "write `ghost(activation=swish)` or `ghost(width=2x)`"
            yield Problem("T504", {"name": "ghost", "reason": reason}, (), help)
        if self.width is not None and self.width.value <= 1:
            values = {"name": "width", "bound": "more than 1x", "found": f"`{self.width}`"}
            yield Problem("T303", values, ("width",))
        if self.beta != 1 and self.activation != "swish":
            reason = "only `activation=swish` has a `beta`"
            yield Problem("T504", {"name": "beta", "reason": reason}, ("beta",), "remove it")
        ends = (self.beta.start, self.beta.stop) if isinstance(self.beta, Ramp) else (self.beta,)
        if min(ends) <= 0:
            values = {"name": "beta", "bound": "greater than 0", "found": f"`{_text(self.beta)}`"}
            yield Problem("T303", values, ("beta",))

    def hook(self) -> GhostHook:
        return GhostHook(self)


def _text(value: float | Ramp) -> str:
    return str(value) if isinstance(value, Ramp) else f"{value:g}"


class GhostHook(Hook[Ghost]):
    """Blends activations and widens layers while attached."""

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        if self.stage.activation is not None:
            self._soften(net, cells)
        if self.stage.width is not None:
            widen(net, self.stage.width, Decimal(self.stage.width.value) - 1, cells["weight"])

    def _soften(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        names = net.activations()
        if not names:
            from tostdsl.diagnostics import TostError

            where = "after the selected layers" if net.chosen else "that is a module of its own"
            raise TostError.of(
                "T502",
                stage="ghost",
                model=type(net.model).__name__,
                reason=f"it has no activation {where}",
            )
        soft = soft_activation(str(self.stage.activation), cells.get("beta", self.stage.beta))
        weight = cells["weight"]

        def blend(_module: nn.Module, args: Any, output: Tensor) -> Tensor:
            softened = soft(args[0]).to(output.dtype)
            return output.lerp(softened, weight.to(output.dtype))

        for name in names:
            net.keep_inputs(name)
            net.after(name, blend)
        net.report(f"{self.stage.activation} in {len(names)} activations")


def soft_activation(name: str, beta: Tensor | float | Ramp) -> Callable[[Tensor], Tensor]:
    """A soft activation by name; `beta`, which only `swish` reads, may be a 0-d tensor."""
    from torch.nn import functional

    plain: dict[str, Callable[[Tensor], Tensor]] = {
        "mish": functional.mish,
        "gelu": functional.gelu,
        "elu": functional.elu,
        "softplus": functional.softplus,
    }
    if name in plain:
        return plain[name]
    assert not isinstance(beta, Ramp)  # the engine gives a cell for each ramp
    steepness = PSWISH_BETA if name == "pswish" else beta
    if isinstance(steepness, float) and steepness == 1.0:
        return functional.silu

    def swish(x: Tensor) -> Tensor:
        # x * sigmoid(beta x), written so that one tensor less is kept for the backward pass
        return functional.silu(x * steepness) / steepness

    return swish
