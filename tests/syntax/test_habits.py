"""Statements written as in other languages."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.syntax.slips import READ_ON, SAID
from tostdsl.diagnostics import Diagnostic
from tostdsl.source import Source
from tostdsl.syntax import habits
from tostdsl.syntax import nodes as n
from tostdsl.syntax.habits import leads
from tostdsl.syntax.parser import parse
from tostdsl.syntax.written import Written


def read(text: str) -> tuple[tuple[n.Statement, ...], list[Diagnostic]]:
    file, found = parse(Source("r.tost", text))
    return file.statements, found


def mended(text: str, found: list[Diagnostic]) -> str:
    """The text with all fixes applied."""
    edits = [edit for d in found if d.fix for edit in d.fix.edits]
    for edit in sorted(edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


@pytest.mark.parametrize(("text", "code", "meant"), READ_ON)
def test_a_habit_is_read_as_what_was_meant(text: str, code: str, meant: str) -> None:
    """One report, whose fix is the right statement, and it is read on as if that stood there."""
    statements, found = read(text)
    assert [code] == [d.code for d in found]
    assert meant == mended(text, found)
    right, clean = read(meant)
    assert [] == clean
    assert right == statements


@pytest.mark.parametrize(("text", "code", "meant"), READ_ON)
def test_a_certain_fix_mends_its_mistake(text: str, code: str, meant: str) -> None:
    """What may be applied without a look leaves a statement that can be read."""
    (found,) = read(text)[1]
    assert found.fix is not None
    assert found.help
    if found.fix.certain:
        assert [] == read(mended(text, [found]))[1]


@pytest.mark.parametrize(("text", "code", "help", "word"), SAID)
def test_what_cannot_be_read_on_is_not_missed(text: str, code: str, help: str, word: str) -> None:
    """Its report says what to write; the hole knows what it was, so nothing is reported missing."""
    statements, (found,) = read(text)
    assert code == found.code
    assert help in (found.help or "")
    assert found.fix is None or not found.fix.certain or word == ""
    (hole,) = statements
    assert isinstance(hole, n.Hole)
    assert word == hole.word


@pytest.mark.parametrize("word", leads.REMOVING)
def test_what_removes_is_never_read_as_an_addition(word: str) -> None:
    """`no skip` adds no skip, and no fix makes it do so; where it can remove, it says how."""
    for lead, offered in (("", None), ('extends "b.tost"\n', "without skip")):
        statements, (found,) = read(f"{lead}{word} skip\n")
        assert not any(isinstance(s, n.Stage | n.Slot) for s in statements)
        assert "`without skip`" in (found.help or "")
        given = found.fix.edits[0].text if found.fix else None
        assert offered == given
        assert found.fix is None or not found.fix.certain


@pytest.mark.parametrize(
    "text",
    [
        "skip on conv, linear",
        "recipe r \"a; b, until // 'x' = y\"",
        "schedule multistep(at=[epoch 1, epoch 2]) # x: 1; // y",
        "mask lottery(sparsity=90%, epochs=60)",
        'extends "https://example.org/x.tost"',
    ],
)
def test_what_is_right_is_left_alone(text: str) -> None:
    """Marks in strings, comments and lists are no habits."""
    assert [] == read(text)[1]


def test_several_habits_in_one_statement() -> None:
    """Each is reported, and the statement is still read."""
    statements, found = read("mask: random(sparsity: 90%, over='layer'), on layer1.*;")
    assert ["T134", "T139", "T131", "T135", "T134", "T139"] == [d.code for d in found] or sorted(
        ["T131", "T134", "T134", "T135", "T139", "T139"]
    ) == sorted(d.code for d in found)
    assert read('mask random(sparsity=90%, over="layer") on "layer1.*"')[0] == statements


def test_what_was_meant_stands_where_it_was_written() -> None:
    """The places of a statement read on are places in the source."""
    text = "model: resnet18(stem = cifar); data = cifar10"
    (model, data), _ = read(text)
    assert isinstance(model, n.Slot)
    assert isinstance(data, n.Slot)
    assert "resnet18(stem = cifar)" == model.call.span.text
    assert ["model", "cifar", "data", "cifar10"] == [
        model.word.span.text,
        model.call.arguments[0].value.span.text,
        data.word.span.text,
        data.call.span.text,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "data:\n  name: digits\n  batch_size: 64",
        "data:\n  batch_size: 64\n  name: digits",
        'data "digits" {\n  batch_size = 64\n}',
    ],
)
def test_a_key_of_a_mapping_stands_where_it_was_written(text: str) -> None:
    """What is wrong with an argument of a mapping is underlined there, in its own line."""
    ((data,), _) = read(text)
    assert isinstance(data, n.Slot)
    (argument,) = data.call.arguments
    assert argument.name is not None
    assert ["batch_size", "64"] == [argument.name.span.text, argument.value.span.text]
    assert text.index("batch_size") == argument.name.span.start


def test_json_is_one_report_and_stands_for_all_it_sets() -> None:
    """Its keys are not reported missing, and what stands around it is read."""
    text = 'seed 1\n{"model": "resnet18",\n "data": {"name": "digits"}, "x": 1}\nprecision bf16\n'
    statements, (found,) = read(text)
    assert "T101" == found.code
    assert found.fix is None
    (hole,) = (s for s in statements if isinstance(s, n.Hole))
    assert ("model", "data") == hole.also
    words = [s.word.text for s in statements if isinstance(s, n.Setting)]
    assert ["seed", "precision"] == words


def test_a_value_a_layer_is_one_value() -> None:
    """A mapping where one value stands is read as its first, and makes no arguments."""
    (mask,), (found,) = read("mask random(sparsity={conv: 90%, linear: 80%})")
    assert read("mask random(sparsity=90%)")[0] == (mask,)
    assert "`sparsity=90%`" in (found.help or "")
    assert found.fix is None


PIECES = [*" =:;,()[]{}\"'%#\n-*.", "model", "until", "epoch", "40", "//", "lr", "0.1", "on"]
PIECES += [
    "from",
    "to",
    "expect",
    "=>",
    "layer1",
    "train",
    "for",
    "$",
    "/*",
    "*/",
    "let",
    "+",
    "8.0",
]
PIECES += ["epochs", "enabled", "off", "param"]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60))
@example("//")
@example("model:")
@example("';'")
@example("train()")
@example("=")
def test_no_text_breaks_a_habit(text: str) -> None:
    """Whatever stands there, nothing is raised, and places and fixes lie inside of the text."""
    guess = habits.meant(Written.at(Source("r.tost", text), 0, text))
    if guess is None:
        return
    meant, found = guess
    assert found or meant.pieces
    for piece in meant.pieces:
        span = piece.span(0, len(piece.text))
        assert 0 <= span.start <= span.end <= len(text)
    for d in found:
        assert d.span is not None
        assert 0 <= d.span.start <= d.span.end <= len(text)
        assert all(
            0 <= e.span.start <= e.span.end <= len(text) for e in (d.fix.edits if d.fix else ())
        )


def test_a_very_long_statement_is_not_searched() -> None:
    """A statement that nobody typed costs no time."""
    text = "a " + "b=1 " * 1000
    assert habits.meant(Written.at(Source("r.tost", text), 0, text)) is None


UNSURE = [
    ("skip seed 2", "T142"),
    ("skip from epoch 2 for epoch 4;", "T136"),
    ("for i in 3: labels(smoothing=0.1)", "T103"),
    ("mask random 90%", "T137"),
    ("train for 5+1 epochs", "T145"),
    ("resnet18 model", "T134"),
    ("skip form epoch 0", "T134"),
    ("ghost(width=2*)", "T144"),
    ("skip on layer1[0]", "T139"),
    ("skip without first", "T134"),
    ("skip on not last", "T134"),
    ("without expect accuracy", "T134"),
    ("ghost and skip until epoch 5", "T142"),
    ("mask random(sparsity>=90%)", "T135"),
    ("skip until=10", "T134"),
    ("skip until epoch $e", "T144"),
]


@pytest.mark.parametrize(("text", "code"), UNSURE)
def test_what_may_mean_something_else_needs_a_look(text: str, code: str) -> None:
    """Where two readings are possible, no fix is applied unseen."""
    (fix,) = [d.fix for d in read(text)[1] if d.code == code]
    assert fix is not None
    assert not fix.certain
