"""Softened and mixed labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Batch, Hook, Network
from tostdsl.plan.bases import DataSet, Technique
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Ramp, number_text

if TYPE_CHECKING:
    from torch import Tensor

MUCH = 0.5
"""A smoothing above takes most of the true class's probability (W027)."""


@register("labels")
class Labels(Technique):
    """Label smoothing, and images mixed together with their labels.

    With smoothing a little of each training label's probability goes to the other classes. With e
    the `smoothing` and C classes, the true class and each other class get

        spread=others   1 - e              e / (C - 1)
        spread=all      1 - e + e/C        e / C

    `others` is the form of the ToST reference code, with 0.1. `all` is PyTorch's, which is the
    same as `others` with a smoothing (C - 1)/C times as large: for `others` at 0.1 and ten
    classes write 0.1111 with `all`. A ramp (`smoothing=0.2 -> 0`) moves over the stage's window.
    `smoothing` is 0.1 when left out, and 0 when left out beside `mixup` or `cutmix`. With `others`
    it stays below (C - 1)/C, where the true class would be no likelier than the rest; above 0.5
    there is a warning (W027).

    `mixup=alpha` draws one share r a batch from Beta(alpha, alpha) and makes each image

        r * image + (1 - r) * neighbour

    and its label the same mixture, the neighbour being the image before it in the (shuffled)
    batch. `cutmix=alpha` pastes a box of the neighbour instead: at a place drawn uniformly, as
    high and wide as sqrt(1 - r) of the image, cut off at its borders; r is then the share of the
    image that is left. These are torchvision's `MixUp` and `CutMix` (its second transforms); with
    both, each batch has one of the two, with equal chance. What is drawn depends on the seed and
    the step only. Labels are smoothed after they are mixed, which is the same as before.

    Only training batches change. Accuracy, the loss of evaluation and training accuracy are
    measured on true labels; of mixed images, on that of the image, not of its neighbour, so that
    training accuracy reads low.

    The ToST code always smooths (its `--ls` is never read), by 0.1, for the loss of evaluation
    too, and for all of training; a ramp is this project's choice. It does not always help: by the
    README of RigL, on ResNet-50 at 90 % sparsity (ERK, ImageNet), 73.07 with smoothing and 73.4
    without, but 76.42 and 75.9 when training is five times as long.

    Smoothing is from Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, Rethinking the Inception
    Architecture for Computer Vision (CVPR 2016), in ToST from Jaiswal, Ma, Chen, Ding and Wang,
    Training Your Sparse Neural Network Better with Any Mask (ICML 2022); mixup from Zhang, Cisse,
    Dauphin and Lopez-Paz (ICLR 2018); CutMix from Yun, Han, Oh, Chun, Choe and Yoo (ICCV 2019).
    """

    examples = (
        "labels(smoothing=0.1)",
        "labels(smoothing=0.2 -> 0) until epoch 80",
        "labels(mixup=0.2)",
        "labels(smoothing=0.1, mixup=0.2, cutmix=1)",
    )

    other_names = MappingProxyType(
        {
            **dict.fromkeys(("label_smoothing", "smoothing"), "labels(smoothing={value})"),
            "mixup": "labels(mixup={value})",
            "cutmix": "labels(cutmix={value})",
        }
    )
    other_arguments = MappingProxyType(
        {
            **dict.fromkeys(("label_smoothing", "eps", "epsilon"), "smoothing"),
            "alpha": "`mixup` and `cutmix` each take their own alpha: `mixup=0.2`",
        }
    )
    targeted = False
    smoothing: float | Ramp | None = arg(
        None, "probability taken from the true class, in [0, 1); 0.1 unless images are mixed"
    )
    spread: Literal["others", "all"] = arg("others", "which classes get it")
    mixup: float | None = arg(
        None, "mix images: alpha of the Beta distribution, often 0.2", gt=0, example="0.2"
    )
    cutmix: float | None = arg(
        None, "paste boxes of images: alpha of the Beta distribution, often 1", gt=0, example="1"
    )

    @model_validator(mode="after")
    def _fill(self) -> Self:
        """The default that fits the rest, so that the plan says what is used."""
        if self.smoothing is None:
            mixes = self.mixup is not None or self.cutmix is not None
            object.__setattr__(self, "smoothing", 0.0 if mixes else 0.1)
        return self

    def claims(self) -> frozenset[str]:
        return frozenset({"the labels"})

    def check(self, site: CheckSite) -> Iterable[Problem]:
        value = self.smoothing
        assert value is not None
        if "spread" in self.model_fields_set and "smoothing" not in self.model_fields_set:
            mixing = [name for name in ("mixup", "cutmix") if getattr(self, name) is not None]
            if mixing:
                why = " and ".join(f"`{name}`" for name in mixing)
                yield Problem("T522", {"name": "spread", "why": why}, ("spread",))
        facts = site.data.facts() if isinstance(site.data, DataSet) else None
        bound = self.bound(facts.classes if facts is not None else None)
        found = str(value) if isinstance(value, Ramp) else number_text(value)
        if bound is not None:
            values = {"name": "smoothing", "bound": bound, "found": f"`{found}`"}
            yield Problem("T303", values, ("smoothing",))
        elif max(self._ends()) > MUCH:
            yield Problem("W027", {"found": found}, ("smoothing",))

    def bound(self, classes: int | None) -> str | None:
        """What the smoothing must be, in words, where it is not; None where it is sound.

        Every class but the true one gets less than the true one.
        """
        if not all(0 <= end < 1 for end in self._ends()):
            return "at least 0 and less than 1"
        if classes is None or classes < 2 or self.spread == "all":
            return None
        limit = (classes - 1) / classes
        if max(self._ends()) < limit:
            return None
        return (
            f"less than {number_text(round(limit, 4))}, so that of {classes} classes the true one "
            "is the likeliest"
        )

    def _ends(self) -> tuple[float, ...]:
        value = self.smoothing
        assert value is not None
        return (value.start, value.stop) if isinstance(value, Ramp) else (value,)

    def hook(self) -> LabelsHook:
        return LabelsHook(self)


