"""What the parts of a recipe may be given as, and how each is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, cast

from tostdsl.asked import text_of, wrong
from tostdsl.build.calls import Call
from tostdsl.build.kinds import Data, Mask, Model, Optimizer, Schedule, Stage
from tostdsl.build.likes import DurationLike
from tostdsl.build.written import NAME, one_statement, refuse, typed, written
from tostdsl.compile.compiler import compile_source
from tostdsl.compile.print import call_text, string_text
from tostdsl.compile.recipe import ParamValue
from tostdsl.diagnostics import TostError
from tostdsl.plan.plan import Precision
from tostdsl.plan.spec import Spec
from tostdsl.source import Source
from tostdsl.syntax import nodes as n
from tostdsl.syntax.pieces import flat_statement

if TYPE_CHECKING:
    from tostdsl.engine.observer import Observer
    from tostdsl.engine.run import RunOptions

C = TypeVar("C", bound=Call)
T = TypeVar("T")


class Parts(TypedDict, total=False):
    """What a recipe is made of."""

    name: str
    title: str
    model: Model | str
    data: Data | str
    mask: Mask | str | None
    optimizer: Optimizer | str | None
    schedule: Schedule | str | None
    train: DurationLike
    seed: int
    precision: Precision
    stages: Iterable[Stage | str] | Stage | str
    expect: Iterable[str] | str


class Options(TypedDict, total=False):
    """How to run, by the names that `tostdsl.run` tells of."""

    smoke: bool
    device: Literal["auto", "cpu", "cuda", "mps"]
    data_root: str | Path | None
    download: bool
    fake_data: bool
    allow_code: bool
    allow_ghosts: bool
    begin_from: str | Path | None
    options: RunOptions | None
    observer: Observer | None


def slot(kind: type[C], value: object) -> C:
    """What stands in a slot: a call of that kind, or its text."""
    if isinstance(value, kind):
        return value
    if isinstance(value, str):
        return kind.read(value)
    if isinstance(value, Call):  # of another kind, which the compiler tells best
        return kind.read(str(value))
    if isinstance(value, Spec):
        return kind.read(call_text(value))
    name = kind.__name__
    raise wrong(f"a recipe has no value for it: `{kind.kind}`", f"a {name} or its text", value)


def plain_name(name: str) -> str:
    """A name that a recipe can have; `TostError` for others."""
    if not isinstance(name, str):
        raise TostError.of("T301", name="name", expected="a text", found=written(name))
    said = one_statement(f"recipe {name}", n.RecipeName, "the name of a recipe")
    if said.title is not None:
        one_statement(name, n.RecipeName, "the name of a recipe")
    return said.name.text


def plain_title(title: str) -> str:
    """A title that a recipe can have; `TostError` for others."""
    if not isinstance(title, str):
        raise TostError.of("T301", name="title", expected="a text", found=written(title))
    if title:
        one_statement(f"recipe r {string_text(title)}", n.RecipeName, "the title of a recipe")
    return title


def several(word: str, given: Any, one: tuple[type, ...], wanted: str) -> tuple[Any, ...]:
    """One part or more of a kind as several; `TypeError` for what is neither."""
    if isinstance(given, one):
        return (given,)
    if not isinstance(given, Iterable) or isinstance(given, Mapping | bytes):
        raise wrong(f"`{word}`", f"{wanted}, one or several", given)
    return tuple(given)


def expectation(text: str) -> str:
    """An expectation as a recipe writes it, less its first word; `TostError` for a wrong one."""
    text_of(text, "an expectation")
    said = one_statement(f"expect {text}", n.Expect, "one expectation")
    sound(f"expect {text}")
    return "".join(flat_statement(said)).removeprefix("expect ")


def setting(word: str, value: object, want: Any) -> Any:
    """The value of a setting (`seed`), as the compiler takes it; `TostError` for a wrong one."""
    read = typed(value, want, word)
    sound(f"{word} for {read}" if word == "train" else f"{word} {read}")
    return read


def sound(statement: str) -> None:
    """Refuse a statement in which the compiler finds mistakes, whatever the recipe around it is."""
    found = compile_source(Source(NAME, statement)).errors
    refuse([each for each in found if each.code != "T208"])  # that the rest is not there


def statement_text(node: n.Slot | n.Setting | n.Stage, params: Mapping[str, ParamValue]) -> str:
    """A statement as it is written, less its first word, with the values of params in it."""
    return flat_statement(_put_in(node, params))[1]


def _put_in(item: T, params: Mapping[str, ParamValue]) -> T:
    """The same with each reference as the value that it stands for; there are no circles."""
    if isinstance(item, n.Reference):
        return cast("T", _put_in(params[item.name].value, params))
    if isinstance(item, tuple):
        return cast("T", tuple(_put_in(part, params) for part in item))
    if isinstance(item, n.Node):
        parts = {field.name: getattr(item, field.name) for field in fields(item)}
        return replace(item, **{name: _put_in(part, params) for name, part in parts.items()})
    return item
