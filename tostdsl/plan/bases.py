"""One base class a kind of registered thing: what the compiler and the engine may ask of each.

The methods that need torch say so; they import it inside.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import SerializeAsAny

from tostdsl.plan.spec import CheckSite, Problem, Spec, arg
from tostdsl.units import Clock, Moment, Percent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray


class Anneal(Spec):
    """A law by which a stage's weight falls through its window."""

    kind = "anneal"

    def weight(self, progress: float) -> float:
        """The weight at a progress in [0, 1]."""
        raise NotImplementedError


AnyAnneal = SerializeAsAny[Anneal]


class Technique(Spec):
    """Base of stages: something at work in the network over a window of training.

    `acts` says whether it works over a stretch or at one moment (then `moment` is its default).
    A field named `anneal` holds the law of its weight; fields holding a `Ramp` move with it.
    """

    kind = "technique"
    acts: ClassVar[Literal["stretch", "instant"]] = "stretch"
    targeted: ClassVar[bool] = True
    default_on: ClassVar[tuple[str, ...]] = ()
    leaving: ClassVar[frozenset[str]] = frozenset()
    """Arguments that have a part in nothing before the stage leaves."""

    def claims(self) -> frozenset[str]:
        """What this stage takes for itself, in a message's words; overlaps are a conflict."""
        return frozenset()

    def initial(self) -> bool:
        """Whether it works on initial weights, and so only at the start of training."""
        return False

    def needs_mask(self) -> bool:
        """Whether it works on masked weights only, and so does nothing without a mask."""
        return False

    def adds_to_network(self) -> bool:
        """Whether leaving at weight 1 would make the network jump."""
        return False

    def stays(self) -> bool:
        """Whether it is still in the network when training is over, as the recipe asks."""
        return False

    def recalibrates(self) -> bool:
        """Whether running statistics are to be estimated anew when it has left."""
        return False

    def hook(self) -> Any:
        """A new runtime half, an `engine.hooks.Hook`."""
        raise NotImplementedError


class Removable(Technique):
    """Base of stages that put something into the network which is taken out at their window's end.

    What that moment asks for is the same for all of them, and so are its arguments; they stand
    after a technique's own.
    """

    leaving = frozenset({"recalibrate"})
    recalibrate: bool = arg(False, "estimate normalisation statistics anew when it has left")

    @classmethod
    def __pydantic_init_subclass__(cls, **_named: Any) -> None:
        fields = cls.__pydantic_fields__
        for name in Removable.__annotations__:
            fields[name] = fields.pop(name)

    def adds_to_network(self) -> bool:
        return True

    def recalibrates(self) -> bool:
        return self.recalibrate

    def check(self, site: CheckSite) -> "Iterable[Problem]":
        if self.recalibrate and self.stays():
            reason = "what stays in the network leaves no seam to recalibrate at"
            values = {"name": "recalibrate", "reason": reason}
            yield Problem("T504", values, ("recalibrate",), "remove it")


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What is known of a data set without its images."""

    channels: int
    height: int
    width: int
    classes: int
    train_size: int
    test_size: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.channels, self.height, self.width


@dataclass(frozen=True, slots=True)
class Split:
    """Images (uint8, N x C x H x W) and their labels (int64, N)."""

    images: "NDArray[np.uint8]"
    labels: "NDArray[np.int64]"


@dataclass(frozen=True, slots=True)
class Images:
    """A loaded data set, and in words where it came from."""

    facts: DataFacts
    train: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """Where data is looked for and what loading may do."""

    root: "Path | None" = None
    download: bool = False
    limit: int | None = None
    """At most so many images a split, for rehearsals; those are never cached."""


class Augmentation(Spec):
    """A random change of training images, as a function of (seed, epoch, index)."""

    kind = "augmentation"

    def apply(self, images: "torch.Tensor", draws: "torch.Tensor") -> "torch.Tensor":
        """Changed float images (N x C x H x W); `draws` is N x `numbers` uniform in [0, 1)."""
        raise NotImplementedError

    numbers: ClassVar[int] = 1
    """How many random numbers an image needs."""


AnyAugmentation = SerializeAsAny[Augmentation]


class DataSet(Spec):
    """Base of data sets of images held in memory."""

    kind = "data"
    other_arguments = MappingProxyType(
        {
            "batch_size": "batch",
            "bs": "batch",
            "transforms": "augment",
            "transform": "augment",
            "augmentation": "augment",
            "augmentations": "augment",
            "val": "validation",
            "val_split": "validation",
            "shuffle": "leave it out: training images are always shuffled",
            "num_workers": "leave it out: images are held in memory",
            **dict.fromkeys(
                ("root", "path", "data_dir", "data_root"),
                "leave it out: `--data-root` and `TOST_DATA` say where data sets lie",
            ),
            "download": "leave it out: `tost run --download` fetches what is not there",
            **dict.fromkeys(
                ("normalize", "normalise", "mean", "std"),
                "leave it out: images are always normalised, by what is known of the data set",
            ),
            **dict.fromkeys(
                ("num_classes", "classes"), "leave it out: the data set knows its classes"
            ),
        }
    )
    batch: int = arg(128, "images a training step; a last short batch is left out", ge=1, le=65536)
    augment: tuple[AnyAugmentation, ...] = arg((), "random changes of training images, in order")
    validation: Percent = arg(
        Percent.from_json({"percent": 0}),
        "share of the used images held out, drawn by the seed, and measured each epoch",
    )

    use: Percent = arg(
        Percent.from_json({"percent": 100}),
        "share of the training images used at all, drawn by the seed; the rest is never seen",
    )

    def used(self, train_size: int) -> int:
        """How many of so many training images are used (rounded down)."""
        return int(train_size * self.use.fraction)

    def held_out(self, train_size: int) -> int:
        """How many of so many training images are held out for validation (rounded down)."""
        return int(self.used(train_size) * self.validation.fraction)

    def steps_per_epoch(self, train_size: int) -> int:
        """Training steps an epoch: whole batches only, but at least one."""
        return max(1, (self.used(train_size) - self.held_out(train_size)) // self.batch)

    def facts(self) -> DataFacts | None:
        """What is known without touching a disk; None when only loading tells."""
        return None

    def load(self, options: LoadOptions) -> Images:
        """The images; `TostError` says where they were looked for and how to get them."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class ModuleFact:
    """A module of a network, known without building it."""

    name: str
    form: Literal["conv", "linear", "other"]


