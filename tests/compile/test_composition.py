"""Recipes made of several files: what holds, and what is replaced."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.compile.several import BASE, HEAD, compiled, fingerprint, places
from tests.plans import sound_recipes
from tostdsl.plan.plan import Plan

# -- chains


def test_two_levels_deep(tmp_path: Path) -> None:
    """Each level's statements hold over those below it; folders are relative to each file."""
    (made,) = compiled(
        tmp_path,
        sub__deep__leaf=BASE,
        sub__mid='extends "deep/leaf.tost"\nmask random(sparsity=50%)\nwithout ghost\n',
        top='extends "sub/mid.tost"\nmodel resnet32\nskip from epoch 9\n',
    ).plans
    same = HEAD.replace("resnet20", "resnet32").replace("90%", "50%")
    assert fingerprint(same + "skip until epoch 9\nskip from epoch 9\n") == made.fingerprint


def test_a_mistake_is_reported_once_in_its_own_file(tmp_path: Path) -> None:
    """The path leads to the file, whatever folder it lies in, and a sweep does not repeat it."""
    found = compiled(
        tmp_path,
        sub__deep__leaf=BASE.replace("90%", "90"),
        sub__mid='extends "deep/leaf.tost"\nskip(anneal=lineer) from epoch 9\n',
        top='extends "sub/mid.tost"\nsweep seed over [1, 2, 3]\n',
    ).diagnostics
    assert {("T201", "mid.tost:2:13"), ("T302", "leaf.tost:3:22")} == set(places(found))
    assert 2 == len(found)
    names = {str(d.span.source.name) for d in found if d.span}
    assert {str(tmp_path / "sub/mid.tost"), str(tmp_path / "sub/deep/leaf.tost")} == names


def test_an_inherited_value_is_named_by_file_and_line(tmp_path: Path) -> None:
    """A param of the base that does not fit the derived recipe says where it was set."""
    (found,) = compiled(
        tmp_path,
        base="param n = 2x\n" + HEAD,
        top='extends "base.tost"\noptimizer sgd(lr=$n)\n',
    ).diagnostics
    assert "top.tost:2:18" == str(found.span).rpartition("/")[2]
    assert f"`$n` is 2x because of line 1 of `{tmp_path}/base.tost`" == found.labels[1].text


def test_a_name_is_not_inherited(tmp_path: Path) -> None:
    """Two recipes with one base have two names."""
    (made,) = compiled(
        tmp_path, base='recipe base "Base"\n' + HEAD, top='extends "base.tost"\n'
    ).plans
    assert ("top", "") == (made.name, made.title)


# -- sweeps and expectations of a base


@pytest.mark.parametrize(
    ("lines", "runs"),
    [
        ("", 6),
        ("skip\n", 6),
        ("sweep seed over [7]\n", 2),
        ("seed 7\n", 2),
        ("param s = 50%\n", 3),
        ("param s = 50%\nsweep s over [60%, 70%, 75%]\n", 9),
        ("param s = 50%\nseed 1\n", 1),
    ],
)
def test_inherited_sweeps_hold_until_said_anew(tmp_path: Path, lines: str, runs: int) -> None:
    """A sweep, a param or a seed of the derived recipe ends the inherited sweep over its name."""
    base = HEAD.replace("90%", "$s") + "param s = 90%\nsweep s over [80%, 95%]\n"
    base += "sweep seed over [1, 2, 3]\n"
    result = compiled(tmp_path, base=base, top=f'extends "base.tost"\n{lines}')
    assert () == result.diagnostics
    assert runs == len({plan.fingerprint for plan in result.plans})


def test_inherited_expectations_hold_until_their_metric_is_said_anew(tmp_path: Path) -> None:
    """An expectation replaces all inherited ones of its metric and no other."""
    base = HEAD + "expect accuracy >= 94%\nexpect accuracy < 99%\nexpect loss < 0.5\n"
    (made,) = compiled(
        tmp_path, base=base, top='extends "base.tost"\nexpect accuracy >= 90%\n'
    ).plans
    assert ["accuracy >= 90%", "loss < 0.5"] == [str(expect) for expect in made.expect]


# -- params of a base


@pytest.mark.parametrize(
    ("base", "derived", "right"),
    [
        ("90%", "80%", True),
        ("90%", "80", False),
        ("1", "0.5", True),
        ("epoch 4", "25%", True),
        ("epoch 4", "end", True),
        ("epoch 4", "4", False),
        ("2x", "90%", False),
        ("swish", "relu", True),
        ("yes", "swish", False),
        ("[10%]", "[20%, 30%]", True),
        ("[10%]", "[2]", False),
        ("$other", "80", False),
    ],
)
def test_a_param_keeps_its_type(tmp_path: Path, base: str, derived: str, right: bool) -> None:
    """A derived param of another type is an error that shows both declarations."""
    text = HEAD + f"param other = 5%\nparam p = {base}\n"
    result = compiled(tmp_path, base=text, top=f'extends "base.tost"\nparam p = {derived}\n')
    wrong = [d for d in result.diagnostics if d.code == "T301"]
    assert right == (not wrong)
    for found in wrong:
        assert [derived, f"param p = {base}"] == [label.span.text for label in found.labels]


def test_a_base_may_have_params_that_a_derived_recipe_leaves_unused(tmp_path: Path) -> None:
    """Replacing a slot does not make the base's params mistakes; an own unused one still is."""
    base = HEAD.replace("90%", "$s") + "param s = 90%\n"
    top = 'extends "base.tost"\nmask random(sparsity=50%)\nparam mine = 1\n'
    found = compiled(tmp_path, base=base, top=top).diagnostics
    assert [("W003", "top.tost:3:1")] == places(found)


# -- laws


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(sound_recipes(), st.data())
def test_splitting_a_recipe_in_two_changes_nothing(
    made: tuple[list[str], Plan], data: st.DataObject
) -> None:
    """Whatever part of a recipe is moved into a base, the plan is the same."""
    lines, plan = made
    below = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    base = [line for line, down in zip(lines, below, strict=True) if down]
    top = [line for line, down in zip(lines, below, strict=True) if not down]
    with tempfile.TemporaryDirectory() as folder:
        result = compiled(
            Path(folder), base="\n".join(base), top="\n".join(['extends "base.tost"', *top])
        )
        assert [plan.fingerprint] == [each.fingerprint for each in result.plans]
