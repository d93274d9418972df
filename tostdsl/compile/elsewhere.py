"""Calls and arguments as other tools write them, written again as what is valid here.

What a name or an argument is called here, registered classes say; what is offered is a whole that
was read as it would stand in the recipe, and had nothing said against it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from tostdsl import registry
from tostdsl.compile import guess, offers, others
from tostdsl.compile.behind import behind
from tostdsl.compile.calls import build
from tostdsl.compile.values import Reader
from tostdsl.compile.words import MISSING, value_of
from tostdsl.diagnostics import Edit, Fix, diagnose, related
from tostdsl.plan.spec import Spec
from tostdsl.source import Span
from tostdsl.syntax import nodes as n
from tostdsl.units import Duration

MAX_ROUNDS = 3
"""Times that a value is mended by what the reports of it offer."""
MAX_MOMENTS = 12
"""Moments that a message writes out."""
_ASSIGNED = re.compile(r"(\w+)=")
_GLUED = re.compile(r"([A-Za-z]\w*?)_?(\d+)")


# -- calls


def call(reader: Reader, node: n.Call, kind: str) -> tuple[str, Fix] | None:
    """Help and a fix for a name known elsewhere: the valid call, with what it was given."""
    called = others.call_meant(kind, node.name.text)
    glued = None if called is not None else _glued(node, kind)
    write = _rewritten(reader, node, kind, called or glued or "")
    if write is None:
        return None
    help = f"did you mean `{write}`?" if glued else f"here it is called `{write}`"
    return help, Fix((Edit(node.span, write),), certain=False)


def _rewritten(reader: Reader, node: n.Call, kind: str, called: str) -> str | None:
    """A call as it is here, with the arguments that another was given."""
    name, _, own = called.removesuffix(")").partition("(")
    cls, rest = registry.find(kind, name), node.arguments
    if cls is None:
        return None
    if "{value}" in own:
        value = rest[0].value.span.text if rest else None
        field = own.partition("=")[0]
        own = own.format(value=value or value_of(cls.model_fields[field]))
        rest = rest[1:]
    taken = set(_ASSIGNED.findall(own)) or ({str(cls.positional)} if own else set())
    inside = _inside(reader, cls, rest, taken)
    if inside is None:
        return None
    listed = ", ".join([own, *inside] if own else inside)
    return _sound(reader, f"{name}({listed})" if listed else name, kind)


def _glued(node: n.Call, kind: str) -> str | None:
    """`cifar_resnet(8)` for `cifar_resnet8`, where a number may come first."""
    match = _GLUED.fullmatch(node.name.text)
    cls = registry.find(kind, match[1]) if match and not node.arguments else None
    return f"{match[1]}({match[2]})" if match and cls is not None and cls.positional else None


def slot(node: n.Call) -> str | None:
    """`model resnet20(width=2x)` for `model("resnet20", width=2x)`."""
    if not node.arguments or node.arguments[0].name is not None:
        return None
    match node.arguments[0].value:
        case n.Literal(value=str(text)) | n.Call(name=n.Ident(text=text), arguments=()):
            if registry.find(node.name.text, text) is None:
                return None
            inside = ", ".join(argument.span.text for argument in node.arguments[1:])
            return f"{node.name.text} {text}({inside})" if inside else f"{node.name.text} {text}"
    return None


def _inside(
    reader: Reader, cls: type[Spec], arguments: Sequence[n.Argument], taken: set[str]
) -> list[str] | None:
    """The arguments as they are written here; None where one of them cannot be."""
    named = {argument.name.text for argument in arguments if argument.name is not None}
    written = []
    for index, argument in enumerate(arguments):
        field, said = _field(reader, cls, argument, index, taken | named)
        if said is not None and said.startswith("leave it out"):
            continue
        if field is not None and field not in taken:
            text = _adapted(reader, cls, field, argument.value)
            bare = index == 0 and argument.name is None and field == cls.positional
            said = text if bare else f"{field}={text}" if text is not None else None
        if said is None or " " in said.partition("=")[0]:
            return None
        fields = [field] if field is not None else _ASSIGNED.findall(said)
        taken |= set(fields)
        written.append(said)
    return written


def _field(
    reader: Reader, cls: type[Spec], argument: n.Argument, index: int, taken: set[str]
) -> tuple[str | None, str | None]:
    """The argument that one is here; what else is said of it."""
    if argument.name is None:
        if index == 0 and cls.positional is not None:
            return cls.positional, None
        meant = others.argument_said(cls, "") if index == 0 else None
        if meant is None:
            return guess.field_of(reader, cls, argument.value, dict.fromkeys(taken)), None
        return _known(cls, meant), meant
    name = argument.name.text
    said = name if name in cls.model_fields else _meant(reader, cls, argument)
    return _known(cls, said or related(name, cls.model_fields)), said


def _known(cls: type[Spec], name: str | None) -> str | None:
    return name if name is not None and name in cls.model_fields else None


def _meant(reader: Reader, cls: type[Spec], argument: n.Argument) -> str | None:
    every = _every(reader.length, argument.value)
    return others.argument_meant(cls, argument, {"every": every} if every else {})


def _every(length: Duration | None, value: n.Value) -> str | None:
    """The moments of training that lie so far apart, as a list."""
    match value:
        case n.Literal(value=int(step)) if length is not None and 0 < step < length.value:
            count = (length.value - 1) // step
            unit = length.unit.removesuffix("s")
            listed = ", ".join(f"{unit} {step * each}" for each in range(1, count + 1))
            return f"[{listed}]" if count <= MAX_MOMENTS else None
    return None


def _adapted(reader: Reader, cls: type[Spec], field: str, value: n.Value) -> str | None:
    """A value as an argument takes it, mended by what the reports of it would write."""
    text = value.span.text
    for _ in range(MAX_ROUNDS):
        reader.budget.tries -= 1
        node = offers.parsed(text) if reader.budget.tries > 0 else None
        if node is None:
            return None
        trial = reader.trial()
        read = trial.read(node, cls.model_fields[field].annotation, field)
        if not trial.found:
            return text if read is not MISSING else None
        edits = {edit for d in trial.found if d.fix is not None for edit in d.fix.edits}
        if not edits or any(edit.span.source is not node.span.source for edit in edits):
            return None
        for edit in sorted(edits, key=lambda edit: -edit.span.start):
            start, end = (at - node.span.start for at in (edit.span.start, edit.span.end))
            text = text[:start] + edit.text + text[end:]
    return None


def _sound(reader: Reader, write: str, kind: str) -> str | None:
    """A call, if nothing is to be said against it."""
    reader.budget.tries -= 1
    node = offers.parsed(write) if reader.budget.tries > 0 else None
    trial = reader.trial()
    if node is None or build(trial, node, kind) is None or trial.found:
        return None
    return write


# -- arguments


def first(reader: Reader, cls: type[Spec], argument: n.Argument) -> bool:
    """Report a first argument without its name, where that is one elsewhere: `flip(0.5)`."""
    meant = others.argument_said(cls, "")
    if meant is None:
        return False
    field = _known(cls, meant)
    if field is None:
        reader.report("T211", argument, meant, owner=cls.name)
        return True
    text = _adapted(reader, cls, field, argument.value)
    write = f"{field}={text or argument.value.span.text}"
    fix = write if text is not None else None
    reader.report("T211", argument, f"write `{write}`", fix, False, owner=cls.name)
    return True


def explained(
    reader: Reader,
    node: n.Call,
    cls: type[Spec],
    unknown: Sequence[n.Argument],
    given: Mapping[str, n.Argument],
) -> tuple[list[n.Argument], list[str]]:
    """Report the unknown arguments that habits of other tools explain as a whole.

    Returns:
        Those that are still to be reported, and the arguments that the others were meant for.
    """
    rest: list[n.Argument] = []
    done: list[n.Argument] = []
    meant: list[str] = []
    left = behind(reader, node, cls, unknown)
    for argument in left:
        if argument in done:
            continue
        assert argument.name is not None
        said = others.argument_said(cls, argument.name.text)
        if said is not None and (beside := _beside(said, left)):
            field = _together(reader, node, cls, argument, beside, given)
            done += beside
        elif said is not None and "{every}" in said:
            field = _together(reader, node, cls, argument, [argument], given)
        elif said is not None and " " in said:
            field = _instead(reader, cls, argument, said, given)
        else:
            field = _mended(reader, cls, argument, said, given)
        if field is None:
            rest.append(argument)
        else:
            meant.append(field)
    return rest, meant


def _mended(
    reader: Reader,
    cls: type[Spec],
    argument: n.Argument,
    said: str | None,
    given: Mapping[str, n.Argument],
) -> str | None:
    """Report an argument of another name whose value needs mending too: what it is here."""
    assert argument.name is not None
    field = _known(cls, said or related(argument.name.text, cls.model_fields))
    if field is None or field in given:
        return None
    text = _adapted(reader, cls, field, argument.value)
    if text is None or text == argument.value.span.text:
        return None
    write = f"{field}={text}"
    _tell(reader, cls, argument, write, [Edit(argument.span, write)])
    return field


def _instead(
    reader: Reader,
    cls: type[Spec],
    argument: n.Argument,
    said: str,
    given: Mapping[str, n.Argument],
) -> str | None:
    """Report an argument in whose place one must be given that is not: that one."""
    assert argument.name is not None
    for field in _ASSIGNED.findall(said):
        info = cls.model_fields.get(field)
        if info is not None and info.is_required() and field not in given:
            help = others.argument_meant(cls, argument)
            values = {"owner": cls.name, "name": argument.name.text}
            labels = reader.labels(argument.name)
            reader.found.append(diagnose("T203", *labels, help=help, fix=None, **values))
            return str(field)
    return None


def _beside(said: str, unknown: Sequence[n.Argument]) -> list[n.Argument]:
    """The arguments whose values an answer speaks of."""
    return [each for each in unknown if each.name is not None and f"{{{each.name.text}}}" in said]


def _together(
    reader: Reader,
    node: n.Call,
    cls: type[Spec],
    argument: n.Argument,
    beside: Sequence[n.Argument],
    given: Mapping[str, n.Argument],
) -> str | None:
    """Report an argument that says one of here with others, or with what training is."""
    assert argument.name is not None
    field = (others.argument_said(cls, argument.name.text) or "").partition("=")[0]
    every = _every(reader.length, argument.value)
    more = {each.name.text: each.value.span.text for each in beside[::-1] if each.name is not None}
    write = others.argument_meant(cls, argument, {**more, **({"every": every} if every else {})})
    if field not in cls.model_fields:
        return None
    bare = field == cls.positional and len(beside) == len(node.arguments)
    if write is None or field in given:
        example = value_of(cls.model_fields[field])
        write = f"{cls.name}({example})" if bare else f"{field}={example}"
        _tell(reader, cls, argument, write, [])
        return field
    write = write.partition("=")[2] if bare else write
    edits = [Edit(argument.span, write)]
    for before, each in pairwise(node.arguments):
        if each in beside and each is not argument:
            edits.append(Edit(Span(each.span.source, before.span.end, each.span.end), ""))
    _tell(reader, cls, argument, f"{cls.name}({write})" if bare else write, edits)
    return field


def _tell(
    reader: Reader, cls: type[Spec], argument: n.Argument, write: str, edits: Sequence[Edit]
) -> None:
    assert argument.name is not None
    fix = Fix(tuple(edits), certain=False) if edits and reader.place is None else None
    labels = reader.labels(argument.name)
    values = {"owner": cls.name, "name": argument.name.text}
    reader.found.append(diagnose("T203", *labels, help=f"write `{write}`", fix=fix, **values))
