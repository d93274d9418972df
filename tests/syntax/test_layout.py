"""Cutting a text into statements."""

from __future__ import annotations

import pytest

from tostdsl.source import Source
from tostdsl.syntax.layout import cut


def chunks(text: str) -> list[str]:
    return [text[chunk.start : chunk.end] for chunk in cut(Source("a.tost", text))[0]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n \t\r\n\f\n", []),
        ("seed 1", ["seed 1"]),
        ("  seed 1  \r\nskip\n", ["seed 1", "skip"]),
        ("a(\n  x=1,\n)\nb", ["a(\n  x=1,\n)", "b"]),
        ("a([\n1\n,\n2\n]\n)\nb", ["a([\n1\n,\n2\n]\n)", "b"]),
        ("a(\ncrop,\nflip)\nb", ["a(\ncrop,\nflip)", "b"]),
        ("a(x=\nflip)", ["a(x=\nflip)"]),
        ("a(x=1 ->\nb)", ["a(x=1 ->\nb)"]),
        ("a([\nepoch 1,\nstep 2])", ["a([\nepoch 1,\nstep 2])"]),
        ("a # b\nc", ["a", "c"]),
        ('a "#" b', ['a "#" b']),
        ('a "(" \nb', ['a "("', "b"]),
        ('a "\\"(" \nb', ['a "\\"("', "b"]),
        ("a ) ] \nb", ["a ) ]", "b"]),
    ],
)
def test_a_line_end_ends_a_statement_outside_brackets(text: str, expected: list[str]) -> None:
    """Line ends inside brackets, and brackets inside strings and comments, end nothing."""
    assert expected == chunks(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a(x=1\nseed 1", ["a(x=1", "seed 1"]),
        ("a(x=1,\nseed 1", ["a(x=1,", "seed 1"]),
        ("a(x=[1,\ntrain for 1 epoch\nb", ["a(x=[1,", "train for 1 epoch", "b"]),
        ("a(x=1\nghost(y=2)", ["a(x=1", "ghost(y=2)"]),
        ('a(x=1\nrecipe x "t"\nb', ["a(x=1", 'recipe x "t"', "b"]),
        ("a(x=1\n  y=2)\nb", ["a(x=1\n  y=2)", "b"]),
        ('a "open\nb', ['a "open', "b"]),
    ],
)
def test_a_forgotten_bracket_ends_with_its_line(text: str, expected: list[str]) -> None:
    """What cannot go on inside brackets is a statement of its own."""
    assert expected == chunks(text)


def test_comments_know_whether_they_stand_alone() -> None:
    """A comment is alone when nothing but space stands before it on its line."""
    text = '# a\n  # b\nseed 1 # c \r\nx( # d\n# e "(\n) # f\n"#" # g'
    comments = cut(Source("a.tost", text))[1]
    expected = [
        *[("# a", True), ("# b", True), ("# c", False), ("# d", False)],
        *[('# e "(', True), ("# f", False), ("# g", False)],
    ]
    assert expected == [(comment.text, comment.alone) for comment in comments]
    assert [c.text for c in comments] == [c.span.text for c in comments]


def test_brackets_and_strings_left_open_are_remembered() -> None:
    """A chunk says which brackets are open at its end, how deep it went, and where a string is."""
    (chunk,) = cut(Source("a.tost", 'a([b(1)] "x'))[0]
    assert [("(", 1)] == chunk.open
    assert 3 == chunk.depth
    assert ['"x'] == [span.text for span in chunk.unclosed]
