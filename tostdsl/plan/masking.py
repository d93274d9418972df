"""The base of masks: what the compiler and the engine may ask of a method, and what it may see.

The methods that need torch say so; they import it inside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from tostdsl.plan.bases import DataFacts
from tostdsl.plan.spec import CheckSite, Problem, Spec, arg
from tostdsl.units import Clock, Duration, Moment, Percent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import torch


@dataclass(frozen=True, slots=True)
class Round:
    """One training that a mask wants before the final one, pruned at its end."""

    sparsity: Fraction
    """Share of the scope's weights that are zero after the prune, exact."""


@dataclass(frozen=True, slots=True)
class Update:
    """A change of masks while the final training goes on."""

    number: int
    """Counted from 0."""
    step: int
    """How many steps of training lie before it."""
    progress: Fraction
    """How far through the mask's window it stands, in [0, 1]."""


class MaskSite(Protocol):
    """What a mask method sees of the network while it chooses."""

    @property
    def model(self) -> "torch.nn.Module":
        """The network itself; a method that runs it works on a copy."""

    @property
    def weights(self) -> "Mapping[str, torch.Tensor]":
        """The prunable weights in scope, by parameter name, in the network's order."""

    @property
    def masks(self) -> "Mapping[str, torch.Tensor]":
        """The masks now in force (bool, True is kept); empty before the first."""

    @property
    def facts(self) -> DataFacts:
        """Shape of an image, number of classes."""

    @property
    def gradients(self) -> "Mapping[str, torch.Tensor]":
        """The weights' gradients of the last batch, not masked; only during an update.

        Zero for a weight that the loss does not depend on.
        """

    def generator(self, purpose: str) -> "torch.Generator":
        """A CPU generator derived from the run's seed and a purpose."""

    def images(self, each: int) -> "tuple[torch.Tensor, torch.Tensor]":
        """`each` training images of every class, without augmentation, and their labels.

        Drawn by the seed, in the data set's order, so that the same images come in the same order
        whoever asks. `TostError` T504 where a class has fewer.
        """

    def tell(self, text: str) -> None:
        """Say a line to whoever watches the run; the run folder keeps it."""

    def record(self, name: str, content: "Mapping[str, Any]") -> None:
        """Leave a JSON file of this name in the run folder."""


def kept_total(size: int, sparsity: Fraction) -> int:
    """How many of `size` weights are kept: density times size, a half rounded up."""
    return floor((1 - sparsity) * size + Fraction(1, 2))


def shapes_of(tensors: "Mapping[str, torch.Tensor]") -> dict[str, tuple[int, ...]]:
    """The tensors' shapes by name."""
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


Acts = Literal["told", "rewind", "prune", "update"]
"""When an argument of a method has its part: as lengths, moments and sparsities of the program tell
(`told`), when the rewind point is kept, when a round ends, when the masks first move."""


