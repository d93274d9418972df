"""Characters that do not belong into a recipe."""

from __future__ import annotations

import pytest

from tostdsl.source import Source
from tostdsl.syntax import nodes as n
from tostdsl.syntax.letters import LOOKALIKES, MARKS
from tostdsl.syntax.parser import parse


def mended(text: str) -> str:
    """The text with every fix of its mistakes applied."""
    _, found = parse(Source("a.tost", text))
    edits = [edit for d in found if d.fix is not None for edit in d.fix.edits]
    for edit in sorted(edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


@pytest.mark.parametrize(
    ("text", "code", "plain"),
    [
        ("g\u04bbost(width=2x)", "T154", "ghost(width=2x)"),
        ("a(\u0445=1)", "T154", "a(x=1)"),
        ("\uff53\uff45\uff45\uff44 \uff11", "T154", "seed 1"),
        ("a(x=\uff19\uff10\uff05)", "T154", "a(x=90%)"),
        ("recipe a \u201cb \u2013 c\u201d", "T156", 'recipe a "b \u2013 c"'),
        ("seed\u00a01", "T156", "seed 1"),
        ("a(x=\u22121)", "T156", "a(x=-1)"),
        ("a(x=1 \u2192 0)", "T156", "a(x=1 -> 0)"),
        ("a(x=2\u00d7)", "T156", "a(x=2x)"),
        ("expect a \u2265 90%", "T156", "expect a >= 90%"),
        ("gh\u200bost", "T156", "ghost"),
        ('recipe a "e\u0301"', "T157", 'recipe a "\u00e9"'),
        ("# e\u0301", "T157", "# \u00e9"),
        ("seed 1 # \u202e", "T108", "seed 1 #"),
    ],
)
def test_one_report_says_what_to_write(text: str, code: str, plain: str) -> None:
    """And its fix makes the recipe that was meant."""
    file, found = parse(Source("a.tost", text))
    assert code in {d.code for d in found}
    assert len({d.code for d in found}) == 1
    again, left = parse(Source("a.tost", mended(text)))
    assert ([], plain) == (left, mended(text).rstrip())
    if not any(isinstance(statement, n.Hole) for statement in file.statements):
        assert again.statements == file.statements or code in ("T108", "T157")


@pytest.mark.parametrize("char", ["\u00e9", "\u0436", "\u4e2d", "\U0001f600"])
def test_other_letters_are_refused_outside_of_strings(char: str) -> None:
    """They have no plain form; in strings and comments they are welcome."""
    for text in (f"gh{char}st", f"a(x={char})", f"{char}"):
        assert ["T155"] == [d.code for d in parse(Source("a.tost", text))[1]]
    assert [] == parse(Source("a.tost", f'recipe a "{char}" # {char}\n'))[1]


@pytest.mark.parametrize(
    "char", ["\0", "\x07", "\x0b", "\x0c", "\x1b", "\x7f", "\x85", "\x9b", "\u061c", "\u200e"]
)
def test_controls_are_refused_everywhere(char: str) -> None:
    """With one report each, wherever they stand."""
    for text in (f"# a{char}", f'recipe a "b{char}"', f"seed {char}1", f"ghost{char}"):
        assert ["T108"] == [d.code for d in parse(Source("a.tost", text))[1]]


@pytest.mark.parametrize("char", "\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\u200f")
def test_what_turns_or_breaks_lines_for_readers_only_is_refused(char: str) -> None:
    """It would show another recipe than the one that runs."""
    assert ["T108"] == [d.code for d in parse(Source("a.tost", f"seed 1 # a{char}b"))[1]]


def test_the_tables_lead_to_plain_characters() -> None:
    """One look-alike stands for one plain letter, a mark for at most two characters."""
    assert all(not c.isascii() and w.isascii() and len(w) == 1 for c, w in LOOKALIKES.items())
    assert all(not c.isascii() and w.isascii() and len(w) <= 2 for c, w in MARKS.items())
