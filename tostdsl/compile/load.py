"""Recipe files to sources, within the limits set for strangers' files."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath

from tostdsl.diagnostics import Diagnostic, Label, TostError, diagnose, nearest
from tostdsl.plan.marker import PRINTED, holds_run
from tostdsl.source import Source, Span
from tostdsl.syntax.words import MAX_BYTES as MAX_BYTES

MAX_TOTAL = 4 << 20
"""Size of a recipe with everything it extends. How many files that are is limited by how deep
they may extend one another."""

SUFFIX = ".tost"
SHIPPED = "recipes"
"""The folder in which one looks for recipes by name alone."""
MAX_LOOKED = 1000
"""Files of a folder among which one is looked for that may be meant."""

_MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""How files in other encodings begin."""


def decode(data: bytes, name: str) -> Source:
    """The source of a file's bytes: UTF-8, a BOM dropped, line ends as line feeds."""
    if len(data) > MAX_BYTES:
        size = f"more than {MAX_BYTES}"
        raise TostError([diagnose("T109", _start(name), size=size, limit=MAX_BYTES)])
    encoding = _encoding(data)
    if encoding is not None:
        raise TostError([diagnose("T158", _start(name), encoding=encoding)])
    try:
        raw = data.decode("utf-8")
    except UnicodeDecodeError as error:
        byte = f"0x{data[error.start]:02x}"
        raise TostError(
            [diagnose("T106", _line(data, error.start, name), byte=byte, offset=error.start)]
        ) from None
    text = raw.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return Source(name, text, None if raw == text else raw)


def held(text: str, name: str) -> Source:
    """The source of a text that came from no file; T106 where no file could hold it.

    Such a text has half a character, as Python has it for a byte of an argument that is not UTF-8.
    """
    for halves in ("strict", "surrogateescape", "surrogatepass"):
        with suppress(UnicodeEncodeError):
            data = text.encode("utf-8", halves)
            return Source(name, text) if halves == "strict" else decode(data, name)
    return Source(name, text)


def _start(name: str) -> Span:
    """The place of what is wrong with a whole file, whose text is not shown."""
    return Source(name, "").span(0, 0)


def _encoding(data: bytes) -> str | None:
    """The encoding of text that is not UTF-8, where its first bytes tell."""
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return encoding
    head = data[:64]
    zeros = [offset % 2 for offset, byte in enumerate(head) if byte == 0]
    if len(head) < 4 or len(zeros) * 3 < len(head) or head.count(0) == len(head):
        return None
    return "UTF-32" if len(zeros) * 3 > len(head) * 2 else "UTF-16"


def _line(data: bytes, offset: int, name: str) -> Span:
    readable = data.decode("utf-8", errors="replace")
    before = len(data[:offset].decode("utf-8", errors="replace"))
    return Source(name, readable).span(before, before + 1)


def read(path: Path, name: str | None = None, hints: bool = True) -> Source:
    """The source of a file; `TostError` says why it cannot be read, and what may be meant.

    `name` is what messages call it, else its path. Without `hints` it need not be a recipe.
    """
    shown = str(path) if name is None else name
    try:
        return decode(fetch(path, shown), shown)
    except TostError as error:
        help = meant(path, str(path)) if hints else None
        raise TostError([replace(d, help=d.help or help) for d in error.diagnostics]) from None


def meant(path: Path, shown: str) -> str | None:
    """What a path that leads to no recipe may be meant to say; `shown` is how it is written."""
    try:
        here, there = path.is_dir(), path.exists()
    except (OSError, ValueError):  # too long to be a name
        return None
    if here:
        inside = [PRINTED] if holds_run(path) else _recipes(path)
        example = _beside(f"{shown}/_", inside[0]) if inside else None
        return f"name a recipe in it, such as `{example}`" if example else None
    if there or not path.name:
        return None
    stem = path.name.removesuffix(SUFFIX)
    whole, known = f"{stem}{SUFFIX}", _recipes(path.parent)
    name = whole if whole in known else None
    if name is None and len(stem) > 2:  # any two letters are near to one another
        near = nearest(stem, (each.removesuffix(SUFFIX) for each in known))
        name = f"{near}{SUFFIX}" if near else None
    if name is None and (path.parent / SHIPPED / whole).is_file():
        name = f"{SHIPPED}/{whole}"
    return f"did you mean `{_beside(shown, name)}`?" if name else None


def _recipes(folder: Path) -> list[str]:
    """The recipes in a folder, by name."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MAX_LOOKED)]
    except (OSError, ValueError):
        return []
    return sorted(name for name in names if name.endswith(SUFFIX))


def _beside(shown: str, name: str) -> str:
    folder = str(PurePosixPath(shown.replace("\\", "/")).parent)
    return name if folder == "." else f"{folder.removesuffix('/')}/{name}"


def fetch(path: Path, name: str | None = None, limit: int = MAX_BYTES) -> bytes:
    """At most one byte more of a regular file than the limit, which is a recipe's.

    What is no regular file (a pipe, a device) is not read: it could be endless, or never come.
    """
    shown = name or path
    try:
        # a pipe that nobody writes to would keep a plain open waiting
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise TostError.of("T213", path=shown, reason="it is a folder")
            if not stat.S_ISREG(mode):
                raise TostError.of("T213", path=shown, reason="it is not a regular file")
            return file.read(limit + 1)
    except IsADirectoryError:
        reason = "it is a folder"
    except FileNotFoundError:
        reason = "there is no such file"
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    except ValueError:  # a NUL in the name
        reason = "this cannot be the name of a file"
    raise TostError.of("T213", path=shown, reason=reason)


def locate(wanted: str, here: Path, root: Path) -> Path:
    """The file that a recipe in the folder `here` extends; nothing outside of `root` is looked at.

    The path is relative and written with `/`, and spelled as on disk, so that the same recipe
    means the same on every system. Links are followed before it is judged where the file lies.
    """
    reason = unfit(wanted)
    if reason is not None:
        raise TostError.of("T260", path=wanted, reason=reason)
    root = root.resolve()
    try:
        target = (here / wanted).resolve()
    except (OSError, RuntimeError):  # links in a circle
        raise TostError.of("T213", path=wanted, reason="its links lead nowhere") from None
    if not target.is_relative_to(root):
        raise TostError.of("T215", path=wanted)
    _spelling(wanted, here, root)
    return target


def unfit(wanted: str) -> str | None:
    """Why a text is no path that a recipe may extend; None where it is one."""
    if not wanted.strip():
        return "it is empty"
    if "\\" in wanted:
        return "`\\` is not a separator everywhere"
    if wanted.startswith(("/", "~")) or re.match(r"[A-Za-z]:", wanted):
        return "it does not start from this file"
    return None


def _spelling(wanted: str, here: Path, root: Path) -> None:
    """Refuse names that only some systems would take for this file, or for one file."""
    folder = here
    for part in PurePosixPath(wanted).parts:
        following = folder / part
        if part != ".." and folder.resolve().is_relative_to(root):
            try:
                names = os.listdir(folder)
            except OSError:
                return
            same = sorted(name for name in names if _folded(name) == _folded(part))
            others = [name for name in same if name != part]
            if others and part in same:
                raise TostError.of("T262", path=part, other=others[0])
            if others:
                raise TostError.of("T261", path=part, actual=others[0])
        folder = following


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def relocate(error: TostError, span: Span, help: str | None = None) -> list[Diagnostic]:
    """An error of loading, shown at the statement that asked for the file."""
    return [
        d if d.labels else replace(d, labels=(Label(span),), help=d.help or help)
        for d in error.diagnostics
    ]
