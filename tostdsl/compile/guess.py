"""What was probably meant by a name or an argument that does not fit: the rest of a message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tostdsl import registry
from tostdsl.compile import others
from tostdsl.compile.words import MISSING, signature
from tostdsl.diagnostics import Edit, Fix, diagnose, nearest, related, twins
from tostdsl.plan.spec import Spec
from tostdsl.source import Span
from tostdsl.syntax import nodes as n
from tostdsl.syntax.words import KEYWORDS

if TYPE_CHECKING:
    from tostdsl.compile.values import Reader

SLOTS = ("model", "data", "mask", "optimizer", "schedule")
DEFAULTS = {"optimizer": "sgd", "mask": "random"}
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
    """The slot or setting that a stage of no technique's name was probably meant to be."""
    if word.lower() in KEYWORDS:
        return word.lower()
    if word.lower() in others.SLOTS:
        return others.SLOTS[word.lower()]
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
            return f"`{name}` is {with_article(slot)}: write `{slot} {name}`", fix
    if name.lower() in NOTHING and kind in NONE_MEANS:
        return f"leave the `{kind}` line out for {NONE_MEANS[kind]}", None
    match node.arguments:
        case (n.Argument(name=None, value=n.Literal(value=int() as count)),):
            whole = f"{name}{count}"
            if registry.find(kind, whole) is not None:  # `resnet 18`
                fix = Fix((Edit(node.span, whole),), certain=False)
                return f"did you mean `{whole}`?", fix
    called = others.call_meant(kind, name)
    if called is not None:
        write = _with_arguments(called, node)
        return f"here it is called `{write}`", Fix((Edit(node.span, write),), certain=False)
    meant = others.SLOTS.get(name.lower()) if kind == "technique" else None
    if meant is not None:
        return named_slot(meant, node), None
    like = twins(name, known)  # no misspellings: each means something of its own
    near = [each for each in known if each not in like]
    meant = nearest(name, [*near, *KEYWORDS] if kind == "technique" else near)
    if meant:
        return f"did you mean `{meant}`?", Fix((Edit(span, meant),), certain=False)
    for other in registry.KINDS:
        if registry.find(other, name) is not None:
            return f"`{name}` is {with_article(other)}, not {with_article(kind)}", None
    if len(known) <= SHOWN or like:
        listed = ", ".join(f"`{each}`" for each in (like if len(known) > SHOWN else known))
        return f"known {registry.KINDS[kind]}: {listed}", None
    return f"see `tost list {registry.KINDS[kind].replace(' sets', '')}`", None


def _with_arguments(called: str, node: n.Call) -> str:
    """A call by its name here, with the arguments it was given."""
    name, _, own = called.removesuffix(")").partition("(")
    if "{value}" in own:
        own = own.format(value=node.arguments[0].value.span.text) if node.arguments else ""
        return f"{name}({own})" if own else name
    inside = [own] if own else []
    inside += [argument.span.text for argument in node.arguments]
    return f"{name}({', '.join(inside)})" if inside else name


def named_slot(slot: str, node: n.Call) -> str:
    """Help for a slot's word with brackets of its own."""
    given = {argument.name.text for argument in node.arguments if argument.name is not None}
    names = [cls.name for cls in registry.loaded(slot) if given <= set(cls.model_fields)]
    inside = ", ".join(argument.span.text for argument in node.arguments)
    write = f"{slot} NAME({inside})" if inside else f"{slot} NAME"
    listed = ", ".join(f"`{name}`" for name in names[:SHOWN])
    return f"write `{write}`" + (f", where NAME is one of {listed}" if listed else "")


BEHIND = ("from", "until", "for", "at", "on", "except")
"""Words of a window and of targets, which stand behind the brackets."""


def unknown_argument(
    reader: Reader,
    node: n.Call,
    cls: type[Spec],
    argument: n.Argument,
    given: Mapping[str, n.Argument],
) -> list[str]:
    """Report an argument that there is none of; the arguments it was probably meant for."""
    assert argument.name is not None
    name, value = argument.name.text, argument.value
    fix, names = None, []
    said = others.argument_meant(cls, argument)
    meant = related(name, cls.model_fields) or _only(reader, cls, value, given)
    if name in BEHIND and cls.kind in ("technique", "mask"):
        help, fix = _behind(node, argument)
    elif said is None and meant is None:
        help = signature(cls)
    elif said is None or said in cls.model_fields:
        meant = said or meant
        assert meant is not None
        help = f"did you mean `{meant}`?"
        names = [meant]
        if _takes(reader, cls, meant, value) and meant not in given:
            fix = Fix((Edit(argument.name.span, meant),), certain=False)
    elif _ASSIGNS.match(said):
        help = f"write `{said}`"
        fix = Fix((Edit(argument.span, said),), certain=False)
        names = _ASSIGNS.findall(said)
    else:
        help = said
    labels = reader.labels(argument.name)
    reader.found.append(diagnose("T203", *labels, owner=cls.name, name=name, help=help, fix=fix))
    return names


_ASSIGNS = re.compile(r"(\w+)=")


def _only(
    reader: Reader, cls: type[Spec], value: n.Value, given: Mapping[str, object]
) -> str | None:
    """The one argument that must be given and is not, if the value would do for it."""
    lacking = [
        name for name, info in cls.model_fields.items() if info.is_required() and name not in given
    ]
    return lacking[0] if len(lacking) == 1 and _takes(reader, cls, lacking[0], value) else None


