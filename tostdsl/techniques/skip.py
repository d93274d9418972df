"""Ghost skips: temporary identity connections around layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from tostdsl.anneals import Linear
from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Hook, Joint, Network
from tostdsl.plan.bases import AnyAnneal, Technique
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import number_text

if TYPE_CHECKING:
    from torch import Tensor, nn


@register("skip")
class Skip(Technique):
    """Ghost skips: a temporary identity connection around each layer that an activation follows.

    A skip starts at a layer's input x and joins right before the activation after it, where the
    output y of the layer (and its normalisation) is; a residual sum there comes after. `s(x)` is
    x brought to y's shape without parameters: average pooling to its size, channels cut or filled
    up with zeros. `norm` is a batch normalisation of the skip's own, without parameters. `w` is
    the stage's weight, which falls along `anneal`, and the forms are:

        convex       (1 - alpha w/2) y  +  alpha w/2 norm(s(x))
        normalised   y  +  alpha w norm(s(x))
        add          y  +  alpha w s(x)

    At w = 0 each is y, so that a skip can leave without a jump. `convex` is the default, since
    `add` does harm: units come to rely on the skip and die when it goes. In a trial (ResNet-8,
    98 % sparse, 8 epochs of CIFAR-10) `add` cost more than 20 points of accuracy, `normalised`
    1 to 4, and `convex` none. The skips around 1x1 convolutions in a residual network's own
    shortcuts are left out. With `on` and `except` only the selected layers get one.

    After Jaiswal, Ma, Chen, Ding and Wang, Training Your Sparse Neural Network Better with Any
    Mask (ICML 2022), whose code uses dense 1x1 convolutions with batch normalisation, up to ten
    times the weights a very sparse network keeps. The forms here add none.
    """

    examples = (
        "skip(anneal=linear) until epoch 60",
        'skip(form=normalised) until 25% on "layer3.*"',
    )

    form: Literal["convex", "normalised", "add"] = arg("convex", "how the skip joins")
    alpha: float = arg(1.0, "strength at weight 1; at most 2 with `form=convex`", gt=0)
    anneal: AnyAnneal = arg(Linear(), "the law by which the skips fade")

    def adds_to_network(self) -> bool:
        return True

    def check(self, site: CheckSite) -> Iterable[Problem]:
        if self.form == "convex" and self.alpha > 2:
            bound = "at most 2 with `form=convex`, where 2 leaves nothing of the layer"
            values = {"name": "alpha", "bound": bound, "found": f"`{number_text(self.alpha)}`"}
            yield Problem("T303", values, ("alpha",))

    def hook(self) -> SkipHook:
        return SkipHook(self)


class SkipHook(Hook[Skip]):
    """Adds the skips while attached."""

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        joints = [joint for joint in net.joints() if joint.layer in set(net.targets)]
        if not joints:
            reason = "no activation follows " + ("the selected layers" if net.chosen else "a layer")
            model = type(net.model).__name__
            raise TostError.of("T502", stage="skip", model=model, reason=reason)
        for joint in joints:
            self._join(net, joint, cells["weight"])
        without = len(net.targets) - len(joints)
        rest = f", none around {without} that no activation follows" if without else ""
        net.report(f"{self.stage.form} skips around {len(joints)} layers{rest}")

    def _join(self, net: Network, joint: Joint, weight: Tensor) -> None:
        shape = _shaper(net, joint, normalised=self.stage.form != "add")
        convex, alpha = self.stage.form == "convex", self.stage.alpha
        held: dict[str, Tensor] = {}

        def start(_module: nn.Module, args: Any) -> None:
            held["input"] = args[0]

        def end(_module: nn.Module, _args: Any, output: Tensor) -> Tensor:
            dtype = output.dtype
            skip = shape(held.pop("input"), output).to(dtype)
            if convex:
                return output.lerp(skip, (weight * (alpha / 2)).to(dtype))
            return output.addcmul(skip, weight.to(dtype), value=alpha)

        net.before(joint.layer, start)
        net.after(joint.end, end)


def _shaper(net: Network, joint: Joint, normalised: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """What brings a layer's input to the shape of the output it joins, for this joint."""
    from torch import nn
    from torch.nn import functional

    layer: Any = net.module(joint.layer)
    linear = isinstance(layer, nn.Linear)
    entering, leaving = net.shape(joint.layer)[0], net.shape(joint.end)[1]
    axis = -1 if linear else 0
    channels = min(entering[axis], leaving[axis])
    missing = leaving[axis] - channels
    dims = 0 if linear else len(leaving) - 1
    pools: dict[int, Callable[..., Tensor]] = {
        1: functional.adaptive_avg_pool1d,
        2: functional.adaptive_avg_pool2d,
        3: functional.adaptive_avg_pool3d,
    }
    norm: Any = None
    if normalised:
        kinds = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
        kind = kinds.get(dims, nn.BatchNorm1d)
        made = kind(channels, affine=False, dtype=layer.weight.dtype)
        norm = net.add(f"{joint.layer}.norm", made)

    def normalise(x: Tensor) -> Tensor:
        if norm.training and x.numel() == channels:  # one value a channel has no variance
            return functional.batch_norm(x, norm.running_mean, norm.running_var, eps=norm.eps)
        result: Tensor = norm(x)
        return result

    def shape(x: Tensor, y: Tensor) -> Tensor:
        x = x.narrow(-1 if linear else 1, 0, channels)
        if dims and x.shape[2:] != y.shape[2:]:
            x = pools[dims](x, y.shape[2:])
        if norm is not None:
            flat = x.reshape(-1, channels) if linear else x
            x = normalise(flat).reshape(x.shape)
        if missing:
            x = functional.pad(x, (0, 0) * dims + (0, missing))
        return x

    return shape
