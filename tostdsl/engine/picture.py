"""`trace.svg`: gradient norms and dead units, layer by step, and what each stage does to them.

Two columns of heat maps, gradients on the left and dead units on the right. The first row shows
the network as it trains, each further one how it differs from the same network with one stage's
weight at 0, all of these on one scale. Above each column stand the stages' weights over their
windows, and above all what each stage is and how to read its colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from tostdsl.engine import svg
from tostdsl.engine.svg import DIVERGING, FAINT, REDS, SEQUENTIAL, Scale

Row = Mapping[str, Any]
Value = Callable[[Row, str], float | None]
PLOT, BAR, GAP = 430.0, 78.0, 26.0
"""Widths: of a heat map, of its legend, between the columns."""
STRIP = 22.0
"""Height of a stage's strip."""
COLUMNS = 215
"""More traced steps than these are averaged."""
ROW = (3.0, 14.0)
"""Least and largest height of a layer."""
LONGEST = 26
"""Characters of a layer's name."""
LEAST = 1e-6
"""Norms below this share of the largest are shown as this."""
FILLS = ("#7b9fd4", "#e0a458", "#8fbf88", "#c58bc0", "#b0a99f")


@dataclass(frozen=True, slots=True)
class _Bin:
    """Traced steps that share a column: from where to where in steps of all phases."""

    start: float
    stop: float
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class _Time:
    """The axis of steps, all phases one after the other."""

    phases: tuple[tuple[float, Row], ...]
    """Where each begins, and its row."""
    bins: tuple[_Bin, ...]
    length: float

    def place(self, left: float, at: float) -> float:
        return left + PLOT * at / self.length


@dataclass(frozen=True, slots=True)
class _Panel:
    """One heat map."""

    title: str
    names: Sequence[str]
    value: Value
    scale: Scale

    @property
    def row(self) -> float:
        """The height of a layer."""
        return max(ROW[0], min(ROW[1], 420 / len(self.names)))

    @property
    def height(self) -> float:
        """The height of the map and its legend."""
        return max(60.0, self.row * len(self.names))


LINE = 16.0
"""Height of a line above the columns."""
READING = (
    "with / without: the gradient's norm, in parts of that with the stage's weight at 0;",
    "red where the stage lets more through, blue where less",
)
READING_DEAD = (
    "with \N{MINUS SIGN} without: the share of dead units, less that with the stage's weight at 0;",
    "red where there are more dead units with the stage, blue where fewer",
)
"""How to read the panels of stages; short enough for one column."""


def picture(name: str, rows: Sequence[Row], described: Mapping[str, str] | None = None) -> str:
    """The picture of a trace's rows (those of `trace.jsonl`, at least one of them a step).

    `described` says what the stages are, by their names in the rows.
    """
    time = _time(rows)
    stages = list(dict.fromkeys(stage for _, phase in time.phases for stage in phase["windows"]))
    both = _panels([row for each in time.bins for row in each.rows], stages)
    columns = list(filter(None, both))
    heights = [
        max(panel.height for panel in across if panel is not None)
        for across in zip_longest(*columns)
    ]
    parts = [svg.text(16, 26, f"{name}: what reaches each layer", size=16, bold=True)]
    notes = [f"{stage} = {words}" for stage, words in (described or {}).items() if stage in stages]
    for panels, reading in zip(both, (READING, READING_DEAD), strict=True):
        notes += reading if len(panels) > 1 else ()
    for number, note in enumerate(notes):
        parts.append(svg.text(16, 44 + LINE * number, note, size=11, fill=FAINT))
    head, left = 48.0 + LINE * len(notes), 16.0
    for panels in columns:
        left += 12 + 6.0 * max(len(_short(each)) for panel in panels for each in panel.names)
        top = head
        for number, stage in enumerate(stages):
            parts += _strip(stage, _fill(number), left, top, time)
            top += STRIP + 4
        for panel, height in zip(panels, heights, strict=False):
            parts += _map(panel, left, top, time, stages)
            top += 26 + height + 40
        left += PLOT + BAR + GAP
    bottom = head + 8 + len(stages) * (STRIP + 4) + sum(height + 66 for height in heights)
    return svg.document(left, bottom, f"{name}: trace", parts)


