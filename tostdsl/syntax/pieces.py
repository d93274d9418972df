"""A statement as what the formatter moves around: text, bracketed groups, and their comments.

Nodes are visited in the order of the source while a cursor walks the comments once, so every
comment is given to the piece it stands beside or before, and none can be given twice or lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tostdsl.syntax import nodes as n
from tostdsl.units import number_text

_CROWDED = re.compile(r"#+(?![#!\s]|$)")


def comment_text(text: str) -> str:
    """A comment with a space after its `#` (`#!` stays as it is)."""
    match = _CROWDED.match(text)
    return text if match is None else f"{match.group()} {text[match.end() :]}"


def literal_text(value: n.Scalar) -> str:
    """The canonical spelling of a written value."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return number_text(value) if isinstance(value, int | Decimal) else str(value)


@dataclass(slots=True)
class Item:
    """A statement, an argument or a list's value: text and groups, one after the other."""

    parts: list[str | Group] = field(default_factory=list)
    leading: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)

    def add(self, part: str | Group) -> None:
        """Append a part."""
        self.parts.append(part)

    @property
    def flat(self) -> str:
        """The item on one line."""
        return "".join(part if isinstance(part, str) else part.flat for part in self.parts)

    @property
    def has_group(self) -> bool:
        """Whether a bracket stands in it already."""
        return any(isinstance(part, Group) for part in self.parts)

    @property
    def split(self) -> bool:
        """Whether a comment keeps it, or what holds it, from standing on one line."""
        return bool(self.leading or self.beside) or any(
            isinstance(part, Group) and part.split for part in self.parts
        )


@dataclass(slots=True)
class Group:
    """Brackets with items in them. `head` comments stand beside the opening one."""

    open: str
    close: str
    head: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    flat: str = ""
    split: bool = False

    def finish(self) -> Group:
        """Fill in what follows from the items, once for all that ask."""
        self.flat = self.open + ", ".join(item.flat for item in self.items) + self.close
        self.split = bool(self.head or self.tail) or any(item.split for item in self.items)
        return self


class Pieces:
    """Turns nodes into items, in the order of the source."""

    def __init__(self, comments: Sequence[n.Comment]) -> None:
        self.comments = comments
        self.next = 0

    def peek(self) -> n.Comment | None:
        """The comment at the cursor."""
        return self.comments[self.next] if self.next < len(self.comments) else None

    def take(self, before: int) -> list[n.Comment]:
        """The comments from the cursor on that start before an offset."""
        first = self.next
        if first == len(self.comments):
            return []
        while self.next < len(self.comments) and self.comments[self.next].span.start < before:
            self.next += 1
        return list(self.comments[first : self.next])

    def statement(self, node: n.Statement) -> tuple[str, Item]:
        """The word whose column may be aligned (or nothing), and the rest."""
        word, segments = _segments(node)
        values = [segment for segment in segments if not isinstance(segment, str)]
        shaped = {id(v): self.item(v) for v in sorted(values, key=lambda v: v.span.start)}
        whole = Item()
        for segment in segments:
            if isinstance(segment, str):
                whole.add(segment)
                continue
            part = shaped[id(segment)]
            whole.parts.extend(part.parts)
            whole.leading.extend(part.leading)
            whole.beside.extend(part.beside)
        return word, whole

    def item(self, node: n.Argument | n.Value) -> Item:
        """An argument or a value, with the comments that stand inside it."""
        item = Item()
        if isinstance(node, n.Argument):
            if node.name is not None:
                item.add(f"{node.name.text}=")
            self._value(node.value, item)
        else:
            self._value(node, item)
        taken = self.take(node.span.end)
        if taken:
            item.beside.extend(comment_text(comment.text) for comment in taken)
        return item

    def _value(self, node: n.Value, item: Item) -> None:
        match node:
            case n.Literal():
                item.add(literal_text(node.value))
            case n.Reference():
                item.add(f"${node.name}")
            case n.RampValue():
                self._value(node.start, item)
                item.add(" -> ")
                self._value(node.stop, item)
            case n.ListValue():
                self._group("[", "]", node.items, node.span.start, node.span.end, item)
            case n.Call():
                name = node.name
                if node.span.end == name.span.end:
                    item.add(name.text)
                else:
                    start, end = name.span.end, node.span.end
                    self._group(f"{name.text}(", ")", node.arguments, start, end, item)

    def _group(
        self,
        opening: str,
        closing: str,
        nodes: Sequence[n.Argument | n.Value],
        start: int,
        end: int,
        item: Item,
    ) -> None:
        group = Group(opening, closing)
        stray = group.head if item.has_group else item.leading
        stray.extend(comment_text(comment.text) for comment in self.take(start))
        for node in nodes:
            waiting = self._placed(group, node.span.start)
            inner = self.item(node)
            inner.leading[:0] = waiting
            group.items.append(inner)
        group.tail = self._placed(group, end)
        group.finish()
        if not nodes and not group.split:
            item.add(opening + closing if opening == "[" else opening[:-1])
        else:
            item.add(group)

    def _placed(self, group: Group, before: int) -> list[str]:
        """Put comments beside what ends their line; those on lines of their own are returned."""
        waiting: list[str] = []
        for comment in self.take(before):
            text = comment_text(comment.text)
            if comment.alone or waiting:
                waiting.append(text)
            else:
                (group.items[-1].beside if group.items else group.head).append(text)
        return waiting


