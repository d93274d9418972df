"""Ghost skips: temporary connections around layers and blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from tostdsl.anneals import Linear
from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Hook, Network
from tostdsl.plan.bases import AnyAnneal, Removable
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.techniques.staying import keep_problems
from tostdsl.units import number_text

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tostdsl.techniques.bridges import Span

SHOWN = 3
"""How many layers a message names."""


@register("skip")
class Skip(Removable):
    """Ghost skips: temporary connections around layers, or blocks, that an activation follows.

    With `span=layer` a skip starts at a layer's input x and joins right before the activation
    after it, where the output y of the layer (and its normalisation) is; a residual sum there
    comes after. The 1x1 convolutions in a residual network's own shortcuts get none.

    With `span=block` it starts at the input of a block's first layer and joins right before the
    block's last activation, again before a residual sum. A block is a run of layers each of whose
    outputs goes, past a normalisation, an activation and dropout, to nothing but the next one. A
    run that ends in a residual sum is one block: a basic block's two convolutions, a bottleneck's
    three. Where there is no such sum a run is cut in twos, the last block being of three where
    one layer would be left, so that a skip leads from one activation's output to before the next
    but one; pooling and flattening end a run. Single layers make no block.

    `s(x)` is x brought to y's shape. `projection=identity`, which `auto` stands for, pools to its
    size (average) and cuts channels or fills them up with zeros, without parameters; `norm` is
    then a batch normalisation of the skip's own, without parameters. `projection=conv` is a 1x1
    convolution without bias, with the stride that leads to y's size (pooling where none does),
    and its own batch normalisation, with parameters, which is `norm`; around linear layers it is
    a linear layer. Its weights are dense, whatever the recipe's mask is, and start as a constant
    1e-4 (`fill=constant`, the public code's) or normal with variance 2/fan-in (`fill=kaiming`).
    `w` is the stage's weight, which falls along `anneal`, and the forms are:

        convex       (1 - alpha w/2) y  +  alpha w/2 norm(s(x))
        normalised   y  +  alpha w norm(s(x))
        add          y  +  alpha w s(x)         with projection=conv the same as normalised

    At w = 0 each is y, so that a skip can leave without a jump. `convex` is the default, since
    `add` does harm: units come to rely on the skip and die when it goes. In a trial (ResNet-8,
    98 % sparse, 8 epochs of CIFAR-10) `add` cost more than 20 points of accuracy, `normalised`
    1 to 4, and `convex` none. With `on` and `except` only the selected layers get a skip, and
    those blocks all of whose layers are selected.

    `keep=yes` leaves the skips in the network when training ends, as the published code does. It
    wants a window to the end of training and `anneal=none`, and the certificate fails unless the
    run was started with `--allow-ghosts`.

    `recalibrate=yes` estimates the running statistics of the network's batch normalisations anew
    at the moment the skips have left: the plain average over 32 batches of training images. What
    skips gave to a layer's input is still in those statistics when they go.

    After Jaiswal, Ma, Chen, Ding and Wang, Training Your Sparse Neural Network Better with Any
    Mask (ICML 2022). Its public code is

        skip(form=add, projection=conv, anneal=none, keep=yes) except first

    on networks of basic blocks: two projections a block, none around the stem, dense, up to ten
    times the weights a very sparse network keeps, and never removed. Because of the constant fill
    every channel of a skip starts alike and, far below the normalisation's 1e-5, small. On
    bottlenecks the public code puts none; here they get them. The default here, without
    parameters and removed, is the paper's intent; early takes a window, such as `until 25%`, as a
    skip without one fades over all of training. The forms other than `add`, blocks,
    `fill=kaiming` and all that is said of when and how skips fade are this project's choice.
    """

    leaving = Removable.leaving | {"keep"}
    examples = (
        "skip(anneal=linear) until epoch 60",
        'skip(form=normalised) until 25% on "layer3.*"',
        "skip(projection=conv, fill=kaiming) until 25%",
    )

    other_arguments = MappingProxyType({"strength": "alpha", "scale": "alpha"})
    form: Literal["convex", "normalised", "add"] = arg("convex", "how the skip joins")
    span: Literal["layer", "block"] = arg("layer", "what a skip runs around")
    projection: Literal["auto", "identity", "conv"] = arg(
        "auto", "how the skip gets the shape of what it joins; `auto` is `identity`"
    )
    alpha: float = arg(1.0, "strength at weight 1; at most 2 with `form=convex`", ge=0.001, le=100)
    fill: Literal["constant", "kaiming"] = arg("constant", "initial weights of `projection=conv`")
    anneal: AnyAnneal = arg(Linear(), "the law by which the skips fade")
    keep: bool = arg(False, "stay in the network when training ends")

    def stays(self) -> bool:
        return self.keep

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from super().check(site)
        if self.form == "convex" and self.alpha > 2:
            bound = "at most 2 with `form=convex`, where 2 leaves nothing of the layer"
            values = {"name": "alpha", "bound": bound, "found": f"`{number_text(self.alpha)}`"}
            yield Problem("T303", values, ("alpha",))
        if self.fill != "constant" and self.projection != "conv":
            reason = "only `projection=conv` has weights to fill"
            yield Problem("T504", {"name": "fill", "reason": reason}, ("fill",), "remove it")
        if self.keep:
            yield from keep_problems("skip", self.anneal, site)

    def hook(self) -> SkipHook:
        return SkipHook(self)


class SkipHook(Hook[Skip]):
    """Adds the skips while attached."""

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        from tostdsl.techniques import bridges

        stage, targets = self.stage, set(net.targets)
        if stage.span == "layer":
            spans = [bridges.Span(each.layer, each.end, (each.layer,)) for each in net.joints()]
        else:
            spans = [
                bridges.Span(each.layers[0], each.end, each.layers) for each in net.stretches()
            ]
        chosen = [span for span in spans if targets.issuperset(span.layers)]
        joined, misfits = [], []
        for span in chosen:
            if self._join(net, span, cells["weight"]):
                joined.append(span)
            else:
                misfits.append(span.start)
        around = {layer for span in joined for layer in span.layers}
        without = [layer for layer in net.targets if layer not in around]
        if not joined:
            raise self._refusal(net, without, misfits)
        what = "layers" if stage.span == "layer" else "blocks"
        why = "that no activation follows" if stage.span == "layer" else "in no block"
        rest = f", none around {len(without)} {why} ({_few(without)})" if without else ""
        net.report(f"{stage.form} skips around {len(joined)} {what}{rest}")

    def _refusal(self, net: Network, without: list[str], misfits: list[str]) -> TostError:
        names = _few(without)
        which = "the selected layers" if net.chosen else "a layer"
        reason = f"no activation follows {which} ({names})"
        if misfits:
            reason = f"what enters {misfits[0]} has not the places of what leaves it"
        elif self.stage.span == "block":
            reason = f"no two of its layers, an activation after each, make a block ({names})"
        return TostError.of("T502", stage="skip", model=type(net.model).__name__, reason=reason)

    def _join(self, net: Network, span: Span, weight: Tensor) -> bool:
        from tostdsl.techniques import bridges

        form = bridges.shapes(net, span)
        if form is None:
            return False
        stage = self.stage
        if stage.projection == "conv":
            bring = bridges.projection(net, span, form, stage.fill == "constant")
        else:
            bring = bridges.identity(net, span, form, stage.form != "add")
        convex, alpha = stage.form == "convex", stage.alpha
        held: dict[str, Tensor] = {}

        def start(_module: nn.Module, args: Any) -> None:
            held["input"] = args[0]

        def end(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
            dtype = output.dtype
            skip = bring(held.pop("input"), output).to(dtype)
            if convex:
                return output.lerp(skip, (weight * (alpha / 2)).to(dtype))
            return output.addcmul(skip, weight.to(dtype), value=alpha)

        net.before(span.start, start)
        net.after(span.end, end)
        return True


def _few(layers: list[str]) -> str:
    more = f" and {len(layers) - SHOWN} more" if len(layers) > SHOWN else ""
    return ", ".join(layers[:SHOWN]) + more
