"""The recipe files a command is given, and the careful way to change one."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tostdsl.cli.complete import recipes
from tostdsl.cli.report import Named, say
from tostdsl.diagnostics import Diagnostic, TostError, diagnose
from tostdsl.plan.marker import MARKER, holds_run
from tostdsl.source import Source

if TYPE_CHECKING:
    from tostdsl.compile.compiler import Compiled

STDIN = Path("-")
PIPED = Path("<stdin>")
"""Where a text from standard input is taken to lie: in the current folder."""
SUFFIX = ".tost"

paths_argument = click.argument(
    "paths", nargs=-1, required=True, type=Named(), shell_complete=recipes
)


def recipe_files(paths: Iterable[Path]) -> Iterator[Path | Diagnostic]:
    """The files meant, each once, in order: a folder stands for every recipe below it.

    Hidden folders below it are skipped, and so are those that hold a run, whose recipes are a
    record; that is said in a line. A folder that cannot be read, or without a recipe, is a
    diagnostic.
    """
    seen: set[str] = set()
    for path in paths:
        if path == STDIN or not path.is_dir():
            walk = _Walk([path])
        else:
            walk = _Walk()
            walk.below(path)
            yield from walk.unreadable
            if not walk.files and not walk.unreadable:
                inside = f"it holds a run; name a file, such as `{path / 'recipe.tost'}`"
                yield diagnose("R601", path=path, help=inside if walk.runs == [path] else None)
            if walk.links:
                links = ", ".join(f"`{link}`" for link in walk.links[:3])
                more = f" and {len(walk.links) - 3} more" if len(walk.links) > 3 else ""
                say(f"{path}: left out {links}{more}: links that lead out of it", err=True)
            if walk.runs and walk.runs != [path]:
                say(f"{path}: left out {_runs(walk.runs)}", err=True)
        for file in sorted(walk.files):
            key = str(file) if file == STDIN else os.path.realpath(file)
            if key not in seen:
                seen.add(key)
                yield file


@dataclass(slots=True)
class _Walk:
    """What lies below a folder."""

    files: list[Path] = field(default_factory=list)
    runs: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)
    """Links to files outside of the folder, which whoever made the folder does not own."""
    unreadable: list[Diagnostic] = field(default_factory=list)

    def below(self, folder: Path) -> None:
        """Look through a folder and those in it."""
        for place, folders, files in os.walk(folder, onerror=self._failed):
            if MARKER in files and holds_run(Path(place)):
                self.runs.append(Path(place))
                folders.clear()
                continue
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in files:
                if name.endswith(SUFFIX):
                    path = Path(place, name)
                    leads = path.is_symlink() and not self._inside(path, folder)
                    (self.links if leads else self.files).append(path)

    @staticmethod
    def _inside(path: Path, folder: Path) -> bool:
        return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))

    def _failed(self, error: OSError) -> None:
        reason = (error.strerror or str(error)).lower()
        self.unreadable.append(diagnose("T213", path=error.filename, reason=reason))


def _runs(folders: list[Path]) -> str:
    if len(folders) == 1:
        return f"`{folders[0]}`, which holds a run"
    return f"{len(folders)} folders that hold runs, such as `{folders[0]}`"


def compiled(
    recipe: Path, sets: Mapping[str, str], seed: int | None, set_file: Path | None
) -> Compiled:
    """A recipe compiled, from a file or from standard input."""
    from tostdsl.compile.compiler import Compiled, compile_file, compile_source
    from tostdsl.compile.load import read

    if recipe != STDIN:
        return compile_file(recipe, sets, seed, set_file)
    try:
        values = read(set_file, hints=False) if set_file is not None else None
        return compile_source(source_of(recipe), PIPED, sets, seed, values)
    except TostError as error:
        return Compiled(None, (), error.diagnostics)


def source_of(path: Path) -> Source:
    """The source of a file, or of standard input for `-`; `TostError` when it cannot be read."""
    from tostdsl.compile.load import MAX_BYTES, decode, read

    if path != STDIN:
        return read(path)
    return decode(sys.stdin.buffer.read(MAX_BYTES + 1), str(PIPED))


def write_text(path: Path, text: str) -> None:
    """Put a text in place of a file, in one step: a reader sees the old or the new, whole.

    The file keeps its mode; a link keeps pointing where it did. `TostError` when it cannot be.
    """
    import tempfile

    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(13, "permission denied")
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o666 & ~_umask()
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, mode)
            os.replace(name, target)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TostError.of("R202", path=path, reason=reason) from None


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def show_diff(before: str, after: str, name: str, other: str | None = None) -> None:
    """Print what changes between two texts as a unified diff, which `patch` understands.

    The second text is called `other`, else as the first.
    """
    import difflib

    from tostdsl.diagnostics.render import printable

    tty = sys.stdout.isatty()
    plain = not tty or "NO_COLOR" in os.environ
    for line in difflib.unified_diff(_lines(before), _lines(after), name, other or name):
        text, end = line.removesuffix("\n"), "" if line.endswith("\n") else _NO_END
        if line.startswith(("---", "+++", "@@")):
            click.echo(text)
        else:
            shown = printable(text) if tty else text
            colour = None if plain else {"+": "green", "-": "red"}.get(line[0])
            click.echo((click.style(shown, fg=colour) if colour else shown) + end)


_NO_END = "\n\\ No newline at end of file"


def _lines(text: str) -> list[str]:
    """The lines with their ends; only a line feed ends one, as `patch` sees it."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
