"""Diagnostics as text for a terminal."""

from __future__ import annotations

import re

from tostdsl.diagnostics import Diagnostic, Label, Severity, TostError, diagnose
from tostdsl.diagnostics.render import render, render_all
from tostdsl.source import Source

RECIPE = Source("a.tost", "train for 30 epochs\r\nghost(width=2x)\tuntil epoch 40\n")


def late() -> Diagnostic:
    window = RECIPE.span(RECIPE.text.index("until"), RECIPE.text.rindex("\n"))
    train = RECIPE.span(0, RECIPE.text.index("\r"))
    return diagnose(
        "T401", window, Label(train, "training ends here"), help="write `30`", end="epoch 40"
    )


def test_lines_are_shown_with_what_is_wrong_underlined() -> None:
    """The first place is marked with ^, the others with - and their reason."""
    expected = """\
error[T401]: this window ends at epoch 40, after training does
 --> a.tost:2:17
  |
2 | ghost(width=2x) until epoch 40
  |                 ^^^^^^^^^^^^^^
1 | train for 30 epochs
  | ------------------- training ends here
  = help: write `30`"""
    assert expected == render(late())


def test_a_line_is_shown_once() -> None:
    """Two places on one line share it."""
    source = Source("a.tost", "a(x=1, x=2)")
    found = diagnose("T206", source.span(7, 8), Label(source.span(2, 3), "first"), name="x")
    expected = """\
error[T206]: argument `x` is given twice
 --> a.tost:1:8
  |
1 | a(x=1, x=2)
  |        ^
  |   - first
  = help: keep one of the two"""
    assert expected == render(found)


def test_another_file_is_named() -> None:
    """A place in a second file says which."""
    base = Source("base.tost", "\n" * 9 + "seed 1")
    found = diagnose("T205", Source("a.tost", "seed 2").span(0, 6), base.span(9, 15), name="seed")
    expected = """\
error[T205]: `seed` is set twice
  --> a.tost:1:1
   |
 1 | seed 2
   | ^^^^^^
  ::: base.tost:10:1
   |
10 | seed 1
   | ------
   = help: keep one of the two"""
    assert expected == render(found)


def test_without_a_place() -> None:
    """A message without a text is its head and help."""
    expected = "error[R901]: internal error: x\n  = help: please report it with the recipe"
    assert expected == render(diagnose("R901", reason="x"))


def test_an_underline_stays_in_its_line() -> None:
    """A place over several lines marks the first; an empty one, or the end, marks one column."""
    source = Source("a.tost", "a(x=[\n1\n")
    for start, end, expected in ((4, 8, "    ^"), (5, 5, "     ^"), (8, 9, "^")):
        lines = render(diagnose("T104", source.span(start, end))).split("\n")
        assert f"  | {expected}" == lines[4]


def test_wide_characters_take_two_columns() -> None:
    """The underline stands below what it means, also after wide and combining characters."""
    source = Source("a.tost", '"漢字e\u0301" @ 漢')
    at = source.text.index("@")
    assert f"  | {' ' * 8}^" == render(diagnose("T104", source.span(at, at + 1))).split("\n")[4]
    assert (
        f"  | {' ' * 10}^^" == render(diagnose("T104", source.span(at + 2, at + 3))).split("\n")[4]
    )


def test_a_strangers_text_cannot_steer_the_terminal() -> None:
    """Control characters of the recipe, the message and the name are made visible."""
    source = Source("\x1b[2Ja.tost", 'recipe "\x1b[31m\u202e"')
    found = diagnose("T101", Label(source.span(0, 6), "\x1b"), expected="\x07", found="\x9b")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", render(found))


def test_colour_changes_only_the_colour() -> None:
    """Without its escape sequences the coloured text is the plain one."""
    coloured = render(late(), colour=True)
    assert render(late()) == re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert "\x1b[1;31merror[T401]" in coloured


def test_a_list_ends_with_its_count() -> None:
    """Blank lines between, and how many there are of what weight."""
    source = Source("a.tost", "a")
    warning = diagnose("W003", source.span(0, 1), name="p")
    text = render_all([late(), warning, late()])
    assert (
        f"{render(late())}\n\n{render(warning)}\n\n{render(late())}\n\n2 errors, 1 warning" == text
    )
    assert "" == render_all([])


def test_json_has_the_places() -> None:
    """The form for programs has positions from 1."""
    data = late().to_json()
    assert ("T401", "error", "write `30`") == (data["code"], data["severity"], data["help"])
    assert [("a.tost", 2, 17, ""), ("a.tost", 1, 1, "training ends here")] == [
        (place["file"], place["line"], place["column"], place["text"]) for place in data["labels"]
    ]


def test_an_error_carries_its_diagnostics() -> None:
    """The exception of the Python API names every code."""
    error = TostError([late(), diagnose("R901", reason="x")])
    assert ["T401", "R901"] == [d.code for d in error.diagnostics]
    assert "[T401]" in str(error)
    assert "[R901] internal error: x" in str(error)
    assert Severity.ERROR is TostError.of("R901", reason="x").diagnostics[0].severity
