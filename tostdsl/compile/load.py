"""Recipe files to sources, within the limits set for strangers' files."""

from __future__ import annotations

from pathlib import Path

from tostdsl.diagnostics import Diagnostic, TostError, diagnose
from tostdsl.source import Source, Span

MAX_BYTES = 1 << 20
"""Size of one recipe file."""


def decode(data: bytes, name: str) -> Source:
    """The source of a file's bytes: UTF-8, a BOM dropped, line ends as line feeds."""
    if len(data) > MAX_BYTES:
        raise TostError.of("T109", size=len(data), limit=MAX_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"0x{data[error.start]:02x}"
        raise TostError(
            [diagnose("T106", _line(data, error.start, name), byte=byte, offset=error.start)]
        ) from None
    return Source(name, text.replace("\r\n", "\n").replace("\r", "\n"))


def _line(data: bytes, offset: int, name: str) -> Span:
    readable = data.decode("utf-8", errors="replace")
    before = len(data[:offset].decode("utf-8", errors="replace"))
    return Source(name, readable).span(before, before + 1)


def read(path: Path, name: str | None = None) -> Source:
    """The source of a file; `TostError` says why it cannot be read."""
    try:
        if not path.exists() or not path.is_file():
            kind = "it is a folder" if path.is_dir() else "there is no such file"
            raise TostError.of("T213", path=name or path, reason=kind)
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TostError.of("T213", path=name or path, reason=reason) from None
    return decode(data, name or str(path))


def relocate(error: TostError, span: Span) -> list[Diagnostic]:
    """An error of loading, shown at the statement that asked for the file."""
    return [d if d.labels else diagnose_at(d, span) for d in error.diagnostics]


def diagnose_at(diagnostic: Diagnostic, span: Span) -> Diagnostic:
    """The same diagnostic with a place."""
    from dataclasses import replace

    from tostdsl.diagnostics import Label

    return replace(diagnostic, labels=(Label(span),))
