"""What a recipe says, as written: frozen nodes with exact spans, which equality ignores."""

from __future__ import annotations

from dataclasses import field
from decimal import Decimal
from typing import TypeAlias

from tostdsl.frozen import frozen
from tostdsl.source import Source, Span
from tostdsl.units import Duration, Factor, Moment, Pattern, Percent


@frozen
class Node:
    """Base of all nodes."""

    span: Span = field(compare=False, repr=False)


@frozen
class Ident(Node):
    """A bare name."""

    text: str


Scalar: TypeAlias = int | Decimal | str | Percent | Factor | Pattern | Moment | Duration


@frozen
class Literal(Node):
    """A written value: number, percent, factor, pattern, moment, duration or string."""

    value: Scalar


@frozen
class Reference(Node):
    """`$name`."""

    name: str


@frozen
class ListValue(Node):
    """`[a, b]`."""

    items: tuple[Value, ...]


@frozen
class RampValue(Node):
    """`1 -> 0`."""

    start: Value
    stop: Value


@frozen
class Argument(Node):
    """`name=value`, or a positional value with no name."""

    name: Ident | None
    value: Value


@frozen
class Call(Node):
    """`name(arguments)`; a bare name as a value is a call without brackets."""

    name: Ident
    arguments: tuple[Argument, ...] = ()


Value: TypeAlias = Literal | Reference | ListValue | RampValue | Call


@frozen
class Bound(Node):
    """One part of a window: the word (`from`, `until`, `for`, `at`) and its value."""

    word: Ident
    value: Value


@frozen
class Targets(Node):
    """`on a, b except c`."""

    on: tuple[Value, ...] = ()
    exclude: tuple[Value, ...] = ()


@frozen
class Edition(Node):
    """`tost 1`."""

    value: Value


@frozen
class RecipeName(Node):
    """`recipe NAME "title"`."""

    name: Ident
    title: Literal | None


@frozen
class Extends(Node):
    """`extends "base.tost" sha256 "..."`."""

    path: Literal
    checksum: Literal | None


@frozen
class Removal(Node):
    """One part of a `without`: a name, and the window of the stages meant when not all are."""

    name: Ident
    window: tuple[Bound, ...] = ()


@frozen
class Without(Node):
    """`without ghost until epoch 40, skip`."""

    removals: tuple[Removal, ...]


@frozen
class Param(Node):
    """`param NAME = value`."""

    name: Ident
    value: Value


@frozen
class Sweep(Node):
    """`sweep NAME over [a, b]`."""

    name: Ident
    values: Value


@frozen
class Setting(Node):
    """A statement with one value: `train for`, `seed`, `precision`."""

    word: Ident
    value: Value


@frozen
class Expect(Node):
    """`expect METRIC OP value`."""

    metric: Ident
    op: str
    value: Value


@frozen
class Slot(Node):
    """`model resnet18(...)`: a word, then a call with window and targets."""

    word: Ident
    call: Call
    window: tuple[Bound, ...]
    targets: Targets


@frozen
class Stage(Node):
    """`ghost(...) until epoch 40 on conv`."""

    call: Call
    window: tuple[Bound, ...]
    targets: Targets


@frozen
class Hole(Node):
    """A statement that could not be read; `word` is the name it began with."""

    word: str


Statement: TypeAlias = (
    Edition
    | RecipeName
    | Extends
    | Without
    | Param
    | Sweep
    | Setting
    | Expect
    | Slot
    | Stage
    | Hole
)


@frozen
class Comment(Node):
    """`# text`; `alone` when nothing else stands before it on its line."""

    text: str
    alone: bool


@frozen
class File:
    """A parsed recipe file."""

    source: Source = field(compare=False)
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...] = ()
