"""The course of a run, and its trace, are held against the plan's windows, anneals and schedule."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from tests.engine.verify.runs import edit_json, edit_tensors, failures, reseal, trained, verdict
from tests.engine.verify.test_expected import HEAD, RECIPES
from tostdsl.compile.compiler import compile_file
from tostdsl.engine.verify.course import course
from tostdsl.engine.verify.evidence import Evidence, Group
from tostdsl.engine.verify.parts import parts_of
from tostdsl.engine.verify.records import (
    StoredCertificate,
    StoredEnvironment,
    StoredResult,
    read_record,
)
from tostdsl.engine.verify.seams import seams as seam_rows
from tostdsl.engine.verify.traces import trace

Rows = list[dict[str, Any]]
TRACED = """\
model cifar_resnet(8)
data digits(validation=20%)
mask random(sparsity=90%)
train for 3 epochs
schedule multistep(at=[epoch 2], factor=0.1)
labels(smoothing=0.2 -> 0)
ghost(activation=swish, beta=1 -> 20, anneal=linear) until 40%
skip(recalibrate=yes) until 60%
"""


@pytest.fixture(scope="module")
def traced_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run with a trace."""
    folder = tmp_path_factory.mktemp("traced")
    return trained({"top.tost": TRACED}, folder, smoke=False, trace_every=10)


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_run_tells_of_its_course_is_what_the_plan_says(name: str, tmp_path: Path) -> None:
    """For every kind of recipe: epochs, rates, weights, ramps, seams, and a trace of them."""
    files = {"top.tost": HEAD + RECIPES[name]}
    folder = trained(files, tmp_path, trace_every=7, allow_ghosts=True)
    assert "" == failures(folder)


def test_a_whole_run_with_validation_and_a_trace_holds(traced_run: Path) -> None:
    """Not only a rehearsal."""
    assert "" == failures(traced_run)
    said = {check.detail for g in verdict(traced_run).groups for check in g.checks}
    assert "has 3 epochs, their rates and weights as the plan has them" in said
    assert "has 2 seams, where and at which weights the plan has them" in said


def rows_of(path: Path) -> Rows:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def evidence(traced_run: Path) -> Evidence:
    """What the run's course is judged by."""
    (made,) = compile_file(traced_run / "recipe.tost").plans
    return Evidence(
        traced_run,
        made,
        read_record(traced_run / "environment.json", StoredEnvironment),
        read_record(traced_run / "certificate.json", StoredCertificate),
        read_record(traced_run / "result.json", StoredResult),
        rows_of(traced_run / "metrics.jsonl"),
        {},
        False,
    )


