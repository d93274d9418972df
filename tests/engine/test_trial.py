"""Runs that are killed by a real SIGKILL and resumed end as those that nobody stops."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.lives import ENDS, cut, kept, unequal, watched
from tests.plans import plan_of
from tostdsl.diagnostics import TostError
from tostdsl.engine.life import Death
from tostdsl.engine.resume import resume
from tostdsl.engine.trial import CALLS, Outcome, Trial, deaths
from tostdsl.engine.twins import differences
from tostdsl.plan.plan import Plan

LOTTERY = """\
model cifar_resnet(8)
data digits(batch=128)
mask lottery(sparsity=60%, rate=30%, rewind=step 4)
optimizer sgd(momentum=0.9)
train for 3 epochs
ghost(width=2x) until 60%
ghost(activation=swish) until 40%
skip until 50%
labels(smoothing=0.1, mixup=0.2)
"""
"""Digits come with a package: nothing is fetched."""


def plan(text: str = LOTTERY) -> Plan:
    found = plan_of(text)
    assert found is not None
    return found


def tried(scratch: Path, kills: int, seed: int) -> Outcome:
    return Trial(plan(), scratch, kills=kills, seed=seed).run()


def test_a_lottery_killed_twenty_times(tmp_path: Path) -> None:
    """It ends with the same bits, after kills in steps and in writes of checkpoints."""
    found = tried(tmp_path, 20, 3)
    assert () == found.differences
    assert 15 <= len(found.kills) <= 20  # a last checkpoint that is whole leaves no step to die in
    assert {True, False} == {kill.death.call is None for kill in found.kills}
    lives = (tmp_path / "killed" / "lives.jsonl").read_text().splitlines()
    assert {"started", "resumed"} == {json.loads(line)["kind"] for line in lives}


@pytest.mark.slow
def test_a_lottery_killed_five_hundred_times(tmp_path: Path) -> None:
    """None of 500 kills leaves a run that cannot go on, or that ends otherwise."""
    kills = seed = 0
    while kills < 500:
        seed += 1
        found = tried(tmp_path / str(seed), 20, seed)
        assert () == found.differences, f"seed {seed}"
        kills += len(found.kills)
        shutil.rmtree(tmp_path / str(seed))


def test_kills_land_where_they_are_meant(tmp_path: Path) -> None:
    """A life dies after its step: at most the steps since the last border are lost, and no more."""
    found = Trial(plan(), tmp_path, steps=(7, 11)).run()
    assert (7, 11) == tuple(kill.death.step for kill in found.kills)
    for kill in found.kills:
        assert kill.kept is not None
        assert kill.death.step - 6 <= kill.kept <= kill.death.step
    lines = (tmp_path / "killed" / "lives.jsonl").read_text().splitlines()
    resumed = [row for row in map(json.loads, lines) if row["kind"] == "resumed"]
    assert [kill.kept for kill in found.kills] == [row["done"] for row in resumed]


def test_a_step_that_does_not_exist(tmp_path: Path) -> None:
    """The last step is named."""
    with pytest.raises(TostError, match="there is no step 99, the last is"):
        Trial(plan(), tmp_path, steps=(99,)).run()


def test_a_run_that_fails_by_itself_is_told_as_it_is(tmp_path: Path) -> None:
    """Not as one that could not go on."""
    with pytest.raises(TostError) as error:
        Trial(plan(LOTTERY.replace("sgd(momentum=0.9)", "sgd(lr=1e30)")), tmp_path).run()
    (found,) = error.value.diagnostics
    assert found.code in ("R302", "R309")


def test_deaths_are_drawn_from_the_seed() -> None:
    """The same seed gives the same, another one others: steps of the program, or writes."""
    first = deaths(30, 40, 1)
    assert first == deaths(30, 40, 1)
    assert first != deaths(30, 40, 2)
    assert all(0 <= death.step <= 30 for death in first)
    calls = {death.call for death in first}
    assert None in calls
    assert calls <= {None, *range(CALLS)}
    assert all(death.call is not None for death in first if death.step == 0)
    assert "in a write as it began" == str(Death(0, 3))


# -- what the comparison sees


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that keeps each of its steps."""
    return watched(plan(), tmp_path_factory.mktemp("base") / "run", fake_data=False)


