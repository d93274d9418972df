"""`import tostdsl as tost`: what it has, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import tostdsl as tost


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_it_loads_nothing() -> None:
    """No other module of the package, and none of anybody else's."""
    code = "import sys; before = set(sys.modules); import tostdsl; print(set(sys.modules) - before)"
    assert "{'tostdsl'}" == python(code)


def test_recipes_are_made_and_checked_without_torch_and_pandas() -> None:
    """As the commands for recipes do it."""
    code = (
        "import sys, tostdsl as tost\n"
        "r = tost.Recipe(model='resnet20', data='cifar10', train='9 epochs', stages=tost.Skip())\n"
        "r.plan(), r.check(), r.diff(r.seeded(2)), r._repr_html_(), tost.format(r)\n"
        "print({'torch', 'torchvision', 'numpy', 'pandas', 'sklearn'} & set(sys.modules))"
    )
    assert "set()" == python(code)


@pytest.mark.parametrize("name", tost.__all__)
def test_each_name_is_there(name: str) -> None:
    """And listed; a place for it is known without trying others."""
    assert getattr(tost, name) is not None
    assert name in dir(tost)


@pytest.mark.parametrize("name", [name for name in tost.build.__all__ if name.islower()])
def test_modules_of_classes_are_there_without_an_import_of_their_own(name: str) -> None:
    """In a new interpreter, by attribute and by `from`."""
    code = f"import tostdsl as tost; print(tost.build.{name}.__name__, len(dir(tost.build.{name})))"
    module, count = python(code).split()
    assert (f"tostdsl.build.{name}", True) == (module, int(count) > 0)
    code = f"from tostdsl.build import {name}; print({name}.__name__)"
    assert f"tostdsl.build.{name}" == python(code)


@pytest.mark.parametrize("before", ["", "r.plan(), r.diff(r), tost.format(r);"])
@pytest.mark.parametrize("module", ["tost", "tost.build"])
def test_completion_offers_the_public_names_only(module: str, before: str) -> None:
    """Also after a recipe was compiled, which loads what is behind them."""
    made = "r = tost.Recipe(model='resnet20', data='cifar10', train='9 epochs'); " if before else ""
    code = f"import tostdsl as tost; {made}{before}"
    code += f"print(*(name for name in dir({module}) if name[:2] != '__'))"
    wanted = tost.__all__ if module == "tost" else tost.build.__all__
    assert sorted(wanted) == python(code).split()


def test_other_names_are_not() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="runn"):
        tost.runn  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="mask"):
        tost.build.mask  # type: ignore[attr-defined]  # noqa: B018


def test_units_are_what_texts_are() -> None:
    """Each function gives what a recipe writes."""
    wanted = ["90%", "12.5%", "2x", "epoch 40", "step 100", "180 epochs", "1 step", "1 -> 20"]
    made = [
        *(tost.percent(90), tost.percent(12.5), tost.times(2), tost.epoch(40), tost.step(100)),
        *(tost.epochs(180), tost.steps(1), tost.ramp(1, 20)),
    ]
    assert wanted == list(map(str, made))
    assert "12.5%" == str(tost.percent(Decimal("12.50"))) == str(tost.percent(Fraction(25, 2)))
    assert tost.epoch(40) == tost.epoch(40.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [tost.percent, tost.times, tost.epoch, tost.step, tost.epochs])
@pytest.mark.parametrize(
    ("value", "code"),
    [
        *(("90%", "T301"), (None, "T301"), (True, "T301"), (float("nan"), "T301")),
        *((float("inf"), "T301"), ([90], "T301"), (-1, "T303"), (-0.5, "T303")),
    ],
)
def test_units_of_what_is_no_number_are_refused(make: Any, value: Any, code: str) -> None:
    """By name, with what to write, where they are made."""
    with pytest.raises(tost.TostError, match=f"`{make.__name__}`") as error:
        make(value)
    assert [code] == [each.code for each in error.value.diagnostics]


def test_parts_of_an_epoch_and_ends_of_a_ramp_are_refused() -> None:
    """Epochs and steps are counted; a ramp may go below zero, but ends in numbers."""
    for make in (tost.epoch, tost.step, tost.epochs, tost.steps):
        with pytest.raises(tost.TostError, match="a whole number"):
            make(1.5)  # type: ignore[arg-type]
    assert "-1 -> 0" == str(tost.ramp(-1, 0))
    with pytest.raises(tost.TostError, match=r"ramp\(1, 20\)"):
        tost.ramp("1", 2)  # type: ignore[arg-type]