def _panels(traced: Sequence[Row], stages: Sequence[str]) -> tuple[list[_Panel], list[_Panel]]:
    """Those of gradients and those of dead units, of which there may be none."""
    layers = list(traced[0]["with"]["gradients"])
    units = list(dict.fromkeys(unit for row in traced for unit in row["with"]["dead"]))
    left = [_Panel("gradient norm of each layer's weights", layers, _norm, _norms(traced))]
    right = [_Panel("share of dead units", units, _dead, _shares(traced))]
    seen = [stage for stage in stages if any(stage in row["without"] for row in traced)]
    ratios = _ratios(traced, layers, [_ratio(stage) for stage in seen])
    gaps = _gaps(traced, units, [_gap(stage) for stage in seen])
    for stage in seen:
        title = f"gradient norm: with {stage} / without"
        left.append(_Panel(title, layers, _ratio(stage), ratios))
        title = f"dead units: with {stage} \N{MINUS SIGN} without"
        right.append(_Panel(title, units, _gap(stage), gaps))
    return (left if layers else []), (right if units else [])


def _map(panel: _Panel, left: float, top: float, time: _Time, stages: Sequence[str]) -> list[str]:
    """A heat map with its title, names, legend, axis, and the windows' ends."""
    row, names, parts = (
        panel.row,
        panel.names,
        [svg.text(left, top + 18, panel.title, size=12, bold=True)],
    )
    top += 26
    bottom = top + row * len(names)
    edges = [(time.place(left, each.start), time.place(left, each.stop)) for each in time.bins]
    cells = [[_mean(each.rows, name, panel.value) for each in time.bins] for name in names]
    parts.append(svg.box(left, top, PLOT, bottom - top, svg.EMPTY))
    parts += svg.heat(cells, edges, top, row, panel.scale)
    every = math.ceil(9 / row)
    parts += [
        svg.text(left - 6, top + (i + 0.5) * row + 3.5, _short(name), size=10, anchor="end")
        for i, name in enumerate(names)
        if i % every == 0
    ]
    parts += panel.scale.bar(left + PLOT + 8, top, panel.height)
    for number, stage in enumerate(stages):
        for offset, phase in time.phases:
            for at in phase["windows"].get(stage, ()):
                x = time.place(left, offset + at)
                parts.append(svg.line(x, top, x, bottom, dashed=True, stroke=_fill(number)))
    return parts + _axis(left, bottom, time)


def _fill(number: int) -> str:
    return FILLS[number % len(FILLS)]


def _strip(stage: str, fill: str, left: float, top: float, time: _Time) -> list[str]:
    """A stage's weight over time, 1 being the strip's height."""
    parts = [svg.text(left - 6, top + STRIP - 6, _short(stage), anchor="end")]
    for offset, phase in time.phases:
        window = phase["windows"].get(stage)
        if window is None:
            continue
        points = [
            (offset + row["step"], row["stages"][stage]["weight"])
            for each in time.bins
            for row in each.rows
            if row["phase"] == phase["phase"] and stage in row["stages"]
        ]
        start, stop = offset + window[0], offset + window[1]
        corners = [(start, 0.0), *points, *([(stop, points[-1][1])] if points else []), (stop, 0.0)]
        path = " ".join(
            f"{time.place(left, x):.1f},{top + STRIP * (1 - w):.1f}" for x, w in corners
        )
        parts.append(f"<polygon points='{path}' fill='{fill}'/>")
    parts.append(svg.line(left, top + STRIP, left + PLOT, top + STRIP))
    return [*parts, svg.text(left + PLOT + 8, top + STRIP - 6, "weight", size=10, fill=FAINT)]


