"""Windows and targets that stand between the brackets, where other tools have them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from tostdsl.compile import others
from tostdsl.compile.values import Reader
from tostdsl.diagnostics import Edit, Fix, Label, diagnose
from tostdsl.plan.spec import Spec
from tostdsl.source import Span
from tostdsl.syntax import nodes as n


def behind(
    reader: Reader, node: n.Call, cls: type[Spec], unknown: Sequence[n.Argument]
) -> list[n.Argument]:
    """Report what is a window, or targets, here; the others are left."""
    parts: dict[str, str] = {}
    taken: list[n.Argument] = []
    for argument in unknown:
        part = _part(cls, argument)
        if part is not None and part[0] not in parts:
            parts[part[0]] = part[1]
            taken.append(argument)
    if not taken:
        return list(unknown)
    order = [word for word in ("from", "until", "for", "on", "except") if word in parts]
    write = " ".join(f"{word} {parts[word]}" for word in order)
    labels = [Label(a.name.span) for a in taken if a.name is not None]
    if reader.place is not None:
        labels = list(reader.labels(node))
    first = taken[0].name
    assert first is not None
    values = {"owner": cls.name, "name": first.text}
    help = f"write `{write}` behind the brackets"
    fix = _moved(node, taken, order, write) if reader.place is None else None
    reader.found.append(diagnose("T203", *labels, help=help, fix=fix, **values))
    return [argument for argument in unknown if argument not in taken]


def _part(cls: type[Spec], argument: n.Argument) -> tuple[str, str] | None:
    """The word of a window or of targets that an argument stands for, and what comes behind it."""
    assert argument.name is not None
    name = argument.name.text.lower()
    if others.argument_said(cls, name) is not None:
        return None
    window = getattr(cls, "acts", "") == "stretch" or getattr(cls, "moves", False)
    targeted = cls.kind == "mask" or getattr(cls, "targeted", False)
    if name in others.TARGETS and targeted:
        return others.TARGETS[name], _selectors(argument.value)
    if name not in others.WINDOW or not window:
        return None
    word, unit = others.WINDOW[name]
    match argument.value:
        case n.Literal(value=int(count)):
            return word, f"{count} {unit}" if word == "for" else f"{unit} {count}"
        case n.Literal(value=Decimal()) | n.ListValue() | n.RampValue():
            return None
    return word, argument.value.span.text


def _selectors(value: n.Value) -> str:
    items = value.items if isinstance(value, n.ListValue) else (value,)
    return ", ".join(item.span.text for item in items)


def _moved(
    node: n.Call, taken: Sequence[n.Argument], order: Sequence[str], write: str
) -> Fix | None:
    """The edits that put arguments behind the brackets, if they have a place there."""
    source, end = node.span.source, node.span.end
    line = source.text[end:].split("\n", 1)[0].partition("#")[0].rstrip()
    there = set(re.findall(r"\b(from|until|for|at|on|except)\b", line))
    if "\n" in node.span.text or "$" in write or (line and not there):
        return None
    kept = [each.span.text for each in node.arguments if each not in taken]
    call = f"{node.name.text}({', '.join(kept)})" if kept else node.name.text
    targets = {"on", "except"}
    if not there or (there <= targets and targets.isdisjoint(order)):
        return Fix((Edit(node.span, f"{call} {write}"),), certain=False)
    if targets.isdisjoint(there) and set(order) <= targets:
        last = Span(source, end + len(line), end + len(line))
        return Fix((Edit(node.span, call), Edit(last, f" {write}")), certain=False)
    return None
