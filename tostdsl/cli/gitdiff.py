"""`tost diff --git`: git's diff driver for recipes.

Git calls it for each file that changed. Both sides are compared as they would lie at the file's
path in the working tree, and what they extend is what lies there now: git hands over two texts, and
not the revisions that they are from.
"""

from __future__ import annotations

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from tostdsl.cli.files import show_diff
from tostdsl.cli.report import say, unexpected
from tostdsl.diagnostics import TostError

NOTHING = "/dev/null"


def drive(words: list[str]) -> int:
    """Print the change of one file as git asks for it; gives the exit status.

    Words are `path old-file old-hex old-mode new-file new-hex new-mode`, for a file renamed also
    its new path and the lines that say so, for one not merged the path alone. Whoever reads may go
    away (`git diff | head`): git takes any other status than 0 for a driver that died.
    """
    try:
        return _drive(words)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _drive(words: list[str]) -> int:
    if len(words) == 1:
        say(f"* unmerged: {words[0]}")
        return 0
    if len(words) not in (7, 9):
        raise click.UsageError("`--git` is called by git, with 1, 7 or 9 words")
    path, old, old_hex, old_mode, new, new_hex, new_mode = words[:7]
    moved, lines = (words[7], words[8].splitlines()) if len(words) == 9 else (path, [])
    for file in (old, new):
        if file != NOTHING and not os.path.lexists(file):
            raise click.UsageError(f"`--git` is called by git: there is no file `{file}`")
    above = _above([(path, old, old_hex), (moved, new, new_hex)])
    a = _End(f"a/{path}", above / path, Path(old))
    b = _End(f"b/{moved}", above / moved, Path(new))
    say(f"diff --git {a.name} {b.name}")
    if old == NOTHING or new == NOTHING:
        say(f"new file mode {new_mode}" if old == NOTHING else f"deleted file mode {old_mode}")
    elif old_mode != new_mode:
        say(f"old mode {old_mode}")
        say(f"new mode {new_mode}")
    for line in lines:
        say(line)
    if not lines and old_hex != new_hex:
        say(f"index {_short(old_hex)}..{_short(new_hex)}")
    try:
        said = _body(a, b)
    except (click.ClickException, OSError):
        raise
    except Exception as error:  # one file ends no `git diff`
        (found,) = unexpected(error)
        say(f"not compared: {found.message}")
        said = False
    if not said:
        names = [NOTHING if end.absent else end.name for end in (a, b)]
        show_diff(a.text(), b.text(), *names)
    return 0


def _above(ends: list[tuple[str, str, str]]) -> Path:
    """The folder that paths start from: the top of the repository, or where git was called.

    The second is so under `git diff --relative`, of which git tells a driver nothing. Ends are
    path, file and hash; a file of the working tree has its whole path.
    """
    top, below = Path(), Path(os.environ.get("GIT_PREFIX", ""))
    if top == below:
        return top
    for path, file, _ in ends:
        if Path(file) in (top / path, below / path):
            return top if Path(file) == top / path else below
    there = [
        above for above in (top, below) if any((above / path).is_file() for path, _, _ in ends)
    ]
    if len(there) != 1:  # two texts of the past, and files of the name in both
        there = [
            above
            for above in (top, below)
            if any(_hash(above / path) == digest for path, _, digest in ends)
        ]
    return there[0] if len(there) == 1 else top


def _hash(path: Path) -> str:
    """The name that git has for a file's content, where it stores it as it is."""
    try:
        data = path.read_bytes()
    except OSError:
        return ""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _short(digest: str) -> str:
    """The beginning of an object's name; zeros for what is none."""
    return "0" * 7 if digest == "." else digest[:7]


@dataclass(frozen=True, slots=True)
class _End:
    """A file before or after a change."""

    name: str
    path: Path
    """Where it lies in the repository, at whose top git starts a driver."""
    file: Path
    """Where git has put its text."""

    @property
    def absent(self) -> bool:
        return str(self.file) == NOTHING

    def text(self) -> str:
        return "" if self.absent else self.file.read_bytes().decode(errors="replace")


def _body(a: _End, b: _End) -> bool:
    """Say what can be said of a change; gives whether that is all of it, without the texts."""
    from tostdsl.cli.compared import text_lines
    from tostdsl.compare.comparison import comparisons
    from tostdsl.compare.side import Side
    from tostdsl.compare.sides import of_source
    from tostdsl.compile.load import decode, fetch
    from tostdsl.diagnostics.render import terminal_width

    plans: list[tuple[Side, ...]] = []
    said = False
    for end in (a, b):
        if end.absent:
            continue
        try:
            source = decode(fetch(end.file, end.name), str(end.path))
            plans.append(of_source(end.name, source, end.path))
        except TostError as error:
            mistakes = [d for d in error.diagnostics if d.severity == "error"]
            more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
            first = mistakes[0]
            line = f", line {first.span.line}" if first.span is not None else ""
            say(f"{end.name}{line}: [{first.code}] {first.message}{more}")
            said = True
    if a.absent or b.absent:
        for each in plans:
            count = f"plan {each[0].plan.short}" if len(each) == 1 else f"{len(each)} runs"
            say(f"recipe {each[0].plan.name}, {count}")
        said = True
    if not said:
        try:
            lines = list(text_lines(comparisons(*plans), min(110, terminal_width())))
        except TostError as error:
            say(f"[{error.diagnostics[0].code}] {error.diagnostics[0].message}")
        else:
            click.echo("\n".join(lines))
            return True
    return False
