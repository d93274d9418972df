"""Runs, rehearsals, checkpoints and the runs of sweeps as sides: what is told, and what pairs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import tostdsl
from tests.cli.conftest import Tost
from tests.engine.faults.test_damage import signed
from tests.engine.verify.runs import edit_json
from tostdsl.compare.comparison import Compared, comparisons
from tostdsl.compare.sides import sides
from tostdsl.compile.compiler import compile_file
from tostdsl.plan.marker import unreal_of

ONE = """\
model cifar_resnet(8)
data digits
mask random(sparsity=90%)
train for 1 epochs
"""
SWEEP = "recipe swept\nparam sp = 80%\nsweep sp over [80%, 90%, 95%]\n" + ONE.replace(
    "=90%", "=$sp"
)
SEEDS = "recipe seeds\nsweep seed over {}\n" + ONE
NO_RESULT = ("no", "a is a rehearsal: nothing of it is a result")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rehearsal with checkpoints, one on random images, and the runs of a sweep; not changed."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "one.tost").write_text(ONE)
    (folder / "swept.tost").write_text(SWEEP)
    tostdsl.run(folder / "one.tost", folder / "smoke", smoke=True)
    from tostdsl import api
    from tostdsl.engine.keeper import Every
    from tostdsl.engine.run import RunOptions

    compiled = compile_file(folder / "one.tost")
    assert compiled.recipe is not None
    options = RunOptions(out=folder / "fake", fake_data=True, checkpoint=Every(4, "steps"))
    given = api.given(compiled.recipe)
    api.run(compiled.plans[0], options, None, compiled.recipe.sources, given)
    compiled = compile_file(folder / "swept.tost")
    assert compiled.recipe is not None
    for index, plan in enumerate(compiled.plans, 1):
        options = RunOptions(out=folder / "runs" / f"{index:03d}", smoke=True)
        given = api.given(compiled.recipe)
        api.run(plan, options, None, compiled.recipe.sources, given)
    return folder


@pytest.fixture(autouse=True)
def made(kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, where each test is."""
    folder = shutil.copytree(kept, tmp_path / "made")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    return folder


def compared(a: str, b: str) -> Compared:
    """The comparison of what two names stand for."""
    return comparisons(sides(a), sides(b))


def test_a_rehearsal_is_told_and_is_no_result(tost: Tost) -> None:
    """In all forms: the plans are the same, and nothing may be taken from it."""
    found = tost("diff", "smoke", "one.tost")
    lines = found.out.splitlines()
    assert (0, True) == (found.code, lines[0].endswith(", a rehearsal"))
    assert not lines[1].endswith("rehearsal")
    assert 3 == sum(line.endswith("?  no") for line in lines)
    content = json.loads(tost("diff", "smoke", "one.tost", "--json").out)
    assert ("a rehearsal", "") == (content["a"]["unreal"], content["b"]["unreal"])
    assert ("finished", None) == (content["a"]["state"], content["b"]["state"])
    assert [NO_RESULT] * 3 == [(v["answer"], v["why"]) for v in content["verdicts"]]
    markdown = tost("diff", "smoke", "one.tost", "--format", "markdown").out.splitlines()
    assert "- a: a rehearsal" in markdown
    assert 3 == sum("? **no**: a is a rehearsal" in line for line in markdown)


def test_rehearsals_from_python() -> None:
    found = tostdsl.diff(tostdsl.open_run("smoke"), "one.tost")
    assert [NO_RESULT] * 3 == [(each.answer, each.why) for each in found.verdicts]
    assert "a is smoke: a rehearsal" in str(found)
    assert "nothing of it is a result" in str(found)
    assert "nothing of it is a result" in found._repr_html_()


def test_random_images_and_two_that_are_no_results() -> None:
    (one,) = compared("one.tost", "fake").pairs
    why = "b is a run on random images: nothing of it is a result"
    assert {("no", why)} == {(each.answer, each.why) for each in one.verdicts}
    (two,) = compared("smoke", "fake").pairs
    why = "neither is a result: a is a rehearsal and b is a run on random images"
    assert {("no", why)} == {(each.answer, each.why) for each in two.verdicts}
    (alike,) = compared("smoke", "smoke").pairs
    assert {"neither is a result: both are rehearsals"} == {v.why for v in alike.verdicts}


