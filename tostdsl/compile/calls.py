"""Calls to specs: the name looked up, every argument read, bounds and doubles reported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tostdsl import registry
from tostdsl.compile import guess
from tostdsl.compile.words import MISSING, example, name_of, signature
from tostdsl.diagnostics import Edit, Fix, Label, diagnose, related
from tostdsl.plan.spec import Spec
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import KEYWORDS
from tostdsl.units import number_text

if TYPE_CHECKING:
    from tostdsl.compile.values import Reader


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
    given = _arguments(reader, node, cls)
    values, labels = {}, {}
    for field_name, argument in given.items():
        want = cls.model_fields[field_name].annotation
        value = reader.read(argument.value, want, field_name)
        labels[field_name] = _argument_labels(reader, argument)
        if value is not MISSING:
            values[field_name] = value
    for field_name, info in cls.model_fields.items():
        if info.is_required() and field_name not in given and not _meant(node, field_name, cls):
            reader.report(
                "T209", node.name, owner=name, name=field_name, example=example(info.annotation)
            )
    if any(map(_lost, node.arguments)) or len(values) < len(given):
        return None
    if any(d.severity == "error" for d in reader.found[before:]):
        return None
    try:
        spec = cls(**values)
    except ValidationError as error:
        for mistake in error.errors():
            _bound(reader, name, given, node, mistake)
        return None
    return Built(spec, node, labels)


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
        inside = ", ".join(argument.span.text for argument in node.arguments)
        write = f"{name} {inside}".strip()
        reader.report("T131", node, word=name, mark="(", fix=write, certain=False)
        return
    help, fix = guess.unknown(node, kind)
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


def _arguments(reader: Reader, node: n.Call, cls: type[Spec]) -> dict[str, n.Argument]:
    given: dict[str, n.Argument] = {}
    owner = node.name.text
    for index, argument in enumerate(node.arguments):
        before = node.arguments[index - 1 : index]
        if argument.name is None and (_lost(argument) or any(map(_lost, before))):
            continue  # it has its report
        if argument.name is None:
            if index > 0 and any(earlier.name for earlier in node.arguments[:index]):
                if not guess.decimal_comma(reader, node.arguments[index - 1], argument):
                    guess.unnamed(reader, cls, argument, given)
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
            meant = related(name, cls.model_fields)
            help = f"did you mean `{meant}`?" if meant else signature(cls)
            fix = Fix((Edit(argument.name.span, meant),), certain=False) if meant else None
            reader.found.append(
                diagnose(
                    "T203",
                    *reader.labels(argument.name),
                    owner=owner,
                    name=name,
                    help=help,
                    fix=fix,
                )
            )
        elif name in given:
            first = Label(given[name].span, "first here")
            reader.found.append(diagnose("T206", argument.span, first, name=name))
        else:
            given[name] = argument
    return given


def _lost(argument: n.Argument) -> bool:
    """Whether the value of an argument could not be read."""
    return isinstance(argument.value, n.Reference) and argument.value.name == n.LOST


def _meant(node: n.Call, wanted: str, cls: type[Spec]) -> bool:
    """Whether a missing argument is there under a misspelt name, or where nothing could be read."""
    unknown = [a for a in node.arguments if a.name is None or a.name.text not in cls.model_fields]
    names = (a.name.text for a in unknown if a.name is not None)
    return any(map(_lost, unknown)) or wanted in (related(each, cls.model_fields) for each in names)


def _bound(
    reader: Reader, owner: str, given: Mapping[str, n.Argument], node: n.Call, mistake: Any
) -> None:
    field_name = str(mistake["loc"][0]) if mistake["loc"] else owner
    argument = given.get(field_name)
    place = argument.value if argument is not None else node
    context = mistake.get("ctx", {})
    bounds = {
        "ge": "at least {}",
        "gt": "greater than {}",
        "le": "at most {}",
        "lt": "less than {}",
    }
    for key, phrase in bounds.items():
        if key in context:
            reader.report(
                "T303",
                place,
                name=field_name,
                bound=phrase.format(_plain(context[key])),
                found=f"`{place.span.text}`",
            )
            return
    if mistake["type"] == "too_short":
        reader.report(
            "T303", place, name=field_name, bound="not empty", found=f"`{place.span.text}`"
        )
        return
    reason = str(context.get("error", mistake["msg"]))
    reader.report("T504", place, name=field_name, reason=reason)


def _plain(bound: Any) -> str:
    return number_text(bound) if isinstance(bound, int | float | Decimal) else str(bound)
