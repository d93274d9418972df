"""Written values to typed ones: what each argument wants, and what to write when it is not so."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from tostdsl.compile.calls import build
from tostdsl.compile.recipe import ParamValue
from tostdsl.compile.words import MISSING, WORDS, Missing, describe
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest
from tostdsl.plan.spec import Spec
from tostdsl.source import Span
from tostdsl.syntax import nodes as n
from tostdsl.units import END, START, Duration, Factor, Moment, Pattern, Percent, Ramp, number_text

MAX_VALUES = 10_000
"""Values that params and selectors of one recipe may stand for."""
MAX_VIA = 8
"""Params on the way to a value that a message shows."""


@dataclass(slots=True)
class Budget:
    """What is left of the values that params and selectors may stand for."""

    left: int = MAX_VALUES
    over: Diagnostic | None = None

    def take(self, span: Span) -> bool:
        """Take one; False when there is none left."""
        self.left -= 1
        if self.left < 0 and self.over is None:
            self.over = diagnose("T350", span, limit=MAX_VALUES)
        return self.over is None


@dataclass(slots=True)
class Reader:
    """Reads values of one recipe. `via` tells how a param's value came to stand here."""

    params: Mapping[str, ParamValue]
    found: list[Diagnostic]
    used: set[str] = field(default_factory=set)
    place: Span | None = None
    via: tuple[Label, ...] = ()
    broken: frozenset[str] = frozenset()
    """What was to be said by statements that could not be read; it is not missed as well."""
    budget: Budget = field(default_factory=Budget)

    # -- reports

    def report(
        self,
        code: str,
        node: n.Node,
        help: str | None = None,
        fix: str | None = None,
        certain: bool = True,
        **values: object,
    ) -> Missing:
        """Report at a node, or at the reference through which it is used."""
        edits = Fix((Edit(node.span, fix),), certain) if fix is not None else None
        if fix is not None:
            values.setdefault("write", fix)
        self.found.append(diagnose(code, *self.labels(node), help=help, fix=edits, **values))
        return MISSING

    def labels(self, node: n.Node) -> tuple[Label, ...]:
        """The labels of a node: itself, or the use of a param and where that was set."""
        if self.place is None:
            return (Label(node.span),)
        return (Label(self.place), *self.via)

    def follow(self, node: n.Reference) -> tuple[Reader, n.Value] | None:
        """The reader and node behind `$name`, and behind what that refers to in turn."""
        reader: Reader | None = self
        value: n.Value = node
        while reader is not None and isinstance(value, n.Reference):
            step = reader._step(value)
            reader, value = step or (None, value)
        return None if reader is None else (reader, value)

    def _step(self, node: n.Reference) -> tuple[Reader, n.Value] | None:
        if node.name == n.LOST:  # it has its report
            return None
        known = self.params.get(node.name)
        self.used.add(node.name)
        if known is None and self.broken & {f"${node.name}", "param", "extends"}:
            return None
        if known is None:
            meant = nearest(node.name, self.params)
            help = f"did you mean `${meant}`?" if meant else f"declare it: `param {node.name} = …`"
            fix = f"${meant}" if meant else None
            self.report("T204", node, help=help, fix=fix, certain=False, name=node.name)
            return None
        if any(label.span == known.span for label in self.via):
            self.report("T308", node, name=node.name)
            return None
        place = self.place or node.span
        if not self.budget.take(place):
            return None
        label = known.label(node.name, place)
        via = (*self.via[: MAX_VIA - 1], label)
        return replace(self, place=place, via=via), known.value

    # -- values

    def read(self, node: n.Value, want: Any, name: str) -> Any:
        """The value of a node as `want` (a type annotation), or `MISSING` after a report."""
        if isinstance(node, n.Reference):
            behind = self.follow(node)
            return MISSING if behind is None else behind[0].read(behind[1], want, name)
        if self.place is not None and not self.budget.take(self.place):
            return MISSING
        origin = get_origin(want)
        if origin is Annotated:
            return self.read(node, get_args(want)[0], name)
        if origin in (Union, types.UnionType):
            return self._union(node, want, name)
        if origin is Literal:
            return self._choice(node, get_args(want), name)
        if origin is tuple:
            return self._list(node, get_args(want)[0], name)
        if isinstance(want, type) and issubclass(want, Spec):
            built = build(self, node, want.kind)
            return built.spec if built is not None else MISSING
        return self._scalar(node, want, name)

    def _union(self, node: n.Value, want: Any, name: str) -> Any:
        members = [member for member in get_args(want) if member is not type(None)]
        attempts = []
        for member in members:
            trial = replace(self, found=[])
            value = trial.read(node, member, name)
            if value is not MISSING:
                self.found += trial.found
                return value
            attempts.append(trial.found)
        if self.budget.over is not None:
            return MISSING
        if len(members) < len(get_args(want)) and _is_none(node):
            help = f"leave `{name}` out"
            found = f"`{node.span.text}`"
            expected = " or ".join(map(describe, members))
            return self.report("T301", node, help=help, name=name, expected=expected, found=found)
        if len(members) == 1:
            self.found += attempts[0]
            return MISSING
        helpful = [found for found in attempts if any(d.fix for d in found)]
        if helpful:
            self.found += helpful[0]
            return MISSING
        return self.wrong(node, " or ".join(map(describe, members)), name)

    def wrong(self, node: n.Value, expected: str, name: str, fix: str | None = None) -> Missing:
        found = f"`{node.span.text}`"
        if fix is not None:
            return self.report("T305", node, name=name, expected=expected, found=found, fix=fix)
        return self.report("T301", node, name=name, expected=expected, found=found)

    def _choice(self, node: n.Value, choices: tuple[Any, ...], name: str) -> Any:
        if isinstance(node, n.Call) and not node.arguments and node.name.text in choices:
            return node.name.text
        if isinstance(node, n.Literal) and node.value in choices and type(node.value) is not str:
            return node.value
        listed = ", ".join(f"`{choice}`" for choice in choices)
        if isinstance(node, n.Call) and not node.arguments:
            text = node.name.text
        elif isinstance(node, n.Literal) and isinstance(node.value, str):
            text = node.value
            if text in choices:
                return self.report(
                    "T304",
                    node,
                    name=name,
                    found=node.span.text,
                    fix=text,
                    choices=listed,
                    help=f"write `{text}`, without quotes",
                )
        else:
            return self.wrong(node, f"one of {listed}", name)
        meant = nearest(_PRECISIONS.get(text.lower(), text), map(str, choices))
        help = f"did you mean `{meant}`? one of {listed}" if meant else None
        return self.report(
            "T304", node, name=name, found=text, choices=listed, help=help, fix=meant, certain=False
        )

    def _list(self, node: n.Value, item: Any, name: str) -> Any:
        if not isinstance(node, n.ListValue):
            fix = f"[{node.span.text}]"
            return self.wrong(node, f"a list such as `{fix}`", name, fix)
        values = [self.read(each, item, name) for each in node.items]
        return MISSING if MISSING in values else tuple(values)

    def _scalar(self, node: n.Value, want: Any, name: str) -> Any:
        if isinstance(node, n.RampValue) and want is not Ramp:
            return self.report("T307", node, name=name)
        read = _SCALARS.get(want)
        if read is None:
            raise TypeError(f"no reader for {want!r}")
        return read(self, node, name)

    def _int(self, node: n.Value, name: str) -> Any:
        match node:
            case n.Literal(value=int(value)):
                return value
            case n.Literal(value=Duration(value=value)):
                return self.wrong(node, WORDS[int], name, str(value))
            case n.Literal(value=Decimal() as value) if value == value.to_integral_value():
                return int(value)
        return self.wrong(node, WORDS[int], name)

    def _float(self, node: n.Value, name: str) -> Any:
        match node:
            case n.Literal(value=(int() | Decimal()) as value):
                return float(value)
            case n.Literal(value=Percent() as value):
                return self.wrong(node, WORDS[float], name, number_text(value.value / 100))
            case n.Literal(value=Factor(value=value)):
                return self.wrong(node, WORDS[float], name, number_text(value))
        return self.wrong(node, WORDS[float], name)

    def _bool(self, node: n.Value, name: str) -> Any:
        match node:
            case n.Call(name=n.Ident(text=("yes" | "no") as word), arguments=()):
                return word == "yes"
            case n.Call(name=n.Ident(text=word), arguments=()):
                fix = {"true": "yes", "on": "yes", "false": "no", "off": "no"}.get(word.lower())
                return self.wrong(node, WORDS[bool], name, fix)
        return self.wrong(node, WORDS[bool], name)

    def _str(self, node: n.Value, name: str) -> Any:
        match node:
            case n.Literal(value=str(value)):
                return value
            case n.Call(name=n.Ident(text=word), arguments=()):
                return self.wrong(node, "a string", name, f'"{word}"')
        return self.wrong(node, WORDS[str], name)

    def _percent(self, node: n.Value, name: str) -> Any:
        match node:
            case n.Literal(value=Percent() as value):
                return value
            case n.Literal(value=Decimal() as value) if 0 < value < 1:
                share = Percent((value * 100).normalize())
                self.report("W001", node, name=name, fix=str(share))
                return share
            case n.Literal(value=(int() | Decimal()) as value):
                found = f"`{node.span.text}`"
                return self.report(
                    "T302", node, name=name, found=found, fix=f"{number_text(value)}%"
                )
        return self.wrong(node, WORDS[Percent], name)

    def _factor(self, node: n.Value, name: str) -> Any:
        match node:
            case n.Literal(value=Factor() as value):
                return value
            case n.Literal(value=(int() | Decimal()) as value):
                return self.wrong(node, WORDS[Factor], name, f"{number_text(value)}x")
        return self.wrong(node, WORDS[Factor], name)

    def _pattern(self, node: n.Value, name: str) -> Any:
        if isinstance(node, n.Literal) and isinstance(node.value, Pattern):
            return node.value
        return self.wrong(node, WORDS[Pattern], name)

    def _moment(self, node: n.Value, name: str) -> Any:
        match node:
            case n.Literal(value=Moment() as value):
                return value
            case n.Literal(value=Percent(value=value)):
                return Moment("percent", value)
            case n.Call(name=n.Ident(text="start"), arguments=()):
                return START
            case n.Call(name=n.Ident(text="end"), arguments=()):
                return END
            case n.Literal(value=Duration(unit=unit, value=count)):
                return self.wrong(node, WORDS[Moment], name, f"{unit[:-1]} {count}")
            case n.Literal(value=int(value)):
                return self.wrong(node, WORDS[Moment], name, f"epoch {value}")
            case n.Call(
                name=n.Ident(text="epoch" | "step" as unit),
                arguments=(n.Argument(name=None, value=n.Literal(value=int(count))),),
            ):
                return self.wrong(node, WORDS[Moment], name, f"{unit} {count}")
            case n.Call(name=n.Ident(text=word), arguments=()) if _GLUED.fullmatch(word):
                write = " ".join(cast("re.Match[str]", _GLUED.fullmatch(word)).groups())
                return self.report("T403", node, fix=write, found=word, example=f"`{write}`")
            case n.Call(name=n.Ident(text=word), arguments=()):
                meant = nearest(word, ("start", "end"))
                example = f"`{meant}`" if meant else "for example `epoch 40`, `25%`, `start`, `end`"
                return self.report("T403", node, found=word, example=example)
        return self.wrong(node, WORDS[Moment], name)

    def _duration(self, node: n.Value, name: str) -> Any:
        match node:
            case n.Literal(value=Duration() as value):
                return value
            case n.Literal(value=Moment(unit="epoch" | "step" as unit, value=count)):
                fix = f"{number_text(count)} {unit}s"
                return self.wrong(node, WORDS[Duration], name, fix)
            case n.Literal(value=int(value)):
                return self.wrong(node, WORDS[Duration], name, f"{value} epochs")
        return self.wrong(node, WORDS[Duration], name)

    def _ramp(self, node: n.Value, name: str) -> Any:
        if not isinstance(node, n.RampValue):
            return self.wrong(node, WORDS[Ramp], name)
        ends = [self.read(end, float, name) for end in (node.start, node.stop)]
        return MISSING if MISSING in ends else Ramp(*ends)


_GLUED = re.compile(r"(epoch|step)s?_?(\d+)")
_PRECISIONS = {
    **dict.fromkeys(("float32", "float", "full", "single"), "fp32"),
    **dict.fromkeys(("float16", "half"), "fp16"),
    "bfloat16": "bf16",
}
"""What other languages call the precisions."""


def _is_none(node: n.Value) -> bool:
    return isinstance(node, n.Call) and node.name.text.lower() in ("none", "null", "nil")


_SCALARS: dict[Any, Callable[[Reader, n.Value, str], Any]] = {
    int: Reader._int,
    float: Reader._float,
    bool: Reader._bool,
    str: Reader._str,
    Percent: Reader._percent,
    Factor: Reader._factor,
    Pattern: Reader._pattern,
    Moment: Reader._moment,
    Duration: Reader._duration,
    Ramp: Reader._ramp,
}
