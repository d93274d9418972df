"""What was probably meant by names and arguments that do not fit."""

from __future__ import annotations

import re

import pytest

from tostdsl.compile.compiler import compile_source
from tostdsl.diagnostics import Diagnostic, related
from tostdsl.source import Source

BASE = {
    "model": "resnet20",
    "data": "cifar10",
    "mask": "random(sparsity=90%)",
    "train": "for 9 epochs",
}


def found(line: str) -> list[Diagnostic]:
    word = line.split(" ")[0].lower()
    head = "".join(f"{slot} {call}\n" for slot, call in BASE.items() if slot != word)
    return list(compile_source(Source("r.tost", head + line + "\n")).diagnostics)


def mended(diagnostic: Diagnostic) -> str:
    """The last line, with the fix applied."""
    assert diagnostic.fix is not None
    assert diagnostic.span is not None
    text = diagnostic.span.source.text
    for edit in sorted(diagnostic.fix.edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text.rstrip("\n").split("\n")[-1]


@pytest.mark.parametrize(
    ("line", "code", "expected"),
    [
        ("mask lottery(90%)", "T211", "mask lottery(sparsity=90%)"),
        ("labels(0.1)", "T211", "labels(smoothing=0.1)"),
        ("ghost(swish) until 25%", "T211", "ghost(activation=swish) until 25%"),
        ("ghost(2x) until 25%", "T211", "ghost(width=2x) until 25%"),
        ("optimizer sgd(lr=0.1, 0.9)", "T107", "optimizer sgd(lr=0.1, momentum=0.9)"),
        ("optimizer sgd(lr=0,1)", "T107", "optimizer sgd(lr=0.1)"),
        ("optimizer sgd(learning_rate=0.1)", "T203", "optimizer sgd(lr=0.1)"),
        ("data cifar10(batch_size=64)", "T203", "data cifar10(batch=64)"),
        ('data cifar10(augment=["flip"])', "T305", "data cifar10(augment=[flip])"),
        ("precision float16", "T304", "precision fp16"),
        ("precision bfloat16", "T304", "precision bf16"),
        ("precision float", "T304", "precision fp32"),
        ("skip until epoch4", "T403", "skip until epoch 4"),
        ("skip until epoch(4)", "T305", "skip until epoch 4"),
        ("skip from epoch 7 until epoch 4", "T431", "skip from epoch 4 until epoch 7"),
        ("skip from epoch 7 for 4 epochs", "T401", "skip from epoch 7 for 2 epochs"),
        ("technique skip until 25%", "T202", "skip until 25%"),
        ("Optimizer sgd(lr=0.1)", "T202", "optimizer sgd(lr=0.1)"),
        ("Model resnet18", "T202", "model resnet18"),
        ("sgd(lr=0.1)", "T201", "optimizer sgd(lr=0.1)"),
        ("mask lottery 90%", "T137", "mask lottery(sparsity=90%)"),
        ("mask random[90%]", "T137", "mask random(sparsity=90%)"),
        ("model resnet 18", "T201", "model resnet18"),
        ("model resnet(18)", "T201", "model resnet18"),
        (
            "optimizer adamw(lr=0.1, betas=(0.9, 0.999))",
            "T203",
            "optimizer adamw(lr=0.1, beta1=0.9, beta2=0.999)",
        ),
        ("label_smoothing 0.1", "T103", "labels(smoothing=0.1)"),
        ("label_smoothing = 0.1", "T132", "labels(smoothing=0.1)"),
        ("label_smoothing(0.1)", "T201", "labels(smoothing=0.1)"),
        ("smoothing: 0.1", "T132", "labels(smoothing=0.1)"),
    ],
)
def test_the_fix_is_what_was_meant(line: str, code: str, expected: str) -> None:
    """One report, whose fix leaves a clean recipe."""
    (wrong,) = found(line)
    assert code == wrong.code
    assert expected == mended(wrong)
    assert wrong.help
    assert [] == found(expected)


ONE = [
    ("mask lottery(sparsity=90%, rewind=end)", "T504"),
    ("mask random(sparsity=90X)", "T301"),
    ("model resnet 19", "T201"),
    ("no model resnet18", "T202"),
    ("== model resnet18", "T101"),
    ("%% train for 8 epochs", "T105"),
    ("(data cifar10)", "T134"),
    ("@ rate = 90%\nmask random(sparsity=$rate)", "T105"),
    ("train for 8.0 epochs\nskip until epoch 4", "T301"),
    ("train for 8.5 epochs\nskip until epoch 4", "T301"),
    ("/* one\n skip(anneal=linear)\n two */", "T138"),
]


@pytest.mark.parametrize(("line", "code"), ONE)
def test_one_mistake_is_one_report(line: str, code: str) -> None:
    """What several parts of the compiler could say of a place is said once, nothing is missed."""
    words = set(re.findall(r"\w+", line))
    head = "".join(f"{slot} {call}\n" for slot, call in BASE.items() if slot not in words)
    assert [code] == [d.code for d in compile_source(Source("r.tost", head + line)).diagnostics]


@pytest.mark.parametrize(
    ("line", "certain"), [("mask random 90%", True), ("model resnet 18", False)]
)
def test_a_name_that_is_certain_is_written_in(line: str, certain: bool) -> None:
    """The one argument that must be given is it; a name that is only near needs a look."""
    (wrong,) = found(line)
    assert wrong.fix is not None
    assert certain == wrong.fix.certain


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mask none", "leave the `mask` line out for dense training"),
        ("schedule None", "leave the `schedule` line out for the default one"),
        ("mask sgd", "`sgd` is an optimizer, not a mask"),
        ("ghost(width=None, activation=swish) until 25%", "leave `width` out"),
        ("resnet18", "`resnet18` is a model: write `model resnet18`"),
        ("model(resnet18)", "write `model resnet18`"),
        ("lr 0.1", "write `optimizer sgd(lr=0.1)`"),
        ("batch_size = 64", "`data cifar10(batch=64)`"),
        ("sparsity 95%", "write `mask random(sparsity=95%)`"),
        ("wibble = 3", "`param wibble = 3`"),
    ],
)
def test_the_help_says_what_to_write(line: str, words: str) -> None:
    """Where no edit is certain, the help line still shows the right form."""
    helps = [d.help or "" for d in found(line)]
    assert [] == [help for help in helps if not help]
    assert any(words in help for help in helps), helps


