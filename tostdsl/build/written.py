"""Values of Python as a recipe writes them, and texts of a recipe read back by the compiler."""

from __future__ import annotations

import os
from decimal import Decimal
from numbers import Integral, Real
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from tostdsl.asked import text_of
from tostdsl.build.measures import MAX_POWER, exact_number
from tostdsl.compile.load import held
from tostdsl.compile.print import call_text, string_text
from tostdsl.compile.values import Reader
from tostdsl.compile.windows import CLASSES
from tostdsl.compile.words import MISSING
from tostdsl.diagnostics import Diagnostic, TostError, diagnose
from tostdsl.plan.spec import Spec
from tostdsl.source import Source
from tostdsl.syntax.assignments import parse_assignments
from tostdsl.syntax.parser import parse
from tostdsl.units import Factor, Selector, Unit, number_text, plain_text

NAME = "<python>"
"""What messages call a text that was written from Python."""

S = TypeVar("S")


def written(value: Any, want: Any = None) -> str:
    """A value as a recipe writes it, where the type annotation `want` is asked for.

    Texts are taken as a recipe's (`"90%"`), but for those of arguments that are texts, which are
    put in quotes; a number is a factor where only that is asked for. `TostError` for a text that is
    not one value, `TypeError` for what no recipe has a value for. Whether it is a value of that
    type is the compiler's to say.
    """
    kinds = _members(want)
    match value:
        case bool():
            return "yes" if value else "no"
        case None:
            return "null"
        case Spec():
            return call_text(value)
        case Unit():
            return str(value)
        case Integral() | Real() | Decimal():
            return _number(value, Factor in kinds and not {int, float} & set(kinds))
        case os.PathLike():
            return written(str(os.fspath(value)), want)
        case str():
            return string_text(value) if str in kinds else one_value(value)
        case list() | tuple():
            inner = next((get_args(kind)[0] for kind in kinds if get_origin(kind) is tuple), None)
            return f"[{', '.join(written(each, inner) for each in value)}]"
    if isinstance(value, Written):
        return str(value)
    raise TypeError(f"a recipe has no value for {_shown(value)}")


def _shown(value: object) -> str:
    return f"an object of type {type(value).__name__}"


class Written:
    """Base of what knows its own text."""

    __slots__ = ()


def _members(want: Any) -> list[Any]:
    """The types that an annotation is a union of."""
    if get_origin(want) is Annotated:
        return _members(get_args(want)[0])
    if get_origin(want) in (Union, UnionType):
        return [each for member in get_args(want) for each in _members(member)]
    return [want]


def _number(value: Any, factor: bool) -> str:
    exact = exact_number(value)
    if not exact.is_finite():
        return str(value)
    if exact and abs(exact.adjusted()) > MAX_POWER:  # as short as what the compiler refuses can be
        return f"{exact:.0e}".replace("e+", "e")
    number = int(value) if isinstance(value, Integral) else exact
    return f"{plain_text(exact)}x" if factor else number_text(number)


def source_of(text: Any, name: str = NAME) -> Source:
    """A text as the compiler reads it; T106 where no file could hold it, `TypeError` if no text."""
    return held(text_of(text, "what a recipe says"), name)


def one_value(text: str) -> str:
    """A text that is one value, as it is written; `TostError` for any other."""
    head = "value = "
    source = source_of(head + text)
    given, found = parse_assignments(source)
    if len(given) != 1 if not found else any(each.code == "T142" for each in found):
        place = source.span(len(head), len(source.text))
        found = [diagnose("T101", place, expected="one value", found="more than that")]
    refuse(found)
    return given[0].value.span.text


def one_statement(text: str, form: type[S], what: str) -> S:
    """The one statement of a text; `TostError` where it is none, another or more than one."""
    source = source_of(text)
    file, found = parse(source)
    match file.statements:
        case (statement,) if isinstance(statement, form) or found:
            pass
        case _ if not found:
            place = source.span(0, len(text.partition("\n")[0]))
            found = [diagnose("T101", place, expected=what, found="something else")]
    refuse(found)
    return file.statements[0]  # type: ignore[return-value]


def typed(value: Any, want: Any, name: str) -> Any:
    """The value of a type that a Python value stands for, as the compiler reads it."""
    text = f"{name} = {written(value, want)}"
    source = source_of(text)
    given, found = parse_assignments(source)
    refuse(found)
    reader = Reader({}, [])
    read = reader.argument(given[0].value, want, name)
    refuse(reader.found)
    assert read is not MISSING
    return read


def selector(value: Selector | str) -> str:
    """A selector as a recipe writes it: a class by its word, anything else as a glob."""
    if isinstance(value, Selector):
        return str(value)
    text = text_of(value, "a selector")
    return text if text in CLASSES else string_text(text)


def refuse(found: list[Diagnostic]) -> None:
    """Raise what was found, if anything: whoever makes a value in Python sees no warnings."""
    if found:
        raise TostError(found)