class LabelsHook(Hook[Labels]):
    """Softens the targets of each batch."""

    def prepare(self, net: Network) -> None:
        bound = self.stage.bound(net.classes)
        if bound is not None:
            found = f"`{self.stage.smoothing}`"
            raise TostError.of("T303", name="smoothing", bound=bound, found=found)

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        if net.classes < 2:
            reason = "there is only one class"
            model = type(net.model).__name__
            raise TostError.of("T502", stage="labels", model=model, reason=reason)
        self._classes = net.classes
        given: Any = self.stage.smoothing  # for a ramp the engine gives a cell
        self._smoothing: Tensor | float = cells.get("smoothing", given)
        self._net = net
        self._mixes = self._transforms()

    def _transforms(self) -> list[Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]]:
        stage = self.stage
        if stage.mixup is None and stage.cutmix is None:
            return []
        from tostdsl.vision import transforms

        v2, mixes = transforms(), []
        if stage.mixup is not None:
            mixes.append(v2.MixUp(alpha=stage.mixup, num_classes=self._classes))
        if stage.cutmix is not None:
            mixes.append(v2.CutMix(alpha=stage.cutmix, num_classes=self._classes))
        return mixes

    def batch(self, batch: Batch) -> None:
        if self._mixes:
            self._mix(batch)
        if self.stage.smoothing != 0:
            others = self.stage.spread == "others"
            batch.targets = smooth(batch.targets, self._classes, self._smoothing, others)

    def _mix(self, batch: Batch) -> None:
        """Mix by draws that depend on the step only: torchvision reads the global generator."""
        import torch

        seed = self._net.generator(f"mix {batch.step}").initial_seed()
        with torch.random.fork_rng(devices=[]):
            # not `manual_seed`, which would seed the accelerators, too
            torch.default_generator.manual_seed(seed)
            which = int(torch.randint(len(self._mixes), ())) if len(self._mixes) > 1 else 0
            batch.images, batch.targets = self._mixes[which](batch.images, batch.targets)


def smooth(targets: Tensor, classes: int, e: Tensor | float, others: bool) -> Tensor:
    """Smoothed probabilities, N x classes, of labels (int64, N) or of probabilities."""
    from torch.nn import functional

    if not targets.is_floating_point():
        targets = functional.one_hot(targets, classes).float()
    # with p a class's probability: (1 - e) p + e (1 - p) / (C - 1), or (1 - e) p + e / C
    share = e / (classes - 1) if others else e / classes
    scale = 1 - e - share if others else 1 - e
    return targets * scale + share
