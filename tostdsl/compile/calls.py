"""Calls to specs: the name looked up, every argument read, bounds and doubles reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tostdsl import registry
from tostdsl.compile import others
from tostdsl.compile.partial import Partial, bounds, must_be
from tostdsl.compile.recipe import one_line
from tostdsl.compile.scalars import ONE_OR_ALL
from tostdsl.compile.words import MISSING, bound_text, example_of, name_of, value_of
from tostdsl.diagnostics import Label, diagnose
from tostdsl.later import Later
from tostdsl.plan.spec import Spec
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import KEYWORDS
from tostdsl.units import Duration, Moment, Percent

if TYPE_CHECKING:
    from tostdsl.compile import elsewhere, guess
    from tostdsl.compile.values import Reader
else:
    elsewhere = Later("tostdsl.compile.elsewhere")
    guess = Later("tostdsl.compile.guess")


@dataclass(slots=True)
class Built:
    """A spec as built from a call, with the places of its arguments."""

    spec: Spec
    call: n.Call
    labels: dict[str, tuple[Label, ...]]


def build(reader: Reader, node: n.Value, kind: str) -> Built | None:
    """The spec of a call, every argument checked; None after a report."""
    if isinstance(node, n.Reference):
        behind = reader.follow(node)
        return None if behind is None else build(*behind, kind)
    if not isinstance(node, n.Call):
        text = node.value if isinstance(node, n.Literal) and isinstance(node.value, str) else ""
        fix = text if registry.find(kind, text) is not None else None
        reader.wrong(node, name_of(kind), kind, fix)
        return None
    name = node.name.text
    cls = registry.find(kind, name)
    if cls is None:
        _unknown(reader, node, kind)
        return None
    before = len(reader.found)
    given, meant = _arguments(reader, node, cls)
    lost = any(map(_lost, node.arguments))
    values, labels = {}, {}
    for field_name, argument in given.items():
        value = _value(reader, cls, field_name, argument.value)
        labels[field_name] = _argument_labels(reader, argument)
        if value is not MISSING:
            values[field_name] = value
    for field_name, info in cls.model_fields.items():
        if info.is_required() and field_name not in {*given, *meant} and not lost:
            reader.report("T209", node.name, owner=name, name=field_name, example=value_of(info))
    wrong = [d for d in reader.found[before:] if d.severity == "error"]
    if len(values) == len(given) and not wrong and not lost:
        try:
            return Built(cls(**values), node, labels)
        except ValidationError:
            pass
    doubtful = set(given) - set(values)
    if lost or any(
        d.code not in _OF_VALUES for d in wrong
    ):  # it may have been meant for any of them
        doubtful = set(cls.model_fields) - set(values)
    for mistake in bounds(cls, values, doubtful):
        _bound(reader, cls, given, node, mistake)
        field_name = str(mistake["loc"][0])
        values.pop(field_name, None)
        doubtful.add(field_name)
    reader.partials.append(Partial(cls, node, values, labels, doubtful))
    return None


_OF_VALUES = ("T301", "T302", "T303", "T304", "T305", "T307", "T309", "T403")
"""Reports that say what is wrong with the value of one argument."""


ALL = Percent(Decimal(100))


def _value(reader: Reader, cls: type[Spec], name: str, node: n.Value) -> Any:
    """The value of an argument, with help that suits it."""
    info = cls.model_fields[name]
    before = len(reader.found)
    inner = replace(reader, others=others.merged(cls, "other_values").get(name, {}))
    value = inner.argument(node, info.annotation, name, lambda it: must_be(cls, name, it))
    if value is MISSING:
        for index, report in enumerate(reader.found[before:], before):
            if report.help == ONE_OR_ALL and (bound := must_be(cls, name, ALL)):
                reader.found[index] = replace(report, help=f"{bound}; is it `1%`?")
            if report.code not in ("T301", "T304") or report.fix is not None:
                continue
            if guess.nothing(node) and not info.is_required():
                reader.found[index] = replace(report, help=f"leave `{name}` out")
            elif report.help is None:
                reader.found[index] = replace(report, help=example_of(cls, name))
    for each in value if isinstance(value, tuple) else (value,):
        if isinstance(each, Moment | Duration) and each.value < 0:
            found = f"`{one_line(node.span)}`"
            help = example_of(cls, name)
            reader.report("T303", node, help=help, name=name, bound="at least 0", found=found)
            return MISSING
    return value


def _argument_labels(reader: Reader, argument: n.Argument) -> tuple[Label, ...]:
    if isinstance(argument.value, n.Reference):
        known = reader.params.get(argument.value.name)
        if known is not None:
            shown = known.label(argument.value.name, reader.place or argument.span)
            return (*reader.labels(argument.value), shown)
    return reader.labels(argument.value)


def _unknown(reader: Reader, node: n.Call, kind: str) -> None:
    name = node.name.text
    if kind == "technique" and name in KEYWORDS:
        named = all(argument.name is not None for argument in node.arguments)
        if name in guess.SLOTS and node.arguments and named:
            help = guess.named_slot(name, node)
            reader.report("T131", node, help, word=name, mark="(", write="")
            return
        inside = ", ".join(argument.span.text for argument in node.arguments)
        write = elsewhere.slot(node) or f"{name} {inside}".strip()
        reader.report("T131", node, word=name, mark="(", fix=write, certain=False)
        return
    help, fix = elsewhere.call(reader, node, kind) or guess.unknown(node, kind)
    reader.found.append(
        diagnose(
            "T201",
            *reader.labels(node.name),
            kind=kind.replace("data", "data set"),
            name=name,
            help=help,
            fix=fix if reader.place is None else None,
        )
    )


def _arguments(
    reader: Reader, node: n.Call, cls: type[Spec]
) -> tuple[dict[str, n.Argument], set[str]]:
    """The arguments by their fields, and the fields that unknown names were meant for."""
    given: dict[str, n.Argument] = {}
    unknown: list[n.Argument] = []
    split: set[str] = set()
    for index, argument in enumerate(node.arguments):
        preceding = node.arguments[index - 1 : index]
        if argument.name is None and (_lost(argument) or any(map(_lost, preceding))):
            continue  # it has its report
        if argument.name is None:
            if index > 0 and any(earlier.name for earlier in node.arguments[:index]):
                before = node.arguments[index - 1]
                if guess.decimal_comma(reader, cls, before, argument):
                    split.add(before.name.text if before.name is not None else "")
                else:
                    guess.unnamed(reader, cls, argument, given)
                continue
            if cls.positional is None and index == 0 and elsewhere.first(reader, cls, argument):
                continue
            if cls.positional is None or index > 0:
                guess.without_name(reader, node, cls, argument, given)
                continue
            given[cls.positional] = argument
            continue
        name = argument.name.text
        if name not in cls.model_fields and _lost(argument):
            continue
        if name not in cls.model_fields:
            unknown.append(argument)
        elif name in given:
            first = Label(given[name].span, "first here")
            reader.found.append(diagnose("T206", argument.span, first, name=name))
        else:
            given[name] = argument
    if unknown:
        unknown, names = elsewhere.explained(reader, node, cls, unknown, given)
        split.update(names)
    meant = [guess.unknown_argument(reader, node, cls, argument, given) for argument in unknown]
    whole = {name: argument for name, argument in given.items() if name not in split}
    return whole, split | {name for names in meant for name in names}


def _lost(argument: n.Argument) -> bool:
    """Whether the value of an argument could not be read."""
    return isinstance(argument.value, n.Reference) and argument.value.name == n.LOST


def _bound(
    reader: Reader, cls: type[Spec], given: Mapping[str, n.Argument], node: n.Call, mistake: Any
) -> None:
    name = str(mistake["loc"][0])
    argument = given.get(name)
    place = argument.value if argument is not None else node
    bound = bound_text(mistake)
    if bound is None:
        reason = str(mistake.get("ctx", {}).get("error", mistake["msg"]))
        reader.report("T504", place, name=name, reason=reason)
        return
    help = example_of(cls, name)
    found = f"`{one_line(place.span)}`"
    reader.report("T303", place, help=help, name=name, bound=bound, found=found)