def _axis(left: float, y: float, time: _Time) -> list[str]:
    """Ticks at epochs where there are some, else at steps; a line where a phase begins."""
    _, first = time.phases[0]
    per_epoch = first["steps_per_epoch"]
    epochs = first["steps"] >= 2 * per_epoch
    unit, word = (per_epoch, "epoch") if epochs else (1, "step")
    parts = [svg.line(left, y, left + PLOT, y)]
    most = max(2, 8 // len(time.phases))
    for offset, phase in time.phases:
        apart = svg.steps_of(phase["steps"] / unit, most) * unit
        for k in range(int(phase["steps"] / apart) + 1):
            x = time.place(left, offset + k * apart)
            parts.append(svg.line(x, y, x, y + 4))
            if x < time.place(left, offset + phase["steps"]) - 8 or len(time.phases) == 1:
                number = round(k * apart / unit)
                parts.append(svg.text(x, y + 15, f"{number}", size=10, anchor="middle"))
        if len(time.phases) > 1:
            x = time.place(left, offset + phase["steps"] / 2)
            parts.append(svg.text(x, y + 27, phase["phase"], size=9, anchor="middle", fill=FAINT))
    parts.append(svg.text(left + PLOT + 8, y + 15, word, size=10, fill=FAINT))
    return parts


# -- time


def _time(rows: Sequence[Row]) -> _Time:
    phases: list[tuple[float, Row]] = []
    places: list[tuple[float, Row]] = []
    length = 0.0
    for row in rows:
        if row["kind"] == "phase":
            phases.append((length, row))
            length += row["steps"]
        else:
            places.append((phases[-1][0] + row["step"], row))
    ends = [at for at, _ in places[1:]] + [length]
    bins = [_Bin(at, end, (row,)) for (at, row), end in zip(places, ends, strict=True)]
    if len(bins) > COLUMNS:
        bins = _grouped(bins, length)
    return _Time(tuple(phases), tuple(bins), length)


def _grouped(bins: Sequence[_Bin], length: float) -> list[_Bin]:
    """Columns of about equal width, each with the traced steps in it."""
    groups: dict[int, list[_Bin]] = {}
    for each in bins:
        groups.setdefault(int(each.start / length * COLUMNS), []).append(each)
    return [
        _Bin(group[0].start, group[-1].stop, tuple(row for each in group for row in each.rows))
        for group in groups.values()
    ]


# -- values and their scales


def _mean(rows: Sequence[Row], name: str, value: Value) -> float | None:
    found = [each for row in rows if (each := value(row, name)) is not None]
    return sum(found) / len(found) if found else None


def _norm(row: Row, layer: str) -> float | None:
    return _log10(row["with"]["gradients"].get(layer))


def _log10(norm: float | None) -> float | None:
    return None if norm is None else math.log10(norm) if norm > 0 else -math.inf


def _dead(row: Row, layer: str) -> float | None:
    share: float | None = row["with"]["dead"].get(layer)
    return share


def _ratio(stage: str) -> Value:
    def value(row: Row, layer: str) -> float | None:
        other = row["without"].get(stage, {"gradients": {}})["gradients"].get(layer)
        own = row["with"]["gradients"].get(layer)
        return math.log2(own / other) if own and other else None

    return value


def _gap(stage: str) -> Value:
    def value(row: Row, layer: str) -> float | None:
        other = row["without"].get(stage, {"dead": {}})["dead"].get(layer)
        own = row["with"]["dead"].get(layer)
        return None if own is None or other is None else own - other

    return value


def _norms(traced: Sequence[Row]) -> Scale:
    found = [n for row in traced for n in row["with"]["gradients"].values() if n]
    high = math.log10(max(found, default=1.0))
    low = max(math.log10(min(found, default=0.1)), high + math.log10(LEAST))
    low = min(low, high - 0.5)
    powers = list(range(math.ceil(low), math.floor(high) + 1))
    ticks = powers if len(powers) > 1 else [low, high]
    return Scale(SEQUENTIAL, low, high, _power, ticks)


def _shares(traced: Sequence[Row]) -> Scale:
    most = max((share for row in traced for share in row["with"]["dead"].values()), default=0.0)
    high = max(0.1, math.ceil(most * 10) / 10)
    return Scale(REDS, 0.0, high, lambda v: f"{v:.0%}", [0.0, high / 2, high])


def _ratios(traced: Sequence[Row], layers: Sequence[str], values: Sequence[Value]) -> Scale:
    most = max((_largest(traced, layers, value) for value in values), default=0.0)
    high = float(min(4, max(1, math.ceil(most))))
    return Scale(DIVERGING, -high, high, _times, [-high, 0.0, high])


def _gaps(traced: Sequence[Row], layers: Sequence[str], values: Sequence[Value]) -> Scale:
    most = max((_largest(traced, layers, value) for value in values), default=0.0)
    high = max(0.1, math.ceil(most * 10) / 10)
    return Scale(DIVERGING, -high, high, _points, [-high, 0.0, high])


def _power(exponent: float) -> str:
    return f"{float(f'{10**exponent:.2g}'):g}"


def _times(power: float) -> str:
    return f"{2**power:g}x" if power >= 0 else f"1/{2**-power:g}x"


def _points(gap: float) -> str:
    return f"{100 * gap:+.0f} points" if gap else "0 points"


def _largest(traced: Sequence[Row], names: Sequence[str], value: Value) -> float:
    found = (value(row, name) for row in traced for name in names)
    return max((abs(each) for each in found if each is not None), default=0.0)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else "…" + name[1 - LONGEST :]
