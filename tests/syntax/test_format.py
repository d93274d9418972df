"""The canonical layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tostdsl.source import Source
from tostdsl.syntax import format as layout
from tostdsl.syntax.format import format_text
from tostdsl.syntax.nodes import File

FOLDER = Path(__file__).parent.parent / "fmt"
PAIRS = sorted(path.name.removesuffix(".before.tost") for path in FOLDER.glob("*.before.tost"))
LINES = (FOLDER / "identity.txt").read_text(encoding="utf-8").splitlines()


def formatted(text: str, width: int = 88) -> str:
    result, found = format_text(Source("a.tost", text), width)
    assert [] == found
    assert result is not None
    return result


def stored(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAIRS)
def test_before_becomes_after(name: str) -> None:
    """Each stored file becomes its canonical form, which stays as it is."""
    expected = stored(f"{name}.after.tost")
    assert expected == formatted(stored(f"{name}.before.tost"))
    assert expected == formatted(expected)


@pytest.mark.parametrize("line", LINES)
def test_a_canonical_line_stays(line: str) -> None:
    """A line in canonical form is not touched, nor is it with spaces around."""
    assert f"{line}\n" == formatted(line)
    assert f"{line}\n" == formatted(f"\n\t{line} \r\n\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a(x=1.0, y=-0, z=007)", "a(x=1, y=0, z=7)"),
        ("a(x=2E-4, y=.50, z=1000000.0)", "a(x=2e-4, y=0.5, z=1e6)"),
        ("a(x=90.0%, y=2.00x, z=02:04)", "a(x=90%, y=2x, z=2:4)"),
        ("a(x=epoch  2.0, y=1 epochs, z=2 step)", "a(x=epoch 2, y=1 epoch, z=2 steps)"),
        ("a ( ) on b ( )", "a on b"),
        ("a(x=[1,],)", "a(x=[1])"),
        ("a(x=1->$  b)", "a(x=1 -> $b)"),
        ("a at 1% for 1 step until 2% from 3%", "a from 3% until 2% for 1 step at 1%"),
        ("expect m>=1", "expect m >= 1"),
        ("a(\n  x=1,\n)", "a(x=1)"),
    ],
)
def test_values_have_one_spelling(text: str, expected: str) -> None:
    """Numbers, units, empty brackets, trailing commas and windows are written one way."""
    assert f"{expected}\n" == formatted(text)


def test_a_block_of_slots_shares_a_column() -> None:
    """Blank lines, comments on their own line and other statements end a block."""
    text = "model a\nseed 1\n\noptimizer b\n# c\ndata d # e\ntrain for 1 epoch\nghost\nmask f\n"
    expected = (
        "model a\nseed  1\n\noptimizer b\n# c\ndata  d  # e\ntrain for 1 epoch\nghost\nmask f\n"
    )
    assert expected == formatted(text)


@pytest.mark.parametrize("text", ["", "\n", " \t\r\n\n"])
def test_an_empty_file_stays_empty(text: str) -> None:
    """No statement and no comment is no text."""
    assert "" == formatted(text)


def test_line_ends_become_line_feeds() -> None:
    """Also in text that is kept."""
    text = "seed  1\r\n\r\n# fmt: off\r\na( )\r\n\r\n# fmt: on\r\n"
    assert "seed 1\n\n# fmt: off\na( )\n\n# fmt: on\n" == formatted(text)
    assert "# fmt: off\nseed   3\n" == formatted("# fmt: off\nseed   3\n\r")
    assert "# fmt: off\n" == formatted("# fmt: off\n\r\r")


def test_width_is_respected_where_brackets_allow() -> None:
    """At width 1 every bracket is broken; a wide line is never broken without need."""
    expected = "a(\n    x=[\n        b(\n            1,\n        ),\n        c,\n    ],\n) on d\n"
    assert expected == formatted("a(x=[b(1), c]) on d", width=1)
    assert "a(x=[b(1), c]) on d\n" == formatted(expected, width=999)


def test_a_file_with_mistakes_has_no_layout() -> None:
    """The mistakes come back in its place."""
    result, found = format_text(Source("a.tost", "seed 1\na(x 1)\nb @"))
    assert result is None
    assert ["T102", "T105"] == [diagnostic.code for diagnostic in found]


@pytest.mark.parametrize("wrong", ["seed 2\n", "seed 1\n", "seed  1  # c\n", "seed @  # c\n"])
def test_a_wrong_layout_is_not_handed_out(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another meaning, a lost comment, no fixed point, no recipe: the text stays as it is."""

    def broken(file: File, width: int) -> str:
        return wrong if file.source.text == text else "seed 1  # c\n"

    text = "seed   1 # c"
    monkeypatch.setattr(layout, "format_file", broken)
    result, found = format_text(Source("a.tost", text))
    assert text == result
    assert ["T111"] == [diagnostic.code for diagnostic in found]
