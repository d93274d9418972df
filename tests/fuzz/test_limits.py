"""Each limit set for strangers' files, at it and one past it."""

from __future__ import annotations

import pytest

from tests.fuzz.nasty import HEAD, NASTY
from tostdsl.compile.compiler import Compiled, compile_source
from tostdsl.compile.sweeps import MAX_WORK
from tostdsl.compile.values import MAX_VALUES as MAX_EXPANDED
from tostdsl.source import Source
from tostdsl.syntax.parser import parse
from tostdsl.syntax.words import (
    MAX_ITEMS,
    MAX_NAME,
    MAX_NESTING,
    MAX_REPORTS,
    MAX_STATEMENTS,
    MAX_TOKEN,
    MAX_VALUES,
)


def codes(text: str) -> list[str]:
    return [diagnostic.code for diagnostic in parse(Source("a.tost", text))[1]]


def compiled(text: str) -> Compiled:
    return compile_source(Source("a.tost", text))


CASES = {
    "statements": ("T150", "seed 1\n".__mul__, MAX_STATEMENTS),
    "string": ("T151", lambda n: f'recipe a "{"x" * (n - 2)}"', MAX_TOKEN),
    "comment": ("T151", lambda n: "#" + "x" * (n - 1), MAX_TOKEN),
    "piece": ("T151", lambda n: f"seed {'%' * n}", MAX_TOKEN),
    "name": ("T152", lambda n: "a" * n, MAX_NAME),
    "name_in_a_call": ("T152", lambda n: f"a(x=1, {'b' * n}=2)", MAX_NAME),
    "list": ("T153", lambda n: f"a(x=[{'1, ' * n}])", MAX_ITEMS),
    "tight_list": ("T153", lambda n: f"a(x=[{'1,' * n}])", MAX_ITEMS),
    "arguments": ("T153", lambda n: f"a({'x=1, ' * n})", MAX_ITEMS),
    "selectors": ("T153", lambda n: "a on " + ", ".join(['"b"'] * n), MAX_ITEMS),
    "nesting": ("T110", lambda n: f"a(x={'[' * (n - 1)}{']' * (n - 1)})", MAX_NESTING),
}


@pytest.mark.parametrize("what", CASES)
def test_a_limit_is_allowed_and_one_more_is_not(what: str) -> None:
    """With a code of its own, once, and the rest of the file is read."""
    code, make, limit = CASES[what]
    allowed = [] if what != "piece" else ["T105"]
    assert allowed == [c for c in codes(make(limit)) if c != "T101"]
    text = make(limit + 1)
    assert [code] == codes(text)
    if what != "statements":
        file, _ = parse(Source("a.tost", f"{text}\nskip"))
        assert "skip" == file.statements[-1].span.text


def test_values_in_a_file_are_limited() -> None:
    """Many lists, each of them allowed, are together too many; said once."""
    rows = MAX_VALUES // (MAX_ITEMS + 1)
    row = f"a(x=[{'1,' * MAX_ITEMS}])\n"
    assert [] == codes(row * rows)
    assert ["T159"] == codes(row * (rows + 3) + "skip\n")


def test_params_stand_for_a_limited_number_of_values() -> None:
    """A long list in a param counts wherever it is used; written out it does not."""
    items = ", ".join(f"{i / 100}%" for i in range(1, 1001))
    stages = [f"skip(anneal=step(at=$a)) from step {i} until step {i + 1}\n" for i in range(12)]
    allowed, uses = MAX_EXPANDED // 1001 - 1, HEAD + f"param a = [{items}]\n"
    assert () == compiled(uses + "".join(stages[:allowed])).errors
    assert ["T350"] == [d.code for d in compiled(uses + "".join(stages)).errors]
    written = "".join(stages).replace("$a", f"[{items}]")
    assert () == compiled(HEAD + written).errors


def test_a_chain_of_params_is_followed_and_a_circle_ends() -> None:
    """Some thousand references one after the other are no recursion; a circle is an error."""
    chain = "param a0 = 7\n" + "".join(f"param a{i} = $a{i - 1}\n" for i in range(1, 5000))
    result = compiled(HEAD + chain + "seed $a4999\n")
    assert [7] == [plan.seed for plan in result.plans]
    circle = "".join(f"param a{i} = $a{(i + 1) % 50}\n" for i in range(50))
    found = {d.code for d in compiled(HEAD + circle + "seed $a0\n").errors}
    assert found <= {"T308", "T350"}
    assert found


def test_selectors_count_too() -> None:
    """As values of the plan: each is looked for in the network."""
    some = ", ".join(['"conv*"'] * 500)
    text = HEAD + "".join(f"skip from step {i} until step {i + 1} on {some}\n" for i in range(30))
    assert ["T350"] == [d.code for d in compiled(text).errors]


def test_runs_of_a_sweep_are_limited_by_their_work() -> None:
    """A thousand runs of a small recipe are allowed, of a large one they are not."""
    assert () == compiled(NASTY["a_sweep_at_its_limit"]()).errors
    found = compiled(NASTY["a_sweep_of_many_stages"]()).errors
    assert ["T351"] == [d.code for d in found]
    assert str(MAX_WORK) in found[0].message


def test_sweeps_beyond_all_numbers_are_counted() -> None:
    """Their product has thousands of digits, which nobody wants to read."""
    (found,) = compiled(NASTY["many_sweeps"]()).errors
    assert "T310" == found.code
    assert len(found.message) < 100


def test_only_so_many_mistakes_are_shown() -> None:
    """Then a note says how many there are besides."""
    found = compiled(HEAD + "ghots(width=2x)\n" * (MAX_REPORTS + 50)).diagnostics
    assert MAX_REPORTS + 1 == len(found)
    assert ("W090", "note") == (found[-1].code, str(found[-1].severity))
    many = compiled(HEAD + "".join(f"param a{i} = 1\n" for i in range(MAX_REPORTS + 5)))
    assert "5 more mistakes are not shown" == many.diagnostics[-1].message
    assert () == many.errors


@pytest.mark.parametrize("written", ["1" * 5000, "1e999", "-1e999", "1e-99999999999"])
def test_numbers_out_of_all_range_are_refused(written: str) -> None:
    """As diagnostics, whatever Python would say to them."""
    assert "T306" in [d.code for d in compiled(HEAD + f"seed {written}\n").errors]


@pytest.mark.parametrize("written", ["-0", "-0.0", "-0e5"])
def test_minus_zero_is_refused(written: str) -> None:
    """There is one zero, with one form in the plan; another text for it is no recipe's."""
    text = HEAD + f"optimizer sgd(lr=0.1, weight_decay={written})\n"
    assert ["T309"] == [d.code for d in compiled(text).errors]
    assert compiled(text.replace(written, "0e-5")).plans
