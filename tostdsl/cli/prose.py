"""Text of documentation laid out for a terminal or a pipe, at its width."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator

NARROW = 20
"""A column of text gets at least so much, even where that is wider than the terminal."""

_FENCE = re.compile(r"\s*(```|~~~)")
_BULLET = re.compile(r"(\s*(?:[-*]|\d+\.)\s+)\S")


def columns(rows: Iterable[tuple[str, str]], width: int, indent: int = 0) -> list[str]:
    """Names in one column, their text wrapped in another."""
    shown = list(rows)
    first = indent + max((len(name) for name, _ in shown), default=0) + 2
    lines = []
    for name, text in shown:
        head = f"{' ' * indent}{name}".ljust(first)
        wrapped = _wrap(text, max(NARROW, width - first))
        lines.append((head + wrapped[0]).rstrip())
        lines += [" " * first + line for line in wrapped[1:]]
    return lines


def _wrap(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def markdown(text: str, width: int) -> list[str]:
    """Markdown for reading: drawn by rich in a terminal, else the text itself, wrapped."""
    if not sys.stdout.isatty():
        return list(_plain(text.strip("\n"), width))
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(Markdown(text))
    return capture.get().rstrip("\n").split("\n")


def _plain(text: str, width: int) -> Iterator[str]:
    """Paragraphs and list items wrapped; code, tables and headings line by line."""
    paragraph: list[str] = []
    fenced = False
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        verbatim = fenced or fence or line.startswith(("    ", "#", "|")) or not line.strip()
        if line.startswith("    ") and paragraph and _BULLET.match(paragraph[0]):
            verbatim = False  # the rest of a list item
        if (verbatim or _BULLET.match(line)) and paragraph:
            yield from _filled(paragraph, width)
            paragraph = []
        if fence:
            fenced = not fenced
        elif verbatim:
            yield f"    {line}".rstrip() if fenced else line.rstrip()
        else:
            paragraph.append(line)
    yield from _filled(paragraph, width) if paragraph else ()


def _filled(paragraph: list[str], width: int) -> list[str]:
    bullet = _BULLET.match(paragraph[0])
    hang = " " * len(bullet[1]) if bullet else ""
    return textwrap.wrap(
        " ".join(line.strip() for line in paragraph),
        max(NARROW, width),
        initial_indent=re.match(r"\s*", paragraph[0])[0],  # type: ignore[index]
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