def _takes(reader: Reader, cls: type[Spec], name: str, value: n.Value) -> bool:
    """Whether an argument would take a value, be it with a word of advice."""
    trial = reader.trial()
    wanted = cls.model_fields[name].annotation
    if trial.read(value, wanted, name) is not MISSING:
        return True
    return bool(trial.found) and all(d.fix is not None and d.fix.certain for d in trial.found)


def _behind(node: n.Call, argument: n.Argument) -> tuple[str, Fix | None]:
    """What to say of a part of the window, or of the targets, between the brackets."""
    assert argument.name is not None
    text = argument.value.span.text
    if isinstance(argument.value, n.ListValue):
        text = text[1:-1].strip()
    write = f"{argument.name.text} {text}"
    help = f"write `{write}` behind the brackets"
    whole = node.span.source.text
    rest = whole[node.span.end :].split("\n", 1)[0].partition("#")[0]
    if rest.strip() or "\n" in node.span.text or "$" in write:
        return help, None
    kept = [each.span.text for each in node.arguments if each is not argument]
    call = f"{node.name.text}({', '.join(kept)})" if kept else node.name.text
    return help, Fix((Edit(node.span, f"{call} {write}"),), certain=False)


def nothing(node: n.Value) -> bool:
    """Whether a value says that there is to be none."""
    return isinstance(node, n.Call) and node.name.text.lower() in (*NOTHING, "nil", "false")


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


def with_article(kind: str) -> str:
    """A kind as a sentence names one of it."""
    return ARTICLES.get(kind, f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}")


def field_of(
    reader: Reader, cls: type[Spec], value: n.Value, given: Mapping[str, object]
) -> str | None:
    """The argument that a value without a name is probably for: the first it fits."""
    for name, info in cls.model_fields.items():
        if name in given:
            continue
        if info.annotation is bool:  # a bare yes does not say of what
            continue
        trial = replace(reader.trial(), used=set())
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
    if _listed(reader, cls, argument, given):
        return
    named = {a.name.text for a in node.arguments if a.name is not None}
    taken = {**given, **dict.fromkeys(named)}
    name = field_of(reader, cls, argument.value, taken) or _only(reader, cls, argument.value, taken)
    if name is None:
        reader.report("T211", argument, owner=cls.name, help=signature(cls))
        return
    given[name] = argument
    write = f"{name}={argument.value.span.text}"
    reader.report(
        "T211", argument, owner=cls.name, help=f"write `{write}`", fix=write, certain=False
    )


def unnamed(
    reader: Reader, cls: type[Spec], argument: n.Argument, given: dict[str, n.Argument]
) -> None:
    """Report an argument that lost its name, or the part of a number behind a comma."""
    if _listed(reader, cls, argument, given):
        return
    name = field_of(reader, cls, argument.value, given)
    write = f"{name}={argument.value.span.text}" if name else None
    help = f"write `{write}`" if write else None
    if help is None:
        reader.report("T107", argument)
    else:
        reader.report("T107", argument, help=help, fix=write, certain=False)


def _listed(
    reader: Reader, cls: type[Spec], argument: n.Argument, given: dict[str, n.Argument]
) -> bool:
    """Whether this goes on a list without its brackets, `at=50%, 75%`; then it is read as one."""
    start = argument.span.start
    before = [(name, each) for name, each in given.items() if each.span.end <= start]
    if not before:
        return False
    name, first = max(before, key=lambda each: each[1].span.end)
    source, value = first.value.span.source, first.value
    bare = isinstance(value, n.ListValue) and not value.span.text.startswith("[")
    items = value.items if bare and isinstance(value, n.ListValue) else (value,)
    if source.text[first.span.end : start].strip() != ",":
        return False
    span = value.span.to(argument.value.span)
    whole = n.ListValue(span, (*items, argument.value))
    wanted = cls.model_fields[name].annotation
    trial = reader.trial()
    one = trial.read(value, wanted, name) is not MISSING and not bare
    if one or trial.read(whole, wanted, name) is MISSING:
        return False
    if bare:
        reader.found[:] = [d for d in reader.found if d.span != value.span]
    given[name] = replace(first, span=first.span.to(argument.span), value=whole)
    write = f"[{span.text}]"
    reader.report("T144", whole, fix=write, certain=False, found=span.text)
    return True


_PART = re.compile(r"\d+(?:[eE][+-]?\d+)?[%x]?")
"""What may stand behind the comma of a number."""


def decimal_comma(
    reader: Reader, cls: type[Spec], before: n.Argument, argument: n.Argument
) -> bool:
    """Whether this is the part of a number behind a comma (`0,1`); then it is reported."""
    whole, part = before.value, argument.value
    counts = isinstance(whole, n.Literal) and type(whole.value) is int
    numbers = counts and _PART.fullmatch(part.span.text) is not None
    between = whole.span.source.text[whole.span.end : part.span.start]
    if not numbers or between != "," or before.name is None:
        return False
    span = whole.span.to(part.span)
    info = cls.model_fields.get(before.name.text)
    plain = isinstance(part, n.Literal) and type(part.value) is int
    if plain and (info is None or not _fraction(reader, info.annotation, whole)):
        write = f"{whole.span.text}{part.span.text}"
    else:
        write = f"{whole.span.text}.{part.span.text}"
    reader.report("T107", n.Node(span), help=f"write `{write}`", fix=write, certain=False)
    return True


def _fraction(reader: Reader, wanted: Any, whole: n.Value) -> bool:
    """Whether an argument takes numbers that are not whole."""
    half = n.Literal(whole.span, Decimal("0.5"))
    return reader.trial().read(half, wanted, "") is not MISSING
