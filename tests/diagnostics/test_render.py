"""Diagnostics as text for a terminal."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, Severity, TostError, diagnose
from tostdsl.diagnostics.render import render, render_all, terminal_width, wants_colour
from tostdsl.diagnostics.screen import columns, cut, printable, wrap
from tostdsl.source import Source

RECIPE = Source("a.tost", "train for 30 epochs\r\nghost(width=2x)\tuntil epoch 40\n")


def late() -> Diagnostic:
    window = RECIPE.span(RECIPE.text.index("until"), RECIPE.text.rindex("\n"))
    train = RECIPE.span(0, RECIPE.text.index("\r"))
    return diagnose(
        "T401",
        window,
        Label(train, "training ends here"),
        help="write `30`",
        verb="ends",
        end="epoch 40",
    )


def test_lines_are_shown_with_what_is_wrong_underlined() -> None:
    """The first place is marked with ^, the others with - and their reason."""
    expected = """\
error[T401]: this window ends at epoch 40, after training ends
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
    """The exception of the Python API reads as on the command line, and has a short form."""
    error = TostError([late(), diagnose("R901", reason="x")])
    assert ["T401", "R901"] == [d.code for d in error.diagnostics]
    assert "\n\n".join(map(render, error.diagnostics)) == str(error)
    shown = ["[T401] this window ends at epoch 40, after training ends", "[R901] internal error: x"]
    assert shown == error.brief.splitlines()
    assert Severity.ERROR is TostError.of("R901", reason="x").diagnostics[0].severity


def test_a_fix_of_one_line_is_shown_as_that_line() -> None:
    """The line as the fix leaves it stands below, marked with +."""
    source = Source("a.tost", "seed 1\nmask random(sparsity=90)")
    at = source.text.index("90")
    fix = Fix((Edit(source.span(at, at + 2), "90%"),))
    found = diagnose("T302", source.span(at, at + 2), fix=fix, name="s", found="`90`", write="90%")
    assert ["  |", "2 + mask random(sparsity=90%)"] == render(found).split("\n")[-2:]


def test_edits_of_one_line_are_shown_together() -> None:
    """All edits of a fix are in the line that is shown, wherever they stand in their list."""
    source = Source("a.tost", "skip from epoch 4 until epoch 1")
    edits = (Edit(source.span(24, 31), "epoch 4"), Edit(source.span(10, 17), "epoch 1"))
    found = diagnose("T431", source.span(5, 31), fix=Fix(edits), start="epoch 4", end="epoch 1")
    assert "1 + skip from epoch 1 until epoch 4" == render(found).split("\n")[-1]


@pytest.mark.parametrize(
    "edits",
    [
        [(0, 8, "seed 3")],  # over two lines
        [(4, 4, "\n")],  # makes two of one
        [(0, 3, ""), (5, 6, "b")],  # on two lines
        [(0, 4, "")],  # leaves nothing
    ],
)
def test_other_fixes_are_not_shown(edits: list[tuple[int, int, str]]) -> None:
    """What is no change of one line, and what leaves an empty one, is only in the help."""
    source = Source("a.tost", "aaaa\nbbbb\n")
    fix = Fix(tuple(Edit(source.span(start, end), text) for start, end, text in edits))
    found = diagnose("T101", source.span(0, 4), fix=fix, expected="x", found="y")
    assert render(replace(found, fix=None)) == render(found)


def test_long_help_is_wrapped_below_itself() -> None:
    """No help line is wider than the terminal; code in backticks stays together."""
    help = "one two three `four five six` seven eight"
    lines = render(diagnose("R901", reason="x", help=help), width=40).split("\n")
    assert ["  = help: one two three `four five six`", "          seven eight"] == lines[1:]


def test_a_long_line_is_cut_around_the_mistake() -> None:
    """What is underlined is seen, in a narrow terminal too, with a … where something is cut."""
    text = ", ".join(f"a{number}=1" for number in range(100, 160))
    source = Source("a.tost", text)
    at = text.index("a130")
    found = diagnose("T101", source.span(at, at + 4), expected="x", found="y")
    for width in (40, 60, 80):
        line, under = render(found, width=width).split("\n")[3:5]
        assert "a130" == line[under.index("^") : under.rindex("^") + 1]
        assert width >= len(line)
        assert ("…", "…") == (line[4], line[-1])
    assert text in render(found, width=1000)


def test_a_terminal_is_never_taken_for_narrower_than_40_columns() -> None:
    """Below that, lines are as for 40."""
    assert render(late(), width=40) == render(late(), width=3)


def test_a_reason_without_room_stands_below_its_mark() -> None:
    """A label's text is wrapped under the underline where it would leave the terminal."""
    source = Source("a.tost", "seed 1")
    label = Label(source.span(0, 4), "a reason of several words that is long")
    lines = render(diagnose("T205", label, name="seed"), width=40).split("\n")
    assert ["  | ^^^^", "  | a reason of several words that is", "  | long"] == lines[4:7]


@given(st.text(max_size=200), st.integers(0, 200), st.integers(0, 60), st.integers(40, 90))
def test_no_line_is_wider_than_the_terminal(text: str, start: int, size: int, width: int) -> None:
    """Whatever the line and the place in it, what is shown of it fits, and holds its start."""
    line = text.replace("\n", " ").replace("\r", " ")
    start = min(start, len(line))
    room = width - 4
    view = cut(line, start, min(len(line), start + size), room)
    assert room >= columns(view.text)
    assert view.start <= start <= view.end
    assert printable(line[view.start : view.end]) in view.text


@given(
    st.lists(st.sampled_from(["a", "bcd", "`x y`", "…", "漢字"]), max_size=30), st.integers(1, 40)
)
def test_wrapping_loses_no_word(words: list[str], room: int) -> None:
    """The words come back in order, and only a word that is too wide makes a line too wide."""
    lines = wrap(" ".join(words), room)
    assert " ".join(words) == " ".join(lines).strip()
    assert all(columns(line) <= room or line in words for line in lines)


@pytest.mark.parametrize(
    ("environ", "terminal", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "0"}, False, False),
        ({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colour_is_the_users_choice(
    environ: dict[str, str], terminal: bool, expected: bool
) -> None:
    """NO_COLOR wins, then CLICOLOR_FORCE, then whether it is a terminal that knows colours."""

    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return terminal

    assert expected == wants_colour(Stream(), environ)


def test_the_terminals_width_may_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """COLUMNS says it; less than 40 is not believed."""
    for told, expected in (("120", 120), ("10", 40)):
        monkeypatch.setenv("COLUMNS", told)
        assert expected == terminal_width()
