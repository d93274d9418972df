"""Parse trees to nodes. Spans are the chunk's offset plus lark's positions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from tostdsl.diagnostics import Diagnostic, Edit, Fix, diagnose
from tostdsl.source import Source, Span
from tostdsl.syntax import nodes as n
from tostdsl.syntax.tree import Child, Token, Tree
from tostdsl.syntax.words import MAX_ITEMS, MAX_VALUES
from tostdsl.syntax.written import Written
from tostdsl.units import Duration, Factor, Moment, Pattern, Percent

MAX_DIGITS = 15
"""Significant digits a written number may have: what survives a trip through a double."""
MAX_POWER = 300
"""Power of ten a written number may reach either way, for the same reason."""

WINDOW_ORDER = ("from", "until", "for", "at")


def _decimal(text: str) -> Decimal:
    value = Decimal(text).normalize()
    return Decimal(0) if value == 0 else value


def _moment(text: str) -> Moment:
    unit, value = text.split()
    return Moment("epoch" if unit == "epoch" else "step", _decimal(value))


def _duration(text: str) -> Duration:
    value, unit = text.split()
    return Duration("epochs" if unit.startswith("epoch") else "steps", int(value))


def unescape(text: str) -> str:
    """The content of a quoted string."""
    return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")


READERS: dict[str, Callable[[str], n.Scalar]] = {
    "INT": int,
    "NUMBER": _decimal,
    "PERCENT": lambda text: Percent(_decimal(text[:-1])),
    "FACTOR": lambda text: Factor(_decimal(text[:-1])),
    "PATTERN": lambda text: Pattern(tuple(map(int, text.split(":")))),
    "MOMENT": _moment,
    "DURATION": _duration,
    "STRING": unescape,
}


_WRITTEN = re.compile(r"([\d.]+)(?:[eE]([+-]?\d+))?")


_SAMPLES = {
    "INT": "1",
    "NUMBER": "1.0",
    "PERCENT": "1%",
    "FACTOR": "1x",
    "PATTERN": "1:1",
    "MOMENT": "epoch 1",
    "DURATION": "1 epoch",
}
"""What stands for a number that was refused, so that it is not refused twice."""


def _nearest_length(number: str, unit: str) -> str:
    """What to write for a length that is no whole number."""
    below = int(Decimal(number))
    word = "epoch" if unit.startswith("epoch") else "step"
    near = [Duration(f"{word}s", count) for count in (below, below + 1) if count > 0]  # type: ignore[arg-type]
    return "write " + " or ".join(f"`{each}`" for each in near) if near else "write `1 epoch`"


def _too_long(text: str) -> bool:
    """Whether a number in a token has more digits or a larger power than a double keeps."""
    if len(text) <= MAX_DIGITS and "e" not in text and "E" not in text:
        return False
    for mantissa, power in _WRITTEN.findall(text):
        if len(mantissa) > MAX_POWER or len(power.lstrip("+-").lstrip("0")) > 3:
            return True
        value = Decimal(mantissa)
        if value and abs(value.adjusted() + int(power or 0)) > MAX_POWER:
            return True
        if len(mantissa.replace(".", "").strip("0")) > MAX_DIGITS:
            return True
    return False


class TooLong(Exception):
    """A list or call with more items than a statement may have, or too many in a file."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__()
        self.diagnostic = diagnostic