class MaskMethod(Spec):
    """Base of masks: which of the scope's weights are kept."""

    kind = "mask"
    permissions = frozenset({"allow"})
    seeded: ClassVar[bool] = False
    """Whether seed and shapes alone decide its masks, so that anybody can draw them again."""
    fixed: ClassVar[bool] = False
    """Whether its own arguments decide its masks, whatever the seed and the images are."""
    blind: ClassVar[bool] = False
    """Whether it looks at no image: weights and its arguments decide its masks."""
    moves: ClassVar[bool] = False
    """Whether its masks change while the final training goes on, over the mask's window."""
    counted: ClassVar[bool] = True
    """Whether shapes and the wanted sparsity tell how many weights it keeps (`kept`)."""
    later: ClassVar[Mapping[str, Acts]] = MappingProxyType({})
    """Arguments that have no part in the masks it chooses first, with when they have one."""
    report: ClassVar[str | None] = None
    """The JSON file in which a run leaves how it came to its masks (`MaskSite.record`)."""
    allow: Literal["nothing", "collapse"] = arg(
        "nothing", "what is let pass: `collapse` goes on where a layer keeps no weight"
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_named: Any) -> None:
        fields = cls.__pydantic_fields__
        fields["allow"] = fields.pop("allow")  # what is asked for stands before what is let pass

    def target(self) -> Fraction | None:
        """The sparsity of the masks it ends with, exact; None where only choosing tells."""
        return None

    def ending(self) -> str | None:
        """What is known of the masks it ends with, in words; None where only choosing tells."""
        share = self.target()
        if share is None:
            return None
        return f"sparsity is {Percent(Decimal(share.numerator) * 100 / share.denominator)}"

    def settled(self) -> bool:
        """Whether a plan alone says which masks are meant, and not a file that may change."""
        return True

    def first(self) -> Fraction | None:
        """The sparsity of the masks that training starts with: of one that moves, maybe another."""
        return self.target()

    def updates(self, start: int, stop: int, clock: Clock) -> Sequence[int]:
        """The numbers of steps after which its masks change, rising, in a window of steps."""
        return ()

    def sparsity_at(self, progress: Fraction) -> Fraction | None:
        """The sparsity from an update at a progress on; None where only choosing tells."""
        return self.target()

    def replaces_step(self) -> bool:
        """Whether an update stands in the place of the training step that would come next."""
        return False

    def update(self, site: MaskSite, update: Update) -> "dict[str, torch.Tensor]":
        """The masks from an update on; only asked of one that `moves`."""
        raise NotImplementedError

    def kept_at(self, shapes: Mapping[str, Sequence[int]], update: Update) -> int | None:
        """How many weights are kept from an update on; None where only choosing tells."""
        return None

    def rounds(self) -> tuple[Round, ...]:
        """The trainings it takes to find the mask; none for masks found at initialisation."""
        return ()

    def round_length(self, training: Duration) -> Duration:
        """How long each of its rounds trains, given the final training's length."""
        return training

    def rewind_to(self) -> Moment | None:
        """Where in the first round the weights are kept, to go back to after each prune."""
        return None

    def goes_back(self) -> bool:
        """Whether the weights go back to the rewind point after a prune; else they stay."""
        return True

    def resumes(self) -> bool:
        """Whether each training after a prune begins at the rewind point, not at its start."""
        return False

    def keeps_moments(self) -> bool:
        """Whether the optimizer goes on with its state of the rewind point after a prune."""
        return False

    def stages_in_rounds(self) -> bool:
        """Whether the recipe's stages are at work in the rounds too."""
        return False

    def kept(self, shapes: Mapping[str, Sequence[int]], sparsity: Fraction | None) -> int:
        """How many of the weights in scope it keeps, exactly; only asked where it is `counted`."""
        counts = self.shared_out(shapes, sparsity)
        if counts is None:
            raise NotImplementedError
        return sum(counts.values())

    def shared_out(
        self, shapes: Mapping[str, Sequence[int]], sparsity: Fraction | None
    ) -> dict[str, int] | None:
        """How many each weight keeps, by name, where shapes alone decide; None where not."""
        return None

    def refuse(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Raise `TostError` where shapes alone tell that it cannot come to its end.

        Asked before a run writes anything, also where the run takes over the masks of another.
        """

    def choose(self, site: MaskSite, sparsity: Fraction | None) -> "dict[str, torch.Tensor]":
        """The masks (bool, True is kept, the weights' shapes and device).

        `sparsity` is what this prune is to reach: the round's, or the method's `target`.
        """
        raise NotImplementedError

    def refute(self, report: Any, masks: "Mapping[str, torch.Tensor]") -> str:
        """What in a `report` does not fit this method or these masks, in words; empty if nothing.

        The report comes from a stranger's run folder: any JSON.
        """
        return ""

    def highest(self, site: MaskSite) -> Fraction | None:
        """The highest sparsity at which it leaves every layer a weight; None if not known.

        Paths may all be cut below that.
        """
        return None

    def masks_at(self, site: MaskSite) -> "Callable[[Fraction], Mapping[str, torch.Tensor]] | None":
        """Its masks by sparsity, once what is dear is done; None where each is dear anew."""
        return None


class Sparsifier(MaskMethod):
    """Base of masks that keep a wanted share of the weights."""

    other_arguments = MappingProxyType(
        {
            "density": "sparsity={rest}",
            "keep": "sparsity={rest}",
            "amount": "sparsity",
            "ratio": "sparsity",
            "prune_ratio": "sparsity",
        }
    )
    sparsity: Percent = arg(doc="share of the weights in scope that are zero")

    def check(self, site: CheckSite) -> "Iterable[Problem]":
        if not 0 <= self.sparsity.fraction < 1:
            bound = "at least 0% and below 100%"
            values = {"name": "sparsity", "bound": bound, "found": f"`{self.sparsity}`"}
            yield Problem("T303", values, ("sparsity",))

    def target(self) -> Fraction:
        return self.sparsity.fraction

    def kept(self, shapes: Mapping[str, Sequence[int]], sparsity: Fraction | None) -> int:
        """Density times the number of weights in scope, a half rounded up."""
        from math import prod

        assert sparsity is not None
        return kept_total(sum(map(prod, shapes.values())), sparsity)