def test_how_a_run_ended_stands_beside_its_name(tost: Tost, made: Path) -> None:
    """Where it did not come to its end; a real one of figures that count has no other note."""
    shutil.copytree(made / "smoke", made / "halted")
    (made / "halted" / "manifest.json").unlink()
    edit_json(made / "halted" / "environment.json", lambda it: it["options"].update(smoke=False))
    for state, shown in (("stopped", "stopped"), ("rubbish", "not finished")):
        edit_json(made / "halted" / "result.json", lambda it, state=state: it.update(state=state))
        head = tost("diff", "halted", "one.tost").out.splitlines()[0]
        assert head.endswith(f", {shown}")
        assert "rehearsal" not in head
    assert "yes" == compared("halted", "one.tost").pairs[0].verdicts[0].answer


@pytest.mark.parametrize(
    ("environment", "result", "wanted"),
    [
        ({"options": {"smoke": False}, "data": {"fake": True}}, {}, "random images"),
        ({"options": {"smoke": True}, "data": {"fake": True}}, {}, "a rehearsal"),
        ({"options": {"smoke": False}, "data": {"fake": False}}, {"unreal": "a rehearsal"}, ""),
        ([], {"unreal": "random images"}, "random images"),
        ({"options": {"smoke": "no"}, "data": {"fake": 0}}, {"unreal": 3}, None),
        (None, None, None),
    ],
)
def test_what_a_folder_tells_of_its_figures(
    tmp_path: Path, environment: Any, result: Any, wanted: str | None
) -> None:
    """How it was started counts; where that is damaged, its result; else nobody knows."""
    for name, content in (("environment.json", environment), ("result.json", result)):
        if content is not None:
            (tmp_path / name).write_text(json.dumps(content))
    assert wanted == unreal_of(tmp_path)


# -- checkpoints


def test_a_checkpoint_elsewhere_is_compared_by_what_it_holds(tost: Tost, made: Path) -> None:
    """Within its run it is that run, taken out of it, it tells the same, but for its end."""
    inside = sorted((made / "fake" / "ckpt").iterdir())[-1]
    assert "random images" == sides(str(inside))[0].unreal
    shutil.copytree(inside, made / "taken")
    found = tost("diff", "taken", "one.tost")
    head, *lines = found.out.splitlines()
    assert (0, "") == (found.code, found.err)
    assert head.endswith(", a run on random images")
    assert "no difference: the plans are the same" in lines
    record = json.loads((made / "taken" / "state.json").read_text())
    del record["unreal"]  # as one of an earlier version
    signed(made / "taken", "state.json", json.dumps({**record, "schema_version": 2}).encode())
    head, *_ = tost("diff", "taken", "one.tost").out.splitlines()
    assert head.endswith("whether it is a rehearsal is not known")
    (made / "taken" / "state.json").write_text("{}")
    found = tost("diff", "taken", "one.tost")
    assert (2, True) == (found.code, "R605" in found.err)


# -- sweeps


def test_one_run_is_compared_with_that_of_the_same_plan(tost: Tost) -> None:
    found = tost("diff", "runs/002", "swept.tost")
    assert (0, True) == (found.code, "the run of sp = 90%" in found.out.splitlines()[1])
    content = json.loads(tost("diff", "swept.tost", "runs/003", "--json").out)
    assert ({"sp": "95%"}, True) == (content["a"]["values"], content["same"])
    assert tost("diff", "runs/002/plan.json", "swept.tost").code == 0


def test_one_plan_is_compared_with_the_nearest_run(made: Path) -> None:
    """That with the fewest changes where none is the same; the first of several such."""
    text = SWEEP.replace("sweep sp over [80%, 90%, 95%]\n", "") + "skip until 50%\n"
    (made / "near.tost").write_text(text.replace("sp = 80%", "sp = 95%"))
    (pair,) = compared("near.tost", "swept.tost").pairs
    assert ({"sp": "95%"}, ["stages.skip"]) == (dict(pair.b.values), [c.path for c in pair.changes])
    assert {"sp": "95%"} == tostdsl.diff("swept.tost", "near.tost").a.values
    with pytest.raises(tostdsl.TostError) as error:
        tostdsl.diff("swept.tost", "swept.tost")
    assert ["R803"] == [each.code for each in error.value.diagnostics]


def test_the_folder_of_a_sweep_stands_for_its_runs(tost: Tost, made: Path) -> None:
    """Each with its values, read back from the recipe that it keeps, whatever is edited since."""
    found = compared("runs", "swept.tost")
    assert [{"sp": each} for each in ("80%", "90%", "95%")] == [p.a.values for p in found.pairs]
    assert (True, "runs") == (found.same, found.a)
    assert "runs/001" == found.pairs[0].a.name
    (made / "edited.tost").write_text(SWEEP.replace("[80%, 90%", "[90%") + "skip until 50%\n")
    said = tost("diff", "runs", "edited.tost")
    assert (1, True) == (said.code, "-- sp = 90%; sp = 95%" in said.out)
    assert "only in a: sp = 80%" in said.out.splitlines()
    shutil.copytree(made / "runs", made / "bare")
    for number in "123":
        (made / "bare" / f"00{number}" / "recipe.tost").unlink()
    said = tost("diff", "bare", "swept.tost")
    assert (2, True) == (said.code, "such as `bare/001`" in " ".join(said.err.split()))
    assert 0 == tost("diff", "bare/002", "swept.tost").code


