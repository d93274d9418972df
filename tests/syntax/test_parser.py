"""Text to nodes: what is read, where it stands, and what happens to what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any

import pytest

from tostdsl.diagnostics import Diagnostic
from tostdsl.source import Source, Span
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import MAX_NESTING, MAX_REPORTS, parse
from tostdsl.units import Duration, Factor, Moment, Pattern, Percent

LONG = "x" * 99
NOWHERE = Span(Source("", ""), 0, 0)


def read(text: str) -> tuple[n.File, list[Diagnostic]]:
    return parse(Source("a.tost", text))


def clean(text: str) -> tuple[n.Statement, ...]:
    file, found = read(text)
    assert [] == [diagnostic.message for diagnostic in found]
    return file.statements


def codes(text: str) -> list[str]:
    return [diagnostic.code for diagnostic in read(text)[1]]


def word(text: str) -> n.Ident:
    return n.Ident(NOWHERE, text)


def lit(value: n.Scalar) -> n.Literal:
    return n.Literal(NOWHERE, value)


def call(name: str, *positional: n.Value, **named: n.Value) -> n.Call:
    given = [n.Argument(NOWHERE, None, value) for value in positional]
    given += [n.Argument(NOWHERE, word(key), value) for key, value in named.items()]
    return n.Call(NOWHERE, word(name), tuple(given))


def bounds(**parts: n.Value) -> tuple[n.Bound, ...]:
    return tuple(n.Bound(NOWHERE, word(key.strip("_")), value) for key, value in parts.items())


def targets(*on: n.Value, exclude: tuple[n.Value, ...] = ()) -> n.Targets:
    return n.Targets(NOWHERE, on, exclude)


def stage(name: str, **named: n.Value) -> n.Stage:
    return n.Stage(NOWHERE, call(name, **named), (), targets())


def items(*values: n.Value) -> n.ListValue:
    return n.ListValue(NOWHERE, values)


STATEMENTS: list[tuple[str, n.Statement]] = [
    ("tost 1", n.Edition(NOWHERE, lit(1))),
    ("recipe a_1", n.RecipeName(NOWHERE, word("a_1"), None)),
    ('recipe a "t"', n.RecipeName(NOWHERE, word("a"), lit("t"))),
    ('extends "b.tost"', n.Extends(NOWHERE, lit("b.tost"), None)),
    ('extends "u" sha256 "0f"', n.Extends(NOWHERE, lit("u"), lit("0f"))),
    (
        "without ghost, skip",
        n.Without(NOWHERE, (n.Removal(NOWHERE, word("ghost")), n.Removal(NOWHERE, word("skip")))),
    ),
    (
        "without ghost until epoch 4, skip",
        n.Without(
            NOWHERE,
            (
                n.Removal(
                    NOWHERE,
                    word("ghost"),
                    (n.Bound(NOWHERE, word("until"), lit(Moment("epoch", Decimal(4)))),),
                ),
                n.Removal(NOWHERE, word("skip")),
            ),
        ),
    ),
    ("param p = 90%", n.Param(NOWHERE, word("p"), lit(Percent(Decimal(90))))),
    ("sweep p over [1, 2]", n.Sweep(NOWHERE, word("p"), items(lit(1), lit(2)))),
    ("sweep seed over [1]", n.Sweep(NOWHERE, word("seed"), items(lit(1)))),
    ("train for 180 epochs", n.Setting(NOWHERE, word("train"), lit(Duration("epochs", 180)))),
    ("seed 1", n.Setting(NOWHERE, word("seed"), lit(1))),
    ("precision bf16", n.Setting(NOWHERE, word("precision"), call("bf16"))),
    (
        "expect accuracy >= 94%",
        n.Expect(NOWHERE, word("accuracy"), ">=", lit(Percent(Decimal(94)))),
    ),
    (
        "mask lottery(rate=20%) until end except first, last",
        n.Slot(
            NOWHERE,
            word("mask"),
            call("lottery", rate=lit(Percent(Decimal(20)))),
            bounds(until=call("end")),
            targets(exclude=(call("first"), call("last"))),
        ),
    ),
    (
        'ghost(2x, b=$c) until 25% from epoch 2 on "layer3.*"',
        n.Stage(
            NOWHERE,
            call("ghost", lit(Factor(Decimal(2))), b=n.Reference(NOWHERE, "c")),
            bounds(from_=lit(Moment("epoch", Decimal(2))), until=lit(Percent(Decimal(25)))),
            targets(lit("layer3.*")),
        ),
    ),
]


@pytest.mark.parametrize(("text", "expected"), STATEMENTS)
def test_statements(text: str, expected: n.Statement) -> None:
    """Each form of statement becomes its node; a window's parts come in the order of time."""
    assert (expected,) == clean(text)
    assert text == clean(f"\n  {text}  # c\n")[0].span.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", lit(7)),
        ("-3", lit(-3)),
        ("0.10", lit(Decimal("0.1"))),
        ("2e-4", lit(Decimal("0.0002"))),
        (".5", lit(Decimal("0.5"))),
        ("1e300", lit(Decimal("1e300"))),
        ("0e300", lit(Decimal(0))),
        ("90%", lit(Percent(Decimal(90)))),
        ("-0.5%", lit(Percent(Decimal("-0.5")))),
        ("2x", lit(Factor(Decimal(2)))),
        ("2:4", lit(Pattern((2, 4)))),
        ("64:2:5", lit(Pattern((64, 2, 5)))),
        ("epoch 40", lit(Moment("epoch", Decimal(40)))),
        ("epoch 2.5", lit(Moment("epoch", Decimal("2.5")))),
        ("step 400", lit(Moment("step", Decimal(400)))),
        ("step 1234567", lit(Moment("step", Decimal(1234567)))),
        ("1 epoch", lit(Duration("epochs", 1))),
        ("200 steps", lit(Duration("steps", 200))),
        (r'"a \"b\" \\ #("', lit('a "b" \\ #(')),
        (r'"\\\""', lit('\\"')),
        ("linear", call("linear")),
        ("epoch", call("epoch")),
        ("for", call("for")),
        ("flip()", call("flip")),
        ("crop(padding=4,)", call("crop", padding=lit(4))),
        ("$name", n.Reference(NOWHERE, "name")),
        ("[]", items()),
        ("[epoch 90, 2, ]", items(lit(Moment("epoch", Decimal(90))), lit(2))),
        ("1->2x", n.RampValue(NOWHERE, lit(1), lit(Factor(Decimal(2))))),
        ("$a -> [1]", n.RampValue(NOWHERE, n.Reference(NOWHERE, "a"), items(lit(1)))),
    ],
)
def test_values(text: str, expected: n.Value) -> None:
    """Each form of value becomes its node, and its span covers it and nothing else."""
    for shown in (f"param p = {text}", f"a( # c\n p=\n{text}\n,)", f"a([{text}])"):
        (statement,) = clean(shown)
        (value,) = (v for v in walk(statement) if v == expected and v.span.text == text)
        assert type(expected) is type(value)


