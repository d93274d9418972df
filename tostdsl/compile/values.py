"""Written values to typed ones: what each argument wants, and what to write when it is not so."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from tostdsl.compile.calls import build
from tostdsl.compile.others import said_otherwise
from tostdsl.compile.recipe import ParamValue, one_line
from tostdsl.compile.scalars import SCALARS
from tostdsl.compile.words import MISSING, Missing, describe, example
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest
from tostdsl.later import Later
from tostdsl.plan.spec import Spec
from tostdsl.source import Span
from tostdsl.syntax import nodes as n
from tostdsl.units import Duration, Ramp

if TYPE_CHECKING:
    from tostdsl.compile import offers
    from tostdsl.compile.partial import Partial
else:
    offers = Later("tostdsl.compile.offers")

MAX_VALUES = 10_000
"""Values that params and selectors of one recipe may stand for."""
MAX_TRIES = 200
"""Other ways to write a value that are tried for one recipe's messages."""
MAX_VIA = 8
"""Params on the way to a value that a message shows."""


@dataclass(slots=True)
class Budget:
    """What is left of the values that params and selectors may stand for."""

    left: int = MAX_VALUES
    tries: int = MAX_TRIES
    """How many values may still be read in another way, to see what was meant."""
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
    partials: list[Partial] = field(default_factory=list)
    """Calls of which some arguments are wrong; the others are checked all the same."""
    length: Duration | None = None
    """How long training is, where that is known."""
    others: Mapping[str, str] = field(default_factory=dict)
    """What the choices of the argument at hand are called elsewhere."""
    names: Callable[[], Collection[str]] = tuple
    """The names of the network's modules."""
    circles: frozenset[str] = frozenset()
    """Params that lead back to themselves; that is reported where they are declared."""

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
        if node.name in self.circles:
            return None
        place = self.place or node.span
        if not self.budget.take(place):
            return None
        label = known.label(node.name, place)
        via = (*self.via[: MAX_VIA - 1], label)
        return replace(self, place=place, via=via), known.value

    # -- values

    def argument(
        self,
        node: n.Value,
        want: Any,
        name: str,
        fits: Callable[[Any], str | None] = lambda value: None,
        words: str | None = None,
    ) -> Any:
        """As `read`, with no fix among the reports that would leave the value wrong.

        `fits` says, as help, what a value of the right type must be, where it is not that; `words`
        is what stands before the value, for an example.
        """
        before = len(self.found)
        value = self.read(node, want, name)
        if len(self.found) > before:
            offers.vet(self, before, node, lambda reader, it: reader.read(it, want, name), fits)
        for index, report in enumerate(self.found[before:], before):
            if words and (report.code, report.help, report.fix) == ("T301", None, None):
                help = f"for example `{words} {example(want)}`"
                self.found[index] = replace(report, help=help)
        return value

    def trial(self) -> Reader:
        """A reader whose reports are not this one's."""
        return replace(self, found=[], partials=[])

    def read(self, node: n.Value, want: Any, name: str) -> Any:
        """The value of a node as `want` (a type annotation), or `MISSING` after a report."""
        if isinstance(node, n.Reference):
            behind = self.follow(node)
            return MISSING if behind is None else behind[0].read(behind[1], want, name)
        if self.place is not None and not self.budget.take(self.place):
            return MISSING
        if _minus_zero(node):
            return self.report("T309", node, fix=_MINUS.sub("", node.span.text))
        before = len(self.found)
        value = self._read(node, want, name)
        if value is MISSING and before < len(self.found):
            self._respell(before, node, want, name)
        return value

    def _respell(self, before: int, node: n.Value, want: Any, name: str) -> None:
        """Report a value that is right but for how it is written as that."""
        if self.budget.tries <= 0 or any(d.fix is not None for d in self.found[before:]):
            return
        write = next(filter(None, (self._plain(node, want, name), self._ramp(node, want))), None)
        if write is None:
            return
        if write.startswith("$"):
            self.used.add(write[1:])
        del self.found[before:]
        certain = "->" not in write
        self.wrong(node, describe(want), name, write, certain)

    def _plain(self, node: n.Value, want: Any, name: str) -> str | None:
        """The value without its quotes, its brackets, or with the `$` it lacks."""
        match node:
            case n.Literal(value=str(text)) if want is not str:
                write: str | None = text
            case n.ListValue(items=(item,)):
                write = item.span.text
            case n.Call(name=n.Ident(text=word), arguments=()) if word in self.params:
                return f"${word}"
            case _:
                return None
        self.budget.tries -= 1
        trial = self.trial()
        inner = offers.parsed(write or "")
        if inner is None or trial.read(inner, want, name) is MISSING or trial.found:
            return None
        return write

    def _ramp(self, node: n.Value, want: Any) -> str | None:
        match node:
            case n.ListValue(items=(start, stop)) if Ramp in get_args(want):
                return f"{start.span.text} -> {stop.span.text}"
        return None

    def _read(self, node: n.Value, want: Any, name: str) -> Any:
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
            trial = self.trial()
            value = trial.read(node, member, name)
            if value is not MISSING:
                self.found += trial.found
                self.partials += trial.partials
                return value
            attempts.append(trial.found)
        if self.budget.over is not None:
            return MISSING
        if len(members) < len(get_args(want)) and is_none(node):
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

    def wrong(
        self,
        node: n.Value,
        expected: str,
        name: str,
        fix: str | None = None,
        certain: bool = True,
        help: str | None = None,
    ) -> Missing:
        """Report a value of another type; `fix` is the same in the type that is wanted."""
        values: dict[str, Any] = {
            "name": name,
            "expected": expected,
            "found": f"`{one_line(node.span)}`",
        }
        if fix is not None:
            return self.report("T305", node, help, fix, certain, **values)
        return self.report("T301", node, help, **values)

    def _choice(self, node: n.Value, choices: tuple[Any, ...], name: str) -> Any:
        if isinstance(node, n.Call) and not node.arguments and node.name.text in choices:
            return node.name.text
        if isinstance(node, n.Literal) and node.value in choices and type(node.value) is not str:
            return node.value
        listed = ", ".join(f"`{choice}`" for choice in choices)
        match node:
            case n.Call(name=n.Ident(text=text), arguments=()):
                pass
            case n.Literal(value=str(text)) if text in choices:
                help = f"write `{text}`, without quotes"
                quoted = node.span.text
                return self.report(
                    "T304", node, help, text, name=name, found=quoted, choices=listed
                )
            case n.Literal(value=str(text)):
                pass
            case _ if node.span.text in self.others:
                text = node.span.text
            case _:
                return self.wrong(node, f"one of {listed}", name)
        values: dict[str, Any] = {"name": name, "choices": listed}
        values["found"] = one_line(node.span)
        said = said_otherwise(text, self.others)
        if said is not None and said not in choices:
            return self.report("T304", node, f"{said}; choose one of {listed}", **values)
        meant = said or nearest(text, map(str, choices))
        hint = f"did you mean `{meant}`? one of {listed}" if meant else None
        return self.report("T304", node, hint, meant, certain=False, **values)

    def _list(self, node: n.Value, item: Any, name: str) -> Any:
        if isinstance(node, n.ListValue):
            before = len(self.found)
            values = [self.read(each, item, name) for each in node.items]
            doubts = self.found[before:]
            if any(d.code == "T302" and d.fix is None for d in doubts):  # `[1, 2]` may be epochs
                self.found[before:] = map(unsure, doubts)
            return MISSING if MISSING in values else tuple(values)
        trial = self.trial()
        if trial.read(node, item, name) is MISSING:
            expected = f"a list such as `{example(tuple[item])}`"
            return self.wrong(node, expected, name)
        fix = f"[{node.span.text}]"
        return self.wrong(node, f"a list such as `{fix}`", name, fix)

    def _scalar(self, node: n.Value, want: Any, name: str) -> Any:
        if isinstance(node, n.RampValue) and want is not Ramp:
            return self.report("T307", node, name=name)
        read = SCALARS.get(want)
        if read is None:
            raise TypeError(f"no reader for {want!r}")
        return read(self, node, name)


def is_none(node: n.Value) -> bool:
    """Whether this is how other languages write that something is left out."""
    return isinstance(node, n.Call) and node.name.text.lower() in ("none", "null", "nil")


_MINUS = re.compile(r"(?<!\S)-")


def _minus_zero(node: n.Value) -> bool:
    """Whether a minus stands before a zero, which is the same number and looks like another."""
    if not isinstance(node, n.Literal) or _MINUS.search(node.span.text) is None:
        return False
    value = getattr(node.value, "value", node.value)
    return isinstance(value, int | Decimal) and value == 0


def unsure(diagnostic: Diagnostic) -> Diagnostic:
    """A report whose fix needs a look."""
    fix = diagnostic.fix
    return diagnostic if fix is None else replace(diagnostic, fix=replace(fix, certain=False))
