"""What a file was at a revision, asked of git: nothing is checked out, nothing in it is run."""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tostdsl.compile.load import MAX_BYTES

GIT = "git:"
"""Begins `git:REV:path`."""


class Unknown(Exception):
    """What git was asked for is not there; the text says why."""


def spelled(given: str) -> tuple[str, str] | None:
    """Revision and path of `git:REV:path`; None where it is not spelled so.

    As for git itself the colon that ends a revision is the first outside of braces
    (`HEAD@{2 days ago 10:00}`).
    """
    rest, depth = given.removeprefix(GIT), 0
    for at, char in enumerate(rest):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == ":" and depth <= 0:
            rev, path = rest[:at], rest[at + 1 :]
            return (rev, path) if rev and path else None
    return None


@dataclass(frozen=True, slots=True)
class Moved:
    """What git says of the files that a revision has and the working tree has not."""

    gone: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)
    """By a file's path now, its path then."""


@dataclass(frozen=True, slots=True)
class Revision:
    """The files of a repository as they were at a revision."""

    top: Path
    """The folder of the repository, links followed; what it has in it now does not matter."""
    tree: str
    """The hash of the revision's tree."""

    @classmethod
    def of(cls, rev: str, folder: Path) -> Revision:
        """A revision of the repository that a folder lies in; `Unknown` where there is none."""
        inside = _there(folder)
        top = _asked(inside, "rev-parse", "--show-toplevel")
        if top is None and _asked(inside, "rev-parse", "--is-bare-repository") == b"true":
            top = _asked(inside, "rev-parse", "--absolute-git-dir")  # paths count from there
        if top is None:
            raise Unknown(f"`{folder}` lies in no git repository")
        tree = _asked(
            inside, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{tree}}"
        )
        if tree is None:
            raise Unknown(f"the repository has no revision `{rev}`")
        return cls(Path(os.fsdecode(top)), tree.decode())

    def inner(self, path: Path) -> str:
        """A path as the repository has it; `Unknown` where it leads out of it."""
        folder = Path(os.path.abspath(path.parent))  # which may be gone by now
        there = _there(folder)
        whole = there.resolve() / folder.relative_to(there) / path.name
        if not whole.is_relative_to(self.top):
            raise Unknown("it lies outside of the repository")
        return whole.relative_to(self.top).as_posix()

    def files(self) -> frozenset[str]:
        """The paths of all files of the revision; `Unknown` where git cannot list them."""
        listed = _asked(self.top, "ls-tree", "-r", "-z", "--name-only", "--full-tree", self.tree)
        if listed is None:
            raise Unknown("git cannot list the files of that revision")
        return frozenset(map(os.fsdecode, filter(None, listed.split(b"\0"))))

    def moved(self, files: Iterable[str], patterns: Iterable[str]) -> Moved:
        """Which files are gone or renamed since, by git's own detection; `Unknown` where it fails.

        `patterns`, as git spells them, are of all that matters. `files` of the working tree, and
        whatever is not ignored, count as if they had been added; nothing is written into the
        repository.
        """
        index = _asked(self.top, "rev-parse", "--git-path", "index")
        listing = ("ls-files", "--others", "--exclude-standard", "-z", "--", *patterns)
        new = map(os.fsdecode, (_asked(self.top, *listing) or b"").split(b"\0"))
        names = sorted(name for name in {*files, *new} if _addable(self.top / name))
        with tempfile.TemporaryDirectory(prefix="tost-") as folder:
            copy = Path(folder, "index")
            if index is not None and (self.top / os.fsdecode(index)).is_file():
                shutil.copyfile(self.top / os.fsdecode(index), copy)
            settings = ("-c", "core.fsmonitor=false", "-c", "core.splitIndex=false")
            given = b"".join(os.fsencode(name) + b"\0" for name in names)
            adding = ("update-index", "--add", "--replace", "--info-only", "-z", "--stdin")
            added = _asked(self.top, *settings, *adding, index=copy, given=given)
            telling = ("diff", "--name-status", "-z", "-M", "--no-ext-diff", "--no-relative")
            told = _asked(self.top, *settings, *telling, self.tree, "--", *patterns, index=copy)
        if added is None or told is None:
            raise Unknown("git cannot tell what changed since that revision")
        words = iter(os.fsdecode(told).split("\0"))
        gone, renamed = set(), {}
        for status in words:
            if status[:1] == "R":
                before, now = next(words), next(words)
                renamed[now] = before
            elif status:
                path = next(words)
                gone |= {path} if status == "D" else set()
        return Moved(frozenset(gone), renamed)

    def read(self, inner: str) -> bytes:
        """At most one byte more of a file than a recipe may have; `Unknown` where it is none.

        Links are followed as far as they stay in the repository.
        """
        if "\n" in inner:
            raise Unknown("there is no such file in that revision")
        command = [*_git(self.top), "cat-file", "--batch", "--follow-symlinks"]
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        ) as asked:
            assert asked.stdin is not None
            assert asked.stdout is not None
            asked.stdin.write(f"{self.tree}:{inner}\n".encode(errors="surrogateescape"))
            asked.stdin.close()
            head = asked.stdout.readline().split()
            # what is not there is repeated in the place of a hash
            if len(head) != 3 or b":" in head[0] or head[1] != b"blob":
                asked.kill()
                folder = head[1:2] == [b"tree"] and b":" not in head[0]
                what = "it is a folder" if folder else "there is no such file"
                raise Unknown(f"{what} in that revision")
            data = asked.stdout.read(min(int(head[2]), MAX_BYTES + 1))
            asked.kill()  # whatever is left of a file too long
        return data


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there now."""
    whole = Path(os.path.abspath(folder))
    return next((each for each in (whole, *whole.parents) if each.is_dir()), whole)


def _addable(path: Path) -> bool:
    """Whether git could add it: no folder, no pipe, nothing that cannot be read."""
    return path.is_symlink() or (path.is_file() and os.access(path, os.R_OK))


def joined(inner: str, wanted: str) -> str:
    """What a file of a repository calls `wanted`, as the repository has it."""
    return posixpath.normpath(PurePosixPath(inner).parent / wanted)


def _asked(
    folder: Path, *words: str, index: Path | None = None, given: bytes = b""
) -> bytes | None:
    """What git answers in a folder, without the line's end; None where it refuses.

    `index` stands for the repository's own, `given` is what git reads.
    """
    environment = _environment()
    if index is not None:
        environment["GIT_INDEX_FILE"] = str(index)
    try:
        done = subprocess.run(
            [*_git(folder), *words], input=given, capture_output=True, check=False, env=environment
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Unknown(f"`git` cannot be run: {reason}") from None
    return done.stdout.removesuffix(b"\n") if done.returncode == 0 else None


def _git(folder: Path) -> list[str]:
    return ["git", "-C", str(folder)]


def _environment() -> dict[str, str]:
    """Without a way to the network: what a partial clone lacks is not fetched."""
    return {**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
