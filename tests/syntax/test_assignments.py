"""Files of values: read as a recipe reads `param`, every place in the file itself."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.strategies import comments, values
from tostdsl.source import Source
from tostdsl.syntax.assignments import parse_assignments
from tostdsl.syntax.parser import parse

NAME = st.sampled_from(["s", "w_1", "epoch", "over", "seed", "param"])
LINE = st.tuples(NAME, st.sampled_from(["=", " = ", "  =\t"]), values).map("".join)
law = settings(max_examples=80, deadline=None)


@law
@given(st.lists(LINE | comments | st.just(""), max_size=5))
def test_a_line_says_what_a_param_says(lines: list[str]) -> None:
    """The values are those of the same text behind `param`, and stand where they are written."""
    text = "\n".join(lines)
    said, found = parse_assignments(Source("v", text))
    assert [] == found
    same, _ = parse(Source("v", "\n".join(f"param {x}" if x and x[0] != "#" else x for x in lines)))
    assert list(same.statements) == said
    for param in said:
        assert param.name.text == param.name.span.text
        assert text[param.value.span.start : param.value.span.end] == param.value.span.text
        assert param.span.text.startswith(param.name.text)


@law
@given(st.text() | st.text(alphabet='ab =$()[]"#%\n\\x1é'))
def test_any_text_is_read(text: str) -> None:
    """Whatever a file holds, mistakes are diagnostics with places in it."""
    _, found = parse_assignments(Source("v", text))
    for diagnostic in found:
        for label in diagnostic.labels:
            assert "v" == label.span.source.name
            assert 0 <= label.span.start <= label.span.end <= len(text) + 1
