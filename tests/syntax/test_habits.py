"""Statements written as in other languages."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tostdsl.diagnostics import Diagnostic
from tostdsl.source import Source
from tostdsl.syntax import habits
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import parse

READ_ON = [
    ("model: resnet18", "T131", "model resnet18"),
    ("model = resnet18(stem=cifar)", "T131", "model resnet18(stem=cifar)"),
    ("Seed: 1", "T131", "seed 1"),
    ("train: for 10 epochs", "T131", "train for 10 epochs"),
    ('model "resnet18"', "T133", "model resnet18"),
    ("data 'cifar10'", "T133", "data cifar10"),
    ("model resnet20,", "T134", "model resnet20"),
    ("model resnet20 ;", "T134", "model resnet20 "),
    ("train for 10 epochs.", "T134", "train for 10 epochs"),
    ("skip(a=[1, 2]), until epoch 4", "T134", "skip(a=[1, 2]) until epoch 4"),
    ("skip until epoch 4, on conv, linear", "T134", "skip until epoch 4 on conv, linear"),
    ("ghost(width: 2x)", "T135", "ghost(width=2x)"),
    ("ghost(width == 2x)", "T135", "ghost(width=2x)"),
    ("ghost(crop(padding := 2))", "T135", "ghost(crop(padding=2))"),
    ("param s: 90%", "T135", "param s = 90%"),
    ("skip until epoch=40", "T136", "skip until epoch 40"),
    ("skip from epochs 4 until epoch 9", "T136", "skip from epoch 4 until epoch 9"),
    ("skip for epochs=4", "T136", "skip for 4 epochs"),
    ("skip until epoch 40%", "T136", "skip until 40%"),
    ("sgd lr=0.1", "T137", "sgd(lr=0.1)"),
    ("optimizer sgd lr=0.1 momentum = 0.9 until end", "T137",
     "optimizer sgd(lr=0.1, momentum=0.9) until end"),
    ("data a x=[crop(p=1), flip], b=2", "T137", "data a(x=[crop(p=1), flip], b=2)"),
    ("ghost[width=2x] until end", "T137", "ghost(width=2x) until end"),
    ("ghost {width=2x}", "T137", "ghost(width=2x)"),
    ("seed 1 // first", "T138", "seed 1 # first"),
    ("recipe r 'title'", "T139", 'recipe r "title"'),
    ("skip on layer3.*", "T139", 'skip on "layer3.*"'),
    ("skip until end except layer3.*", "T139", 'skip until end except "layer3.*"'),
    ("extends base.tost", "T139", 'extends "base.tost"'),
    ("recipe my-recipe", "T140", "recipe my_recipe"),
    ("model resnet-18", "T140", "model resnet18"),
    ("expect accuracy => 94%", "T141", "expect accuracy >= 94%"),
    ("expect loss =< 1", "T141", "expect loss <= 1"),
    ("expect accuracy == 94%", "T141", "expect accuracy >= 94%"),
    ("seed 1; precision bf16", "T142", "seed 1\nprecision bf16"),
    ("train for 180 Epochs", "T143", "train for 180 epochs"),
    ("skip UNTIL 25%", "T143", "skip until 25%"),
    ("skip until Step 4", "T143", "skip until step 4"),
    ("model resnet20, data cifar10", "T142", "model resnet20\ndata cifar10"),
]  # fmt: skip
"""What is written, its report, and what it is read as."""

GIVEN_UP = [
    ("sparsity = 90%", "T132", "param sparsity = 90%", "$sparsity"),
    ("train = 10 epochs", "T131", "train for 10 epochs", "train"),
    ("train(epochs=10)", "T131", "train for 10 epochs", "train"),
    ("seed(1)", "T131", "seed 1", "seed"),
    ("epochs 10", "T103", "train for 10 epochs", "train"),
    ("steps: 500", "T103", "train for 500 steps", "train"),
    ("skip until epch 40", "T136", "skip until epoch 40", "skip"),
    ("skip from epoch 1 to epoch 9", "T134", "skip from epoch 1 until epoch 9", "skip"),
    ("skip on conv until epoch 40", "T134", "skip until epoch 40 on conv", "skip"),
    (
        'skip on "a.*", conv from start until end except last',
        "T134",
        'skip from start until end on "a.*", conv except last',
        "skip",
    ),
    ("skip on layer1.*, layer2.*", "T139", 'skip on "layer1.*", "layer2.*"', "skip"),
    ("mask 90%", "T301", None, "mask"),
    ("lr 0.1", "T103", None, "lr"),
]
"""The same for what cannot be read on, and the word the hole stands for."""


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


@pytest.mark.parametrize(("text", "code", "meant", "word"), GIVEN_UP)
def test_what_cannot_be_read_on_is_not_missed(
    text: str, code: str, meant: str | None, word: str
) -> None:
    """Its report says what to write; the hole knows what it was, so nothing is reported missing."""
    statements, found = read(text)
    assert {code} == {d.code for d in found}
    assert all(d.help for d in found)
    (hole,) = statements
    assert isinstance(hole, n.Hole)
    assert word == hole.word
    assert meant is None or ([], meant) == (read(meant)[1], mended(text, found))


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


PIECES = [*" =:;,()[]{}\"'%#\n-*.", "model", "until", "epoch", "40", "//", "lr", "0.1", "on"]
PIECES += ["from", "to", "expect", "=>", "layer1", "train", "for"]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=60))
@example("//")
@example("model:")
@example("';'")
@example("train()")
@example("=")
def test_no_text_breaks_a_habit(text: str) -> None:
    """Whatever stands there, nothing is raised, and places and fixes lie inside of the text."""
    guess = habits.meant(Source("r.tost", text), 0, text)
    if guess is None:
        return
    meant, found = guess
    assert found or meant.pieces
    for offset, piece in meant.pieces:
        assert 0 <= offset <= len(text)
        assert offset + len(piece) <= len(text) + 1
    for d in found:
        assert d.span is not None
        assert 0 <= d.span.start <= d.span.end <= len(text)
        assert all(
            0 <= e.span.start <= e.span.end <= len(text) for e in (d.fix.edits if d.fix else ())
        )


def test_a_very_long_statement_is_not_searched() -> None:
    """A statement that nobody typed costs no time."""
    text = "a " + "b=1 " * 1000
    assert habits.meant(Source("r.tost", text), 0, text) is None
