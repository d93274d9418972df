"""A recipe as a run folder keeps it: `recipe.tost`, what it extends in `recipe/`, in order."""

from __future__ import annotations

from pathlib import Path

from tostdsl.compile.load import MAX_TOTAL, read, relocate
from tostdsl.compile.recipe import Recipe
from tostdsl.compile.resolve import MAX_DEPTH, Resolver
from tostdsl.diagnostics import TostError, diagnose
from tostdsl.syntax import nodes as n

FOLDER = "recipe"


def kept_name(depth: int, name: str) -> str:
    """Where a run folder keeps the file that a recipe extends at a depth from 1."""
    return f"{FOLDER}/{depth}-{Path(name).name}"


class KeptResolver(Resolver):
    """Finds what a recipe extends by its depth, as each file extends one other at most.

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
        folder = self.root / FOLDER
        try:
            found = sorted(each for each in folder.iterdir() if each.match(f"{depth}-*"))
        except OSError:
            found = []
        if len(found) != 1:
            reason = f"{len(found)} files `{FOLDER}/{depth}-*` are kept, not one"
            self.found.append(diagnose("T213", span, path=wanted, reason=reason))
            return
        try:
            base = read(found[0], f"{FOLDER}/{found[0].name}")
        except TostError as error:
            self.found += relocate(error, span)
            return
        self.size += len(base.text.encode())
        if self.size > MAX_TOTAL:
            self.found.append(diagnose("T263", span, size=self.size, limit=MAX_TOTAL))
            return
        self._file(base, found[0], (*chain, path), recipe)