def flat_statement(node: n.Statement) -> tuple[str, str]:
    """The word whose column may be aligned, and the rest, of a statement without comments."""
    word, segments = _segments(node)
    return word, "".join(s if isinstance(s, str) else _flat(s) for s in segments)


def _flat(node: n.Argument | n.Value) -> str:
    match node:
        case n.Literal():
            return literal_text(node.value)
        case n.Call():
            name = node.name.text
            return f"{name}({', '.join(map(_flat, node.arguments))})" if node.arguments else name
        case n.Argument():
            value = _flat(node.value)
            return value if node.name is None else f"{node.name.text}={value}"
        case n.ListValue():
            return f"[{', '.join(map(_flat, node.items))}]"
        case n.Reference():
            return f"${node.name}"
        case n.RampValue():
            return f"{_flat(node.start)} -> {_flat(node.stop)}"


def _segments(node: n.Statement) -> tuple[str, list[str | n.Value]]:
    match node:
        case n.Edition():
            return "", ["tost ", node.value]
        case n.RecipeName():
            return "", [f"recipe {node.name.text}", *_optional(" ", node.title)]
        case n.Extends():
            return "", ["extends ", node.path, *_optional(" sha256 ", node.checksum)]
        case n.Without():
            return "", _removals(node)
        case n.Param():
            return "", [f"param {node.name.text} = ", node.value]
        case n.Sweep():
            return "", [f"sweep {node.name.text} over ", node.values]
        case n.Setting():
            return node.word.text, ["for " if node.word.text == "train" else "", node.value]
        case n.Expect():
            return "", [f"expect {node.metric.text} {node.op} ", node.value]
        case n.Slot():
            return node.word.text, [node.call, *_reach(node)]
        case n.Stage():
            return "", [node.call, *_reach(node)]
        case n.Hole():
            raise ValueError("a statement that could not be read has no layout")


def _optional(word: str, value: n.Value | None) -> list[str | n.Value]:
    return [] if value is None else [word, value]


def _removals(node: n.Without) -> list[str | n.Value]:
    """The segments of what a `without` takes out."""
    segments: list[str | n.Value] = []
    for removal in node.removals:
        segments += [", " if segments else "without ", removal.name.text, *_bounds(removal.window)]
    return segments


def _bounds(window: Sequence[n.Bound]) -> list[str | n.Value]:
    """The segments of a window."""
    return [part for bound in window for part in (f" {bound.word.text} ", bound.value)]


def _reach(node: n.Slot | n.Stage) -> list[str | n.Value]:
    """The segments of a window and targets."""
    segments = _bounds(node.window)
    for word, selectors in (("on", node.targets.on), ("except", node.targets.exclude)):
        for index, selector in enumerate(selectors):
            segments += [", " if index else f" {word} ", selector]
    return segments
