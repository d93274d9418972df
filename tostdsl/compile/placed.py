"""Reports of a file's form, with what only the registry knows of what was meant.

The syntax knows no registry; here `lr = 0.1` is known for an argument of optimizers, and
`mask lottery 90%` for one whose argument is called `sparsity`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tostdsl import registry
from tostdsl.compile import guess, others
from tostdsl.compile.values import Reader
from tostdsl.diagnostics import Diagnostic, Edit, Fix, related, twins
from tostdsl.plan.spec import Spec
from tostdsl.source import Source, Span
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import parse
from tostdsl.units import Pattern

_RATIO = re.compile(r"(\d+)\s*/\s*(\d+)")
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\s*[=:]*\s*([^\s#=:][^\n#]{0,40})")


def at_home(found: Sequence[Diagnostic], file: n.File) -> list[Diagnostic]:
    """The reports of a file's form, those that the registry can say more of with what it says."""
    return list(_each(found, file))


def _each(found: Sequence[Diagnostic], file: n.File) -> Iterator[Diagnostic]:
    for d in found:
        if d.code in ("T103", "T132"):
            yield _assigned(d, file)
        elif d.code == "T137":
            placed = _bracketed(d, file)
            if placed is not None:
                yield placed
        elif d.code == "T145":
            yield _pattern(d, file)
        else:
            yield d


# -- arguments without brackets


def _bracketed(diagnostic: Diagnostic, file: n.File) -> Diagnostic | None:
    """`mask lottery 90%`: with the argument's name; None where that is the name of another."""
    fix, span = diagnostic.fix, diagnostic.span
    statement = _around(file, span)
    if fix is None or statement is None or not statement.call.arguments:
        return diagnostic
    kind = statement.word.text if isinstance(statement, n.Slot) else "technique"
    call, first = statement.call, statement.call.arguments[0]
    cls = registry.find(kind, call.name.text)
    if first.name is not None:
        return diagnostic
    if cls is None:
        whole = call.name.text + first.value.span.text  # `model resnet 18`
        names = registry.names(kind)
        return None if whole in names or twins(whole, names) else diagnostic
    if cls.positional is not None:
        return replace(diagnostic, fix=Fix(fix.edits))
    name, certain = _name_of(cls, first.value)
    if name is None:
        return diagnostic
    opening = f"({name}="
    edits = tuple(replace(e, text=opening) if e.text == "(" else e for e in fix.edits)
    help = (diagnostic.help or "").replace("(", opening, 1)
    return replace(diagnostic, help=help, fix=Fix(edits, certain))


def _pattern(diagnostic: Diagnostic, file: n.File) -> Diagnostic:
    """`nm(2/4)`: where a pattern is wanted, that is one."""
    span = diagnostic.span
    match = _RATIO.fullmatch(span.text) if span is not None else None
    statement = _around(file, span)
    if span is None or match is None or statement is None:
        return diagnostic
    kind = statement.word.text if isinstance(statement, n.Slot) else "technique"
    cls = registry.find(kind, statement.call.name.text)
    for argument in statement.call.arguments:
        inside = argument.span.start <= span.start and span.end <= argument.span.end
        if cls is None or not inside:
            continue
        name = argument.name.text if argument.name is not None else cls.positional
        if name in cls.model_fields and cls.model_fields[name].annotation is Pattern:
            write = f"{match[1]}:{match[2]}"
            fix = Fix((Edit(span, write),), certain=False)
            return replace(diagnostic, help=f"write `{write}`", fix=fix)
    return diagnostic


def _around(file: n.File, span: Span | None) -> n.Slot | n.Stage | None:
    """The statement that a span lies in, where it is one with a call."""
    for statement in file.statements:
        if span is None or not isinstance(statement, n.Slot | n.Stage):
            continue
        if statement.span.start <= span.start and span.end <= statement.span.end:
            return statement
    return None


def _name_of(cls: type[Spec], value: n.Value) -> tuple[str | None, bool]:
    """The argument that a value without a name is for, and whether it can be for no other."""
    needed = [name for name, info in cls.model_fields.items() if info.is_required()]
    if isinstance(value, n.Reference):
        return (needed[0] if len(needed) == 1 else None), False
    name = guess.field_of(Reader({}, []), cls, value, {})
    return name, needed == [name]


# -- arguments as statements


def _assigned(diagnostic: Diagnostic, file: n.File) -> Diagnostic:
    span = diagnostic.span
    if span is None or (diagnostic.fix is not None and diagnostic.code == "T103"):
        return diagnostic
    line = span.source.text[span.start :].split("\n", 1)[0]
    match = _ASSIGNED.match(line)
    if match is None:
        return diagnostic
    word, value = match.groups()
    called = others.call_meant("technique", word)
    if called is not None and "{value}" in called:
        write = called.format(value=value.strip())
        place = Span(span.source, span.start, span.start + len(match.group().rstrip()))
        whole = Fix((Edit(place, write),), certain=False)
        return replace(diagnostic, help=f"write `{write}`", fix=whole)
    if registry.find("technique", word) is not None:
        start = span.start + match.start(2)
        value = re.split(r"\s+(?=(?:from|until|for|at|on|except)\s)", value, maxsplit=1)[0]
        place = Span(span.source, start, start + len(value.rstrip()))
        read, mistakes = parse(Source("", f"param p = {place.text}"))
        for param in read.statements:
            if isinstance(param, n.Param) and not mistakes:
                help, fix = guess.setting(word, param.value, place)
                return replace(diagnostic, help=help, fix=fix)
    for slot in guess.SLOTS:
        home = _home(slot, word, file)
        if home is None:
            continue
        call, field = home
        write = f"`{slot} {call}({field}={value.strip()})`"
        help = f"`{field}` is an argument of {guess.with_article(slot)}: write {write}"
        if diagnostic.code == "T132":
            help = (
                f"to name a value, write `param {word} = {value.strip()}`; as an argument, {write}"
            )
        return replace(diagnostic, help=help)
    return diagnostic


def _home(slot: str, word: str, file: n.File) -> tuple[str, str] | None:
    """What in this slot has an argument of such a name: the file's own choice before others."""
    own = [
        s.call.name.text for s in file.statements if isinstance(s, n.Slot) and s.word.text == slot
    ]
    usual = [guess.DEFAULTS[slot]] if slot in guess.DEFAULTS else []
    for name in [*own, *usual, *([] if own else registry.names(slot))]:
        cls = registry.find(slot, name)
        field = related(word, cls.model_fields) if cls is not None else None
        if cls is not None and field is not None and _same(word, field):
            return name, field
    return None


def _same(word: str, field: str) -> bool:
    return field == word or field in word.split("_") or len(field) < len(word) // 2