def walk(node: Any) -> Iterator[Any]:
    """All nodes of a tree."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif isinstance(node, n.Node):
        yield node
        assert is_dataclass(node)
        for field in fields(node):
            yield from walk(getattr(node, field.name))


def test_spans() -> None:
    """Every node's span is exactly what it was read from."""
    text = '\n mask  a( b = [ 1,$c ] ,d(e)->2x )  until  epoch 40 on "x", f(1) except g # h\n'
    (statement,) = clean(text)
    expected = [
        *[text.strip()[:-4], "mask", "a( b = [ 1,$c ] ,d(e)->2x )", "a", "b = [ 1,$c ]", "b"],
        *["[ 1,$c ]", "1", "$c", "d(e)->2x", "d(e)->2x", "d(e)", "d", "e", "e", "e", "2x"],
        *["until  epoch 40", "until", "epoch 40", '"x", f(1) except g', '"x"', "f(1)", "f"],
        *["1", "1", "g", "g"],
    ]
    assert expected == [node.span.text for node in walk(statement)]


@pytest.mark.parametrize(
    ("text", "mark", "fixed"),
    [
        ("a(x 3)", "=", "a(x= 3)"),
        ("param x 3", "=", "param x= 3"),
        ("a(x=1 y=2)", ",", "a(x=1, y=2)"),
        ("a([1\n 2])", ",", "a([1,\n 2])"),
        ("a(x=1 # c\nseed 1", ")", "a(x=1) # c\nseed 1"),
        ("a(x=[1, 2)", "]", "a(x=[1, 2])"),
        ("a(x=[1, 2\nseed 1", "])", "a(x=[1, 2])\nseed 1"),
        ("train 3 epochs", "for", "train for 3 epochs"),
        ("sweep x [1, 2]", "over", "sweep x over [1, 2]"),
        ("a(seed 3)", "=", "a(seed= 3)"),
    ],
)
def test_one_missing_mark_is_put_in(text: str, mark: str, fixed: str | None) -> None:
    """It is reported where it belongs, the statement is read with it, and the fix mends it."""
    file, found = read(text)
    first = found[0]
    assert ("T102", f"missing `{mark}`") == (first.code, first.message)
    assert not any(isinstance(statement, n.Hole) for statement in file.statements)
    if fixed is not None:
        assert 1 == len(found)
        assert first.fix is not None
        (edit,) = first.fix.edits
        mended = text[: edit.span.start] + edit.text + text[edit.span.end :]
        assert fixed == mended
        assert first.span is not None
        assert edit.span.start == first.span.start
        assert clean(mended) == file.statements


def test_a_bracket_left_open_shows_where() -> None:
    """The second place of the report is the bracket that was opened."""
    (found,) = read("a(x=1")[1]
    assert [("a(x=1"[1], "opened here")] == [(v.span.text, v.text) for v in found.labels[1:]]


