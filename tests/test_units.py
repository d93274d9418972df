"""Values with a unit: their spelling, their JSON, and what they mean in steps."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tostdsl.source import Source
from tostdsl.syntax.nodes import Literal, Param
from tostdsl.syntax.parser import parse
from tostdsl.units import (
    END,
    START,
    Clock,
    Duration,
    Factor,
    Moment,
    Pattern,
    Percent,
    Ramp,
    Selector,
    Unit,
    Window,
    number_json,
    number_text,
)

numbers = st.builds(
    lambda digits, power: Decimal(digits).scaleb(power).normalize(),
    st.integers(-(10**15) + 1, 10**15 - 1),
    st.integers(-20, 20),
)
counts = st.integers(0, 10**9)
moments = st.sampled_from([START, END]) | st.builds(
    Moment, st.sampled_from(["epoch", "step", "percent"]), numbers
)
durations = st.builds(Duration, st.sampled_from(["epochs", "steps"]), counts)
written = st.one_of(
    st.builds(Percent, numbers),
    st.builds(Factor, numbers),
    st.builds(Pattern, st.lists(counts, min_size=2, max_size=4).map(tuple)),
    durations,
    st.builds(Moment, st.sampled_from(["epoch", "step"]), numbers),
)
units = st.one_of(
    written,
    moments,
    st.builds(Window, moments, moments | durations),
    st.builds(Selector, st.just("class"), st.sampled_from(["conv", "first"])),
    st.builds(Selector, st.just("glob"), st.text(max_size=9)),
    st.builds(Ramp, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["percent", "moment", "epoch", "window", "modules", "glob", "ramp"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=6,
)
TYPES: list[type[Unit]] = [
    *[Percent, Factor, Pattern, Moment, Duration, Window, Selector, Ramp],
]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("0.10"), "0.1"),
        (Decimal("2E-4"), "2e-4"),
        (Decimal("0.0005"), "5e-4"),
        (Decimal("0.001"), "0.001"),
        (Decimal("0.0125"), "0.0125"),
        (Decimal("-0.00"), "0"),
        (Decimal("1E3"), "1000"),
        (Decimal("1000000"), "1e6"),
        (Decimal("123456.5"), "123456.5"),
        (Decimal("-1.5E-7"), "-1.5e-7"),
        (1000000, "1000000"),
        (1e6, "1e6"),
        (0.1, "0.1"),
        (100.0, "100"),
    ],
)
def test_numbers_have_one_spelling(value: Decimal | float | int, expected: str) -> None:
    """No trailing zeros, an exponent only where it is shorter and the number long."""
    assert expected == number_text(value)


@given(numbers)
def test_a_spelling_reads_back_exactly(value: Decimal) -> None:
    """Text and JSON lose nothing of a number a recipe may write."""
    assert value == Decimal(number_text(value))
    assert value == Decimal(str(json.loads(json.dumps(number_json(value)))))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        (Percent(Decimal("90.0")), "90%"),
        (Factor(Decimal("1.50")), "1.5x"),
        (Factor(Decimal(1000000)), "1000000x"),
        (Pattern((2, 4)), "2:4"),
        (Moment("epoch", Decimal(40)), "epoch 40"),
        (Moment("step", Decimal(1000000)), "step 1000000"),
        (Moment("percent", Decimal(25)), "25%"),
        (START, "start"),
        (Duration("epochs", 1), "1 epoch"),
        (Duration("epochs", 2), "2 epochs"),
        (Duration("steps", 1), "1 step"),
        (Window(), ""),
        (Window(START, Moment("epoch", Decimal(40))), "until epoch 40"),
        (Window(Moment("percent", Decimal(5)), END), "from 5%"),
        (Window(Moment("step", Decimal(5)), Duration("steps", 9)), "from step 5 for 9 steps"),
        (Window(START, START), "at start"),
        (Selector("class", "conv"), "conv"),
        (Selector("glob", 'a"\\.*'), '"a\\"\\\\.*"'),
        (Ramp(1.0, 20.0), "1 -> 20"),
    ],
)
def test_units_are_spelled_as_recipes_write_them(unit: Unit, expected: str) -> None:
    """`str` gives what stands in a recipe."""
    assert expected == str(unit)


@given(written)
def test_a_written_unit_is_read_back(unit: Unit) -> None:
    """The parser reads every unit's text as the same value."""
    file, found = parse(Source("a.tost", f"param p = {unit}"))
    if [] == found:  # parts of a pattern may have too many digits for one number
        (statement,) = file.statements
        assert isinstance(statement, Param)
        assert isinstance(statement.value, Literal)
        assert unit == statement.value.value
    else:
        assert ["T306"] == [diagnostic.code for diagnostic in found]
        assert isinstance(unit, Pattern | Duration)