def change_rows(path: Path, change: Callable[[Rows], Any]) -> None:
    rows = rows_of(path)
    change(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def epochs(rows: Rows) -> Rows:
    return [row for row in rows if row["kind"] == "epoch"]


def seams(rows: Rows) -> Rows:
    return [row for row in rows if row["kind"] == "seam"]


COURSE: list[tuple[str, Callable[[Rows], Any], str]] = [
    ("rate", lambda r: epochs(r)[2].update(lr=0.1), "tells a learning rate of 0.1 in epoch 2"),
    ("no rate", lambda r: epochs(r)[0].pop("lr"), "tells a learning rate of None in epoch 0"),
    (
        "weight",
        lambda r: epochs(r)[0]["weights"].update(ghost=0.5),
        "tells ghost at 0.5 in epoch 0 of training, the plan has it at ",
    ),
    (
        "ramp",
        lambda r: epochs(r)[0]["weights"].update({"labels.smoothing": 0.2}),
        "tells labels.smoothing at 0.2 in epoch 0",
    ),
    (
        "stage",
        lambda r: epochs(r)[2]["weights"].update(skip=0.1),
        "tells other weights in epoch 2 of training than those of labels.smoothing",
    ),
    ("fewer", lambda r: r.remove(epochs(r)[2]), "has fewer epochs than the plan"),
    ("more", lambda r: r.append(epochs(r)[2]), "has more epochs than the plan"),
    (
        "order",
        lambda r: epochs(r)[0].update(epoch=1),
        "has a row of training, epoch 1, step 16 in the place of epoch 0 of training",
    ),
    (
        "step",
        lambda r: epochs(r)[1].update(step=30),
        "has a row of training, epoch 1, step 30 in the place",
    ),
    (
        "negative",
        lambda r: epochs(r)[1].update(loss=-0.1),
        "has not the figures of a run in epoch 1",
    ),
    (
        "negative validation",
        lambda r: epochs(r)[1].update(validation_loss=-0.1),
        "has not the figures of a run in epoch 1",
    ),
    (
        "rate of images",
        lambda r: epochs(r)[1].update(images_per_second=-1),
        "has not the figures of a run in epoch 1",
    ),
    ("loss", lambda r: epochs(r)[0].update(loss="low"), "has not the figures of a run in epoch 0"),
    (
        "accuracy",
        lambda r: epochs(r)[0].update(validation_accuracy=1.1),
        "has not the figures of a run in epoch 0",
    ),
    (
        "seam",
        lambda r: seams(r)[0]["left"].update(ghost=0.0),
        "tells ghost left at a weight of 0.0 at step 20 of training, the plan has it at ",
    ),
    ("place", lambda r: seams(r)[1].update(step=30), "has a seam in another place than step 31"),
    (
        "others",
        lambda r: seams(r)[0].update(left={"skip": 0.1}),
        "tells of others than ghost that left at step 20",
    ),
    (
        "costs",
        lambda r: seams(r)[0]["after"].update(loss=99, accuracy=0),
        "says otherwise than its own figures, by which the seam at step 20 of training costs",
    ),
    (
        "dear",
        lambda r: seams(r)[0].update(costs=True),
        "by which the seam at step 20 of training costs nothing",
    ),
    (
        "before",
        lambda r: seams(r)[0].pop("before"),
        "has not the figures of a seam under `before` at step 20 of training",
    ),
    (
        "after",
        lambda r: seams(r)[1].update(after=None),
        "has not the figures of a seam under `after` at step 31 of training",
    ),
    (
        "no units",
        lambda r: seams(r)[0]["after"].pop("dead"),
        "has not the figures of a seam under `after`",
    ),
    (
        "other units",
        lambda r: seams(r)[0]["before"].update(dead={"conv9": 0.0}),
        "has not the figures of a seam under `before`",
    ),
    (
        "norms",
        lambda r: seams(r)[0]["before"].update(norms={}),
        "has not the figures of a seam under `before`",
    ),
    (
        "shift",
        lambda r: seams(r)[0]["before"]["norms"]["bn1"].update(mean=-1.0),
        "has not the figures of a seam under `before`",
    ),
    (
        "recalibrated",
        lambda r: seams(r)[1].update(recalibrated=None),
        "tells nothing of recalibrating at step 31 of training, where the plan does",
    ),
    (
        "recalibrated in vain",
        lambda r: seams(r)[0].update(recalibrated=seams(r)[0]["after"]),
        "tells something of recalibrating at step 20 of training, where the plan does not",
    ),
]


@pytest.mark.parametrize(("change", "words"), [c[1:] for c in COURSE], ids=[c[0] for c in COURSE])
def test_a_forged_course_is_found(
    evidence: Evidence, change: Callable[[Rows], Any], words: str
) -> None:
    """Nothing but the plan is asked what the rate and the weights of an epoch were."""
    rows = rows_of(evidence.folder / "metrics.jsonl")
    change(rows)
    group = Group("figures")
    forged = replace(evidence, rows=rows)
    course(forged, group)
    network = evidence.plan.model.build(evidence.facts)
    seam_rows(forged, parts_of(evidence, network), group)
    assert words in " ".join(f"{check.name} {check.detail}" for check in group.failures)


def _measured(rows: Rows) -> dict[str, Any]:
    found: dict[str, Any] = rows[1]["with"]
    return found


TRACES: list[tuple[str, Callable[[Rows], Any], str]] = [
    ("order", lambda r: r.insert(1, r[3]), "in line 2, where step 0 of training is due"),
    ("twice", lambda r: r.insert(1, r[1]), "has step 0 in line 3, where step 10 of training is"),
    ("late", lambda r: r[-1].update(step=54), "has step 54 in line "),
    ("gutted", lambda r: r.__delitem__(slice(1, None)), "lacks step 0 of training"),
    ("first", lambda r: r.pop(1), "has step 10 in line 2, where step 0 of training is due"),
    ("last", lambda r: r.pop(), "lacks step 50 of training"),
    (
        "boundary",
        lambda r: r.remove(next(x for x in r if x.get("step") == 31)),
        "where step 31 of training is due",
    ),
    (
        "more",
        lambda r: r.append({**r[-1], "step": 60}),
        "has step 60 in line 10, where nothing of training is due",
    ),
    ("word for a step", lambda r: r[2].update(step="10"), "where step 10 of training is due"),
    ("unit", lambda r: _measured(r)["dead"].update(conv9=0.0), "has not the figures of a trace"),
    ("units", lambda r: _measured(r)["dead"].clear(), "has not the figures of a trace"),
    ("null", lambda r: _measured(r).update(loss=None), "has no loss, at which the run would"),
    ("phase", lambda r: r.pop(0), "has a line 1 that is no step of a phase"),
    ("empty", lambda r: r.clear(), "lacks a phase of the plan"),
    ("length", lambda r: r[0].update(steps=55), "has a phase in line 1 that is not the plan's"),
    ("window", lambda r: r[0]["windows"].update(skip=[0, 9]), "phase in line 1 that is not"),
    ("layers", lambda r: r[0]["layers"].pop(), "names other layers in line 1 than the network's"),
    ("kind", lambda r: r[2].update(kind="stop"), "has a line 3 that is no step of a phase"),
    ("stage", lambda r: r[1]["stages"].pop("labels"), "names other stages than those at work"),
    (
        "weight",
        lambda r: r[1]["stages"]["skip"].update(weight=0.4),
        "has skip at other values than the plan's in line 2",
    ),
    ("ramp", lambda r: r[1]["stages"]["ghost"].pop("beta"), "has other values of ghost than"),
    ("without", lambda r: r[1]["without"].pop("skip"), "measures without other stages than those"),
    ("negative", lambda r: _measured(r)["gradients"].update(fc=-1.0), "has not the figures"),
    ("gone", lambda r: _measured(r)["gradients"].pop("fc"), "has not the figures of a trace"),
    ("dead", lambda r: _measured(r)["dead"].update(conv1=2.0), "has not the figures of a trace"),
    ("word", lambda r: _measured(r).update(loss="low"), "has not the figures of a trace"),
    ("key", lambda r: _measured(r).update(more=1), "has not the figures of a trace in line 2"),
]


@pytest.mark.parametrize(("change", "words"), [t[1:] for t in TRACES], ids=[t[0] for t in TRACES])
def test_a_forged_trace_is_found(
    evidence: Evidence, tmp_path: Path, change: Callable[[Rows], Any], words: str
) -> None:
    """Steps, stages, layers and keys of each row; figures that none can be."""
    shutil.copy(evidence.folder / "trace.jsonl", tmp_path)
    change_rows(tmp_path / "trace.jsonl", change)
    group, model = Group("figures"), evidence.plan.model.build(evidence.facts)
    names = {"trace.jsonl", "trace.svg"}
    forged = replace(evidence, folder=tmp_path)
    trace(forged, model, parts_of(evidence, model), names, group)
    assert words in " ".join(f"{check.name} {check.detail}" for check in group.failures)


def test_forgeries_of_both_are_found_in_a_folder(traced_run: Path, tmp_path: Path) -> None:
    """By the whole of a verification, the checksums fitting."""
    copy = tmp_path / "copy"
    shutil.copytree(traced_run, copy)
    change_rows(copy / "metrics.jsonl", lambda rows: epochs(rows)[0].update(lr=1.0))
    change_rows(copy / "trace.jsonl", lambda rows: rows[1].update(stages={}))
    reseal(copy)
    assert [
        "figures: metrics.jsonl tells a learning rate of 1.0 in epoch 0 of training, "
        "the plan's is 0.1",
        "figures: trace.jsonl names other stages than those at work at step 0 in line 2",
    ] == failures(copy).splitlines()


def test_a_trace_without_its_picture_is_found(traced_run: Path, tmp_path: Path) -> None:
    """And a picture without its trace; a changed trace by its checksum alone."""
    for name, other in (("trace.svg", "trace.jsonl"), ("trace.jsonl", "trace.svg")):
        copy = tmp_path / name
        shutil.copytree(traced_run, copy)
        with (copy / name).open("a", encoding="utf-8") as file:
            file.write("\n")
        assert f"files: {name} is " in failures(copy)
        (copy / name).unlink()
        reseal(copy)
        assert other in failures(copy)


def _unknown(content: dict[str, Any]) -> None:
    del content["trace_every"]


def test_a_trace_that_was_taken_away_is_found(traced_run: Path, tmp_path: Path) -> None:
    """Whether a run was traced is taken down beside it, and neither may be without the other."""
    copy = tmp_path / "copy"
    shutil.copytree(traced_run, copy)
    edit_json(copy / "environment.json", lambda c: c.update(trace_every=None))
    reseal(copy)
    assert [
        "figures: trace.jsonl is there, though environment.json tells of no trace",
        "figures: trace.svg is there, though environment.json tells of no trace",
    ] == failures(copy).splitlines()
    edit_json(copy / "environment.json", _unknown)
    reseal(copy)
    assert "figures: environment.json does not tell whether the run was traced" == failures(copy)
    edit_json(copy / "environment.json", lambda c: c.update(trace_every=10))
    for name in ("trace.jsonl", "trace.svg"):
        (copy / name).unlink()
    reseal(copy)
    words = "tells of a trace every 10 steps, trace.jsonl and trace.svg are missing"
    assert f"figures: environment.json {words}" == failures(copy)


def test_batches_that_the_steps_do_not_make_are_found(traced_run: Path, tmp_path: Path) -> None:
    """32 that statistics were estimated anew from when `skip` left, and the 20 steps since."""
    copy = tmp_path / "copy"
    shutil.copytree(traced_run, copy)

    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        assert 52 == int(tensors["bn1.num_batches_tracked"])
        tensors["bn1.num_batches_tracked"] += 1

    edit_tensors(copy / "model.safetensors", change)
    reseal(copy)
    words = "says 53 batches, the plan's steps make it 52"
    assert f"network: `bn1.num_batches_tracked` {words}" == failures(copy)


def test_a_picture_of_another_trace_is_found(traced_run: Path, tmp_path: Path) -> None:
    """It is drawn again from the rows; not where another version drew it, which is noted."""
    copy = tmp_path / "copy"
    shutil.copytree(traced_run, copy)
    svg = copy / "trace.svg"
    svg.write_text(svg.read_text("utf-8").replace("#", "#0", 1), encoding="utf-8")
    reseal(copy)
    assert "figures: trace.svg is not the picture of trace.jsonl" == failures(copy)
    edit_json(copy / "environment.json", lambda c: c["versions"].update(tostdsl="0.0.0"))
    reseal(copy)
    found = verdict(copy)
    assert found.passed
    notes = [note for group in found.groups for note in group.notes]
    assert "trace.svg was drawn by another version, and was not drawn again" in notes


def test_a_missing_manifest_is_the_only_thing_told(traced_run: Path, tmp_path: Path) -> None:
    """What it would have said of other files is not held against them; they still are judged."""
    copy = tmp_path / "copy"
    shutil.copytree(traced_run, copy)
    (copy / "manifest.json").unlink()
    assert "files: manifest.json is missing" == failures(copy)
    edit_json(copy / "certificate.json", lambda c: c["sha256"].update({"model.safetensors": "0"}))
    assert "certificate.json has not the checksum of model.safetensors" in failures(copy)


def test_an_edited_recipe_is_not_called_as_written(traced_run: Path, tmp_path: Path) -> None:
    """It may mean the same, and then all holds; but it is not what was written."""
    copy = tmp_path / "copy"
    shutil.copytree(traced_run, copy)
    text = (copy / "recipe.tost").read_text("utf-8")
    (copy / "recipe.tost").write_text("# a remark\n" + text, encoding="utf-8")
    found = verdict(copy)
    assert found.passed
    files = len(json.loads((copy / "manifest.json").read_text("utf-8"))["files"])
    wanted = f"{files - 1} of {files} files are as they were written; recipe.tost was edited"
    assert wanted == found.groups[0].said
