"""What `tost mask` prints of a mask's health: the layers as a table, then what is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tostdsl.cli.prose import columns
from tostdsl.compile.print import call_text
from tostdsl.diagnostics import screen
from tostdsl.plan.timeline import BLOCKS

if TYPE_CHECKING:
    from tostdsl.engine.checkup import Checkup
    from tostdsl.masks.report import LayerHealth, MaskReport

BAR = 10
"""Columns of a full bar."""
MOST_NAMES = 4
"""Layers that a line lists."""


@dataclass(frozen=True, slots=True)
class _Column:
    head: str
    cells: Sequence[str]
    rank: int
    """Columns of the highest rank are left out first where there is no room."""
    left: bool = False

    @property
    def width(self) -> int:
        return max(map(screen.columns, (self.head, *self.cells)))

    def cell(self, index: int) -> str:
        text = self.head if index < 0 else self.cells[index]
        gap = " " * (self.width - screen.columns(text))
        return text + gap if self.left else gap + text


def health_lines(found: Checkup, width: int) -> list[str]:
    """The whole report, at a width."""
    plan, report = found.plan, found.report
    assert plan.mask is not None
    lines = [screen.printable(f"{plan.name}  plan {plan.short}"), ""]
    if found.found:
        lines += [*table(report.layers, width), ""]
    rows = [("mask", call_text(plan.mask.method)), *_moves(found), *_scope(found)]
    rows += [*_sparsity(found), *_paths(report)] if found.found else _training(found)
    if found.found:
        rows += [*_law(found), _fours(report)]
    rows.append(("computing", _computing(found)))
    looked = found.origin or ("no images" if found.run is None else f"the run {found.run}")
    if found.found:
        rows.append(("looked at", f"{looked}, in {found.seconds:.1f} s on {found.device}"))
    return lines + columns([(name, screen.printable(text)) for name, text in rows], width)


def table(layers: Sequence[LayerHealth], width: int) -> list[str]:
    """A row a layer, in columns as far as there is room for them."""
    shown = [
        _Column("layer", [screen.printable(layer.name) for layer in layers], 0, left=True),
        _Column("shape", ["x".join(map(str, layer.shape)) for layer in layers], 4, left=True),
        _Column("kept", [f"{layer.kept:,}" for layer in layers], 2),
        _Column("of", [f"{layer.total:,}" for layer in layers], 2),
        _Column("density", [density_text(layer) for layer in layers], 0),
        _Column("", [bar(layer) for layer in layers], 1, left=True),
        _Column("dead in", [f"{len(la.inputs.dead):,}" for la in layers], 3),
        _Column("dead out", [f"{len(layer.outputs.dead):,}" for layer in layers], 3),
        _Column("off path", [_off(layer) for layer in layers], 5),
        _Column("zeros", [f"{layer.zeros:,}" for layer in layers], 6),
        _Column("2:4", [_share(layer.conforming, layer.fours) for layer in layers], 5),
    ]
    while _needed(shown) > width and any(column.rank for column in shown):
        last = max(column.rank for column in shown)
        shown = [column for column in shown if column.rank < last]
    return ["  ".join(c.cell(index) for c in shown).rstrip() for index in range(-1, len(layers))]


def _needed(shown: Sequence[_Column]) -> int:
    return sum(column.width for column in shown) + 2 * (len(shown) - 1)


def density_text(layer: LayerHealth) -> str:
    """Its density in percent: 0 and 100 only where nothing or all is kept."""
    if layer.kept in (0, layer.total):
        return "0%" if not layer.kept else "100%"
    return f"{min(max(float(layer.density), 0.0001), 0.9999):.2%}"


def bar(layer: LayerHealth) -> str:
    """Its density as a bar, which is empty only where nothing is kept."""
    eighths = max(bool(layer.kept), round(float(layer.density) * BAR * 8))
    full, rest = divmod(eighths, 8)
    return BLOCKS[8] * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")


def _off(layer: LayerHealth) -> str:
    return "?" if layer.on_path is None else f"{layer.kept - layer.on_path:,}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def _names(layers: Sequence[str]) -> str:
    more = len(layers) - MOST_NAMES
    return ", ".join(layers[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _scope(found: Checkup) -> list[tuple[str, str]]:
    plan, report = found.plan, found.report
    assert plan.mask is not None
    words = str(plan.mask.targets) or "every convolution and linear layer"
    text = f"{words}: {len(report.layers)} layers, {report.total:,} weights"
    rows = [("scope", text)]
    if report.outside:
        names = _names([f"{name} ({size:,})" for name, size in report.outside.items()])
        share = _of_all(sum(report.outside.values()), report)
        count = f"{len(report.outside)} layers, {share}: " if len(report.outside) > 1 else ""
        rows.append(("", f"not in it: {count}{names}"))
    if report.others:
        largest = sorted(report.others.items(), key=lambda each: -each[1])
        names = _names([f"{name} ({size:,})" for name, size in largest])
        share = _of_all(sum(report.others.values()), report)
        text = f"no layer's weights, so never in it: {len(largest)} parameters, {share}: {names}"
        rows.append(("", text))
    return rows


def _of_all(entries: int, report: MaskReport) -> str:
    return f"{entries / report.parameters:.2%} of all {report.parameters:,}"


def _moves(found: Checkup) -> list[tuple[str, str]]:
    if not found.updates:
        return []
    first, last = found.updates[0].step, found.updates[-1].step
    count = f"{len(found.updates):,} times, after steps {first:,} to {last:,}"
    assert found.plan.mask is not None
    target = found.plan.mask.method.target()
    until = "" if target is None else f", to end at a sparsity of {float(target):.2%}"
    words = f"the mask moves while training goes on: {count}{until}. This is the one it starts from"
    return [("moves", words)]


def _sparsity(found: Checkup) -> list[tuple[str, str]]:
    report = found.report
    pruned = report.total - report.kept
    rows = [
        (
            "sparsity",
            f"{float(report.sparsity):.2%}: {pruned:,} of the {report.total:,} weights in scope "
            f"are zero ({pruned / report.parameters:.2%} of all {report.parameters:,} parameters)",
        )
    ]
    if report.effective is None:
        rows.append(("effective", "not known: paths through this network cannot be followed"))
    else:
        off = report.kept - (report.on_path or 0)
        rows.append(
            (
                "effective",
                f"{float(report.effective):.2%}: {off:,} of the {report.kept:,} kept weights are "
                "on no path from the image to the classes",
            )
        )
    return rows


def _paths(report: MaskReport) -> list[tuple[str, str]]:
    inputs, all_inputs = report.dead("inputs")
    outputs, all_outputs = report.dead("outputs")
    dead = f"{inputs:,} of {all_inputs:,} inputs and {outputs:,} of {all_outputs:,} outputs dead"
    if report.collapsed:
        state = f"COLLAPSED, empty: {_names(report.empty)}" if report.empty else "COLLAPSED"
    elif report.cut:
        state = f"connected around what is cut: {_names(report.cut)}"
    else:
        state = "each keeps a weight" + (" on a path" if report.connected else "")
    zeros = f"{report.zeros:,} kept weights are exactly 0"
    return [("layers", state), ("channels", dead), ("live zeros", zeros)]


def _law(found: Checkup) -> list[tuple[str, str]]:
    rows = []
    if found.law is not None:
        dense, layers = found.law.dense, len(found.report.layers)
        text = f"leaves {len(dense)} of {layers} layers dense: {_names(dense)}"
        text = text if dense else "leaves no layer dense"
        rows.append(("law", text))
    if found.highest is not None:
        most = f"{int(found.highest * 10000) / 100:g}%"
        text = f"no layer is empty up to a sparsity of {most}; paths may be cut before that"
        rows.append(("", text))
    return rows if not rows or rows[0][0] else [("highest", rows[0][1])]


def _fours(report: MaskReport) -> tuple[str, str]:
    conforming, fours = report.fours
    if not fours:
        return "2:4", "no layer has input channels divisible by four"
    share = f"{conforming / fours:.2%} of the {fours:,} groups of 4 input channels"
    return "2:4", f"{share} keep at most 2 weights"


def _training(found: Checkup) -> list[tuple[str, str]]:
    rounds = [phase for phase in found.phases if phase.kind == "round"]
    steps, final = sum(phase.steps for phase in found.phases), found.phases[-1].steps
    reached = ", ".join(f"{float(phase.sparsity or 0):.2%}" for phase in rounds)
    return [
        (
            "found by",
            f"training: {len(rounds)} rounds come first, so there is no mask to look at yet. "
            "Train it with `tost run`, then give the run's folder to `tost mask`",
        ),
        ("sparsities", f"after each round {reached}"),
        ("cost", f"{steps:,} steps in all, {steps / final:.1f} times the final training"),
    ]


def _computing(found: Checkup) -> str:
    report = found.report
    text = f"{amount(report.dense)} multiply-adds for the forward pass of an image, dense"
    if found.found:
        text += (
            "; as executed the same, since masks are multiplied in; ideal "
            f"{amount(report.ideal)} ({report.ideal / max(1, report.dense):.1%}), kept weights only"
        )
    if report.uncounted:
        share = _of_all(sum(report.uncounted.values()), report)
        text += (
            f"; not counted: {len(report.uncounted)} layers, {share} parameters: "
            f"{_names(list(report.uncounted))}, and the attention that they are called in"
        )
    return text


def amount(number: int) -> str:
    """A count with a prefix: 1.11 G."""
    for power, prefix in ((9, "G"), (6, "M"), (3, "k")):
        if number >= 10**power:
            return f"{number / 10**power:.3g} {prefix}"
    return str(number)
