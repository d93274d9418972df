"""The masks `nm` and `vnm`: patterns that hardware can use."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from tostdsl.diagnostics import TostError
from tostdsl.masks.silence import refuse_silence, silent
from tostdsl.plan.masking import MaskMethod, MaskSite, shapes_of
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Pattern

if TYPE_CHECKING:
    import torch

LARGEST = 64
"""The largest group of a pattern."""


class Patterned(MaskMethod):
    """Base of masks that keep a fixed part of every group of weights; ranks by absolute value.

    Groups run along the input channels. A layer whose shape the pattern does not divide (the
    first convolution with its three channels, a depthwise one) stays dense and counts as such. A
    pattern that divides no layer is refused.
    """

    positional = "pattern"
    form: ClassVar[str]
    """How its pattern is written."""

    def ending(self) -> str:
        return f"pattern is {getattr(self, self.positional)}"

    def divides(self) -> tuple[int, int]:
        """What the outputs, and what the inputs (of a group), of a layer must be divisible by."""
        raise NotImplementedError

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether the pattern divides a weight's shape."""
        return not any(size % part for size, part in zip(shape, self.divides(), strict=False))

    def density(self) -> Fraction:
        """The share that is kept of a layer it fits."""
        raise NotImplementedError

    def pick(self, sizes: "torch.Tensor") -> "torch.Tensor":
        """The mask (bool) of absolute values, given as out x positions x in."""
        raise NotImplementedError

    def shared_out(
        self, shapes: Mapping[str, Sequence[int]], sparsity: Fraction | None
    ) -> dict[str, int]:
        return {
            name: int(prod(shape) * (self.density() if self.fits(shape) else 1))
            for name, shape in shapes.items()
        }

    def choose(self, site: MaskSite, sparsity: Fraction | None) -> "dict[str, torch.Tensor]":
        import torch

        self._refuse_none(list(shapes_of(site.weights).values()))
        masks = {}
        for name, shape in shapes_of(site.weights).items():
            weight = site.weights[name].detach()
            if not self.fits(shape):
                masks[name] = torch.ones_like(weight, dtype=torch.bool)
                continue
            sizes = (
                weight.abs().float().cpu().flatten(2) if weight.dim() > 2 else weight.abs().cpu()
            )
            sizes = sizes.transpose(1, 2) if sizes.dim() == 3 else sizes.unsqueeze(1)
            mask = self.pick(sizes.contiguous()).transpose(1, 2).reshape(shape)
            masks[name] = mask.to(weight.device).contiguous()
        refuse_silence(type(self).name, site, silent(site.weights), masks)
        return masks

    def _refuse_none(self, shapes: Sequence[Sequence[int]]) -> None:
        """Raise T563 where the pattern divides no layer, so that all would stay dense."""
        if any(map(self.fits, shapes)):
            return
        missed = []
        for side, part in enumerate(self.divides()):
            sizes = sorted({shape[side] for shape in shapes})
            if any(size % part for size in sizes):
                shown = ", ".join(map(str, sizes[:6])) + (", …" if len(sizes) > 6 else "")
                what = ("outputs", "inputs")[side]
                missed.append(f"{part} would have to divide a layer's {what}, which are {shown}")
        values = {"pattern": getattr(self, self.positional), "reason": "; ".join(missed)}
        raise TostError.of("T563", name=type(self).name, **values)

    def _wrong(self, reason: str) -> Problem:
        help = f"write a pattern such as `{self.form}`"
        return Problem("T504", {"name": "pattern", "reason": reason}, ("pattern",), help)


