"""Runs from Python, and differences: objects, frames, and what notebooks show."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import tostdsl as tost
from tests.plans import plan_of
from tostdsl.compare.changes import changes
from tostdsl.engine.run import RunOptions
from tostdsl.plan.marker import METRICS

RECIPE = tost.Recipe(
    "first",
    model="cifar_resnet(8)",
    data="digits",
    mask="random(sparsity=90%)",
    train="2 epochs",
    stages=tost.Ghost(activation="swish").until("epoch 1"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tost.Run:
    """A whole run of a small recipe."""
    return RECIPE.run(tmp_path_factory.mktemp("runs") / "run", device="cpu")


def test_a_run_is_what_its_folder_says(run: tost.Run) -> None:
    """The figures are those of `result.json`, the recipe is kept, and it verifies."""
    said = json.loads((run.folder / "result.json").read_text(encoding="utf-8"))
    assert said["accuracy"] == run.accuracy > 0.3
    assert (said["loss"], said["sparsity"]) == (run.loss, run.sparsity)
    assert (True, "", (), "finished") == (run.certified, run.unreal, run.misses, run.state)
    assert RECIPE.plan() == run.plan
    assert RECIPE.plan().fingerprint == run.fingerprint == run.certificate["fingerprint"]
    assert RECIPE.text == (run.folder / "recipe.tost").read_text(encoding="utf-8")
    assert run == tost.open_run(str(run.folder))
    assert tost.verify(str(run.folder)).passed


def test_frames_have_the_rows(run: tost.Run) -> None:
    """Each row of a kind is a line, what it nests is a column of its own."""
    lines = (run.folder / METRICS).read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["kind"] == "epoch"]
    assert rows == run.metrics()
    shown = run.to_frame()
    assert [0, 1] == list(shown["epoch"])
    assert [row["loss"] for row in rows] == list(shown["loss"])
    assert rows[0]["weights"]["ghost"] == shown["weights.ghost"][0]
    assert 1 == len(run.to_frame("seam"))
    assert [] == run.metrics("no such kind")
    found = tost.diff(RECIPE, RECIPE.replace(train="3 epochs")).to_frame()
    wanted = {"path": "train", "old": "2 epochs", "new": "3 epochs", "kind": "how long it trains"}
    assert [wanted] == found.to_dict("records")


def test_without_pandas_only_frames_are_missing(
    run: tost.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say what to install; the rows are there."""
    monkeypatch.setitem(sys.modules, "pandas", None)  # as Python itself marks what it must not find
    with pytest.raises(tost.TostError, match="pip install") as error:
        run.to_frame()
    assert ["R830"] == [each.code for each in error.value.diagnostics]
    assert 2 == len(run.metrics())


def test_runs_of_files_and_plans(tmp_path: Path) -> None:
    """What a file extends is kept as the command keeps it; a plan is run as it is."""
    RECIPE.save(tmp_path / "base.tost")
    (tmp_path / "top.tost").write_text('extends "base.tost"\nseed 3\n', encoding="utf-8")
    one = tost.run(tmp_path / "top.tost", tmp_path / "one", smoke=True)
    assert {"base.tost", "recipe.tost"} <= {path.name for path in one.folder.iterdir()}
    plan = RECIPE.seeded(3).plan()
    other = tost.run(plan, options=RunOptions(out=tmp_path / "two", smoke=True))
    assert plan.fingerprint == one.fingerprint == other.fingerprint
    assert "a rehearsal" == other.unreal
    saved = tmp_path / "plan.json"
    saved.write_bytes((other.folder / "plan.json").read_bytes())
    again = tost.run(saved, tmp_path / "again", smoke=True)
    assert tost.diff(saved, again).same
    assert tost.verify(again.folder).passed
    with pytest.raises(ValueError, match="smoke"):
        tost.run(plan, tmp_path / "three", smoke=True, options=RunOptions())
    with pytest.raises(tost.TostError, match="R201"):
        tost.run(plan, tmp_path / "one", smoke=True)
    assert "labels" == tost.diff(one, other).differs


def test_what_is_no_run_or_has_not_ended_says_so(tmp_path: Path, run: tost.Run) -> None:
    """Metrics of a run at work can be read, up to the line that is being written."""
    with pytest.raises(tost.TostError, match="R411"):
        tost.open_run(tmp_path)
    for name in ("plan.json", METRICS):
        (tmp_path / name).write_bytes((run.folder / name).read_bytes())
    with (tmp_path / METRICS).open("a", encoding="utf-8") as file:
        file.write('{"kind": "epo')
    young = tost.open_run(tmp_path)
    assert ("not finished", run.metrics()) == (young.state, young.metrics())
    assert "not finished" in young._repr_html_()
    with pytest.raises(tost.TostError, match="R412"):
        young.accuracy  # noqa: B018
    (tmp_path / "result.json").write_text('{"state": "failed", "reason": "<b>"}')
    with pytest.raises(tost.TostError, match="<b>"):
        tost.open_run(tmp_path).loss  # noqa: B018
    assert "&lt;b&gt;" in tost.open_run(tmp_path)._repr_html_()
    for unended in (young, tost.open_run(tmp_path)):
        with pytest.raises(tost.TostError, match="R412") as error:
            unended.certificate  # noqa: B018
        assert "tost run" not in str(error.value)


def test_differences_of_whatever_has_a_plan(tmp_path: Path, run: tost.Run) -> None:
    """Recipes, plans, files and runs; the changes are those of the two plans."""
    longer = RECIPE.replace(train="3 epochs", mask="random(sparsity=95%)")
    path = longer.save(tmp_path / "longer.tost")
    wanted = tuple(changes(RECIPE.plan(), longer.plan()))
    assert 2 == len(wanted)
    for a in (RECIPE, RECIPE.plan(), run, str(run.folder)):
        for b in (longer, path, str(path)):
            assert wanted == tost.diff(a, b).changes[-2:] == RECIPE.diff(b).changes[-2:]
    found = RECIPE.diff(longer)
    assert (False, True, "computed") == (found.same, bool(found), found.differs)
    assert "mask.sparsity: 90% becomes 95%" in str(found).splitlines()
    assert "<td" in found._repr_html_()
    same = RECIPE.diff(run)
    assert (True, "nothing", same.summary) == (same.same, same.differs, str(same))
    assert not same
    named = RECIPE.diff(RECIPE.renamed("other", "<script>"))
    assert (False, True, "labels") == (named.same, bool(named), named.differs)
    for other in (3, None, RECIPE.model):
        with pytest.raises(TypeError, match=f"Recipe, a Plan, .* not {type(other).__name__}"):
            tost.diff(RECIPE, other)  # type: ignore[arg-type]
    assert "&lt;script&gt;" in named._repr_html_()
    assert "<script>" not in named._repr_html_()


def test_a_prompt_shows_a_difference_in_a_line() -> None:
    """What differs in a sentence; its sides by their names and plans."""
    found = tost.diff(RECIPE, RECIPE.replace(train="3 epochs").renamed("other"))
    assert f"<Diff of first and other: {found.summary}>" == repr(found)
    assert f"<Side first: {RECIPE.plan()!r}>" == repr(found.a)


def test_a_plan_written_out_differs_in_nothing() -> None:
    """What `format` writes of a plan is that plan."""
    again = plan_of(tost.format(RECIPE.plan()))
    assert again is not None
    assert tost.diff(RECIPE, again).same
