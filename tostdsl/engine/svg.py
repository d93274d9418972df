"""Heat maps as SVG: colour scales, cells, axes. Knows nothing of training and loads no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

FONT = "font-family='system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif'"
INK, FAINT, EMPTY = "#222222", "#777777", "#ececec"
SEQUENTIAL = (
    "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30",
    "#fde725",
)  # fmt: skip
"""Viridis: dark is little."""
REDS = ("#fff5f0", "#fdcab5", "#fc8a6a", "#f14432", "#bc141a", "#67000d")
DIVERGING = ("#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b")
LEVELS = 32
"""Colours of a scale; cells of one colour become one path."""
Cells = Sequence[Sequence[float | None]]


def text(x: float, y: float, words: str, *, size: float = 11, anchor: str = "start",
         fill: str = INK, bold: bool = False) -> str:  # fmt: skip
    """Words at a place; what cannot be printed is left out."""
    shown = escape("".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}"
                           for each in words))  # fmt: skip
    weight = " font-weight='600'" if bold else ""
    place = f"x='{x:.1f}' y='{y:.1f}'"
    look = f"font-size='{size:g}' text-anchor='{anchor}' fill='{fill}'{weight}"
    return f"<text {place} {look}>{shown}</text>"


def line(x1: float, y1: float, x2: float, y2: float, *, dashed: bool = False,
         stroke: str = FAINT) -> str:  # fmt: skip
    """A thin line."""
    dash = " stroke-dasharray='3 3'" if dashed else ""
    ends = f"x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}'"
    return f"<line {ends} stroke='{stroke}' stroke-width='1'{dash}/>"


def box(x: float, y: float, width: float, height: float, fill: str, stroke: str = "none") -> str:
    """A rectangle."""
    place = f"x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}'"
    return f"<rect {place} fill='{fill}' stroke='{stroke}'/>"


@dataclass(frozen=True, slots=True)
class Scale:
    """Colours from `low` to `high`; what lies beyond gets the last one."""

    colours: Sequence[str]
    low: float
    high: float
    label: Callable[[float], str]
    """A value as it stands beside the bar."""
    ticks: Sequence[float]

    def level(self, value: float) -> int:
        """The place of a value among the `LEVELS` colours."""
        share = (min(self.high, max(self.low, value)) - self.low) / (self.high - self.low)
        return min(LEVELS - 1, int(share * LEVELS))

    def colour(self, level: int) -> str:
        """The colour of a level, between two of the scale's own."""
        place = level / (LEVELS - 1) * (len(self.colours) - 1)
        first = min(int(place), len(self.colours) - 2)
        pair = [[int(each[i : i + 2], 16) for i in (1, 3, 5)] for each in self.colours[first:][:2]]
        share = place - first
        mixed = (round(a + (b - a) * share) for a, b in zip(*pair, strict=True))
        return "#" + "".join(f"{each:02x}" for each in mixed)

    def bar(self, x: float, y: float, height: float) -> list[str]:
        """The legend: the colours, `low` at the bottom, with ticks."""
        step = height / LEVELS
        found = ["<g shape-rendering='crispEdges'>"]
        found += [
            box(x, y + height - (level + 1) * step, 10, step + 0.3, self.colour(level))
            for level in range(LEVELS)
        ]
        found.append("</g>")
        found.append(box(x, y, 10, height, "none", FAINT))
        for tick in self.ticks:
            at = y + height * (1 - (tick - self.low) / (self.high - self.low))
            found.append(line(x + 10, at, x + 13, at))
            found.append(text(x + 16, at + 3.5, self.label(tick), size=10, fill=FAINT))
        return found


def heat(cells: Cells, edges: Sequence[tuple[float, float]], top: float, row: float,
         scale: Scale) -> list[str]:  # fmt: skip
    """Cells by row and column, `edges` being the columns' in pixels; None stays empty."""
    paths: dict[int, list[str]] = {}
    for index, values in enumerate(cells):
        start = 0
        levels = [None if value is None else scale.level(value) for value in values]
        for end in range(1, len(levels) + 1):
            if end < len(levels) and levels[end] == levels[start]:
                continue
            level, left, right = levels[start], edges[start][0], edges[end - 1][1]
            if level is not None:
                high, low = top + index * row, top + (index + 1) * row
                paths.setdefault(level, []).append(
                    f"M{left:.1f} {high:.1f}H{right:.1f}V{low:.1f}H{left:.1f}z"
                )
            start = end
    return [
        "<g shape-rendering='crispEdges'>",
        *(
            f"<path fill='{scale.colour(level)}' d='{''.join(parts)}'/>"
            for level, parts in sorted(paths.items())
        ),
        "</g>",
    ]


def steps_of(span: float, most: int) -> float:
    """A round distance (1, 2 or 5 times a power of ten, at least 1) for at most so many ticks."""
    rough = max(1.0, span / max(1, most))
    power = 10.0 ** math.floor(math.log10(rough))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= rough * (1 - 1e-9))


def document(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """The whole picture."""
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width:.0f}' height='{height:.0f}' "
        f"viewBox='0 0 {width:.0f} {height:.0f}' role='img' {FONT}>"
    )
    name = "".join(each for each in title if each.isprintable())
    ground = box(0, 0, width, height, "#ffffff")
    return "\n".join([head, f"<title>{escape(name)}</title>", ground, *parts, "</svg>", ""])