def test_runs_that_only_one_sweep_has(tost: Tost, made: Path) -> None:
    """They are told as such, in all forms; the common ones are compared, in whatever order."""
    (made / "a.tost").write_text(SEEDS.format("[1, 2]"))
    (made / "b.tost").write_text(SEEDS.format("[3, 2, 1]"))
    found = compared("a.tost", "b.tost")
    assert (False, 2, 0, 1) == (found.same, len(found.pairs), len(found.gone), len(found.new))
    said = tost("diff", "a.tost", "b.tost")
    assert (1, True) == (said.code, "only in b: seed = 3" in said.out.splitlines())
    assert [["a.tost", "2", "runs"], ["b.tost", "3", "runs"]] == [
        line.split()[1:] for line in said.out.splitlines()[:2]
    ]
    content = json.loads(tost("diff", "b.tost", "a.tost", "--json").out)
    alone = content[-1]
    assert ({"seed": "3"}, None, "runs") == (alone["a"]["values"], alone["b"], alone["differs"])
    assert alone.keys() == content[0].keys()
    markdown = tost("diff", "a.tost", "b.tost", "--format", "markdown").out.splitlines()
    assert "only in b: seed = 3." in markdown
    (made / "b.tost").write_text(SEEDS.format("[2, 1]"))
    assert 0 == tost("diff", "a.tost", "b.tost").code


def test_sweeps_over_other_names_are_refused(tost: Tost, made: Path) -> None:
    """With those names that only one side has."""
    (made / "a.tost").write_text(SEEDS.format("[1, 2]"))
    (made / "b.tost").write_text(SWEEP + "sweep seed over [1, 2]\n")
    found = tost("diff", "a.tost", "b.tost")
    words = " ".join(found.err.split())
    assert (2, True) == (found.code, "a.tost stands for 2 plans, and b.tost for 6" in words)
    assert "`sweep sp` is only in b.tost: sweep both over the same names" in words
    assert "`sweep seed`" not in words


def test_runs_of_the_same_plan_pair_however_their_values_are_spelled(made: Path) -> None:
    """Also where no number tells that two spellings are one value."""
    text = "recipe r\nparam r = start\nsweep r over {}\n" + ONE
    text = text.replace("random(sparsity=90%)", "lottery(sparsity=20%, rewind=$r)")
    (made / "a.tost").write_text(text.replace("{}", "[start, step 3]"))
    (made / "b.tost").write_text(text.replace("{}", "[step 3, step 0]"))
    found = compared("a.tost", "b.tost")
    rows = [(pair.a.values["r"], pair.b.values["r"]) for pair in found.pairs]
    assert (True, [("start", "step 0"), ("step 3", "step 3")]) == (found.same, rows)


# -- names


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (ONE, ONE, True),
        ("recipe a\n" + ONE, ONE, False),
        ("recipe b\n" + ONE, ONE, True),
        ("recipe x\n" + ONE, "recipe y\n" + ONE, False),
    ],
)
def test_a_name_that_is_only_the_files_is_no_difference(
    made: Path, a: str, b: str, same: bool
) -> None:
    """That one side says is one; of a saved plan nobody knows whether its name was said."""
    (made / "a.tost").write_text(a)
    (made / "b.tost").write_text(b)
    found = compared("a.tost", "b.tost")
    assert (same, same) == (found.same, found.pairs[0].differs != "labels")
    (made / "a.json").write_text(json.dumps(compile_file(made / "a.tost").plans[0].to_json()))
    (made / "b.json").write_text(json.dumps(compile_file(made / "b.tost").plans[0].to_json()))
    assert compared("a.json", "b.json").same
    assert (same or b == ONE) == compared("a.json", "b.tost").same


def test_whether_a_run_has_its_name_from_a_file(made: Path) -> None:
    """Its recipe tells."""
    (made / "z.tost").write_text(ONE)
    assert compared("smoke", "z.tost").same
    assert compared("fake", "smoke").same
    assert [True] * 3 == [each.named for each in sides("runs")]
    assert [False] == [each.named for each in sides("smoke")]
