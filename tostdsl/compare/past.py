"""Recipes of a past revision: what they extend is that of the same revision."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

from tostdsl.compare.git import GIT, Revision, Unknown, joined
from tostdsl.compile.compiler import Compiled, compile_source
from tostdsl.compile.load import decode, unfit
from tostdsl.compile.resolve import Resolver
from tostdsl.diagnostics import TostError, diagnose
from tostdsl.source import Source


class PastResolver(Resolver):
    """Finds what a recipe extends in a revision of its repository."""

    def __init__(self, revision: Revision, rev: str, root: Path) -> None:
        super().__init__(root)
        self._revision, self._rev = revision, rev

    def locate(self, wanted: str, here: Path, root: Path) -> Path:
        reason = unfit(wanted)
        if reason is not None:
            raise TostError.of("T260", path=wanted, reason=reason)
        inner = joined((here / "_").relative_to(self._revision.top).as_posix(), wanted)
        target = self._revision.top / inner
        if inner.startswith("..") or not target.is_relative_to(root):
            raise TostError.of("T215", path=wanted)
        return target

    def fetch(self, path: Path, name: str) -> bytes:
        try:
            return self._revision.read(path.relative_to(self._revision.top).as_posix())
        except Unknown as error:
            raise TostError.of("T213", path=name, reason=str(error)) from None

    def beside(self, name: str, wanted: str) -> str:
        before = f"{GIT}{self._rev}:"
        return before + joined(name.removeprefix(before), wanted)


def compile_past(
    rev: str,
    path: Path,
    sets: dict[str, str] | None = None,
    seed: int | None = None,
    set_file: Source | None = None,
) -> Compiled:
    """Compile a recipe as it was at a revision, with what it extended then.

    A relative path starts from the current folder. `TostError` R802 where there is no such
    revision, or no such file in it.
    """
    given = f"{GIT}{rev}:{path}"
    revision: Revision | None = None
    try:
        revision = Revision.of(rev, path.parent)
        inner = revision.inner(path)
        data = revision.read(inner)
    except Unknown as error:
        help = None if revision is None else _from_top(revision, rev, path)
        found = diagnose("R802", given=given, reason=str(error), help=help)
        raise TostError([found]) from None
    there = revision.top / inner
    resolver = PastResolver(revision, rev, there.parent)
    return compile_source(decode(data, given), there, sets, seed, set_file, resolver)


def _from_top(revision: Revision, rev: str, path: Path) -> str | None:
    """What to write where a path was spelled as git spells it, from the top of the repository."""
    if path.is_absolute():
        return None
    try:
        revision.read(posixpath.normpath(path.as_posix()))
    except Unknown:
        return None
    meant = os.path.relpath(revision.top / path)
    return f"write `{GIT}{rev}:{meant}`: here paths start from the current folder"
