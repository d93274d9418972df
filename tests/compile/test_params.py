"""Values of params from outside: `--set`, `--set-file`, and what their messages say."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tostdsl.compile.compiler import Compiled, compile_file, compile_source
from tostdsl.source import Source

TEXT = """\
param s = 90%
param w = 2x
model resnet20
data cifar10
mask random(sparsity=$s)
train for 180 epochs
ghost(width=$w) until 25%
"""


def compiled(values: str, **sets: str) -> Compiled:
    file = Source("v.set", values) if values else None
    return compile_source(Source("r.tost", TEXT), None, sets, set_file=file)


def fingerprint(s: str, w: str) -> str:
    text = TEXT.replace("= 90%", f"= {s}").replace("= 2x", f"= {w}")
    (plan,) = compile_source(Source("r.tost", text)).plans
    return plan.fingerprint


@pytest.mark.parametrize(
    ("values", "sets", "expected"),
    [
        ("s = 80%", {}, ("80%", "2x")),
        ("# both\n\ns = 80%  # low\nw=3x\n", {}, ("80%", "3x")),
        ("s = 80%\nw = 3x\n", {"s": "70%"}, ("70%", "3x")),
        ("# nothing\n", {}, ("90%", "2x")),
        ("", {"w": "4x", "s": "50%"}, ("50%", "4x")),
        ("s =\t80%", {}, ("80%", "2x")),
    ],
)
def test_values_from_outside(values: str, sets: dict[str, str], expected: tuple[str, str]) -> None:
    """A file's lines set params as the recipe's own text would, and `--set` wins over them."""
    result = compiled(values, **sets)
    assert () == result.diagnostics
    assert fingerprint(*expected) == result.plans[0].fingerprint


@pytest.mark.parametrize(
    ("sets", "byte", "place"),
    [
        ({"s": os.fsdecode(b"9\xff0%")}, "byte 0xff at offset 3", "--set:1:4"),
        ({"w": '"\ud800"'}, "byte 0xed at offset 3", "--set:1:4"),
        ({os.fsdecode(b"\xe9s"): "80%"}, "byte 0xe9 at offset 0", "--set:1:1"),
    ],
)
def test_a_value_that_is_not_utf8_is_refused(sets: dict[str, str], byte: str, place: str) -> None:
    """With the byte and its place, as a file is, whatever the value would be for."""
    (found,) = compiled("", **sets).diagnostics
    assert ("T106", place) == (found.code, str(found.span))
    assert f"this text is not UTF-8: {byte}" == found.message
    assert "give it in UTF-8" == found.help
    json.dumps(found.to_json(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("s = 80%\nt = 3\n", ("T212", "v.set:2:1", "t")),
        ("\n  s = 80\n", ("T301", "v.set:2:7", "80")),
        ("s = 80% 90%", ("T101", "v.set:1:9", "90%")),
        ("s = , 80%", ("T101", "v.set:1:5", ",")),
        ("w = 3x\nparam s = 80%\n", ("T120", "v.set:2:1", "param")),
        ("s 80%", ("T120", "v.set:1:1", "s")),
        ("s: 80%", ("T120", "v.set:1:1", "s:")),
        ("s = 80%\ns = 70%\n", ("T205", "v.set:2:1", "s = 70%")),
        ('s = "80%\n', ("T104", "v.set:1:5", '"80%')),
        ("w = 3x # \x07\n", ("T108", "v.set:1:10", "\x07")),
    ],
)
def test_mistakes_in_a_file_of_values_are_pointed_at(
    values: str, expected: tuple[str, str, str]
) -> None:
    """Each is reported once, at its line and column in that file."""
    found = [(d.code, str(d.span), d.span.text if d.span else "") for d in compiled(values).errors]
    assert [expected] == found


def test_unknown_names_are_answered_with_the_declared_ones() -> None:
    """The help lists what can be set, and a near name first."""
    (found,) = compiled("", ss="1").errors
    assert "`--set ss`: this recipe declares no such param" == found.message
    assert "did you mean `s`? declared params: `s`, `w`" == found.help
    (found,) = compiled("", seed="3").errors
    assert found.help is not None
    assert "--seed" in found.help


@pytest.mark.parametrize(
    ("values", "sets", "reason"),
    [
        ("", {}, "`$s` is 100%, declared here"),
        ("", {"s": "100%"}, "`$s` is 100% because of `--set`"),
        ("w = 3x\ns = 100%\n", {}, "`$s` is 100% because of line 2 of `v.set`"),
    ],
)
def test_a_value_that_does_not_fit_says_why_it_is_there(
    values: str, sets: dict[str, str], reason: str
) -> None:
    """The second label has the value and what gave it."""
    text = TEXT.replace("= 90%", "= 100%") if not values and not sets else TEXT
    file = Source("v.set", values) if values else None
    (found,) = compile_source(Source("r.tost", text), None, sets, set_file=file).diagnostics
    assert ["$s", reason] == [found.labels[0].span.text, found.labels[1].text]


def test_a_swept_value_says_so() -> None:
    """A value of a sweep is blamed on the sweep."""
    (found,) = compile_source(Source("r.tost", TEXT + "sweep s over [100%]\n")).diagnostics
    assert "`$s` is 100% because of the sweep in line 8 of `r.tost`" == found.labels[1].text


def test_a_long_value_is_shown_short() -> None:
    """A label stays on one line, whatever a list in many lines says."""
    items = ",\n".join(["epoch 1"] * 60)
    text = TEXT + f"param at = [\n{items}\n]\nschedule multistep(at=$at, factor=2x)\n"
    text = text.replace("factor=2x", "factor=0.1").replace("epoch 1,", "epoch 1000,", 1)
    found = next(d for d in compile_source(Source("r.tost", text)).diagnostics)
    label = next(label for label in found.labels if label.text)
    assert "\n" not in label.text
    assert len(label.text) < 120


def test_an_unreadable_file_of_values_is_a_diagnostic(tmp_path: Path) -> None:
    """It is named, like an unreadable recipe."""
    (tmp_path / "r.tost").write_text(TEXT)
    result = compile_file(tmp_path / "r.tost", set_file=tmp_path / "none.set")
    assert [("T213", None)] == [(d.code, d.span) for d in result.diagnostics]


def test_a_param_in_a_statement_that_cannot_be_read_is_not_called_unused() -> None:
    """One mistake, one report."""
    text = TEXT.replace("sparsity=$s)", "sparsity==$s)")
    assert ["T1"] == [d.code[:2] for d in compile_source(Source("r.tost", text)).diagnostics]
    text = TEXT.replace("ghost(", "ghots(")
    assert ["T201"] == [d.code for d in compile_source(Source("r.tost", text)).diagnostics]
