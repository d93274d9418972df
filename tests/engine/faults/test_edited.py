"""Checkpoints that were edited together with their manifests: what the program shows is asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.test_registered import examples, of_kind
from tests.engine.faults.runs import begun, checkpoints, cut, resumed, unequal
from tests.engine.faults.test_damage import signed
from tostdsl.diagnostics import TostError
from tostdsl.engine.checkpoint import Checkpoints
from tostdsl.engine.resume import stored_of
from tostdsl.engine.sound import unsound
from tostdsl.engine.start import DataOptions, images_of
from tostdsl.plan.program import lower

STEP = 20
"""Of 24, four steps into the training after two rounds of eight."""
HUGE = 10**30
Key = str | int


def without(key: str) -> Callable[[Any], Any]:
    return lambda held: {name: value for name, value in held.items() if key not in name}


EDITS: list[tuple[tuple[Key, ...], Any, str]] = [
    (("position", "phase"), 3, "its phase, 3, is none of the plan's 3"),
    (("position", "phase"), HUGE, f"its phase, {HUGE}, is none of"),
    (("position", "phase"), -1, "no sound `position.phase`"),
    (("position", "phase"), 0, "its "),
    (("position", "phase"), 1, "its "),
    (("position", "segment"), 99, "its segment, 99, is none of training"),
    (("position", "segment"), 0, "its "),
    (("position", "segment"), None, "only one of segment and training"),
    (("position", "offset"), 99, "its offset, 99, is none after a step of segment"),
    (("position", "offset"), 0, "its offset, 0, is none after a step of segment"),
    (("position", "offset"), -1, "no sound `position.offset`"),
    (("training",), None, "only one of segment and training"),
    (("training", "done"), 0, "its training.done is 0, by its place it is 4"),
    (("training", "step"), 7, "its training.step is 7, by its place it is"),
    (("training", "step"), -3, "no sound `training.step`"),
    (("training", "images"), -7, "no sound `training.images`"),
    (("training", "attached"), [], "its training.attached"),
    (("training", "attached"), [0, 0], "its training.attached"),
    (("training", "acted"), [[1, 0]], "its training.acted"),
    (("training", "groups"), [], "its training.groups"),
    (("training", "groups", 0, "weight_decay"), 0.3, "its training.groups.0.weight_decay is 0.3"),
    (("training", "groups", 0, "betas"), [0.5, 0.6], "its training.groups.0.betas"),
    (("training", "groups", 0, "maximize"), True, "its training.groups.0.maximize is True"),
    (("training", "groups", 0, "capturable"), "x", "its training.groups.0.capturable is 'x'"),
    (("training", "groups", 0, "lr"), "x", "its training.groups.0.lr"),
    (("training", "groups", 1, "eps"), 0.1, "its training.groups.1.eps"),
    (("training", "plain"), {}, "its training.plain lacks"),
    (("training", "plain"), without("conv1"), "its training.plain lacks"),
    (("training", "host"), ["own:conv1.weight:none"], "its training.host names"),
    (("training", "scaler"), {"scale": 1.0}, "its training.scaler"),
    (("masks",), None, "its masks is not there"),
    (("rewind",), None, "its rewind is not there"),
    (("moments",), None, "its moments is not there"),
    (("moments_plain",), None, "its moments_plain is not there"),
    (("proof", "checks"), [], "its proof.checks lack `round 1 ran its 8 steps`"),
    (("proof", "looks"), {"training": -1}, "no sound `proof.looks.training`"),
    (("files",), {}, "its files lack metrics.jsonl"),
    (("validation",), float("nan"), "no sound `validation`"),
    (("seconds",), float("inf"), "no sound `seconds`"),
    (("watching",), -1.0, "no sound `watching`"),
]


def put(path: Path, where: tuple[Key, ...], value: Any) -> None:
    """Edit the record of a checkpoint, and its manifest with it."""
    record = json.loads((path / "state.json").read_text())
    held = record
    for key in where[:-1]:
        held = held[key]
    new = value(held[where[-1]]) if callable(value) else value
    assert new != held[where[-1]], "nothing is edited"
    held[where[-1]] = new
    signed(path, "state.json", json.dumps(record).encode())


def refusal(run: Path) -> list[str]:
    """What resuming a run that cannot go on says, and that nothing was touched for it."""
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(TostError) as error:
        resumed(run)
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert before == after
    return [f"{each.code} {each.message}" for each in error.value.diagnostics]


def alone(base: Path, to: Path, step: int) -> Path:
    """A run killed after a step, with the checkpoint of that step only."""
    run = cut(base, to, step)
    for path in checkpoints(run)[:-1]:
        shutil.rmtree(path)
    return run


@pytest.mark.parametrize(
    ("where", "value", "reason"),
    [pytest.param(*e, id=f"{'.'.join(map(str, e[0]))}-{i}") for i, e in enumerate(EDITS)],
)
def test_an_edit_is_refused_by_name(
    base: Path, tmp_path: Path, where: tuple[Key, ...], value: Any, reason: str
) -> None:
    """The manifest fits, the program does not: the checkpoint is passed over for that."""
    run = alone(base, tmp_path / "run", STEP)
    put(checkpoints(run)[-1], where, value)
    said = refusal(run)
    assert ["R707", "R704"] == [each[:4] for each in said]
    assert reason in said[0]


@pytest.mark.parametrize(
    ("step", "where", "value", "reason"),
    [
        (0, ("position", "offset"), 1, "its offset is 1 before round 1 begins"),
        (0, ("position", "phase"), 1, "its done is 0, by its place it is 8"),
    ],
)
def test_before_a_phase(
    base: Path, tmp_path: Path, step: int, where: tuple[Key, ...], value: Any, reason: str
) -> None:
    """A state between phases has a place, too."""
    run = alone(base, tmp_path / "run", step)
    put(checkpoints(run)[-1], where, value)
    assert reason in refusal(run)[0]


@pytest.mark.parametrize("name", ["masks", "rewind", "moments"])
def test_what_is_not_kept_yet_is_not_there(base: Path, tmp_path: Path, name: str) -> None:
    """After the first of two steps to the rewind point there is neither that nor a mask."""
    run = alone(base, tmp_path / "run", 1)
    digest = json.loads((checkpoints(base)[STEP] / "state.json").read_text())[name]
    put(checkpoints(run)[-1], (name,), digest)
    assert f"its {name} is there though none is kept" in refusal(run)[0]


def test_the_one_before_an_edited_one_is_used(base: Path, tmp_path: Path) -> None:
    """It goes on to the same bits."""
    run = cut(base, tmp_path / "run", STEP)
    put(checkpoints(run)[-1], ("training", "groups", 0, "weight_decay"), 0.3)
    resumed(run)
    assert [] == unequal(base, run)
    told = [json.loads(line) for line in (run / "lives.jsonl").read_text().splitlines()][-1]
    assert STEP - 1 == told["done"]
    assert [f"step-{STEP:07d}"] == [each["name"] for each in told["passed"]]


# -- nothing sound is refused


def reasons(run: Path, *, every: bool = True) -> Iterator[str]:
    """Why checkpoints of a run are refused, which are those of every step or of fewer."""
    _, plan, _ = stored_of(run)
    images = images_of(plan, DataOptions())
    program = lower(plan, plan.data.steps_per_epoch(images.facts.train_size))
    found = [Checkpoints(run)._read(path, False).record for path in checkpoints(run)]
    assert {each.position.phase for each in found} == set(range(len(program.phases)))
    assert not every or program.steps + 1 == len({each.position.done for each in found})
    yield from filter(None, (unsound(each, program, images.facts) for each in found))


def test_no_state_of_the_run_is_refused(base: Path) -> None:
    """Every step of two rounds and a training, with stages, rewind and moments."""
    assert [] == list(reasons(base))


def test_no_state_between_phases_is_refused(tmp_path: Path) -> None:
    """Kept at borders and at the end alone."""
    begun(tmp_path / "run", 1000, keep=1000)
    found = [
        Checkpoints(tmp_path / "run")._read(path).record for path in checkpoints(tmp_path / "run")
    ]
    assert [(0, None), (1, None), (2, None)] == [
        (each.position.phase, each.position.segment) for each in found[:3]
    ]
    assert [] == list(reasons(tmp_path / "run", every=False))


RECIPE = """\
model cifar_resnet(8, width=0.25x)
data digits(batch=512)
mask {mask}
optimizer {optimizer}
schedule {schedule}
ghost(width=2x) from step 1 until step 3
train for 6 steps
{more}
"""
PLAIN = {"mask": "random(sparsity=50%)", "optimizer": "adam", "schedule": "cosine", "more": ""}
SOUND = [
    {"more": "precision fp16"},
    {"more": "precision fp16", "optimizer": "sgd"},
    {"optimizer": "sgd(momentum=0)"},
    {"optimizer": "sgd(nesterov=yes, weight_decay=0.001)"},
    {"mask": "lottery(sparsity=36%, rate=20%, rewind=start)"},
    {
        "mask": "lottery(sparsity=36%, rate=20%, rewind=step 2, optimizer=rewind)",
        "optimizer": "sgd",
    },
    *({"optimizer": text} for cls in of_kind("optimizer") for text in examples(cls)),
    *({"schedule": text} for cls in of_kind("schedule") for text in examples(cls)),
]


@pytest.mark.parametrize("changes", SOUND, ids=lambda changes: "-".join(changes.values()))
def test_no_state_of_another_run_is_refused(tmp_path: Path, changes: dict[str, str]) -> None:
    """Whatever optimizer, schedule or precision: each state that a run keeps is gone on from."""
    begun(tmp_path / "run", keep=1000, text=RECIPE.format(**{**PLAIN, **changes}))
    assert [] == list(reasons(tmp_path / "run"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scale", -5),
        ("scale", 0.0),
        ("scale", float("nan")),
        ("growth_interval", 1),
        ("_growth_tracker", -1),
    ],
)
def test_a_loss_scale_that_is_none_is_refused(
    half: Path, tmp_path: Path, key: str, value: Any
) -> None:
    """Not positive, no number, or with another way to grow."""
    run = alone(half, tmp_path / "run", 4)
    put(checkpoints(run)[-1], ("training", "scaler", key), value)
    assert f"its training.scaler has no sound `{key}`" in refusal(run)[0]


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a loss scale; not to be written to."""
    out = tmp_path_factory.mktemp("half") / "run"
    begun(out, keep=1000, text=RECIPE.format(**{**PLAIN, "more": "precision fp16"}))
    return out
