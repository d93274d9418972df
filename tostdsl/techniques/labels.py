"""Softened labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Batch, Hook, Network
from tostdsl.plan.bases import Technique
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Ramp, number_text

if TYPE_CHECKING:
    from torch import Tensor


@register("labels")
class Labels(Technique):
    """Label smoothing: a little of each training label's probability goes to the other classes.

    With e the `smoothing` and C classes, the true class and each other class get

        spread=others   1 - e              e / (C - 1)
        spread=all      1 - e + e/C        e / C

    `others` is the form of the ToST reference code, with 0.1. `all` is PyTorch's, which is the
    same as `others` with a smoothing (C - 1)/C times as large: for `others` at 0.1 and ten
    classes write 0.1111 with `all`. A ramp (`smoothing=0.2 -> 0`) moves over the stage's window.
    Labels that are probabilities already are mixed in the same way.

    Only the labels of training batches are softened; accuracy and the loss of evaluation are
    measured on the true ones. From Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, Rethinking the
    Inception Architecture for Computer Vision (CVPR 2016).
    """

    examples = ("labels(smoothing=0.1)", "labels(smoothing=0.2 -> 0) until epoch 80")

    targeted = False
    smoothing: float | Ramp = arg(0.1, "probability taken from the true class; in [0, 1)")
    spread: Literal["others", "all"] = arg("others", "which classes get it")

    def claims(self) -> frozenset[str]:
        return frozenset({"the labels"})

    def check(self, site: CheckSite) -> Iterable[Problem]:
        value = self.smoothing
        ends = (value.start, value.stop) if isinstance(value, Ramp) else (value,)
        if not all(0 <= end < 1 for end in ends):
            found = str(value) if isinstance(value, Ramp) else number_text(value)
            values = {"name": "smoothing", "bound": "at least 0 and less than 1"}
            yield Problem("T303", {**values, "found": f"`{found}`"}, ("smoothing",))

    def hook(self) -> LabelsHook:
        return LabelsHook(self)


class LabelsHook(Hook[Labels]):
    """Softens the targets of each batch."""

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        if net.classes < 2:
            reason = "there is only one class"
            model = type(net.model).__name__
            raise TostError.of("T502", stage="labels", model=model, reason=reason)
        self._classes = net.classes
        self._smoothing = cells.get("smoothing", self.stage.smoothing)

    def batch(self, batch: Batch) -> None:
        assert not isinstance(self._smoothing, Ramp)  # the engine gives a cell for each ramp
        others = self.stage.spread == "others"
        batch.targets = smooth(batch.targets, self._classes, self._smoothing, others)


def smooth(targets: Tensor, classes: int, e: Tensor | float, others: bool) -> Tensor:
    """Smoothed probabilities, N x classes, of labels (int64, N) or of probabilities."""
    from torch.nn import functional

    if not targets.is_floating_point():
        targets = functional.one_hot(targets, classes).float()
    # with p a class's probability: (1 - e) p + e (1 - p) / (C - 1), or (1 - e) p + e / C
    share = e / (classes - 1) if others else e / classes
    scale = 1 - e - share if others else 1 - e
    return targets * scale + share
