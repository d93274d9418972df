"""What is worth saying about a mask's health, as diagnostics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

from tostdsl.diagnostics import Diagnostic, diagnose
from tostdsl.masks.health import collapse, collapse_words, named
from tostdsl.masks.report import MaskReport

OTHER = "lower `sparsity`, or bring another mask"
"""What helps where the method is not asked."""


def findings(
    report: MaskReport,
    masks: Mapping[str, Tensor],
    allowed: bool = False,
    remedy: str = "",
) -> Iterator[Diagnostic]:
    """Collapse (T507, or W050 where it is `allowed`), cut branches, dead channels, live zeros.

    `remedy` says what to write where they collapse (`masks.remedy`).
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
        yield diagnose("W053", count=f"{report.zeros:,}", weights=weights, layer=most.name)


def _dead(report: MaskReport) -> Iterator[Diagnostic]:
    inputs, all_inputs = report.dead("inputs")
    outputs, all_outputs = report.dead("outputs")
    if not inputs + outputs or report.collapsed:  # then all are
        return
    off = report.kept - report.on_path if report.on_path is not None else 0
    yield diagnose(
        "W052",
        inputs=f"{inputs:,}",
        all_inputs=f"{all_inputs:,}",
        outputs=f"{outputs:,}",
        all_outputs=f"{all_outputs:,}",
        waste=f"; {off:,} kept weight{'s lead' if off > 1 else ' leads'} nowhere" if off else "",
    )
