"""One reader for each type of a single value: what is taken, and what a near miss should say."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from tostdsl.compile.words import MISSING, WORDS
from tostdsl.diagnostics import nearest
from tostdsl.syntax import nodes as n
from tostdsl.units import (
    END,
    START,
    Duration,
    Factor,
    Moment,
    Pattern,
    Percent,
    Ramp,
    number_text,
)

if TYPE_CHECKING:
    from tostdsl.compile.values import Reader

BOOLS = {
    **dict.fromkeys(("true", "on", "yes", "1"), "yes"),
    **dict.fromkeys(("false", "off", "no", "0"), "no"),
}
"""How yes and no are written elsewhere."""
ONE_OR_ALL = "is it `100%`, all of it, or `1%`?"
_GLUED = re.compile(r"(epoch|step)s?_?(\d+)")
_TIMES = re.compile(r"[xX](\d+)")


def _int(reader: Reader, node: n.Value, name: str) -> Any:
    match node:
        case n.Literal(value=int(value)):
            return value
        case n.Literal(value=Duration(unit=unit, value=value)) if unit == name:
            return reader.wrong(node, WORDS[int], name, str(value))
        case n.Literal(value=Decimal() as value) if value == value.to_integral_value():
            return int(value)
    return reader.wrong(node, WORDS[int], name)


def _float(reader: Reader, node: n.Value, name: str) -> Any:
    match node:
        case n.Literal(value=(int() | Decimal()) as value):
            return float(value)
        case n.Literal(value=Percent() as value):
            return reader.wrong(node, WORDS[float], name, number_text(value.value / 100))
        case n.Literal(value=Factor(value=value)):
            return reader.wrong(node, WORDS[float], name, number_text(value), certain=False)
    return reader.wrong(node, WORDS[float], name)


def _bool(reader: Reader, node: n.Value, name: str) -> Any:
    match node:
        case n.Call(name=n.Ident(text=("yes" | "no") as word), arguments=()):
            return word == "yes"
        case n.Call(name=n.Ident(text=word), arguments=()):
            return reader.wrong(node, WORDS[bool], name, BOOLS.get(word.lower()))
        case n.Literal(value=int() as value) if value in (0, 1):
            return reader.wrong(node, WORDS[bool], name, BOOLS[str(value)])
    return reader.wrong(node, WORDS[bool], name)


def _str(reader: Reader, node: n.Value, name: str) -> Any:
    match node:
        case n.Literal(value=str(value)):
            return value
        case n.Call(name=n.Ident(text=word), arguments=()):
            return reader.wrong(node, "a string", name, f'"{word}"')
    return reader.wrong(node, WORDS[str], name)


def _percent(reader: Reader, node: n.Value, name: str) -> Any:
    match node:
        case n.Literal(value=Percent() as value):
            return value
        case n.Literal(value=Decimal() as value) if 0 < value < 1:
            share = Percent((value * 100).normalize())
            reader.report("W001", node, name=name, fix=str(share))
            return share
        case n.Literal(value=(int() | Decimal()) as value) if value == 1:
            found = f"`{node.span.text}`"
            return reader.report("T302", node, name=name, found=found, help=ONE_OR_ALL)
        case n.Literal(value=(int() | Decimal()) as value):
            found = f"`{node.span.text}`"
            return reader.report("T302", node, name=name, found=found, fix=f"{number_text(value)}%")
    return reader.wrong(node, WORDS[Percent], name)


def _factor(reader: Reader, node: n.Value, name: str) -> Any:
    match node:
        case n.Literal(value=Factor() as value):
            return value
        case n.Literal(value=(int() | Decimal()) as value):
            return reader.wrong(node, WORDS[Factor], name, f"{number_text(value)}x")
        case n.Literal(value=Percent(value=value)):
            fix = f"{number_text(value / 100)}x"
            return reader.wrong(node, WORDS[Factor], name, fix, certain=False)
        case n.Call(name=n.Ident(text=word), arguments=()) if _TIMES.fullmatch(word):
            return reader.wrong(node, WORDS[Factor], name, f"{word[1:]}x")
    return reader.wrong(node, WORDS[Factor], name)


def _pattern(reader: Reader, node: n.Value, name: str) -> Any:
    if isinstance(node, n.Literal) and isinstance(node.value, Pattern):
        return node.value
    return reader.wrong(node, WORDS[Pattern], name)


def _moment(reader: Reader, node: n.Value, name: str) -> Any:
    match node:
        case n.Literal(value=Moment() as value):
            return value
        case n.Literal(value=Percent(value=value)):
            return Moment("percent", value)
        case n.Call(name=n.Ident(text="start"), arguments=()):
            return START
        case n.Call(name=n.Ident(text="end"), arguments=()):
            return END
        case n.Literal(value=Duration(unit=units, value=count)):
            return reader.wrong(node, WORDS[Moment], name, f"{units[:-1]} {count}")
        case n.Literal(value=int()):
            return _counted(reader, node, WORDS[Moment], name, "epoch {0}", "step {0}")
        case n.Literal(value=Decimal() as value) if 0 < value < 1:
            fix = str(Percent((value * 100).normalize()))
            return reader.wrong(node, WORDS[Moment], name, fix)
        case n.Call(
            name=n.Ident(text="epoch" | "step" as unit),
            arguments=(n.Argument(name=None, value=n.Literal(value=int(count))),),
        ):
            return reader.wrong(node, WORDS[Moment], name, f"{unit} {count}")
        case n.Call(name=n.Ident(text=word), arguments=()) if _GLUED.fullmatch(word):
            write = " ".join(cast("re.Match[str]", _GLUED.fullmatch(word)).groups())
            return reader.report("T403", node, fix=write, found=word, example=f"`{write}`")
        case n.Call(name=n.Ident(text=word), arguments=()):
            meant = nearest(word, ("start", "end"))
            example = f"`{meant}`" if meant else "for example `epoch 40`, `25%`, `start`, `end`"
            return reader.report("T403", node, found=word, example=example)
    return reader.wrong(node, WORDS[Moment], name)


def _duration(reader: Reader, node: n.Value, name: str) -> Any:
    match node:
        case n.Literal(value=Duration() as value):
            return value
        case n.Literal(value=Moment(unit="epoch" | "step" as unit, value=count)):
            fix = f"{number_text(count)} {unit}s"
            # `for epoch 4` may be that epoch, or until then
            return reader.wrong(node, WORDS[Duration], name, fix, certain=name != "for")
        case n.Literal(value=int()):
            return _counted(reader, node, WORDS[Duration], name, "{0} epochs", "{0} steps")
        case n.Literal(value=Percent(value=value)) if reader.length is not None:
            part = value * reader.length.value / 100
            whole = part == part.to_integral_value()
            write = str(Duration(reader.length.unit, int(part))) if whole else None
            # behind `from`, a share may be meant as the end as well
            return reader.wrong(node, WORDS[Duration], name, write, certain=name != "for")
    return reader.wrong(node, WORDS[Duration], name)


def _counted(reader: Reader, node: n.Value, wanted: str, name: str, epochs: str, steps: str) -> Any:
    """Report a bare number: most likely it counts what training is counted in, if that fits."""
    count, length = node.span.text, reader.length
    if length is None:
        return reader.wrong(node, wanted, name, epochs.format(count), certain=False)
    help = f"write `{epochs.format(count)}` or `{steps.format(count)}`"
    if int(count) > length.value:
        return reader.wrong(node, wanted, name, help=help)
    usual = (epochs if length.unit == "epochs" else steps).format(count)
    return reader.wrong(node, wanted, name, usual, certain=False, help=help)


def _ramp(reader: Reader, node: n.Value, name: str) -> Any:
    if not isinstance(node, n.RampValue):
        return reader.wrong(node, WORDS[Ramp], name)
    ends = [reader.read(end, float, name) for end in (node.start, node.stop)]
    return MISSING if MISSING in ends else Ramp(*ends)


SCALARS: dict[Any, Callable[[Reader, n.Value, str], Any]] = {
    int: _int,
    float: _float,
    bool: _bool,
    str: _str,
    Percent: _percent,
    Factor: _factor,
    Pattern: _pattern,
    Moment: _moment,
    Duration: _duration,
    Ramp: _ramp,
}
