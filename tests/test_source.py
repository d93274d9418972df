"""Offsets, lines and columns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tostdsl.source import Source

texts = st.text(alphabet="ab\n\r\té漢", max_size=40)


@given(texts, st.data())
def test_positions_count_lines_and_columns(text: str, data: st.DataObject) -> None:
    """An offset's line and column are those found by walking to it."""
    offset = data.draw(st.integers(0, len(text)))
    before = text[:offset].split("\n")
    assert (len(before), len(before[-1]) + 1) == Source("a", text).position(offset)


@given(texts)
def test_lines_are_the_texts_lines(text: str) -> None:
    """Every line starts after a line feed and is shown without its end."""
    source = Source("a", text)
    for number, line in enumerate(text.split("\n"), 1):
        assert line.rstrip("\r") == source.line_text(number)
        start = source.line_start(number)
        assert start == 0 or text[start - 1] == "\n"
        assert text[start:].startswith(line)


def test_spans() -> None:
    """A span knows its text and place, and reaches to another."""
    source = Source("dir/a.tost", "seed 1\nskip on conv\n")
    first, last = source.span(7, 11), source.span(15, 19)
    assert ("skip", 2, 1) == (first.text, first.line, first.column)
    assert "skip on conv" == first.to(last).text
    assert "skip on conv" == source.span(7, 19).to(first).text
    assert "dir/a.tost:2:9" == str(last)