@register("nm")
class NM(Patterned):
    """Keeps the N largest of every M consecutive weights, such as two of four.

    Groups are M input channels of one output unit at one position of the kernel, as sparse tensor
    cores want them. A layer whose input channels M does not divide stays dense, so the sparsity
    over the whole scope is below 1 - N/M.

    With `transposable=yes` every M x M block of outputs and inputs keeps exactly N in each row and
    each column, so that the transposed weight of the backward pass has the pattern too. For M up
    to 4 the best of all such patterns is kept; beyond, weights are taken in falling order as long
    as row and column have room, and blocks that end short are filled by the exchange that costs
    least.

    Mishra et al., "Accelerating sparse deep neural networks", 2021. Training from scratch: Zhou et
    al., "Learning N:M fine-grained structured sparse neural networks from scratch", 2021.
    Transposable: Hubara et al., "Accelerated sparse neural training", 2021.
    """

    examples = ("nm(2:4)", "nm(2:4, transposable=yes)")
    form = "2:4"
    other_names = MappingProxyType(
        {"semi_structured": "nm(2:4)", "two_four": "nm(2:4)", "n_m": "nm(2:4)"}
    )
    other_arguments = MappingProxyType(
        {
            **dict.fromkeys(("n", "m"), "pattern={n}:{m}"),
            "sparsity": "the pattern says it: write `pattern=2:4`, which keeps 2 of every 4",
        }
    )

    pattern: Pattern = arg(doc="how many of how many are kept")
    transposable: bool = arg(False, "whether rows and columns of each block have the pattern")

    def check(self, site: CheckSite) -> Iterable[Problem]:
        parts = self.pattern.parts
        if len(parts) != 2:
            yield self._wrong(f"`{self.pattern}` has {len(parts)} parts, not two")
        elif not 0 < parts[0] < parts[1]:
            yield self._wrong(f"`{self.pattern}` keeps {parts[0]} of {parts[1]}")
        elif parts[1] > LARGEST:
            yield self._wrong(f"groups of {parts[1]} are larger than {LARGEST}")

    def divides(self) -> tuple[int, int]:
        m = self.pattern.parts[1]
        return (m if self.transposable else 1), m

    def density(self) -> Fraction:
        return Fraction(*self.pattern.parts)

    def pick(self, sizes: "torch.Tensor") -> "torch.Tensor":
        from tostdsl.masks.blocks import largest_of_each, transposable

        n, m = self.pattern.parts
        return transposable(sizes, n, m) if self.transposable else largest_of_each(sizes, n, m)


@register("vnm")
class VNM(Patterned):
    """Keeps four columns of every block of V outputs by M inputs, and two of the four in each row.

    The density is 2/M: `64:2:8` is 75% sparse, in a form that 2:4 hardware runs. The columns kept
    are those with the largest sum of absolute values over the block. A layer whose outputs V or
    whose inputs M does not divide stays dense.

    Castro et al., "VENOM: a vectorized N:M format for unleashing the power of sparse tensor
    cores", 2023.
    """

    examples = ("vnm(64:2:8)",)
    form = "64:2:8"
    other_names = MappingProxyType({"venom": "vnm(64:2:8)"})
    other_arguments = MappingProxyType(
        {
            **dict.fromkeys(("v", "n", "m"), "pattern={v}:{n}:{m}"),
            "sparsity": "the pattern says it: write `pattern=64:2:8`, which keeps 2 of every 8",
        }
    )

    pattern: Pattern = arg(
        doc="outputs in a block, weights kept in a row of it, inputs in a block", example="64:2:8"
    )

    def check(self, site: CheckSite) -> Iterable[Problem]:
        parts = self.pattern.parts
        if len(parts) != 3:
            yield self._wrong(f"`{self.pattern}` has {len(parts)} parts, not three")
        elif parts[0] < 1 or parts[1] != 2 or parts[2] <= 4:
            yield self._wrong(f"`{self.pattern}` must keep 2 of more than 4 inputs")
        elif max(parts) > 16 * LARGEST:
            yield self._wrong(f"blocks of {max(parts)} are larger than {16 * LARGEST}")

    def divides(self) -> tuple[int, int]:
        v, _, m = self.pattern.parts
        return v, m

    def density(self) -> Fraction:
        return Fraction(self.pattern.parts[1], self.pattern.parts[2])

    def pick(self, sizes: "torch.Tensor") -> "torch.Tensor":
        from tostdsl.masks.blocks import columns_of_blocks

        return columns_of_blocks(sizes, *self.pattern.parts)