@pytest.mark.parametrize(
    "line",
    [
        *("model resnet18(", "model: resnet18;", "Model resnet18", "resnet18", "model(resnet18)"),
        *("Train for 9 epochs", "epochs 9", "train 9 epochs", "train: 9 epochs"),
        *("param p = 90%%\nmask random(sparsity=$p)", "p = 90%\nmask random(sparsity=$p)"),
        *('extends "gone.tost"\nwithout ghost', "extends gone.tost\nwithout ghost"),
    ],
)
def test_one_mistake_one_report(line: str) -> None:
    """What could not be read is not reported missing, unknown or unused as well."""
    word = {"resnet18": "model", "Model": "model", "Train": "train", "epochs": "train"}
    first = line.split(" ")[0].split("(")[0].rstrip(":")
    slot = word.get(first, first)
    lines = [f"{name} {call}" for name, call in BASE.items() if name != slot]
    if "extends" in line:
        lines = []
    if "mask" in line:
        lines = [each for each in lines if not each.startswith("mask")]
    text = "\n".join([*lines, line]) + "\n"
    codes = {d.code for d in compile_source(Source("r.tost", text)).diagnostics}
    assert set() == codes & {"T208", "T204", "T210", "T220", "W003"}
    assert codes


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("batch_size", ["batch", "augment"], "batch"),
        ("learning_rate", ["lr", "momentum"], "lr"),
        ("weight_decy", ["weight_decay"], "weight_decay"),
        ("learning_rate", ["rate", "momentum"], "rate"),
        ("xyz", ["lr"], None),
        ("lr", [], None),
    ],
)
def test_related_names(name: str, known: list[str], expected: str | None) -> None:
    """A near name first, else a part of the name, else its initials."""
    assert expected == related(name, known)