class ModelSpec(Spec):
    """Base of networks that classify images."""

    kind = "model"
    other_arguments = MappingProxyType(
        {
            **dict.fromkeys(
                ("num_classes", "classes", "n_classes", "num_outputs"),
                "leave it out: the data set says how many classes there are",
            ),
            **dict.fromkeys(
                ("in_channels", "channels", "input_size", "image_size"),
                "leave it out: the data set says how large its images are",
            ),
            **dict.fromkeys(
                ("pretrained", "weights", "checkpoint"),
                "leave it out: every training starts from fresh weights",
            ),
        }
    )

    def modules(self, facts: DataFacts) -> tuple[ModuleFact, ...] | None:
        """Its modules in order, without torch; None when only building tells."""
        return None

    def build(self, facts: DataFacts) -> "torch.nn.Module":
        """The network with fresh weights from torch's global generator (needs torch)."""
        raise NotImplementedError


class OptimizerSpec(Spec):
    """Base of optimizers."""

    kind = "optimizer"
    other_arguments = MappingProxyType(
        {
            "learning_rate": "lr",
            "wd": "weight_decay",
            "l2": "weight_decay",
            **dict.fromkeys(
                ("schedule", "scheduler", "lr_schedule"),
                "it is a statement of its own: write `schedule {value}` on another line",
            ),
        }
    )
    lr: float = arg(doc="learning rate at the schedule's factor 1", gt=0)

    def build(self, parameters: "Iterable[torch.nn.Parameter]") -> "torch.optim.Optimizer":
        """The optimizer over the parameters (needs torch)."""
        raise NotImplementedError


class ScheduleSpec(Spec):
    """Base of learning-rate schedules: a factor of the optimizer's `lr` at each step."""

    kind = "schedule"
    other_arguments = MappingProxyType(
        dict.fromkeys(
            ("lr", "learning_rate", "base_lr"),
            "it belongs to the optimizer: write `optimizer sgd(lr={value})` on another line",
        )
    )

    def scale(self, step: int, clock: Clock) -> float:
        """The factor at a step of a training that `clock` measures."""
        raise NotImplementedError

    def drops(self) -> tuple[Moment, ...]:
        """The moments at which the factor falls at once, in order."""
        return ()
