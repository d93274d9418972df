"""A recipe as composed: what each file said, merged, with every value's place kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from tostdsl.source import Source, Span
from tostdsl.syntax import nodes as n


@dataclass(frozen=True, slots=True)
class ParamValue:
    """A param's value in force, and where that was said: its declaration, `--set`, a sweep."""

    value: n.Value
    span: Span
    said_by: str = "declared here"


@dataclass(slots=True)
class Recipe:
    """Statements in force after `extends`, `without` and overriding."""

    source: Source
    name: str
    title: str = ""
    params: dict[str, ParamValue] = field(default_factory=dict)
    slots: dict[str, n.Slot] = field(default_factory=dict)
    settings: dict[str, n.Setting] = field(default_factory=dict)
    stages: list[n.Stage] = field(default_factory=list)
    sweeps: list[n.Sweep] = field(default_factory=list)
    expects: list[n.Expect] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """First words of statements that could not be read; they are not reported missing too."""
    sources: list[Source] = field(default_factory=list)
    """Every file read, the top one first."""
