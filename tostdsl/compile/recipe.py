"""A recipe as composed: what each file said, merged, with every value's place kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tostdsl.diagnostics import Label
from tostdsl.source import Source, Span
from tostdsl.syntax import nodes as n

MAX_SHOWN = 60


def one_line(span: Span) -> str:
    """What stands there, on one line and not longer than a message can bear."""
    text = " ".join(span.text[: 4 * MAX_SHOWN].split())
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


Means: TypeAlias = Literal["param", "--set", "--set-file", "sweep"]


@dataclass(frozen=True, slots=True)
class ParamValue:
    """A param's value in force, where that was said, and the value it took the place of."""

    value: n.Value
    span: Span
    by: Means = "param"
    over: ParamValue | None = None

    def label(self, name: str, near: Span) -> Label:
        """Where the value comes from, as a message that is about `near` says it."""
        reason = f" because of {self.said_by}"
        if self.by == "param" and self.span.source is near.source:
            reason = ", declared here"
        return Label(self.span, f"`${name}` is {one_line(self.value.span)}{reason}")

    @property
    def said_by(self) -> str:
        """What gave the value, in words."""
        line = f"line {self.span.line} of `{self.span.source.name}`"
        words = {"--set": "`--set`", "sweep": f"the sweep in {line}"}
        return words.get(self.by, line)

    @property
    def declaration(self) -> ParamValue:
        """The value of the nearest `param` statement."""
        found = self
        while found.by != "param" and found.over is not None:
            found = found.over
        return found


@dataclass(frozen=True, slots=True)
class Taking:
    """One part of a `without`, and the stages its file inherits."""

    node: n.Removal
    inherited: tuple[n.Stage, ...]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A name that ends a statement, with a comment right behind it that begins with a number."""

    statement: n.Statement
    name: str
    comment: str
    inherited: tuple[n.Stage, ...]


@dataclass(slots=True)
class Recipe:
    """What all files say together.

    Which stages `removals` take out, lowering decides: equal windows may be written in different
    ways, and only `train` tells.
    """

    source: Source
    name: str
    title: str = ""
    named: n.RecipeName | None = None
    params: dict[str, ParamValue] = field(default_factory=dict)
    slots: dict[str, n.Slot] = field(default_factory=dict)
    settings: dict[str, n.Setting] = field(default_factory=dict)
    replaced: dict[str, tuple[n.Slot | n.Setting | n.Removal, ...]] = field(default_factory=dict)
    """What stood in place of a slot or setting before, or took it out, the latest first."""
    stages: list[n.Stage] = field(default_factory=list)
    removals: list[Taking] = field(default_factory=list)
    numbers: list[Numbered] = field(default_factory=list)
    sweeps: list[n.Sweep] = field(default_factory=list)
    expects: list[n.Expect] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """First words of statements that could not be read; they are not reported missing too."""
    sources: list[Source] = field(default_factory=list)
    """Every file read, the top one first."""

    def put(self, statement: n.Slot | n.Setting) -> None:
        """Set a slot or a setting, in place of what it was."""
        word = statement.word.text
        self._leave(word)
        if isinstance(statement, n.Slot):
            self.slots[word] = statement
        else:
            self.settings[word] = statement

    def take_out(self, removal: n.Removal) -> bool:
        """Put a slot or setting back to its default; False where nothing was said of it."""
        word = removal.name.text
        if not self._leave(word):
            return False
        self.slots.pop(word, None)
        self.settings.pop(word, None)
        self.replaced[word] = (removal, *self.replaced[word])
        return True

    def _leave(self, word: str) -> bool:
        before = self.slots.get(word) or self.settings.get(word)
        if before is not None:
            self.replaced[word] = (before, *self.replaced.get(word, ()))
        return before is not None
