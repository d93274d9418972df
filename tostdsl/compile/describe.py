"""What a registered name is and takes, for `tost explain` and help: from its class alone."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from tostdsl import registry
from tostdsl.compile.calls import build
from tostdsl.compile.print import string_text, value_text
from tostdsl.compile.values import Reader
from tostdsl.compile.words import describe, value_of
from tostdsl.plan.bases import DataSet, ModelSpec, Technique
from tostdsl.plan.masking import MaskMethod, Sparsifier
from tostdsl.plan.spec import Spec
from tostdsl.source import Source
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import parse

_SENTENCE = re.compile(r"(.*?[.!?])(?=\s+[A-Z`\"(]|\s*$)", re.DOTALL)
_BOUNDS = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}", "lt": "less than {}"}


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument: its type and bounds in words, its default as a recipe writes it."""

    name: str
    type: str
    default: str | None
    """None where it must be given, or where leaving it out means something of its own."""
    required: bool
    unit: str | None
    bounds: str
    doc: str


@dataclass(frozen=True, slots=True)
class Description:
    """A registered name: what it is, what it takes, how it is written."""

    kind: str
    name: str
    summary: str
    text: str
    """The rest of its documentation, in Markdown."""
    arguments: tuple[Argument, ...]
    positional: str | None
    window: str | None
    targets: str | None
    claims: tuple[str, ...]
    examples: tuple[str, ...]
    codes: tuple[str, ...]


def first_sentence(text: str) -> str:
    """The first sentence of a text, on one line."""
    paragraph = " ".join(inspect.cleandoc(text).split("\n\n")[0].split())
    match = _SENTENCE.match(paragraph)
    return match[1] if match else paragraph


def summary(cls: type[Spec]) -> str:
    """The first sentence of a name's documentation."""
    return first_sentence(cls.__doc__ or "")


def described(cls: type[Spec]) -> Description:
    """Everything its registration says of a name."""
    text = inspect.cleandoc(cls.__doc__ or "")
    first, _, rest = text.partition("\n\n")
    after = " ".join(first.split()).removeprefix(summary(cls)).strip()
    return Description(
        cls.kind,
        cls.name,
        summary(cls),
        f"{after}\n\n{rest}".strip(),
        tuple(_argument(name, cls.model_fields[name]) for name in _order(cls)),
        cls.positional,
        _window(cls),
        _targets(cls),
        _claims(cls),
        written(cls),
        tuple(_codes(cls)),
    )


def written(cls: type[Spec]) -> tuple[str, ...]:
    """How a name is written in a recipe: its examples, or a call with what must be given."""
    calls = cls.examples
    if not calls:
        given = [
            value_of(info) if name == cls.positional else f"{name}={value_of(info)}"
            for name, info in cls.model_fields.items()
            if info.is_required()
        ]
        calls = (f"{cls.name}({', '.join(given)})" if given else cls.name,)
    match cls.kind:
        case "technique":
            return calls
        case "anneal":
            return tuple(f"anneal={call}" for call in calls)
        case "augmentation":
            return tuple(f"augment=[{call}]" for call in calls)
        case slot:
            return tuple(f"{slot} {call}" for call in calls)


def uses(name: str) -> dict[str, dict[str, str]]:
    """Where a word is an argument's name, or one of the values it takes, with what that does."""
    found: dict[str, dict[str, str]] = {}
    for cls in registry.everything():
        for field, info in cls.model_fields.items():
            doc = info.description or ""
            if name == field:
                found.setdefault("argument", {})[f"{cls.name}({field}=…)"] = doc
            if name in _choices(info.annotation):
                found.setdefault("value", {})[f"{cls.name}({field}={name})"] = doc
    return found


def _choices(want: Any) -> tuple[Any, ...]:
    """The words that an annotation lets one choose from."""
    inner = get_args(want)
    if get_origin(want) is Literal:
        return inner
    return tuple(choice for each in inner for choice in _choices(each))


def _order(cls: type[Spec]) -> list[str]:
    """The arguments, the one that may come first without its name at the front."""
    return sorted(cls.model_fields, key=lambda name: name != cls.positional)


