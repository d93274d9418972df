"""The pilot's results are those of the recipes as they are, and of the defaults as they are."""

from __future__ import annotations

import json

import pytest

from studies.pilot import study
from tostdsl import api

RUNS = [
    study.Measured(**run)
    for run in json.loads((study.HERE / "results.json").read_text("utf-8"))["runs"]
]


@pytest.mark.parametrize("arm", [*study.ARMS, *study.OTHERS])
def test_the_runs_are_of_todays_plans(arm: str) -> None:
    """A changed default, recipe or revision makes the table stale: run the study again."""
    plans = api.compile_file(study.HERE / f"{arm}.tost").plans
    expected = [(plan.seed, plan.fingerprint) for plan in plans]
    assert expected == [(run.seed, run.fingerprint) for run in RUNS if run.arm == arm]


def test_every_recipe_beside_it_is_an_arm() -> None:
    """None is left out of the table."""
    assert {*study.ARMS, *study.OTHERS} == {path.stem for path in study.HERE.glob("*.tost")}


def test_the_table_is_of_these_runs() -> None:
    """results.md is what the figures give, and every run was certified."""
    machine = json.loads((study.HERE / "results.json").read_text("utf-8"))["where"]
    assert study.report(machine, RUNS) == (study.HERE / "results.md").read_text("utf-8")
    assert all(run.certified for run in RUNS)


def test_no_default_does_harm() -> None:
    """No arm loses more than a point on average, by arithmetic of the test's own."""
    means = {
        arm: sum(run.accuracy for run in RUNS if run.arm == arm) / 3
        for arm in (*study.ARMS, *study.OTHERS)
    }
    assert all(means[arm] >= means["base"] - 1 for arm in study.ARMS)
    assert [arm for arm in study.ARMS if means[arm] < means["base"] - 1] == study.harmful(RUNS)
    changed = [
        study.Measured("skip", r.seed, r.accuracy - 2, r.loss, "", True, 0.0) if r.arm == "skip"
        else r
        for r in RUNS
    ]  # fmt: skip
    assert ["skip"] == study.harmful(changed)


def test_the_page_tells_the_measured_costs() -> None:
    """What `init` says of its two ways is what came out."""
    base = [run.accuracy for run in RUNS if run.arm == "base"]
    lost = {
        arm: sum(base) / 3 - sum(run.accuracy for run in RUNS if run.arm == arm) / 3
        for arm in ("init", "init_full")
    }
    from tostdsl.techniques.init import Init

    page = " ".join((Init.__doc__ or "").split())
    said = f"`full` loses {lost['init_full']:.1f} points of accuracy on average, `relative` "
    assert f"{said}{lost['init']:.1f}." in page
