"""What was probably meant by a name or an argument that does not fit: the rest of a message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tostdsl import registry
from tostdsl.compile.words import MISSING, signature
from tostdsl.diagnostics import Diagnostic, Edit, Fix, nearest, related
from tostdsl.plan.spec import Spec
from tostdsl.source import Source, Span
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import parse
from tostdsl.syntax.words import KEYWORDS

if TYPE_CHECKING:
    from tostdsl.compile.values import Reader

SLOTS = ("model", "data", "mask", "optimizer", "schedule")
DEFAULTS = {"optimizer": "sgd"}
ARTICLES = {"optimizer": "an optimizer", "data": "a data set"}
NONE_MEANS = {
    "mask": "dense training",
    "schedule": "the default one",
    "optimizer": "the default one",
}
NOTHING = ("none", "dense", "null", "no", "off")
SHOWN = 12
"""How many known names a message lists."""


def statement_meant(word: str) -> str | None:
    """The slot or setting that a stage of this name was probably meant to be."""
    if registry.find("technique", word) is not None:
        return None
    if word.lower() in KEYWORDS:
        return word.lower()
    for slot in SLOTS:
        if registry.find(slot, word) is not None:
            return slot
    meant = nearest(word, [*registry.names("technique"), *KEYWORDS])
    return meant if meant in KEYWORDS else None


def unknown(node: n.Call, kind: str) -> tuple[str, Fix | None]:
    """Help, and a fix where there is one, for a name that is not of this kind."""
    name, span = node.name.text, node.name.span
    known = registry.names(kind)
    for slot in SLOTS if kind == "technique" else ():
        if registry.find(slot, name) is not None:
            start = replace(span, end=span.start)
            fix = Fix((Edit(start, f"{slot} "),), certain=False)
            return f"`{name}` is {_a(slot)}: write `{slot} {name}`", fix
    if name.lower() in NOTHING and kind in NONE_MEANS:
        return f"leave the `{kind}` line out for {NONE_MEANS[kind]}", None
    meant = nearest(name, [*known, *KEYWORDS] if kind == "technique" else known)
    if meant:
        return f"did you mean `{meant}`?", Fix((Edit(span, meant),), certain=False)
    for other in registry.KINDS:
        if registry.find(other, name) is not None:
            return f"`{name}` is {_a(other)}, not {_a(kind)}", None
    if len(known) <= SHOWN:
        listed = ", ".join(f"`{each}`" for each in known)
        return f"known {registry.KINDS[kind]}: {listed}", None
    return f"see `tost list {registry.KINDS[kind].replace(' sets', '')}`", None


def at_home(found: Sequence[Diagnostic], file: n.File) -> list[Diagnostic]:
    """The reports of a file's form, those of arguments written as statements with their place.

    The syntax knows no registry; here `lr = 0.1` is known for an argument of optimizers.
    """
    return [_at_home(d, file) if d.code in ("T103", "T132") else d for d in found]


def _at_home(diagnostic: Diagnostic, file: n.File) -> Diagnostic:
    span = diagnostic.span
    if span is None or (diagnostic.fix is not None and diagnostic.code == "T103"):
        return diagnostic
    line = span.source.text[span.start :].split("\n", 1)[0]
    match = _ASSIGNED.match(line)
    if match is None:
        return diagnostic
    word, value = match.groups()
    if registry.find("technique", word) is not None:
        start = span.start + match.start(2)
        value = re.split(r"\s+(?=(?:from|until|for|at|on|except)\s)", value, maxsplit=1)[0]
        place = Span(span.source, start, start + len(value.rstrip()))
        read, mistakes = parse(Source("", f"param p = {place.text}"))
        for param in read.statements:
            if isinstance(param, n.Param) and not mistakes:
                help, fix = setting(word, param.value, place)
                return replace(diagnostic, help=help, fix=fix)
    for slot in SLOTS:
        home = _home(slot, word, file)
        if home is None:
            continue
        call, field = home
        write = f"`{slot} {call}({field}={value.strip()})`"
        help = f"`{field}` is an argument of {_a(slot)}: write {write}"
        if diagnostic.code == "T132":
            help = (
                f"to name a value, write `param {word} = {value.strip()}`; as an argument, {write}"
            )
        return replace(diagnostic, help=help)
    return diagnostic


def setting(word: str, value: n.Value, place: Span) -> tuple[str, Fix | None]:
    """Help for a technique with a value behind it, `ghost swish`, and the edit where it is one."""
    cls = registry.find("technique", word)
    field = None
    if cls is not None:
        from tostdsl.compile.values import Reader

        field = field_of(Reader({}, []), cls, value, {})
    if field is None:
        return "the arguments of a technique stand in brackets, by their names", None
    write = f"{word}({field}={place.text})"
    start = replace(place, end=place.start)
    before = place.source.text[: place.start]
    gap = replace(start, start=before.rindex(word) + len(word))
    end = replace(place, start=place.end)
    return f"write `{write}`", Fix((Edit(gap, f"({field}="), Edit(end, ")")), certain=False)


_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\s*[=:]*\s*([^\s#=:][^\n#]{0,40})")


def _home(slot: str, word: str, file: n.File) -> tuple[str, str] | None:
    """What in this slot has an argument of such a name: the file's own choice before others."""
    own = [
        s.call.name.text for s in file.statements if isinstance(s, n.Slot) and s.word.text == slot
    ]
    usual = [DEFAULTS[slot]] if slot in DEFAULTS else []
    for name in [*own, *usual, *([] if own else registry.names(slot))]:
        cls = registry.find(slot, name)
        field = related(word, cls.model_fields) if cls is not None else None
        if cls is not None and field is not None and _same(word, field):
            return name, field
    return None