@pytest.fixture
def twin(base: Path, tmp_path: Path) -> Path:
    shutil.copytree(base, tmp_path / "twin")
    return tmp_path / "twin"


def test_a_copy_is_a_twin(base: Path, twin: Path) -> None:
    """Times and lives may differ."""
    (twin / "lives.jsonl").write_text("")
    content = json.loads((twin / "result.json").read_text())
    (twin / "result.json").write_text(json.dumps({**content, "seconds": 1e9}))
    assert [] == list(differences(base, twin))


@pytest.mark.parametrize("name", ["model.safetensors", "masks.safetensors", "outputs.safetensors"])
def test_one_bit_of_a_tensor(base: Path, twin: Path, name: str) -> None:
    """A single flipped bit is seen, and its tensor named."""
    tensors = load_file(twin / name)
    key = sorted(tensors)[0]
    tensors[key].view(torch.uint8).view(-1)[0] ^= 1
    save_file(tensors, twin / name)
    (found,) = differences(base, twin)
    assert found.startswith(f"{name}: `{key}` differs in 1 of ")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("metrics.jsonl", '"loss": ', '"loss": 1'),
        ("certificate.json", '"passed": true', '"passed": false'),
        ("result.json", '"accuracy": ', '"accuracy": 1'),
        ("environment.json", '"device": "cpu"', '"device": "gpu"'),
        ("plan.json", '"epochs": 3', '"epochs": 4'),
    ],
)
def test_one_value_of_a_text(base: Path, twin: Path, name: str, old: str, new: str) -> None:
    """A changed figure is seen, and its place named."""
    text = (twin / name).read_text()
    assert old in text
    (twin / name).write_text(text.replace(old, new, 1))
    found = list(differences(base, twin))
    assert 1 == len(found)
    assert found[0].startswith(f"{name}: ")


def test_a_missing_file_and_a_missing_checkpoint(base: Path, twin: Path) -> None:
    """What is in one of the folders only is named; an older last checkpoint is another."""
    (twin / "outputs.safetensors").unlink()
    shutil.rmtree(twin / "ckpt" / kept(twin)[-1])
    found = list(differences(base, twin))
    assert [f"the last checkpoints: {kept(base)[-1]} is not {kept(twin)[-1]}"] == found[:1]
    assert ["outputs.safetensors is in one of them only"] == found[1:]


def test_other_moments(base: Path, tmp_path: Path) -> None:
    """The optimizer's state is compared, although no file of the end has it."""
    other = watched(
        plan(LOTTERY.replace("momentum=0.9", "momentum=0.8")), tmp_path / "run", fake_data=False
    )
    found = list(differences(base, other))
    assert any("state.safetensors: `optimizer:own:" in each for each in found)


# -- the end of a run


def test_a_kill_while_the_end_is_written(base: Path, tmp_path: Path) -> None:
    """Whichever of its last files are there, a run without a manifest goes on to the same end."""
    there = [name for name in ENDS if (base / name).exists()]
    for count in range(len(there)):
        again = cut(base, kept(base)[-1], tmp_path / "again")
        for name in there[:count]:
            shutil.copy(base / name, again / name)
        resume(again)
        assert [] == list(differences(base, again)), there[:count]


def test_every_third_step_of_a_lottery(base: Path, tmp_path: Path) -> None:
    """Going on from it gives the same bits."""
    assert [] == list(unequal(base, kept(base)[::3], tmp_path / "again"))


def test_a_trace_goes_on(tmp_path: Path) -> None:
    """Its lines and its picture are those of a run without a stop, wherever that was."""
    run = watched(plan(), tmp_path / "run", fake_data=False, trace_every=1)
    assert [] == list(unequal(run, kept(run)[2::6], tmp_path / "again"))
