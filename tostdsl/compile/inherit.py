"""Inherited stages: which ones a `without` takes out, and which `without` would take one out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from tostdsl import registry
from tostdsl.compile import windows
from tostdsl.compile.recipe import Recipe, one_line
from tostdsl.compile.values import Reader
from tostdsl.diagnostics import Diagnostic, Label, diagnose, nearest
from tostdsl.source import Source
from tostdsl.syntax import nodes as n
from tostdsl.units import START, Window

if TYPE_CHECKING:
    from tostdsl.compile.lower import StageSite

OPTIONAL = ("mask", "optimizer", "schedule", "seed", "precision")
"""Words that `without` puts back to their default."""
MAX_LISTED = 10
"""Names or windows that a help line lists, and reports of one kind a file gets."""
MAX_COMPARED = 1000
"""Inherited names that a misspelt one is compared with."""


def remaining(recipe: Recipe, length: windows.Length | None, reader: Reader) -> list[n.Stage]:
    """The stages in force: all that were said, less those of each `without`, base first."""
    gone: set[int] = set()
    for _, part in groupby(recipe.removals, key=lambda taking: id(taking.inherited)):
        takings = list(part)
        there = [stage for stage in takings[0].inherited if id(stage) not in gone]
        inherited = _Inherited(there, length, reader)
        for taking in takings:
            gone.update(map(id, inherited.take(taking.node)))
    return [stage for stage in recipe.stages if id(stage) not in gone]


class _Inherited:
    """What one file inherits, by name and then by window."""

    def __init__(
        self, stages: Sequence[n.Stage], length: windows.Length | None, reader: Reader
    ) -> None:
        self.length = length
        self.reader = reader
        self.named: dict[str, list[n.Stage]] = {}
        for stage in stages:
            self.named.setdefault(stage.call.name.text, []).append(stage)
        self.shaped: dict[str, dict[Window | None, list[n.Stage]]] = {}
        self.missed = 0

    def take(self, node: n.Removal) -> list[n.Stage]:
        """The stages that a part of a `without` means; they are not there any more."""
        name = node.name.text
        if name not in self.named:
            self._report_name(node)
            return []
        wanted = None
        if node.window and self.length is not None:  # without a length there will be no plan
            wanted = windows.shape(node.window, self.length, self.reader)
        if wanted is None:
            self.shaped.pop(name, None)
            return self.named.pop(name)
        shapes = self._shapes(name)
        if wanted not in shapes:
            self._report_window(node, shapes)
            return self.named.pop(name)  # what was meant to go must not be reported for staying
        taken = shapes.pop(wanted)
        if not shapes:
            del self.named[name]
        return taken

    def _shapes(self, name: str) -> dict[Window | None, list[n.Stage]]:
        if name not in self.shaped:
            shapes = self.shaped[name] = {}
            for stage in self.named[name]:
                shapes.setdefault(self._shape(stage), []).append(stage)
        return self.shaped[name]

    def _shape(self, stage: n.Stage) -> Window | None:
        technique = registry.find("technique", stage.call.name.text)
        if not stage.window and getattr(technique, "acts", None) == "instant":
            return Window(START, START)
        aside = replace(self.reader, found=[], used=set())  # its own mistakes are said at the stage
        return windows.shape(stage.window, self.length, aside) if self.length else None

    def _report_name(self, node: n.Removal) -> None:
        self.missed += 1
        if self.missed > MAX_LISTED:
            return
        name, names = node.name.text, sorted(self.named)
        help = f"inherited stages: {_listed([f'`{each}`' for each in names])}" if names else None
        meant = nearest(name, [*names[:MAX_COMPARED], *OPTIONAL, "expect"])
        if meant:
            help = f"did you mean `{meant}`? {help}"
        self.reader.found.append(diagnose("T210", node.name.span, name=name, help=help))

    def _report_window(self, node: n.Removal, shapes: dict[Window | None, list[n.Stage]]) -> None:
        name = node.name.text
        ways = [f"`without {name} {window_text(shape)}`" for shape in shapes if shape is not None]
        shown = [stage for stages in shapes.values() for stage in stages][:3]
        self.reader.found.append(
            diagnose(
                "T230",
                node.span,
                *(Label(stage.span, "inherited") for stage in shown),
                removal=f"without {one_line(node.span)}",
                name=name,
                help=f"write {_listed([*ways, f'`without {name}` for all of them'], ', or ')}",
            )
        )


def _listed(items: list[str], last: str = ", ") -> str:
    """The items in a row, the middle of a long row left out."""
    if len(items) > MAX_LISTED:
        items = [*items[: MAX_LISTED - 2], "…", items[-1]]
    return last.join(filter(None, [", ".join(items[:-1]), items[-1]]))


def window_text(window: Window) -> str:
    """A window as a `without` would name it."""
    return str(window) or "until end"


def removal_help(
    recipe: Recipe, sites: Sequence[StageSite], inherited: StageSite, by: StageSite
) -> str | None:
    """The `without` that takes an inherited stage out in favour of another; None if it is not."""
    name = inherited.built.spec.name
    same = [site.node for site in sites if site.built.spec.name == name]
    return without_help(recipe, inherited.node, inherited.plan.window, same, by.node.span.source)


def without_help(
    recipe: Recipe, node: n.Stage, window: Window | None, same: Sequence[n.Stage], by: Source
) -> str | None:
    """The `without` to write in a file for a stage that it inherits; None if it does not.

    `same` are all stages of the name: its window tells it from others that are inherited as well.
    """
    level = recipe.sources.index(by)
    deeper = set(map(id, recipe.sources[level + 1 :]))
    if id(node.span.source) not in deeper:
        return None
    line = f"without {node.call.name.text}"
    if sum(id(each.span.source) in deeper for each in same) > 1:
        if window is None:
            return None
        line += f" {window_text(window)}"
    where = f" in `{by.name}`" if level else ""
    return f"write `{line}`{where} to leave the inherited one out"


def outlived(
    recipe: Recipe, node: n.Stage, length: windows.Length, found: list[Diagnostic]
) -> list[Diagnostic]:
    """The reports of one stage's window, where a recipe trains shorter than what it extends.

    Then the window is past the end as a whole, which is one report, and what mends it is to take
    the stage out: where it stands it is right.
    """
    late = [d for d in found if d.code == "T401"]
    if not late or length.span is None or length.span.source not in recipe.sources:
        return found
    name = node.call.name.text
    same = [stage for stage in recipe.stages if stage.call.name.text == name]
    window = windows.shape(node.window, length, Reader(recipe.params, []))
    help = without_help(recipe, node, window, same, length.span.source)
    if help is None:
        return found
    shorter = replace(late[0], help=f"{help}, or train longer", fix=None)
    return [*(d for d in found if d.code != "T401"), shorter]