def _same(word: str, field: str) -> bool:
    return field == word or field in word.split("_") or len(field) < len(word) // 2


def _a(kind: str) -> str:
    return ARTICLES.get(kind, f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}")


def field_of(
    reader: Reader, cls: type[Spec], value: n.Value, given: Mapping[str, object]
) -> str | None:
    """The argument that a value without a name is probably for: the first it fits."""
    for name, info in cls.model_fields.items():
        if name in given:
            continue
        trial = replace(reader, found=[], used=set())
        if trial.read(value, info.annotation, name) is not MISSING and not trial.found:
            return name
    return None


def without_name(
    reader: Reader,
    node: n.Call,
    cls: type[Spec],
    argument: n.Argument,
    given: dict[str, n.Argument],
) -> None:
    """Report an argument without a name, with the name it probably lacks."""
    named = {a.name.text for a in node.arguments if a.name is not None}
    name = field_of(reader, cls, argument.value, {**given, **dict.fromkeys(named)})
    if name is None:
        reader.report("T211", argument, owner=cls.name, help=signature(cls))
        return
    given[name] = argument
    write = f"{name}={argument.value.span.text}"
    reader.report(
        "T211", argument, owner=cls.name, help=f"write `{write}`", fix=write, certain=False
    )


def unnamed(
    reader: Reader, cls: type[Spec], argument: n.Argument, given: Mapping[str, n.Argument]
) -> None:
    """Report an argument that lost its name, or the part of a number behind a comma."""
    name = field_of(reader, cls, argument.value, given)
    write = f"{name}={argument.value.span.text}" if name else None
    help = f"write `{write}`" if write else None
    if help is None:
        reader.report("T107", argument)
    else:
        reader.report("T107", argument, help=help, fix=write, certain=False)


def decimal_comma(reader: Reader, before: n.Argument, argument: n.Argument) -> bool:
    """Whether this is the part of a number behind a comma (`0,1`); then it is reported."""
    whole, part = before.value, argument.value
    numbers = all(isinstance(v, n.Literal) and type(v.value) is int for v in (whole, part))
    between = whole.span.source.text[whole.span.end : part.span.start]
    if not numbers or between != ",":
        return False
    span = whole.span.to(part.span)
    write = f"{whole.span.text}.{part.span.text}"
    reader.report("T107", n.Node(span), help=f"write `{write}`", fix=write, certain=False)
    return True