@pytest.mark.parametrize(
    ("text", "code", "place", "message"),
    [
        ("a b c", "T101", "c", "found `c`"),
        ("a(=1)", "T101", "=", "expected `)` or a value, found `=`"),
        ("a(x=)", "T101", ")", "expected a value, found `)`"),
        ("a until", "T101", "", "expected a value, found the end of the statement"),
        ("a)", "T134", ")", "`)` does not belong here"),
        ("1", "T101", "1", "expected a statement, found `1`"),
        ("a(x=1]", "T101", "]", "expected `)`, `,` or `->`, found `]`"),
        ("expect m 3", "T102", "3", "missing `>=`"),
        ('foo "x"', "T103", "foo", "unknown statement `foo`"),
        (f'a b "{LONG}"', "T101", f'"{LONG}"', "found `" + '"' + LONG[:38] + "…`"),
        ("modle 3", "T103", "modle", "unknown statement `modle`"),
        ('a("x', "T104", '"x', "this string has no end"),
        ("a @ b", "T105", "@", "unexpected character `@`"),
        (r'a("x\n")', "T105", "\\", "unexpected character `\\`"),
        ("\u0430 1", "T154", "\u0430", "`\u0430` looks like `a`"),
        ("a(x=2.5 epochs)", "T301", "2.5 epochs", "a whole number"),
        ("a(x=1.2.3)", "T101", "1.2.3", "expected a value, found `1.2.3`"),
        ("a(x=1e999)", "T306", "1e999", "too large"),
        ("a(x=1e-99999999999)", "T306", "1e-99999999999", "too large"),
        ("a(x=0.1234567890123456)", "T306", "0.1234567890123456", "too precise"),
        ("a(x=" + "9" * 5000 + ")", "T306", "9" * 5000, "too large"),
        ("a(x=" + "0" * 5000 + ")", "T306", "0" * 5000, "too large"),
        ("a until step 1" + "0" * 400, "T306", "step 1" + "0" * 400, "too large"),
    ],
)
def test_what_cannot_be_read(text: str, code: str, place: str, message: str) -> None:
    """One mistake is one report, at its place, and the lines around it are read."""
    file, found = read(f"seed 1\n{text}\nskip\n")
    assert [code] == [diagnostic.code for diagnostic in found]
    span = found[0].span
    assert span is not None
    assert place == span.text.strip()
    assert message in found[0].message
    assert (clean("seed 1")[0], clean("skip")[0]) == (file.statements[0], file.statements[-1])
    assert 3 == len(file.statements)


def test_a_hole_keeps_its_word() -> None:
    """A statement that cannot be read still says what it was to be."""
    assert (n.Hole(NOWHERE, "model"),) == read("model @")[0].statements
    assert (n.Hole(NOWHERE, ""),) == read("@")[0].statements


def test_a_misspelt_statement_is_suggested() -> None:
    """The suggestion is a help and a fix that is not certain."""
    (found,) = read("presicion 3")[1]
    assert "did you mean `precision`?" == found.help
    assert found.fix is not None
    assert not found.fix.certain


def test_every_independent_mistake_is_reported() -> None:
    """Mistakes on several lines give as many reports, in order, and the rest is read."""
    text = "seed @\na(x 1)\nskip\na(x=1\nb c d\ntrain 3 epochs\nlabels\n"
    file, found = read(text)
    assert ["T105", "T102", "T102", "T101", "T102"] == [d.code for d in found]
    assert [1, 2, 4, 5, 6] == [d.span.line for d in found if d.span]
    assert ["Setting", "Stage", "Stage", "Stage", "Hole", "Setting", "Stage"] == [
        type(statement).__name__ for statement in file.statements
    ]


def test_brackets_nest_only_so_deep() -> None:
    """The limit itself is read, one more is an error, and so is very much more."""
    for depth, expected in ((MAX_NESTING, []), (MAX_NESTING + 1, ["T110"]), (50000, ["T110"])):
        assert expected == codes("a(x=" + "[" * (depth - 1) + "]" * (depth - 1) + ")")


def test_reports_have_an_end() -> None:
    """A file of nothing but mistakes is not searched for each of them."""
    file, found = read("a @\n" * (MAX_REPORTS + 100) + "seed 1")
    assert MAX_REPORTS == len(found)
    assert clean("seed 1")[0] == file.statements[-1]


@pytest.mark.parametrize("char", ["\0", "\x1b", "\u202e", "\u2066"])
def test_control_characters_are_refused_everywhere(char: str) -> None:
    """Also in comments and strings, where they could hide what a recipe says."""
    for text in (f"# {char}\n", f'recipe a "{char}"\n', f"seed{char} 1\n"):
        assert "T108" in codes(text)


def test_spans_do_not_count_for_equality() -> None:
    """Two texts that say the same are equal trees."""
    assert clean("a(x = 1)") == clean("\n\n  a( # c\n  x=1,\n)")
    assert clean("a from 1% until 2%") == clean("a until 2% from 1%")
    assert clean("a(x=1)") != clean("a(x=2)")
    assert clean("a(x=90%)") != clean("a(x=90)")
