"""What became of recipes since a revision: the same files, new ones, renamed and gone ones."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tostdsl.compare.git import GIT, Revision, Unknown
from tostdsl.diagnostics import TostError
from tostdsl.plan.marker import MARKER, METRICS, holds_run

SUFFIX = ".tost"


@dataclass(frozen=True, slots=True)
class Fate:
    """A recipe then and now; one of both may be None."""

    then: Path | None
    """Its path at the revision; None for a new one."""
    now: Path | None
    """Its path in the working tree; None for one that is gone."""

    @property
    def renamed(self) -> bool:
        """Whether it lies elsewhere now."""
        return self.then is not None and self.now is not None and self.then != self.now


def fates(rev: str, files: Sequence[Path], scopes: Sequence[Path]) -> list[Fate]:
    """What became of the recipes that were asked for, in the order of their paths.

    `files` are those that are there now; below `scopes`, folders and files that are there by now or
    not, those that are gone are looked for. Paths start from the current folder. `TostError` R802
    where there is no repository, or no such revision.
    """
    asked: dict[Path, _Asked] = {}
    revisions: dict[Path, Revision] = {}
    try:
        for path in (*files, *scopes):
            folder = path if path.is_dir() else path.parent
            try:
                revision = revisions[folder] = revisions.get(folder) or Revision.of(rev, folder)
            except Unknown:
                if path.is_dir() and files:
                    continue  # a folder of repositories; the files lie in them
                raise
            of = asked.setdefault(revision.top, _Asked(revision, [], {}))
            if path in scopes:
                of.scopes[of.inner(path)] = path
            else:
                of.files.append(path)
        found = [fate for each in asked.values() for fate in each.fates()]
    except Unknown as error:
        raise TostError.of("R802", given=f"{GIT}{rev}", reason=str(error)) from None
    return sorted(found, key=lambda fate: str(fate.now or fate.then))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What was asked for in one repository."""

    revision: Revision
    files: list[Path]
    scopes: dict[str, Path]
    """By how the repository has them, `.` for all of it."""

    def inner(self, path: Path) -> str:
        """A file or folder as the repository has it; `Unknown` where it leads out of it."""
        if not path.is_dir():
            return self.revision.inner(path)
        whole = path.resolve()
        if not whole.is_relative_to(self.revision.top):
            raise Unknown("it lies outside of the repository")
        return whole.relative_to(self.revision.top).as_posix()

    def fates(self) -> Iterator[Fate]:
        """Of each file that is there now, and of each that is gone."""
        then = self.revision.files()
        now = {self.revision.inner(path): path for path in self.files}
        single = [each for each, path in self.scopes.items() if not path.is_dir()]
        single += [each for each in now if not each.endswith(SUFFIX)]
        patterns = (f":(top)*{SUFFIX}", *(f":(top,literal){each}" for each in single))
        moved = self.revision.moved(now, patterns)
        for inner, path in now.items():
            before = moved.renamed.get(inner)
            if before is not None:
                yield Fate(self._named(before), path)
            else:
                yield Fate(path if inner in then else None, path)
        for inner, before in moved.renamed.items():
            if inner not in now and self._meant(before, then):
                yield Fate(self._named(before), self._named(inner))
        for inner in moved.gone:
            if self._meant(inner, then):
                yield Fate(self._named(inner), None)

    def _named(self, inner: str) -> Path:
        """A file of the repository as whoever asked would name it."""
        scope = _above(inner, self.scopes)
        if scope is not None:
            return self.scopes[scope] / PurePosixPath(inner).relative_to(scope)
        return Path(os.path.relpath(self.revision.top / inner))

    def _meant(self, inner: str, then: Collection[str]) -> bool:
        """Whether a file of then was asked for: a scope, or below one, not hidden, not of a run."""
        scope = _above(inner, self.scopes)
        if scope is None or inner == scope:
            return inner == scope
        below = PurePosixPath(inner).relative_to(scope)
        hidden = any(part.startswith(".") for part in below.parent.parts)
        folders = [PurePosixPath(scope, each) for each in below.parents]
        run = any(
            {str(folder / MARKER), str(folder / METRICS)} <= set(then)
            or holds_run(self.revision.top / folder)
            for folder in folders
        )
        return inner.endswith(SUFFIX) and not hidden and not run


def _above(inner: str, scopes: Mapping[str, Path]) -> str | None:
    """The nearest scope in which a file lies."""
    above = {str(each) for each in (PurePosixPath(inner), *PurePosixPath(inner).parents)}
    return max((scope for scope in scopes if scope in above), key=len, default=None)
