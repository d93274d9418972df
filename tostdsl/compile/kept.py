"""A recipe as a run folder keeps it: `recipe.tost`, with what it extends where it finds it.

Where that place is taken, all that is extended lies in `recipe/` by its depth instead.
"""

from __future__ import annotations

from pathlib import Path

from tostdsl.compile.load import MAX_TOTAL, locate, read, relocate
from tostdsl.compile.recipe import Recipe
from tostdsl.compile.resolve import MAX_DEPTH, Resolver
from tostdsl.diagnostics import TostError, diagnose
from tostdsl.syntax import nodes as n

FOLDER = "recipe"


def kept_name(depth: int, name: str) -> str:
    """Where a run folder keeps the file that a recipe extends at a depth from 1."""
    return f"{FOLDER}/{depth}-{Path(name).name}"


class KeptResolver(Resolver):
    """Finds what a recipe extends in a run folder; each file extends one other at most.

    Checksums written in an `extends` are of the files as they were, byte by byte; what is kept is
    their text, so they are not compared again.
    """

    def _extend(
        self, statement: n.Extends, path: Path | None, chain: tuple[Path, ...], recipe: Recipe
    ) -> None:
        wanted, span = str(statement.path.value), statement.path.span
        depth = len(chain) + 1
        assert self.root is not None
        assert path is not None
        if depth >= MAX_DEPTH:
            self.found.append(diagnose("T219", span, limit=MAX_DEPTH))
            return
        found, name = self.root / kept_name(depth, wanted), kept_name(depth, wanted)
        try:
            if not found.is_file():
                found = locate(wanted, path.parent, self.root)
                name = found.relative_to(self.root.resolve()).as_posix()
            base = read(found, name)
        except TostError as error:
            self.found += relocate(error, span)
            return
        self.size += len(base.text.encode())
        if self.size > MAX_TOTAL:
            self.found.append(diagnose("T263", span, size=self.size, limit=MAX_TOTAL))
            return
        self._file(base, found, (*chain, path), recipe)
