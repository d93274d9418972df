"""Statements that are read although something in them cannot be."""

from __future__ import annotations

import pytest

from tests.syntax.slips import SKIPPED
from tostdsl.diagnostics import Diagnostic
from tostdsl.source import Source
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import parse


def read(text: str) -> tuple[tuple[n.Statement, ...], list[Diagnostic]]:
    file, found = parse(Source("r.tost", text))
    return file.statements, found


def text_of(item: object) -> str:
    """Nodes as text, with a bare `$` for what was dropped."""
    match item:
        case n.Reference(name=name):
            return f"${name}"
        case n.Call(name=name, arguments=arguments):
            return f"{name.text}({', '.join(map(text_of, arguments))})"
        case n.Argument(name=name, value=value):
            return f"{name.text}={text_of(value)}" if name else text_of(value)
        case n.ListValue(items=items):
            return f"[{', '.join(map(text_of, items))}]"
        case n.Bound(word=word, value=value):
            return f"{word.text} {text_of(value)}"
        case _:
            return repr(item)


@pytest.mark.parametrize(("text", "code", "rest"), SKIPPED)
def test_what_cannot_be_read_is_skipped_and_the_rest_read(text: str, code: str, rest: str) -> None:
    """One report, and the statement as if only the value that is wrong were missing."""
    statements, found = read(text)
    assert [code] == [d.code for d in found]
    right, _ = read(rest.replace("$", "$lost"))
    assert str(right).replace("'lost'", "''") == str(statements)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("sgd(lr=, momentum=@, weight_decay=5x, nesterov=)", ["T101", "T105", "T101"]),
        ("a(b=[1 2, @], c=) until @ on conv", ["T102", "T105", "T101", "T105"]),
        ("a(b=1,, c== 2) until until epoch 4", ["T134", "T135", "T134"]),
    ],
)
def test_mistakes_of_one_statement_are_all_reported(text: str, codes: list[str]) -> None:
    """As many reports as mistakes."""
    assert sorted(codes) == sorted(d.code for d in read(text)[1])


def test_a_statement_of_nothing_but_mistakes_is_given_up() -> None:
    """It costs no more than a few repairs."""
    _, found = read("a(" + ", ".join(["b=@"] * 500) + ")")
    assert 30 > len(found)
