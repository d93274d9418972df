"""Text that is no recipe but sets a recipe's params: `NAME = value`, one a line, with comments."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

from tostdsl.diagnostics import Diagnostic, diagnose
from tostdsl.source import Source, Span
from tostdsl.syntax import nodes as n
from tostdsl.syntax.layout import cut
from tostdsl.syntax.parser import parse

_WORD = "param "
"""What makes a statement of an assignment; places are moved back by its length."""
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\s*=")
_FORMS = re.compile(r"\s*(\{|\[|---)")
"""How JSON begins, and how YAML may."""
_ENTRY = re.compile(r"[\"']?([A-Za-z_][A-Za-z0-9_]*)[\"']?:[ \t]*(\S[^\n`]{0,40})")
"""`name: value`."""
_FIRST = re.compile(r"\S+")

T = TypeVar("T")


def parse_assignments(source: Source) -> tuple[list[n.Param], list[Diagnostic]]:
    """The assignments of a text, and every mistake in their form at its place in it."""
    given: list[n.Param] = []
    found: list[Diagnostic] = []
    help: str | None
    form = _FORMS.match(source.text)
    if form is not None:
        help = "this looks like JSON or YAML; a line is `NAME = value`, such as `sparsity = 95%`"
        return [], [diagnose("T120", source.span(*form.span(1)), text=form[1], help=help)]
    chunks, comments = cut(source)
    for comment in comments:
        _, mistakes = parse(Source(source.name, comment.text))
        found += _moved(mistakes, source, comment.span.start, comment.span.start)
    for chunk in chunks:
        text = source.text[chunk.start : chunk.end]
        if not _ASSIGNMENT.match(text):
            first = _FIRST.match(text)
            span = source.span(chunk.start, chunk.start + (first.end() if first else 1))
            entry = _ENTRY.fullmatch(text)
            help = f"write `{entry[1]} = {entry[2]}`" if entry else None
            found.append(diagnose("T120", span, text=span.text, help=help))
            continue
        file, mistakes = parse(Source(source.name, _WORD + text))
        found += _moved(mistakes, source, chunk.start, chunk.start - len(_WORD))
        given += [
            _moved(statement, source, chunk.start, chunk.start - len(_WORD))
            for statement in file.statements
            if isinstance(statement, n.Param)
        ]
    return given, found


def _moved(item: T, source: Source, least: int, offset: int) -> T:
    """The same with every span in it moved to where its text stands in `source`, from `least`."""
    if isinstance(item, Span):
        start = max(least, item.start + offset)
        return cast("T", source.span(start, max(start, item.end + offset)))
    if isinstance(item, tuple | list):
        return cast("T", type(item)(_moved(part, source, least, offset) for part in item))
    if is_dataclass(item) and not isinstance(item, type):
        parts = {f.name: getattr(item, f.name) for f in fields(item) if f.init}
        changed = {name: _moved(part, source, least, offset) for name, part in parts.items()}
        return cast("T", replace(item, **changed))
    return item
