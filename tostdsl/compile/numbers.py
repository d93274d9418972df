"""Names with a number, `ghost#2`: the name alone and a comment, and what was meant by it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from tostdsl import registry
from tostdsl.compile import windows
from tostdsl.compile.calls import build
from tostdsl.compile.inherit import MAX_LISTED, window_text
from tostdsl.compile.recipe import Numbered, Recipe, one_line
from tostdsl.compile.values import Reader
from tostdsl.diagnostics import Diagnostic, Label, diagnose
from tostdsl.plan.bases import Technique
from tostdsl.plan.plan import StagePlan, stage_key
from tostdsl.syntax import nodes as n
from tostdsl.syntax.words import MAX_NAME
from tostdsl.units import START, Window

_NUMBER = re.compile(r"#([1-9]\d{0,3})(?![\w.])")
_NAMED = re.compile(r"([A-Za-z_]\w*)#([1-9]\d{0,3})(?![\w.])")
EXAMPLE = "until epoch 40"
MAX_INHERITED = 100
"""Stages of a name that are put in the plan's order for a message."""


def numbered(file: n.File, inherited: Sequence[n.Stage]) -> Iterator[Numbered]:
    """The names of a file with a number right behind them, and the stages that it inherits."""
    numbers = [
        comment for comment in file.comments if not comment.alone and _NUMBER.match(comment.text)
    ]
    if not numbers:
        return
    ends = {statement.span.end: statement for statement in file.statements}
    for comment in numbers[:MAX_LISTED]:
        statement = ends.get(comment.span.start)
        before = file.source.text[: comment.span.start]
        name = re.search(r"[A-Za-z_][A-Za-z0-9_]*$", before[-MAX_NAME:])
        if statement is not None and name is not None:
            yield Numbered(statement, name[0], comment.text, tuple(inherited))


def told(recipe: Recipe, length: windows.Length | None, reader: Reader) -> Iterator[Diagnostic]:
    """A warning for each, with the whole `without` to write in its place."""
    for each in recipe.numbers:
        match = _NUMBER.match(each.comment)
        assert match is not None
        end = each.statement.span.end
        span = each.statement.span.source.span(end - len(each.name), end + match.end())
        label = Label(span, "a comment starts at `#`")
        help = None
        if isinstance(each.statement, n.Without):
            meant = _Meant(each, length, reader)
            line = one_line(each.statement.span).removesuffix(each.name)
            line += meant.window(each.name, int(match[1])) + meant.rest(match.end())
            help = f"`#{match[1]}` is for `--why` and logs; write `{line}`"
        yield diagnose("W040", label, text=span.text, name=each.name, help=help)


class _Meant:
    """The inherited stages that a `without` means by their numbers."""

    def __init__(self, each: Numbered, length: windows.Length | None, reader: Reader) -> None:
        self.comment = each.comment
        self.inherited = each.inherited
        self.length = length
        self.reader = reader.trial()

    def window(self, name: str, number: int) -> str:
        """A name, and the window that tells the stage of this number from others of the name."""
        known = self._of(name)
        if number > len(known):
            return f"{name} {EXAMPLE}"
        return f"{name} {window_text(known[number - 1])}" if len(known) > 1 else name

    def rest(self, start: int) -> str:
        """What else the `without` was to take out, which is part of the comment as well."""
        text = self.comment[start:]
        if not text.lstrip().startswith(","):
            return ""
        text = _NAMED.sub(lambda match: self.window(match[1], int(match[2])), text)
        return text.partition("#")[0].rstrip()

    def _of(self, name: str) -> list[Window]:
        """The windows of the inherited stages of a name, in the plan's order; none if unclear."""
        stages = [stage for stage in self.inherited if stage.call.name.text == name]
        technique = registry.find("technique", name)
        if self.length is None or len(stages) > MAX_INHERITED:
            return []
        plans = []
        for stage in stages:
            aside = replace(self.reader, found=[], partials=[], used=set())
            built = build(aside, stage.call, "technique")
            window = windows.shape(stage.window, self.length, aside)
            targets, _ = windows.targets(stage.targets, aside)
            if built is None or window is None:
                return []
            if not stage.window and getattr(technique, "acts", None) == "instant":
                window = Window(START, START)
            spec = cast(Technique, built.spec)
            plans.append(StagePlan.model_construct(technique=spec, window=window, targets=targets))
        return [plan.window for plan in sorted(plans, key=stage_key)]