@dataclass(slots=True)
class Builder:
    """Builds the nodes of one chunk; mistakes in numbers are collected, never raised."""

    source: Source
    base: int
    limit: int
    """Where the chunk ends; what was put in for the reader may reach beyond it."""
    diagnostics: list[Diagnostic]
    room: int = MAX_VALUES
    """How many values the file may still have."""
    written: Written | None = None
    """Where the text stands in the source, if it is not the one written there."""

    def span(self, item: Tree | Token) -> Span:
        """The span a tree or token covers."""
        if self.written is not None:
            return self.written.span(item.start_pos, item.end_pos)
        start, end = self.base + item.start_pos, self.base + item.end_pos
        if end > self.limit:
            start, end = min(start, self.limit), self.limit
        return Span(self.source, start, end)

    def ident(self, token: Token) -> n.Ident:
        """A name token."""
        return n.Ident(self.span(token), str(token))

    def literal(self, token: Token) -> n.Literal:
        """A value token; a number past the limits is reported and stands as 1."""
        text, span = str(token), self.span(token)
        if token.type == "STRING":
            return n.Literal(span, unescape(text))
        if _too_long(text):
            self.diagnostics.append(diagnose("T306", span))
            return n.Literal(span, READERS[token.type](_SAMPLES[token.type]))
        return n.Literal(span, READERS[token.type](text))

    def _length(self, token: Token) -> n.Value:
        """A length; one that is no whole number is reported, and stands for none."""
        span, (number, unit) = self.span(token), str(token).split()
        if "." not in number or _too_long(number):
            return self.literal(token)
        value = Decimal(number)
        whole = value == value.to_integral_value()
        write = f"{int(value)} {unit}"
        help = f"write `{write}`" if whole else _nearest_length(number, unit)
        fix = Fix((Edit(span, write),)) if whole else None
        values = {"name": unit, "expected": "a whole number", "found": f"`{token}`"}
        self.diagnostics.append(diagnose("T301", span, help=help, fix=fix, **values))
        return n.Literal(span, _duration(write)) if whole else n.Reference(span, n.LOST)

    def value(self, item: Child) -> n.Value:
        """A value tree or token."""
        assert item is not None
        self.room -= 1
        if self.room < 0:
            raise TooLong(diagnose("T159", self.span(item), limit=MAX_VALUES))
        if isinstance(item, Token):
            return self._length(item) if item.type == "DURATION" else self.literal(item)
        kids = item.children
        match item.data:
            case "reference":
                return n.Reference(self.span(item), str(kids[-1]))
            case "list":
                return n.ListValue(self.span(item), self._values(item))
            case "ramp":
                start, _arrow, stop = kids
                return n.RampValue(self.span(item), self.value(start), self.value(stop))
            case _:
                return self.call(item)

    def call(self, tree: Tree) -> n.Call:
        """`name` or `name(arguments)`."""
        name, arguments = cast("tuple[Token, Tree | None]", tuple(tree.children))
        given = _present(arguments.children) if arguments is not None else []
        if arguments is not None and len(given) > MAX_ITEMS:
            raise TooLong(diagnose("T153", self.span(arguments), limit=MAX_ITEMS))
        return n.Call(self.span(tree), self.ident(name), tuple(map(self._argument, given)))

    def _values(self, tree: Tree) -> tuple[n.Value, ...]:
        """The items of a list, or of `on` and `except`."""
        items = _present(tree.children)
        if len(items) > MAX_ITEMS:
            raise TooLong(diagnose("T153", self.span(tree), limit=MAX_ITEMS))
        return tuple(map(self.value, items))

    def _argument(self, tree: Tree) -> n.Argument:
        if tree.data == "named":
            name, value = tree.children
            return n.Argument(self.span(tree), self.ident(cast(Token, name)), self.value(value))
        return n.Argument(self.span(tree), None, self.value(tree.children[0]))

    def _removal(self, tree: Tree) -> n.Removal:
        name, window = cast("tuple[Token, Tree]", tuple(tree.children))
        return n.Removal(self.span(tree), self.ident(name), self._bounds(window))

    def _bounds(self, tree: Tree) -> tuple[n.Bound, ...]:
        bounds = (
            n.Bound(self.span(bound), self.ident(bound.children[0]), self.value(bound.children[1]))
            for bound in cast("list[Any]", tree.children)
        )
        return tuple(sorted(bounds, key=lambda bound: WINDOW_ORDER.index(bound.word.text)))

    def _targets(self, tree: Tree, whole: Span) -> n.Targets:
        on, exclude = (
            self._values(part) if part is not None else ()
            for part in cast("list[Any]", tree.children)
        )
        used = on + exclude
        span = used[0].span.to(used[-1].span) if used else self.source.span(whole.end, whole.end)
        return n.Targets(span, on, exclude)

    def statement(self, tree: Tree, span: Span) -> n.Statement:
        """The statement of a chunk, which covers `span`."""
        kids = cast("list[Any]", tree.children)
        match tree.data:
            case "edition":
                return n.Edition(span, self.value(kids[-1]))
            case "recipe":
                title = self.literal(kids[1]) if kids[1] is not None else None
                return n.RecipeName(span, self.ident(kids[0]), title)
            case "extends":
                checksum = self.literal(kids[1]) if kids[1] is not None else None
                return n.Extends(span, self.literal(kids[0]), checksum)
            case "without":
                return n.Without(span, tuple(map(self._removal, kids)))
            case "param":
                return n.Param(span, self.ident(kids[0]), self.value(kids[1]))
            case "sweep":
                return n.Sweep(span, self.ident(kids[0]), self.value(kids[1]))
            case "train" | "precision" as word:
                start = self.source.span(span.start, min(span.end, span.start + len(word)))
                return n.Setting(span, n.Ident(start, str(word)), self.value(kids[0]))
            case "seed":
                return n.Setting(span, self.ident(kids[0]), self.value(kids[1]))
            case "expect":
                return n.Expect(span, self.ident(kids[0]), str(kids[1]), self.value(kids[2]))
            case "slot":
                word, call, window, targets = kids
                return n.Slot(
                    span,
                    self.ident(word),
                    self.call(call),
                    self._bounds(window),
                    self._targets(targets, span),
                )
            case _:
                call, window, targets = kids
                return n.Stage(
                    span, self.call(call), self._bounds(window), self._targets(targets, span)
                )


def _present(items: list[Any]) -> list[Any]:
    return [item for item in items if item is not None]