def _argument(name: str, info: FieldInfo) -> Argument:
    extra = info.json_schema_extra
    unit = extra.get("unit") if isinstance(extra, dict) else None
    words = describe(info.annotation)
    if _default(info) is not None:  # which shows how it is written
        words = re.sub(r"(percent|factor|moment|length) such as `[^`]*`", r"\1", words)
    return Argument(
        name,
        words,
        _default(info),
        info.is_required(),
        str(unit) if unit and str(unit) not in words else None,
        ", ".join(_bounds(info)),
        info.description or "",
    )


def _default(info: FieldInfo) -> str | None:
    default: Any = None if info.is_required() else info.get_default(call_default_factory=True)
    if default is None:
        return None
    if info.annotation in (str, str | None):
        return string_text(default)
    return value_text(default)


def _bounds(info: FieldInfo) -> Iterator[str]:
    for item in info.metadata:
        for attribute, phrase in _BOUNDS.items():
            bound = getattr(item, attribute, None)
            if bound is not None:
                yield phrase.format(value_text(bound))
        if getattr(item, "min_length", None) == 1:
            yield "not empty"


def _window(cls: type[Spec]) -> str | None:
    if issubclass(cls, MaskMethod):
        return "`from`, `until`, `for`; without them until 75%" if cls.moves else None
    if not issubclass(cls, Technique):
        return None
    if cls.acts == "instant":
        return "acts at one moment: `at MOMENT`; without it at the start"
    return "`from`, `until`, `for`; without them the whole of training"


def _targets(cls: type[Spec]) -> str | None:
    if issubclass(cls, MaskMethod):
        layers = "`on` and `except` choose the convolutions and linear layers that it may prune"
        return f"{layers}; what multi-head attention projects with (`in_proj`) is none, and dense"
    if not issubclass(cls, Technique) or not cls.targeted:
        return None
    alone = f"; without `on`: {', '.join(cls.default_on)}" if cls.default_on else ""
    return f"`on` and `except` choose the layers{alone}"


def _claims(cls: type[Spec]) -> tuple[str, ...]:
    """What its examples claim, which is all that can be known without arguments."""
    if not issubclass(cls, Technique):
        return ()
    found: set[str] = set()
    for text in cls.examples:
        for statement in parse(Source(cls.name, text))[0].statements:
            if isinstance(statement, n.Stage):
                built = build(Reader({}, []), statement.call, cls.kind)
                if built is not None and isinstance(built.spec, Technique):
                    found |= built.spec.claims()
    return tuple(sorted(found))


def _codes(cls: type[Spec]) -> Iterator[str]:
    """The codes that speak of names of this shape."""
    words = " ".join(describe(info.annotation) for info in cls.model_fields.values())
    metadata = [item for info in cls.model_fields.values() for item in info.metadata]
    for code, applies in (
        ("T203", bool(cls.model_fields)),
        ("T209", any(info.is_required() for info in cls.model_fields.values())),
        ("T302", "percent" in words),
        ("T303", bool(metadata)),
        ("T304", "` or `" in words),
        ("T404", bool(_claims(cls))),
        ("T405", issubclass(cls, Technique) and cls.acts == "instant"),
        ("T408", issubclass(cls, Technique) and cls.acts == "stretch"),
        ("T410", issubclass(cls, Technique) and not cls.targeted),
        ("T501", _targets(cls) is not None),
        ("T502", issubclass(cls, Technique)),
        ("T503", issubclass(cls, ModelSpec)),
        ("T504", cls.check is not Spec.check),
        ("T505", issubclass(cls, Sparsifier)),
        ("T506", issubclass(cls, ModelSpec)),
        ("T507", issubclass(cls, MaskMethod)),
        ("T550", cls.runs_code),
        ("W001", "percent" in words),
        ("W002", "anneal" in cls.model_fields),
        ("R101", issubclass(cls, DataSet) and not cls.runs_code),
        ("R102", issubclass(cls, DataSet) and not cls.runs_code),
        ("R340", cls.runs_code),
        ("R341", cls.runs_code),
    ):
        if applies:
            yield code
    yield from cls.own_codes


def find(name: str) -> tuple[Description, ...]:
    """Everything registered under a name; kinds share names, as `random` and `linear` do."""
    return tuple(described(cls) for cls in registry.everything() if cls.name == name)


def kind_words() -> dict[str, str]:
    """The words for kinds that commands take (`masks`, `data`), each with the kind it means."""
    return {plural.removesuffix(" sets"): kind for kind, plural in registry.KINDS.items()}