@given(units)
def test_json_reads_back(unit: Unit) -> None:
    """Canonical JSON gives the same value, by itself and through pydantic."""
    text = json.dumps(unit.to_json())
    assert unit == type(unit).from_json(json.loads(text))
    adapter = TypeAdapter(type(unit))
    assert unit == adapter.validate_python(adapter.dump_python(unit))
    assert json.loads(text) == json.loads(adapter.dump_json(unit))


@given(plain)
def test_other_json_is_refused(data: Any) -> None:
    """What is no unit's JSON is a `ValueError`, whatever it is."""
    for kind in TYPES:
        try:
            read = kind.from_json(data)
        except ValueError:
            continue
        assert kind.tag in data
        assert read == kind.from_json(json.loads(json.dumps(read.to_json())))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Percent, {"percent": True}),
        (Percent, {"percent": float("nan")}),
        (Factor, {"factor": float("inf")}),
        (Factor, {"percent": 1}),
        (Pattern, {"pattern": [2, 4.0]}),
        (Moment, {"moment": {"epochs": 1}}),
        (Duration, {"duration": {"epochs": 1.5}}),
        (Window, {"window": [{"moment": "start"}, 3]}),
        (Window, {"window": [{"moment": "start"}]}),
        (Selector, {"modules": {"name": "x"}}),
        (Ramp, {"ramp": [1, "2"]}),
        (Ramp, {"ramp": [1, None]}),
    ],
)
def test_near_misses_are_refused(kind: type[Unit], data: Any) -> None:
    """A wrong tag, part or number is not read as something else."""
    with pytest.raises(ValueError, match="not a"):
        kind.from_json(data)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (START, 0),
        (END, 1800),
        (Moment("epoch", Decimal(40)), 400),
        (Moment("epoch", Decimal("0.25")), 3),
        (Moment("step", Decimal(7)), 7),
        (Moment("percent", Decimal(25)), 450),
        (Moment("percent", Decimal("33.3")), 599),
    ],
)
def test_moments_are_steps_of_a_clock(moment: Moment, expected: int) -> None:
    """Epochs by their length, percents by the whole, a fraction rounded half up."""
    assert expected == Clock.of(Duration("epochs", 180), 10).step(moment)


def test_windows_are_steps_of_a_clock() -> None:
    """Half-open, with a duration counted from the start."""
    clock = Clock.of(Duration("steps", 1000), 10)
    assert 1000 == clock.total
    fourth = Moment("epoch", Decimal(4))
    assert (0, 40) == clock.window(Window(START, fourth))
    assert (40, 70) == clock.window(Window(fourth, Duration("epochs", 3)))
    assert (40, 43) == clock.window(Window(fourth, Duration("steps", 3)))
    assert (0, 1000) == clock.window(Window())


def test_shares_are_exact() -> None:
    """A percent is a fraction, not a float that comes near."""
    assert (9, 10) == Percent(Decimal(90)).fraction.as_integer_ratio()
    assert (1, 3000) == (Percent(Decimal(1)).fraction / 30).as_integer_ratio()
    assert 0.9 == float(Percent(Decimal(90)))
    assert 2.5 == float(Factor(Decimal("2.5")))
