"""Small, plain HTML for notebooks. Everything that is shown is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def table(rows: Iterable[Sequence[object]], head: Sequence[str] = ()) -> str:
    """A table of texts; without a `head` the first column names the others."""
    top = f"<thead><tr>{_cells(head, 'th')}</tr></thead>" if head else ""
    lines = []
    for row in rows:
        first = "" if head else f"<th>{escape(str(row[0]))}</th>"
        lines.append(f"<tr>{first}{_cells(row if head else row[1:], 'td')}</tr>")
    return f"<table>{top}<tbody>{''.join(lines)}</tbody></table>"


def _cells(row: Sequence[object], tag: str) -> str:
    return "".join(f'<{tag} style="text-align:left">{escape(str(each))}</{tag}>' for each in row)
