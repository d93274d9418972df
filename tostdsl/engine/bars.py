"""Densities of layers as bars in an SVG picture. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence

from tostdsl.engine.svg import EMPTY, FAINT, box, document, line, text

ROW, LONG, TOP, COLOUR = 18.0, 320.0, 60.0, "#3b528b"
LETTER = 6.4
"""Pixels that a letter takes, about."""


def density_bars(title: str, rows: Sequence[tuple[str, float, str]]) -> str:
    """A bar a layer: its name, its density in [0, 1], and words behind the bar."""
    left = 24 + LETTER * max((len(name) for name, _, _ in rows), default=0)
    right = 24 + LETTER * max((len(words) for _, _, words in rows), default=0)
    bottom = TOP + ROW * len(rows)
    parts = [text(12, 24, title, size=14, bold=True)]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = left + share * LONG
        parts += [line(x, TOP - 4, x, bottom, dashed=0 < share < 1)]
        parts += [text(x, TOP - 8, f"{share:.0%}", size=10, anchor="middle", fill=FAINT)]
    for index, (name, density, words) in enumerate(rows):
        y = TOP + ROW * index
        parts.append(text(left - 8, y + 13, name, anchor="end"))
        parts.append(box(left, y + 3, LONG, ROW - 6, EMPTY))
        if density:
            parts.append(box(left, y + 3, max(1.0, density * LONG), ROW - 6, COLOUR))
        parts.append(text(left + LONG + 8, y + 13, words, size=10, fill=FAINT))
    return document(left + LONG + right, bottom + 16, title, parts)
