"""Sweeps and expectations: what they stand for, and what makes no sense."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tostdsl.compile.compiler import Compiled, compile_file, compile_source
from tostdsl.source import Source

HEAD = """\
model resnet20
data cifar10
mask random(sparsity=$s)
train for 180 epochs
param s = 90%
param spare = 2x
"""


def compiled(text: str, **sets: str) -> Compiled:
    return compile_source(Source("r.tost", HEAD + text), None, sets)


def reports(result: Compiled) -> list[tuple[str, str]]:
    """Code and underlined text, without the warning about the spare param."""
    spare = ("W003", "param spare = 2x")
    found = [(d.code, d.span.text if d.span else "") for d in result.diagnostics]
    return [report for report in found if report != spare]


def test_variants_carry_their_values() -> None:
    """The runs of a sweep come in the order of its values, the last name moving fastest."""
    result = compiled("sweep s over [80%, 95%]\nsweep seed over [3, 1]\n")
    expected = [{"s": s, "seed": n} for s, n in itertools.product(["80%", "95%"], ["3", "1"])]
    assert expected == [variant.values for variant in result.variants]
    assert [3, 1, 3, 1] == [plan.seed for plan in result.plans]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sweep s over [80%, 5]", ("T301", "5")),
        ("sweep s over [80%, 2x]", ("T301", "2x")),
        ("sweep s over [80%, high]", ("T301", "high")),
        ("sweep s over 80%", ("T301", "80%")),
        ("sweep s over []", ("T301", "[]")),
        ("sweep seed over [1, 2.5]", ("T301", "2.5")),
        ("sweep seed over [1, -2]", ("T301", "-2")),
        ("sweep s over [80%, 90%, 80.0%]", ("T321", "80.0%")),
        ("sweep seed over [1, 2, 1]", ("T321", "1")),
        ("sweep t over [1, 2]", ("T204", "t")),
        ("sweep spare over [2x, 3x]", ("W020", "sweep spare over [2x, 3x]")),
        ("sweep s over [80%, 200%]", ("T303", "$s")),
    ],
)
def test_what_a_sweep_cannot_be(line: str, expected: tuple[str, str]) -> None:
    """Each mistake in a sweep is one report, at the value that is wrong."""
    assert [expected] == reports(compiled(line + "\n"))


def test_a_value_of_another_type_shows_the_param() -> None:
    """The declaration is the second place, and a percent without its sign is helped."""
    found = next(d for d in compiled("sweep s over [80%, 95]\n").diagnostics if d.code == "T301")
    assert ["95", "param s = 90%"] == [label.span.text for label in found.labels]
    assert "write `95%`" == found.help


def test_other_mistakes_are_found_beside_those_of_a_sweep() -> None:
    """A wrong value leaves the sweep's other runs to be checked."""
    assert {"T301", "T201"} == {code for code, _ in reports(compiled("sweep s over [1]\nskpi\n"))}


def test_a_swept_name_is_not_set_as_well() -> None:
    """`--set`, `--set-file` and `--seed` are refused for a swept name, with both places."""
    sweep = "sweep s over [80%, 95%]\n"
    (found,) = [d for d in compiled(sweep, s="70%").diagnostics if d.code[0] == "T"]
    assert ("T320", ["s", "70%"]) == (found.code, [label.span.text for label in found.labels])
    values = Source("v", "s = 70%")
    result = compile_source(Source("r.tost", HEAD + sweep), set_file=values)
    assert [("T320", "s")] == reports(result)
    result = compile_source(Source("r.tost", HEAD + "sweep seed over [1, 2]\n"), seed=3)
    assert [("T320", "seed")] == reports(result)


def test_runs_that_differ_in_what_is_taken_out(tmp_path: Path) -> None:
    """A param may choose the window of a `without`, and a sweep over it is not idle."""
    base = HEAD.replace("param spare = 2x\n", "") + "skip until epoch 3\nskip until epoch 9\n"
    (tmp_path / "base.tost").write_text(base)
    top = 'extends "base.tost"\nwithout skip until $e\nparam e = end\n'
    (tmp_path / "top.tost").write_text(top + "sweep e over [epoch 9, epoch 3]\n")
    result = compile_file(tmp_path / "top.tost")
    assert () == result.diagnostics
    assert ["until epoch 3", "until epoch 9"] == [str(p.stages[0].window) for p in result.plans]


# -- expectations


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("accuracy >= 94%", "accuracy < 90%", "T420"),
        ("accuracy < 90%", "accuracy >= 94%", "T420"),
        ("loss > 1", "loss < 1", "T420"),
        ("loss >= 1", "loss < 1", "T420"),
        ("loss >= 1", "loss <= 1", None),
        ("accuracy >= 90%", "accuracy < 94%", None),
        ("accuracy >= 90%", "sparsity > 80%", None),
        ("accuracy >= 90%", "accuracy >= 90%", "T421"),
        ("accuracy >= 90%", "accuracy >= 90.0%", "T421"),
        ("accuracy >= 90%", "accuracy > 90%", "T421"),
        ("loss < 1", "loss <= 2", "T421"),
    ],
)
def test_expectations_that_do_not_go_together(first: str, second: str, code: str | None) -> None:
    """Two that contradict, or of which one says nothing more, are an error with both places."""
    result = compiled(f"expect {first}\nexpect {second}\n")
    found = [d for d in result.diagnostics if d.code != "W003"]
    assert ([code] if code else []) == [d.code for d in found]
    for diagnostic in found:
        spans = {label.span.text for label in diagnostic.labels}
        assert {f"expect {first}", f"expect {second}"} == spans


@pytest.mark.parametrize("metric", ["accuracy", "sparsity"])
@pytest.mark.parametrize(
    ("bound", "code"),
    [
        ("> 100%", "T425"), (">= 100%", None), ("< 100%", None), ("<= 100%", "W022"),
        ("> 0%", None), (">= 0%", "W022"), ("< 0%", "T425"), ("<= 0%", None),
    ],
)  # fmt: skip
def test_a_share_is_between_none_and_all(metric: str, bound: str, code: str | None) -> None:
    """A bound at either end is refused if no share meets it, warned of if each does."""
    result = compiled(f"expect {metric} {bound}\n")
    found = [d.code for d in result.diagnostics if d.code not in ("W003", "T504")]
    assert ([code] if code else []) == found


BOUNDS = st.tuples(st.sampled_from([">=", "<=", ">", "<"]), st.integers(0, 3))


@given(BOUNDS, BOUNDS)
def test_expectations_by_their_meaning(a: tuple[str, int], b: tuple[str, int]) -> None:
    """Of one that no loss meets T425 is said, of one that every loss does W022; else of both.

    T420 when no number meets both, T421 when one bound is met wherever the other is.
    """

    def met(bound: tuple[str, int], value: Decimal) -> bool:
        op, limit = bound
        return {
            ">=": value >= limit,
            "<=": value <= limit,
            ">": value > limit,
            "<": value < limit,
        }[op]

    grid = [Decimal(step) / 4 for step in range(20)]
    first, second = ({v for v in grid if met(bound, v)} for bound in (a, b))
    codes = {0: "T425", len(grid): "W022"}
    expected = sorted(codes[len(met_by)] for met_by in (first, second) if len(met_by) in codes)
    if expected:
        pass
    elif not first & second:
        expected = ["T420"]
    elif first <= second or second <= first:
        expected = ["T421"]
    lines = "".join(f"expect loss {op} {limit}\n" for op, limit in (a, b))
    assert expected == sorted(code for code, _ in reports(compiled(lines)))
