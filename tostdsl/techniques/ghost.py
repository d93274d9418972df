"""Ghost neurons: soft activations and extra neurons that fade while the network trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from tostdsl.anneals import Exponential
from tostdsl.engine.hooks import Hook, Network
from tostdsl.plan.bases import AnyAnneal, Removable
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.techniques.staying import keep_problems
from tostdsl.units import Factor, Percent, Ramp

if TYPE_CHECKING:
    from torch import Tensor

    from tostdsl.techniques.widening import Widening

Activation = Literal["swish", "pswish", "mish", "gelu", "elu", "softplus", "lisht"]
WIDEST = 64
"""The largest factor of `width`: ghosts' weights grow with its square."""
STEEPNESS = (0.01, 100.0)
"""What beta may be: beyond, Swish is x/2 or ReLU in all but name, and half precision overflows."""
DENSE = Percent(Decimal(100))
SHARP = 20.0
"""Beta at which `form=sharpen` ends where the recipe does not say."""
GAP = 0.27846454276107380
"""Largest t sigmoid(-t), so that Swish is at most GAP / beta away from the rectifier."""


@register("ghost")
class Ghost(Removable):
    """Ghost neurons: soft activations, extra neurons, or both, at work for a part of training.

    A sparse network passes little gradient: most of its weights are gone, and a rectifier blocks
    what flows through inactive units. Ghosts let more through while training is young, and are
    gone when their window ends. `w` is the stage's weight, which falls along `anneal`.

    `activation=` puts a soft activation in place of the network's own, in one of two forms:

        form=blend      w soft(x) + (1 - w) act(x)
        form=sharpen    x sigmoid(beta x)  while w > 0, with a beta that grows;  act(x) at w = 0

    `swish` is x sigmoid(beta x): beta = 1 is SiLU, a large beta is nearly ReLU, and a ramp
    (`beta=1 -> 20`) moves along `anneal` from one to the other. `pswish` is Swish with beta fixed
    at 2. `lisht` is x tanh(x). `mish`, `gelu`, `elu` and `softplus` are PyTorch's, with their
    default settings. `blend` fades to act(x) without a jump, whatever act is: ReLU, ReLU6,
    Hardswish, LeakyReLU and their like.

    `sharpen` is for `swish` alone and serves ReLU and ReLU6 (there Swish is cut off at 6); other
    activations stay as they are, and the run says so. A plain `beta` means `beta -> 20`. Swish
    never becomes ReLU by itself, so the window ends in a hard switch: an activation moves by at
    most 0.2785 / beta there (0.014 at 20), at x = 1.2785 / beta below 0 and above. The compiler
    warns of it (W025). What holds for every stage holds here: at w = 0 the network computes the
    plain activation to the bit.

    Activations are reached as modules, and where a module's code calls them as functions or
    tensor methods (`functional.relu(x)`, `torch.relu(x)`, `x.relu_()`). For the latter the module
    runs its own code as `torch.fx` writes it out, after a trial that both compute the same; a
    module that cannot be written out is named and keeps its activations. With `on` and `except`
    only the activations that follow the selected layers are softened, else all. What computes the
    soft activation already (`swish` where the network has SiLU, `gelu` where it has GELU) stays as
    it is and is named; where nothing else is left the run is refused (T502).

    `width=2x` gives each hidden layer as many ghost neurons as it has neurons (`1.5x` half as
    many, rounded). A ghost sees what a neuron of its layer sees, is normalised and activated like
    one, and its output times w is added to what the next layer computes, so that at w = 1 the
    network is one twice as wide, and at w = 0 the one of the recipe. A layer is widened when its
    output goes to exactly one convolution or linear layer, past at most a batch normalisation,
    activations, pooling, dropout and flattening; depthwise convolutions on the way get ghost
    channels of their own. The run reports which layers are not widened, and why.

    Ghosts' weights are drawn by PyTorch's default law for the wider layer, uniform in
    +-1/sqrt(fan-in); they are trained and never part of the saved model, and the recipe's mask
    does not touch them. They are dense unless `density` says what share of each ghost weight
    tensor is kept (rounded half up, drawn uniformly, fixed), biases and normalisations apart.

    `keep=yes` leaves the ghosts in the network when training ends, as the published code does. It
    wants a window to the end of training and `anneal=none`, and the certificate fails unless the
    run was started with `--allow-ghosts`.

    `recalibrate=yes` estimates the running statistics of the network's batch normalisations anew
    at the moment the ghosts have left: the plain average over 32 batches of training images. What
    ghosts gave to a layer's input is still in those statistics when they go.

    Soft activations are from Jaiswal, Ma, Chen, Ding and Wang, Training Your Sparse Neural
    Network Better with Any Mask (ICML 2022). Its public code swaps every activation for the whole
    of training and testing, without any decay: `ghost(activation=swish, anneal=none, keep=yes)`,
    or `pswish`, which there is Swish with a constant 2. The paper's intent is early and removed:
    here ghosts fade and go unless told otherwise, and early takes a window, such as `until 25%`,
    as a ghost without one fades over all of training. How and when ghosts fade is this project's
    choice: neither the paper's abstract nor its code says. Extra neurons, `sharpen`, `density` and
    `on` are ours, too.
    """

    leaving = Removable.leaving | {"keep"}
    examples = (
        "ghost(activation=swish) until 25%",
        "ghost(width=2x, anneal=cosine) until epoch 40",
        "ghost(activation=swish, form=sharpen, beta=1 -> 20) until 50%",
    )

    other_values = MappingProxyType(
        {
            "activation": {
                "silu": "swish",
                "relu": "relu is what a ghost softens, so it is no ghost itself",
            }
        }
    )
    activation: Activation | None = arg(None, "the soft activation to put in")
    width: Factor | None = arg(
        None, "how many times as wide hidden layers get; at most 64x", unit="factor"
    )
    beta: float | Ramp = arg(1.0, "steepness of `swish`; from 0.01 to 100")
    form: Literal["blend", "sharpen"] = arg("blend", "fade the soft activation, or steepen it")
    density: Percent = arg(DENSE, "share of the weights that ghosts of `width` have")
    anneal: AnyAnneal = arg(Exponential(), "the law by which the ghosts fade")
    keep: bool = arg(False, "stay in the network when training ends")

    @model_validator(mode="after")
    def _growing(self) -> Self:
        # frozen, so set past pydantic: the plan shows the ramp that a plain beta stands for
        if self.form == "sharpen" and not isinstance(self.beta, Ramp):
            object.__setattr__(self, "beta", Ramp(self.beta, SHARP))
        return self

    def claims(self) -> frozenset[str]:
        claimed = set()
        if self.activation is not None:
            claimed.add("the activation function")
        if self.width is not None:
            claimed.add("the width of layers")
        return frozenset(claimed)

    def stays(self) -> bool:
        return self.keep

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from super().check(site)
        if self.activation is None and self.width is None:
            reason = "neither `activation` nor `width` is given, so it does nothing"
            help = "write `ghost(activation=swish)` or `ghost(width=2x)`"
            yield Problem("T504", {"name": "ghost", "reason": reason}, (), help)
        if self.width is not None and self.width.value <= 1:
            values = {"name": "width", "bound": "more than 1x", "found": f"`{self.width}`"}
            yield Problem("T303", values, ("width",))
        elif self.width is not None and self.width.value > WIDEST:
            values = {"name": "width", "bound": f"at most {WIDEST}x", "found": f"`{self.width}`"}
            yield Problem("T303", values, ("width",))
        yield from self._check_form()
        if not 0 < self.density.value <= 100:
            bound = "above 0% and at most 100%"
            values = {"name": "density", "bound": bound, "found": f"`{self.density}`"}
            yield Problem("T303", values, ("density",))
        if self.width is None and self.density != DENSE:
            reason = "only ghosts of `width` have weights"
            yield Problem("T504", {"name": "density", "reason": reason}, ("density",), "remove it")
        if self.keep:
            yield from keep_problems("ghost", self.anneal, site)

    def _check_form(self) -> Iterable[Problem]:
        sharpened = self.form == "sharpen"
        if sharpened and self.activation != "swish":
            reason = "`sharpen` is for `activation=swish`"
            yield Problem("T504", {"name": "form", "reason": reason}, ("form",))
        elif self.beta != 1 and self.activation != "swish":
            reason = "only `activation=swish` has a `beta`"
            yield Problem("T504", {"name": "beta", "reason": reason}, ("beta",), "remove it")
        ramp = self.beta if isinstance(self.beta, Ramp) else Ramp(self.beta, self.beta)
        least, most = STEEPNESS
        if min(ramp.start, ramp.stop) < least or max(ramp.start, ramp.stop) > most:
            bound = f"from {least:g} to {most:g}"
            values = {"name": "beta", "bound": bound, "found": f"`{_text(self.beta)}`"}
            yield Problem("T303", values, ("beta",))
        elif sharpened and ramp.stop <= ramp.start:
            reason = f"with `form=sharpen` it grows, `{ramp}` does not"
            yield Problem("T504", {"name": "beta", "reason": reason}, ("beta",))
        elif sharpened and self.activation == "swish":
            yield from self._check_end(ramp)

    def _check_end(self, ramp: Ramp) -> Iterable[Problem]:
        if self.keep:
            reason = "`sharpen` ends in the plain activation, so nothing can stay"
            yield Problem("T504", {"name": "keep", "reason": reason}, ("keep",))
        elif self.anneal.name != "none":  # of that jump W002 warns
            values = {"beta": f"{ramp.stop:g}", "gap": f"{GAP / ramp.stop:.2g}"}
            yield Problem("W025", values, ("form",))

    def hook(self) -> GhostHook:
        return GhostHook(self)


def _text(value: float | Ramp) -> str:
    return str(value) if isinstance(value, Ramp) else f"{value:g}"


class GhostHook(Hook[Ghost]):
    """Softens activations and widens layers while attached."""

    widening: Widening | None = None

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        from tostdsl.techniques import soft
        from tostdsl.techniques.widening import Widening

        stage = self.stage
        if stage.activation is not None and stage.form == "sharpen":
            soft.sharpen(net, cells)
        elif stage.activation is not None:
            soft.blend(net, stage.activation, cells, stage.beta)
        if stage.width is not None:
            self.widening = Widening(net, stage.width, stage.density.fraction, cells["weight"])

    def stepped(self) -> None:
        if self.widening is not None:
            self.widening.thin()
