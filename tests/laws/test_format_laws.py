"""What the formatter promises, over generated recipes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import damaged, recipes
from tostdsl.source import Source
from tostdsl.syntax.format import format_file, format_text
from tostdsl.syntax.nodes import File
from tostdsl.syntax.parser import parse

WIDTHS = st.sampled_from([1, 20, 88])
law = settings(max_examples=120, deadline=None)


def read(text: str) -> File:
    file, found = parse(Source("recipe.tost", text))
    assert [] == found, text
    return file


def bare(file: File) -> Counter[str]:
    """The comments, whatever the space after their `#`."""
    return Counter(c.text.replace(" ", "") for c in file.comments)


@given(recipes(), WIDTHS)
@law
def test_format_keeps_what_a_file_says(text: str, width: int) -> None:
    """`parse(format(text)) == parse(text)`, at any width, and no comment is lost."""
    file = read(text)
    again = read(format_file(file, width))
    assert file.statements == again.statements
    assert bare(file) == bare(again)


@given(recipes(), WIDTHS)
@law
def test_format_is_a_fixed_point(text: str, width: int) -> None:
    """`format(format(text)) == format(text)`, at any width."""
    once = format_file(read(text), width)
    assert once == format_file(read(once), width)


@given(recipes())
@law
def test_format_text_never_gives_up_on_a_right_file(text: str) -> None:
    """`format_text` finds its own result safe, and it is the layout of `format_file`."""
    assert (format_file(read(text)), []) == format_text(Source("recipe.tost", text))


@given(recipes())
@law
def test_lines_end_one_way(text: str) -> None:
    """The result ends with one line end and has no two blank lines outside kept text."""
    result = format_file(read(text))
    assert result == "" or (result.endswith("\n") and not result.startswith("\n"))
    assert "\r\n" not in result
    if "fmt:" not in text:
        assert "\n\n\n" not in result
        assert not result.endswith("\n\n")


@given(st.text() | st.text(alphabet='ab ()[]",=#$->.%x:1e\\\n\té'))
@law
def test_any_text_is_read(text: str) -> None:
    """Neither the parser nor the formatter raises, and every statement lies in the text."""
    file, found = parse(Source("recipe.tost", text))
    assert all(0 <= s.span.start < s.span.end <= len(text) for s in file.statements)
    assert (format_text(Source("recipe.tost", text))[0] is None) == bool(found)


@given(damaged())
@law
def test_a_damaged_recipe_is_read(text: str) -> None:
    """A slip of the keyboard makes diagnostics with places, or another right file."""
    source = Source("recipe.tost", text)
    _, found = parse(source)
    assert all(d.span is not None and 0 <= d.span.start <= len(text) for d in found)
    result, again = format_text(source)
    assert found == again
    assert (result is None) == bool(found)


@pytest.mark.parametrize("width", [1, 20, 88])
def test_an_empty_file_stays_empty(width: int) -> None:
    """Nothing but blank lines becomes the empty text."""
    assert format_file(read("\n \r\n\t\n"), width) == ""
