"""`tost diff --against`: recipes held against what they were, new and gone ones told as such."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tostdsl.cli.compared import PLAIN, Paint, coded, escaped, markdown_lines, text_lines
from tostdsl.cli.files import recipe_files
from tostdsl.cli.report import show, unexpected
from tostdsl.compare.comparison import Compared, Comparison, comparisons
from tostdsl.compare.git import GIT
from tostdsl.compare.history import Fate, fates
from tostdsl.compare.sides import Side
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.diagnostics.render import terminal_width, wants_colour
from tostdsl.diagnostics.screen import columns, printable, wrap

TROUBLE = 2
MAX_NAMED = 8
"""Recipes without a change that are named."""

Plans = Callable[[str], tuple[Side, ...]]


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one recipe."""

    rev: str
    fate: Fate
    was: tuple[Side, ...] = ()
    now: tuple[Side, ...] = ()
    mistakes: tuple[Diagnostic, ...] = ()
    """What keeps it from being compared, where it is there now."""
    compared: Compared | None = None

    @property
    def trouble(self) -> bool:
        """Whether it cannot be said how it changed, for a reason that is there now."""
        return (
            self.compared is None
            and self.fate.now is not None
            and bool(self.mistakes)
            and (not self.now or bool(self.was))
        )

    @property
    def same(self) -> bool:
        """Whether it means what it meant, under the name that it had."""
        return self.compared is not None and not self.fate.renamed and self.compared.same

    @property
    def differs(self) -> str:
        """In what it differs, where there are no two plans to compare."""
        if self.fate.now is None:
            return "gone"
        if self.fate.then is None and self.now:
            return "new"
        return "unknown" if self.was and self.now else "mistakes"

    @property
    def summary(self) -> str:
        """The same in a sentence."""
        words = {
            "new": f"new: it was not there in {self.rev}",
            "gone": f"gone: it was there in {self.rev}",
            "unknown": "it cannot be compared",
        }
        had = f"it had mistakes in {self.rev}, and has none now"
        return words.get(self.differs) or (had if self.now else "it has mistakes")

    @property
    def names(self) -> tuple[str | None, str | None]:
        """What stands for it then and now."""
        then, now = self.fate.then, self.fate.now
        past = None if then is None else f"{GIT}{self.rev}:{then}"
        return past, None if now is None else str(now)

    def to_json(self) -> list[dict[str, Any]]:
        """As comparisons have it, with what is told in their place where there are none."""
        moved = {"renamed_from": str(self.fate.then)} if self.fate.renamed else {}
        if self.compared is not None:
            return [each | moved for each in self.compared.to_json()]
        then, now = (None if name is None else _nameless(name) for name in self.names)
        pairs = [(then, now)]
        if not (self.was and self.now):  # a pair for each plan of the one side that has some
            pairs = [(side.to_json(), now) for side in self.was] or pairs
            pairs = [(then, side.to_json()) for side in self.now] or pairs
        rest = {
            "same": False,
            "differs": self.differs,
            "summary": self.summary,
            "changes": [],
            "steps": [None, None],
            "verdicts": [],
            "mistakes": [_line(each) for each in self.mistakes],
        }
        return [{"a": a, "b": b, **rest, **moved} for a, b in pairs]


def _nameless(name: str) -> dict[str, Any]:
    """A side that has no plan, or none that is told."""
    return {"name": name, "recipe": None, "fingerprint": None, "values": {}}


def _line(mistake: Diagnostic) -> str:
    line = f"line {mistake.span.line}: " if mistake.span is not None else ""
    return f"{line}[{mistake.code}] {mistake.message}"


def run(rev: str, paths: Sequence[Path], plans: Plans, form: str) -> int:
    """Print what became of the recipes of files and folders; gives the exit status."""
    found: list[Told] = []
    sound = True
    meant, refused = _meant(rev, paths)
    if refused:
        show(refused)
        sound = False
    for fate in meant:
        try:
            told = _told(rev, fate, plans)
        except (click.ClickException, OSError):
            raise
        except Exception as error:  # 1 would say that they differ
            show(unexpected(error))
            sound = False
            continue
        found.append(told)
        if told.trouble:
            show(told.mistakes)
            sound = False
    if found:
        _print(found, form)
    return int(not all(told.same for told in found)) if sound else TROUBLE


def _meant(rev: str, paths: Sequence[Path]) -> tuple[list[Fate], list[Diagnostic]]:
    """The recipes that are meant, and what is wrong with what was given."""
    files: dict[Path, None] = {}
    refused: dict[Path, list[Diagnostic]] = {}
    for each in dict.fromkeys(paths):
        walked = list(recipe_files([each])) if each.exists() or each.is_symlink() else []
        files |= dict.fromkeys(path for path in walked if isinstance(path, Path))
        refused[each] = [path for path in walked if isinstance(path, Diagnostic)]
    once = {path.resolve(): path for path in reversed(files)}
    files = {path: None for path in files if once[path.resolve()] == path}
    scopes = [each for each in refused if each not in files]
    try:
        meant = fates(rev, list(files), scopes)
    except TostError as error:
        return [], [*error.diagnostics]
    gone = [fate.then for fate in meant if fate.then is not None and fate.then not in files]
    wrong: list[Diagnostic] = []
    for scope, diagnostics in refused.items():
        below = any(path == scope or scope in path.parents for path in gone)
        wrong += [d for d in diagnostics if d.code != "R601" or not below]
        if not below and not scope.exists() and scope not in files:
            wrong += TostError.of("T213", path=scope, reason="there is no such file").diagnostics
    return meant, wrong


