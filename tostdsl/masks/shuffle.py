"""The mask `shuffle`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from pydantic import SerializeAsAny

from tostdsl.plan.masking import MaskMethod, MaskSite, Round
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Duration, Moment

if TYPE_CHECKING:
    from torch import Generator, Tensor


@register("shuffle")
class Shuffle(MaskMethod):
    """Another mask with its entries mixed at random: the control that tells what it knows.

    `within=layer` mixes inside each layer, so that every layer keeps as many weights as before
    and only which ones is lost; `within=network` mixes over all weights in scope. A mask that
    trains no better than its shuffled self has found densities, not weights.

    Of a lottery ticket the rounds are as they would be, and the last mask is mixed. A mask that
    moves while the network trains (`gradual`, `dynamic`) cannot be mixed: of what it does only its
    first mask would be left. To mix what such a training ends with, give `file` the run's masks.

    Frankle et al., "Pruning neural networks at initialization: why are we missing the mark?",
    2021. Su et al., "Sanity-checking pruning methods: random tickets can win the jackpot", 2020.
    """

    positional = "of"
    examples = (
        "shuffle(of=magnitude(sparsity=90%, distribution=erk))",
        "shuffle(snip(sparsity=90%))",
    )

    other_arguments = MappingProxyType(
        {"sparsity": "it is the mixed mask's: write `of=random(sparsity={value})`"}
    )
    of: SerializeAsAny[MaskMethod] = arg(
        doc="the mask whose entries are mixed", example="random(sparsity=90%)"
    )
    within: Literal["layer", "network"] = arg("layer", "where entries change places")

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from super().check(site)
        if self.of.moves:
            name = type(self.of).name
            reason = f"`{name}` moves its mask while the network trains, and only one is mixed"
            instead = "`of=magnitude(…)` or `of=random(…)`, or `of=file(…)` with a run's masks"
            yield Problem("T504", {"name": "of", "reason": reason}, ("of",), f"write {instead}")

    @property
    def counted(self) -> bool:  # type: ignore[override]
        """Mixing changes no count."""
        return self.of.counted

    def settled(self) -> bool:
        return self.of.settled()

    def target(self) -> Fraction | None:
        return self.of.target()

    def rounds(self) -> tuple[Round, ...]:
        return self.of.rounds()

    def round_length(self, training: Duration) -> Duration:
        return self.of.round_length(training)

    def rewind_to(self) -> Moment | None:
        return self.of.rewind_to()

    def goes_back(self) -> bool:
        return self.of.goes_back()

    def resumes(self) -> bool:
        return self.of.resumes()

    def keeps_moments(self) -> bool:
        return self.of.keeps_moments()

    def stages_in_rounds(self) -> bool:
        return self.of.stages_in_rounds()

    def kept(self, shapes: Mapping[str, Sequence[int]], sparsity: Fraction | None) -> int:
        return self.of.kept(shapes, sparsity)

    def shared_out(
        self, shapes: Mapping[str, Sequence[int]], sparsity: Fraction | None
    ) -> dict[str, int] | None:
        return self.of.shared_out(shapes, sparsity) if self.within == "layer" else None

    def highest(self, site: MaskSite) -> Fraction | None:
        return self.of.highest(site) if self.within == "layer" else None

    def choose(self, site: MaskSite, sparsity: Fraction | None) -> "dict[str, Tensor]":
        masks = self.of.choose(site, sparsity)
        if self.rounds() and sparsity != self.rounds()[-1].sparsity:
            return masks
        return self.mix(site, masks)

    def masks_at(self, site: MaskSite) -> "Callable[[Fraction], Mapping[str, Tensor]] | None":
        plain = None if self.rounds() else self.of.masks_at(site)
        return None if plain is None else lambda sparsity: self.mix(site, plain(sparsity))

    def mix(self, site: MaskSite, masks: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """Masks with their entries in a random order, the same for each seed."""
        if self.within == "layer":
            return {name: mixed(m, site.generator(f"shuffle {name}")) for name, m in masks.items()}
        import torch

        flat = torch.cat([mask.reshape(-1).cpu() for mask in masks.values()])
        mixture = mixed(flat, site.generator("shuffle"))
        parts = torch.split(mixture, [mask.numel() for mask in masks.values()])
        return {
            name: part.reshape(mask.shape).to(mask.device, copy=True)
            for (name, mask), part in zip(masks.items(), parts, strict=True)
        }


def mixed(mask: "Tensor", generator: "Generator") -> "Tensor":
    """The entries of a mask in a random order."""
    import torch

    order = torch.randperm(mask.numel(), generator=generator).to(mask.device)
    return mask.reshape(-1)[order].reshape(mask.shape)
