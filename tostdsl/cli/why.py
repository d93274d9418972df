"""What `tost plan --why PATH` prints: a value, and the way back to where it was said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tostdsl.diagnostics.render import printable

if TYPE_CHECKING:
    from tostdsl.compile.origins import Link, Origin, Origins

MAX_LEFT = 48
"""Characters of path and value in a table; a value's own lines show all of it."""


def why_lines(origins: Origins, path: str) -> list[str]:
    """A value's whole chain; of several values each its origin on a line, below that chain."""
    found = origins.why(path)
    exact = origins.at(path)
    lines = _chain(exact) if exact is not None else []
    rest = [origin for origin in found if origin is not exact]
    if lines and rest:
        lines.append("")
    return [printable(line) for line in [*lines, *_table(rest)]]


def _chain(origin: Origin) -> list[str]:
    return [f"{origin.path} = {origin.value}", *(f"  {link}" for link in origin.chain)]


def _table(origins: Iterable[Origin]) -> list[str]:
    rows = [(_shown(f"{origin.path} = {origin.value}"), origin.short) for origin in origins]
    width = max((len(left) for left, _ in rows), default=0)
    return [f"{left:<{width}}  {right}" for left, right in rows]


def _shown(text: str) -> str:
    return text if len(text) <= MAX_LEFT else f"{text[: MAX_LEFT - 1]}…"


def why_json(origins: Origins, path: str) -> list[dict[str, Any]]:
    """The same for programs: positions are 1-based lines and columns."""
    return [
        {"path": origin.path, "value": origin.value, "chain": [_link(x) for x in origin.chain]}
        for origin in origins.why(path)
    ]


def _link(link: Link) -> dict[str, Any]:
    if link.span is None:
        return {"words": link.words}
    place = {"file": link.span.source.name, "line": link.span.line, "column": link.span.column}
    return {"words": link.words, **place}
