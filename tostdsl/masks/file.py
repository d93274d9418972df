"""The mask `file`."""

import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from tostdsl.plan.masking import MaskMethod, MaskSite
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register

if TYPE_CHECKING:
    from torch import Tensor

DIGEST = re.compile(r"[0-9a-f]{64}")


@register("file")
class File(MaskMethod):
    """A mask of your own, from a file: found elsewhere, or exported by `tost mask export`.

    Only masks are taken from the file, no weights: training starts from the recipe's own initial
    ones. Of a lottery ticket that is the mask without the weights it was rewound to.

    With `sha256` the plan means what is in the file, wherever it lies, and a file that is another
    is refused. Without it the plan holds only the path, and the run records what it read. `tost
    mask export`, every run of this mask and `sha256sum` print the digest. A file is opened by runs
    only; checking a recipe never reads it.

    It may be a safetensors file, what `torch.save` wrote, or a numpy `.npz`, and carry its masks as

    - `masks`: a tensor of 0 and 1 for each weight, by its name (`tost mask export`, OpenLTH's
      `mask.pth`);
    - `buffers`: buffers `weight_mask` beside weights, as `torch.nn.utils.prune` and the pruning
      code of SynFlow and ToST keep them;
    - `parametrizations`: buffers `mask` of `torch.nn.utils.parametrize`;
    - `zeros`: a checkpoint whose weights are exactly 0 where they are pruned, as ToST and OpenLTH
      train them;
    - `list`: a list of tensors of 0 and 1, in the order of the network's weights.

    `carrier=auto` tells which, and the run says it. Masks are matched with weights by name; then
    without the prefixes that wrappers add (`module.`, `model.`, `_orig_mod.`); then by shape and
    order, where only one way fits. The run prints the match of each layer, and its folder keeps it
    in `mask_file.json`. A weight in scope without a mask, a mask that fits nowhere, values other
    than 0 and 1, and a mask that prunes nothing are errors; so are masks that a checkpoint beside
    them in the file contradicts, until `carrier` says which of the two counts.

    Here 1 is kept. Some libraries write 1 where a weight is pruned, which no file can tell:
    `ones=pruned` reads those.

    Nothing in a file is run: of what `torch.save` wrote only tensors and plain containers are
    loaded (`weights_only`), and no pickled arrays of numpy.
    """

    positional = "path"
    counted: ClassVar[bool] = False
    fixed: ClassVar[bool] = True
    own_codes = ("T508", "T560", "T561", "T562", "W060", "R160", "R161")
    report: ClassVar[str | None] = "mask_file.json"
    examples = (
        'file("ticket.safetensors", '
        'sha256="0b37c1caf2d1e3bb1c6f9d7de7ff3d0b5e8fd0d2c4b3e0a1f6a5d0c9e8b7a6f5")',
        'file("lottery/mask.pth", carrier=masks)',
    )
    other_names = MappingProxyType(
        dict.fromkeys(
            ("from_file", "load", "load_mask", "custom", "custom_from_mask", "external"),
            "file",
        )
    )
    other_arguments = MappingProxyType(
        {
            **dict.fromkeys(("mask", "mask_file", "mask_path", "filename", "checkpoint"), "path"),
            **dict.fromkeys(("checksum", "digest", "hash", "sha"), "sha256"),
            **dict.fromkeys(("format", "kind", "style"), "carrier"),
            "inverted": "ones=pruned",
        }
    )
    other_values = MappingProxyType(
        {
            "carrier": {
                **dict.fromkeys(("checkpoint", "weights", "nonzero"), "zeros"),
                **dict.fromkeys(("weight_mask", "prune", "synflow"), "buffers"),
                **dict.fromkeys(("openlth", "names", "dict"), "masks"),
                "positional": "list",
            }
        }
    )

    path: str = arg(doc="the file; relative to the current folder", min_length=1)
    sha256: str | None = arg(
        None, "the file's SHA-256 in 64 small hex digits: what the plan means by it"
    )
    carrier: Literal["auto", "masks", "buffers", "parametrizations", "zeros", "list"] = arg(
        "auto", "how the file carries its masks; `auto` tells from what is in it"
    )
    ones: Literal["kept", "pruned"] = arg("kept", "what a 1 in the file means for its weight")
    outside: Literal["refuse", "ignore"] = arg(
        "refuse",
        "what becomes of masks that prune outside of the scope: `ignore` leaves that dense, and "
        "masks of nothing in the network aside",
    )

    def settled(self) -> bool:
        return self.sha256 is not None

    def check(self, site: CheckSite) -> Iterable[Problem]:
        if self.sha256 is None:
            yield Problem("W060", {"name": self.name}, ("path",))
        elif not DIGEST.fullmatch(self.sha256):
            bound, found = "64 digits of 0 to 9 and a to f", f"`{self.sha256}`"
            small = self.sha256.strip().lower()
            help = f'write `sha256="{small}"`' if DIGEST.fullmatch(small) else None
            values = {"name": "sha256", "bound": bound, "found": found}
            yield Problem("T303", values, ("sha256",), help)
        if self.carrier == "zeros" and self.ones == "pruned":
            reason = "`carrier=zeros` looks for zeros, and has no ones"
            yield Problem("T504", {"name": "ones", "reason": reason}, ("ones", "carrier"))

    def unidentified(self) -> frozenset[str]:
        """Where a file lies is no part of the plan that says what is in it."""
        where = frozenset({"path"} if self.sha256 is not None else ())
        return super().unidentified() | where

    def choose(self, site: MaskSite, sparsity: Fraction | None) -> "dict[str, Tensor]":
        from tostdsl.masks.bring import bring

        return bring(self, site)

    def refute(self, report: Any, masks: "Mapping[str, Tensor]") -> str:
        from tostdsl.masks.bring import refute

        return refute(self.sha256, report, masks)