def _told(rev: str, fate: Fate, plans: Plans) -> Told:
    def had(word: str | None) -> tuple[tuple[Side, ...], tuple[Diagnostic, ...]]:
        if word is None:
            return (), ()
        try:
            return plans(word), ()
        except TostError as error:
            return (), tuple(d for d in error.diagnostics if d.severity == "error")

    then, now = Told(rev, fate).names
    was, was_wrong = had(then)
    there, wrong = had(now)
    told = Told(rev, fate, was, there, () if now is None else wrong or was_wrong)
    if not was or not there:
        return told
    try:
        return Told(rev, fate, was, there, (), comparisons(was, there))
    except TostError as error:
        return Told(rev, fate, was, there, error.diagnostics)


# -- printing


def _print(found: Sequence[Told], form: str) -> None:
    if form == "json":
        content = [each for told in found for each in told.to_json()]
        shown = content[0] if len(content) == len(found) == 1 else content
        click.echo(json.dumps(shown, indent=2))
        return
    alone = len(found) == 1
    apart = [told for told in found if alone or not told.same]
    width, paint = min(110, terminal_width()), Paint(wants_colour(sys.stdout))
    lines = (_markdown(told) if form == "markdown" else _text(told, width, paint) for told in apart)
    blocks = ["\n".join(each) for each in lines]
    if not alone:
        rest = [told for told in found if told.same]
        blocks += _unchanged(rest, form, width)
    click.echo("\n\n".join(blocks), color=True)


def _unchanged(rest: Sequence[Told], form: str, width: int) -> Iterator[str]:
    """A line for all whose plans are the same, and one for those that are laid out anew."""
    equal = [told for told in rest if all(c.differs == "nothing" for c in _pairs(told))]
    laid = [told for told in rest if any(c.differs == "layout" for c in _pairs(told))]
    for words, group in (("no difference", equal), ("layout only", laid)):
        if not group:
            continue
        named = [str(told.fate.now) for told in group]
        shown = [coded(name) if form == "markdown" else printable(name) for name in named]
        more = f" and {len(named) - MAX_NAMED} more" if len(named) > MAX_NAMED else ""
        line = f"{words}: {', '.join(shown[:MAX_NAMED])}{more}"
        yield line if form == "markdown" else "\n".join(wrap(line, width))


def _pairs(told: Told) -> Sequence[Comparison]:
    return told.compared.pairs if told.compared is not None else ()


def _text(told: Told, width: int, paint: Paint = PLAIN) -> Iterator[str]:
    if told.compared is not None:
        lines = list(text_lines(told.compared, width, paint))
    else:
        lines = list(_uncompared(told, width, paint))
    heads = 2 if told.fate.renamed else 0
    yield from lines[:heads]
    if told.fate.renamed:
        yield from ("", *wrap(printable(f"renamed from {told.fate.then}"), width))
    yield from lines[heads:]


def _uncompared(told: Told, width: int, paint: Paint) -> Iterator[str]:
    names = [name and printable(name) for name in told.names]
    room = max(columns(name) for name in names if name)
    for mark, name, plans in zip("ab", names, (told.was, told.now), strict=True):
        if name:
            space = " " * (room - columns(name))
            yield f"{paint(mark, bold=True)}  {name}{space}  {_count(plans)}"
    yield ""
    yield from (paint(line, bold=True) for line in wrap(printable(told.summary), width))
    for each in told.mistakes:
        yield from (f"  {line}" for line in wrap(printable(_line(each)), width - 2))


def _count(plans: Sequence[Side]) -> str:
    if not plans:
        return "has mistakes"
    return f"plan {plans[0].plan.short}" if len(plans) == 1 else f"{len(plans)} runs"


def _markdown(told: Told) -> Iterator[str]:
    moved = ("", f"Renamed from {coded(str(told.fate.then))}.") if told.fate.renamed else ()
    if told.compared is not None:
        head, *rest = markdown_lines(told.compared)
        yield from (head, *moved, *rest)
        return
    yield from (f"### {coded(str(told.fate.now or told.fate.then))}", *moved)
    plans = told.was or told.now
    tail = f" ({_count(plans)})" if plans and told.differs in ("new", "gone") else ""
    yield from ("", f"{escaped(printable(told.summary))}{tail}.")
    if told.mistakes:
        yield from ("", *(f"- {escaped(printable(_line(each)))}" for each in told.mistakes))
