"""Fixes are offered only where what they write is right, wherever the value is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from tostdsl import api
from tostdsl.compile.compiler import compile_file, compile_source
from tostdsl.diagnostics import Diagnostic
from tostdsl.source import Source

BASE = {"model": "model resnet20", "data": "data cifar10", "train": "train for 20 epochs"}


def recipe(lines: str) -> Source:
    words = {line.split(" ")[0] for line in lines.split("\n")}
    head = "".join(f"{line}\n" for word, line in BASE.items() if word not in words)
    return Source("r.tost", f"{head}{lines}\n")


def found(lines: str, **sets: str) -> list[Diagnostic]:
    return list(compile_source(recipe(lines), sets=sets).diagnostics)


def fixed(lines: str, look: bool = False) -> str:
    """What `tost fix` leaves of the lines."""
    source = recipe(lines)
    return api.fix(source, look=look).source.text[len(source.text) - len(lines) - 1 :].rstrip("\n")


SHARED = [
    "param a = 3\nmask random(sparsity=$a)\nlabels(smoothing=$a)",
    "param a = 90\nmask random(sparsity=$a)\nseed $a",
    "param a = 5%\nsweep a over [10%, 20%]\nmask random(sparsity=$a)\nlabels(smoothing=$a)",
    "param a = 0.5\nmask random(sparsity=$a)\nlabels(smoothing=$a)",
    "param a = 3\nparam b = $a\nmask random(sparsity=$b)\nlabels(mixup=$a)",
]


@pytest.mark.parametrize("look", [False, True])
@pytest.mark.parametrize("lines", SHARED)
def test_a_param_that_is_used_in_two_ways_is_left_alone(lines: str, look: bool) -> None:
    """No fix for one use may change what another says; the message tells what to write."""
    assert lines == fixed(lines, look)
    assert "in a param of its own" in " ".join(d.help or "" for d in found(lines))


def test_a_param_whose_uses_agree_is_fixed() -> None:
    """Where each of them asks for the same, one edit mends them all."""
    lines = "param a = 90\nmask random(sparsity=$a)\nexpect sparsity >= $a"
    assert lines.replace("= 90", "= 90%") == fixed(lines)


GUESSES = [
    "expect accuracy >= 1",
    "expect accuracy >= 1.0",
    "expect accuracy >= 940",
    "mask random(sparsity=1)",
    "mask random(sparsity=1.0)",
    "mask random(sparsity=100)",
    "mask random(sparsity=900)",
    "data cifar10(validation=5000)",
    "data cifar10(augment=None)",
    "data cifar10(augment=True)",
    "data cifar10(augment=yes)",
    "ghost(width=0.5) until 25%",
    "skip(yes) until 25%",
    "skip until 40",
]


@pytest.mark.parametrize("line", GUESSES)
def test_what_has_no_right_reading_has_no_fix(line: str) -> None:
    """Not even after a look is anything written; each message says what the value must be."""
    assert line == fixed(line, look=True)
    (mistake,) = found(line)
    assert mistake.fix is None
    assert mistake.help


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("optimizer sgd(lr=5x)", "optimizer sgd(lr=5)"),
        ("data cifar10(batch=1,024)", "data cifar10(batch=1024)"),
        ("optimizer adam(betas=[0.9, 0.999])", "optimizer adam(beta1=0.9, beta2=0.999)"),
        ("ghost(width=200%) until 25%", "ghost(width=2x) until 25%"),
        ("labels(smoothing=[0.1, 0])", "labels(smoothing=0.1 -> 0)"),
        ("skip for 25%", "skip until 25%"),
        ("seed [1, 2]", "sweep seed over [1, 2]"),
        ("sweep seed over range(3)", "sweep seed over [0, 1, 2]"),
        ("sweep seed over 1", "sweep seed over [1]"),
        ("sweep seed over 3", "sweep seed over [1, 2, 3]"),
        ("sweep seed over 42", "sweep seed over [42]"),
        ("precision 16", "precision fp16"),
        ("tost one", "tost 1"),
        ("tost 0", "tost 1"),
        ("skip everywhere", "skip"),
        ("skip always on conv", "skip on conv"),
        ("train for 160", "train for 160 epochs"),
        ("mask random(sparsity=97,5%)", "mask random(sparsity=97.5%)"),
        ("ghost(width=1,5x) until 25%", "ghost(width=1.5x) until 25%"),
        ("schedule multistep(at=50%, 75%)", "schedule multistep(at=[50%, 75%])"),
        ("schedule multistep(25%, 50%, 75%)", "schedule multistep([25%, 50%, 75%])"),
        ("mask nm(2/4)", "mask nm(2:4)"),
        ("mask nm(pattern=2/4)", "mask nm(pattern=2:4)"),
        ("param s = 90\nmask random(sparsity=$s%)", "param s = 90%\nmask random(sparsity=$s)"),
        ("param e = 5\nskip until epoch $e", "param e = epoch 5\nskip until $e"),
    ],
)
def test_what_may_be_meant_otherwise_needs_a_look(line: str, after: str) -> None:
    """Without one it stays; with one it is right."""
    assert line == fixed(line)
    assert after == fixed(line, look=True)
    assert [] == [d.code for d in found(after) if d.severity == "error"]


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ('mask random(sparsity="90%")', "mask random(sparsity=90%)"),
        ('mask lottery(sparsity=90%, rewind="epoch 2")',
         "mask lottery(sparsity=90%, rewind=epoch 2)"),
        ('data cifar10(batch="128")', "data cifar10(batch=128)"),
        ("data cifar10(batch=[128])", "data cifar10(batch=128)"),
        ('train for "160 epochs"', "train for 160 epochs"),
        ('seed "1"', "seed 1"),
        ('skip(keep="yes", anneal=none)', "skip(keep=yes, anneal=none)"),
        ("skip(keep=1, anneal=none)", "skip(keep=yes, anneal=none)"),
        ("optimizer sgd(nesterov=Yes)", "optimizer sgd(nesterov=yes)"),
        ("optimizer sgd(nesterov=True)", "optimizer sgd(nesterov=yes)"),
        ("optimizer sgd(nesterov=0)", "optimizer sgd(nesterov=no)"),
        ("mask random(sparsity=90%) except [first, last]",
         "mask random(sparsity=90%) except first, last"),
        ('skip until 25% on ["layer3.*"]', 'skip until 25% on "layer3.*"'),
        ("schedule cosine(warmup=5%)", "schedule cosine(warmup=1 epoch)"),
        ("ghost(width=x2) until 25%", "ghost(width=2x) until 25%"),
        ("skip until 0.25", "skip until 25%"),
        ("schedule multistep(at=[0.5, 0.75])", "schedule multistep(at=[50%, 75%])"),
        ("labels(smoothing=-0)", "labels(smoothing=0)"),
        ("mask random(sparsity=0.9)", "mask random(sparsity=90%)"),
    ],
)  # fmt: skip
def test_what_is_only_spelled_otherwise_is_fixed(line: str, after: str) -> None:
    """One reading, and a right one: it is written without a look, and leaves no mistake."""
    assert after == fixed(line)
    assert [] == [d.code for d in found(after) if d.severity == "error"]


@pytest.mark.parametrize(
    "line",
    [
        "mask random(sparsity=97,5%)",
        "schedule multistep(at=50%, 75%)",
        "schedule multistep(25%, 50%, 75%)",
        "mask nm(2/4)",
        "param s = 90\nmask random(sparsity=$s%)",
        "param n = 20\nsweep seed over [1, 2]\nskip for $n steps",
        "param e = 5\nskip until epoch $e",
        "param sp = 90%\nmask random(sparsity=1 - $sp)",
        "param sp = 90\nmask random(sparsity=$sp)\nexpect sparsity >= $sp",
        "for s in [1, 2]\nseed $s",
    ],
)
def test_a_value_written_otherwise_is_one_report(line: str) -> None:
    """Neither the param that is behind it nor the half of it that could be read gets another."""
    (mistake,) = found(line)
    assert mistake.help is not None
    assert "write" in mistake.help


def test_in_a_list_with_a_doubt_every_fix_needs_a_look() -> None:
    """`1` may be all of it or a percent, and both may be epochs: `2` alone is not made `2%`."""
    line = "skip(anneal=step(at=[1, 2])) until 50%"
    assert line == fixed(line)


def test_a_fix_is_not_refused_for_what_it_brings_to_light() -> None:
    """`lr=-1` stands behind `nesterov=true`; epochs or steps for `from 0 to 4` need a look."""
    line = "ghost(width=2x) from 0 to 4"
    assert "ghost(width=2x) from epoch 0 until epoch 4" == fixed(line, look=True)
    assert "optimizer sgd(lr=-1, nesterov=yes)" == fixed("optimizer sgd(lr=-1, nesterov=true)")


@pytest.mark.parametrize("name", ["sparsity", "s"])
def test_a_forgotten_dollar_is_one_mistake(name: str) -> None:
    """The param counts as used, and the fix is its name with the `$`."""
    lines = f"param {name} = 90%\nmask random(sparsity={name})"
    assert ["T305"] == [d.code for d in found(lines)]
    assert lines.replace(f"={name})", f"=${name})") == fixed(lines)


def test_a_bare_name_that_is_no_param_gets_an_example() -> None:
    """The default is the likeliest value to be right."""
    assert ["for example `lr=0.1`"] == [d.help for d in found("optimizer sgd(lr=lr)")]


def test_a_share_is_a_percent_everywhere() -> None:
    """Written in place, in a sweep, by `--set` or declared: taken with a warning."""
    lines = "param s = 90%\nmask random(sparsity=$s)"
    assert ["W001"] == [d.code for d in found(lines, s="0.98")]
    assert ["W001"] == [d.code for d in found(f"{lines}\nsweep s over [80%, 0.9]")]
    assert [] == found(lines.replace("90%", "0.9"), s="95%")
    assert ["W001"] == [d.code for d in found(lines.replace("90%", "0.9"))]
    assert ["T321"] == [d.code for d in found(f"{lines}\nsweep s over [80%, 0.8]")]
    assert ["T301"] == [d.code for d in found(lines, s="2")]


def test_another_type_names_the_declaration() -> None:
    """It is underlined, and the help says how it would have to be written."""
    (mistake,) = found("param s = 0.1\nlabels(smoothing=$s)", s="yes")
    assert "param s = 0.1" == mistake.labels[1].span.text
    assert "write a value like `0.1`, or declare `param s = yes`" == mistake.help


@pytest.mark.parametrize(
    ("before", "value", "write"),
    [
        ("2x", "3", "3x"),
        ("epoch 30", "20", "epoch 20"),
        ("10 epochs", "20", "20 epochs"),
        ("10 epochs", "epoch 30", "30 epochs"),
        ("epoch 30", "10 epochs", "epoch 10"),
        ("90%", "95", "95%"),
    ],
)
def test_a_value_in_another_unit_is_written_in_that_of_the_param(
    tmp_path: Path, before: str, value: str, write: str
) -> None:
    """From outside, and in a recipe that says a param of its base anew."""
    base = tmp_path / "base.tost"
    base.write_text(recipe(f"param p = {before}").text)
    top = tmp_path / "top.tost"
    top.write_text(f'extends "base.tost"\nparam p = {value}\n')
    for mistakes in (found(f"param p = {before}", p=value), compile_file(top).diagnostics):
        (mistake,) = [d for d in mistakes if d.severity == "error"]
        assert ("T301", f"write `{write}`") == (mistake.code, mistake.help)


def test_a_param_said_anew_in_another_unit_is_not_told_to_be_said_so(tmp_path: Path) -> None:
    """What is refused is not what the help says to write."""
    (tmp_path / "base.tost").write_text(recipe("param p = 25%").text)
    top = tmp_path / "top.tost"
    top.write_text('extends "base.tost"\nparam p = epoch 30\n')
    (mistake,) = [d for d in compile_file(top).diagnostics if d.severity == "error"]
    assert "write a value like `25%`, or declare a param of another name" == mistake.help


def test_one_change_of_a_param_is_one_report() -> None:
    """At its first use, with the others beside it; where they ask for different ones, each."""
    (mistake,) = found("param s = 90\nmask lottery(sparsity=$s, rate=$s)")
    assert ["$s", "$s"] == [mistake.labels[0].span.text, mistake.labels[-1].span.text]
    assert mistake.labels[0].span.start < mistake.labels[-1].span.start
    assert "param s = 90%\nmask lottery(sparsity=$s, rate=$s)" == fixed(
        "param s = 90\nmask lottery(sparsity=$s, rate=$s)"
    )


def test_a_sweep_without_its_param_is_one_report() -> None:
    """Its uses are no mistake of their own, and the help declares what they use."""
    (mistake,) = found("sweep s over [80%, 90%]\nmask random(sparsity=$s)")
    assert ("T204", "declare it: `param s = 80%`") == (mistake.code, mistake.help)
    after = found("param s = 80%\nsweep s over [80%, 90%]\nmask random(sparsity=$s)")
    assert [] == after


@pytest.mark.parametrize(("line", "all_is_right"), [("mask random(sparsity=1.0)", False),
                                                    ("data cifar10(use=1)", True)])  # fmt: skip
def test_all_of_it_is_offered_only_where_that_may_be(line: str, all_is_right: bool) -> None:
    """`1` is all or one percent, but a mask never removes all."""
    (mistake,) = found(line)
    assert "T302" == mistake.code
    assert all_is_right == ("`100%`" in (mistake.help or ""))
