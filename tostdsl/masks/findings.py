"""What is worth saying about a mask's health, as diagnostics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from tostdsl.diagnostics import Diagnostic, diagnose
from tostdsl.masks.health import collapse, collapse_words, named
from tostdsl.masks.report import MaskReport

SET = "they count as kept and compute nothing: prune them, or start them from other values"
"""Of weights that a training left at 0."""
FIRST = "the network starts them so; those that get a gradient train as any other"
"""Of weights that no training has seen."""
FEWER = "if that is too many, lower the sparsity, or share it out by layer where the mask can"
GEOMETRY = (
    "what is unused without a mask, too, comes of the network and the size of its images, such as "
    "the rim of a kernel on feature maps of one place"
)
OTHER = "lower `sparsity`, or bring another mask"
"""What helps where the method is not asked."""


def findings(
    report: MaskReport,
    masks: Mapping[str, Tensor],
    allowed: bool = False,
    remedy: str = "",
    trained: bool = True,
) -> Iterator[Diagnostic]:
    """Collapse (T507, or W050 where it is `allowed`), cut branches, dead channels, live zeros.

    `remedy` says what to write where they collapse (`masks.remedy`); `trained` whether the weights
    are those of a finished training.
    """
    if report.collapsed and allowed:
        yield diagnose("W050", what=collapse_words(masks))
    elif report.collapsed:
        yield collapse(masks, remedy or OTHER)
    if report.cut:
        yield diagnose("W051", layers=named(report.cut))
    yield from _dead(report)
    if report.zeros:
        most = max(report.layers, key=lambda layer: layer.zeros)
        weights = "weight is" if report.zeros == 1 else "weights are"
        help = SET if trained else FIRST
        count = f"{report.zeros:,}"
        yield diagnose("W053", count=count, weights=weights, layer=most.name, help=help)


def _dead(report: MaskReport) -> Iterator[Diagnostic]:
    inputs, all_inputs = report.dead("inputs")
    outputs, all_outputs = report.dead("outputs")
    if not inputs + outputs or report.collapsed:  # then all are
        return
    off = report.kept - report.on_path if report.on_path is not None else 0
    idle = sum(layer.idle for layer in report.layers)
    waste, help = "", FEWER
    if off:
        waste = f"; {off:,} kept weight{'s lead' if off > 1 else ' leads'} nowhere"
    if idle:
        waste += f", {idle:,} of these in the dense network, too"
        help = GEOMETRY if idle == off else f"{FEWER}; {GEOMETRY}"
    yield diagnose(
        "W052",
        inputs=f"{inputs:,}",
        all_inputs=f"{all_inputs:,}",
        outputs=f"{outputs:,}",
        all_outputs=f"{all_outputs:,}",
        waste=waste,
        help=help,
    )
