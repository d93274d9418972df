"""What holds of any text at all, through the whole front end."""

from __future__ import annotations

import json
from pathlib import Path

from tostdsl.compile.compiler import Compiled, compile_source
from tostdsl.diagnostics import Diagnostic, render_github, render_json
from tostdsl.diagnostics.render import render, render_all
from tostdsl.source import Source, Span
from tostdsl.syntax.format import format_text
from tostdsl.syntax.parser import parse

NOWHERE = Path("/nonexistent/recipe.tost")
"""Where texts are said to lie, so that `extends` looks for files and finds none."""


def hold(text: str, twice: bool = True) -> Compiled:
    """Every law over one text; `AssertionError` names the one that does not hold.

    `twice` also does all of it a second time, with the same result.
    """
    source = Source("recipe.tost", text)
    file, mistakes = parse(source)
    for statement in file.statements:
        assert 0 <= statement.span.start < statement.span.end <= len(text), statement
    compiled = compile_source(source, NOWHERE)
    if twice:
        again = compile_source(source, NOWHERE)
        assert compiled.diagnostics == again.diagnostics, "checking is a function of the text"
        assert [v.plan for v in compiled.variants] == [v.plan for v in again.variants]
    assert bool(compiled.errors) or all(v.plan is not None for v in compiled.variants)
    for diagnostic in compiled.diagnostics:
        well_placed(diagnostic)
        shown = render(diagnostic, width=40) + render(diagnostic, colour=True)
        assert shown.startswith(str(diagnostic.severity))
        assert all(c.isprintable() or c in "\n\x1b" for c in shown), "nothing controls a terminal"
        json.dumps(diagnostic.to_json())
    render_all(compiled.diagnostics)
    render_github.render(compiled.diagnostics)
    render_json.render(compiled.diagnostics)
    formatted(source, bool([d for d in mistakes if d.severity == "error"]))
    return compiled


def well_placed(diagnostic: Diagnostic) -> None:
    """Every span lies in its source, and a fix changes no place twice."""
    for label in diagnostic.labels:
        inside(label.span)
    edits = diagnostic.fix.edits if diagnostic.fix is not None else ()
    ends: dict[int, int] = {}
    for edit in sorted(edits, key=lambda edit: (edit.span.start, edit.span.end)):
        inside(edit.span)
        key = id(edit.span.source)
        assert ends.get(key, 0) <= edit.span.start, "edits of one fix do not overlap"
        ends[key] = edit.span.end


def inside(span: Span) -> None:
    """A span is a range of its source."""
    assert 0 <= span.start <= span.end <= len(span.source.text), span


def formatted(source: Source, wrong: bool) -> None:
    """The formatter changes no meaning and is a fixed point, or gives nothing."""
    text, found = format_text(source)
    if text is None:
        assert wrong
        return
    assert "T111" not in [d.code for d in found], "the formatter finds its own result safe"
    again = Source(source.name, text)
    assert parse(source)[0].statements == parse(again)[0].statements
    assert text == format_text(again)[0]
