"""Recipes trained end to end on real digits, and what their run folders prove."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tostdsl import api, registry
from tostdsl.compile.compiler import compile_file, compile_source
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.engine import boundary
from tostdsl.engine import loop as loops
from tostdsl.engine.lock import Lock
from tostdsl.engine.observer import Observer, Result
from tostdsl.engine.run import RunOptions, run
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import Curves, lower
from tostdsl.source import Source

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = """\
model cifar_resnet(8)
data digits
train for 3 epochs
seed 3
"""


def plan(text: str) -> Plan:
    (one,) = compile_source(Source("r.tost", text)).plans
    return one


def trained(text: str, out: Path, **options: Any) -> Result:
    return run(plan(text), RunOptions(out=out, **options))


def rows(folder: Path, kind: str) -> list[Mapping[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Result:
    compiled = compile_file(RECIPES / "quickstart.tost")
    assert compiled.recipe is not None
    out = tmp_path_factory.mktemp("runs") / "quickstart"
    return api.run(compiled.plans[0], RunOptions(out=out), None, compiled.recipe.sources)


def test_quickstart_reaches_its_accuracy(quickstart: Result) -> None:
    """95 % sparsity, all four techniques, above 95 % on test data, certified."""
    assert quickstart.certified
    assert () == quickstart.misses
    assert quickstart.accuracy > 0.95


def test_masks_on_disk_are_the_sparsity_reported(quickstart: Result) -> None:
    """The sparsity is counted from the masks, and every masked weight in the model is 0."""
    masks = load_file(quickstart.folder / "masks.safetensors")
    weights = load_file(quickstart.folder / "model.safetensors")
    total = sum(mask.numel() for mask in masks.values())
    zeros = sum(int((mask == 0).sum()) for mask in masks.values())
    assert (quickstart.scope, quickstart.zeros) == (total, zeros)
    assert round(Fraction(95, 100) * total) == zeros
    for name, mask in masks.items():
        assert {0, 1} >= set(mask.unique().tolist())
        assert not bool(weights[name][mask == 0].any())


def test_model_on_disk_is_the_plain_architecture(quickstart: Result) -> None:
    """The saved network loads, strictly, into a network built without the engine."""
    content = json.loads((quickstart.folder / "plan.json").read_text("utf-8"))
    made = Plan.from_json(content["plan"], registry.get)
    model = made.model.build(DataFacts(1, 8, 8, 10, 0, 0))
    model.load_state_dict(load_file(quickstart.folder / "model.safetensors"), strict=True)


def test_saved_model_has_the_reported_accuracy(quickstart: Result) -> None:
    """The accuracy comes out again from the files alone, by plain PyTorch and numpy."""
    from sklearn.datasets import load_digits

    content = json.loads((quickstart.folder / "plan.json").read_text("utf-8"))
    made = Plan.from_json(content["plan"], registry.get)
    model = made.model.build(DataFacts(1, 8, 8, 10, 0, 0)).eval()
    model.load_state_dict(load_file(quickstart.folder / "model.safetensors"))
    values, labels = load_digits(return_X_y=True)
    tested = [i for i in range(len(labels)) if i % 5 == 4]
    train = [i for i in range(len(labels)) if i % 5 != 4]
    scaled = torch.tensor(values * (255 / 16)).round() / 255
    mean, std = scaled[train].mean(), scaled[train].std(unbiased=False)
    images = ((scaled[tested] - mean) / std).float().reshape(-1, 1, 8, 8)
    with torch.no_grad():
        right = model(images).argmax(1) == torch.tensor(labels[tested])
    assert quickstart.accuracy == pytest.approx(float(right.float().mean()), abs=1.01 / len(tested))


def test_folder_holds_recipe_plan_and_proof(quickstart: Result) -> None:
    """The run folder holds the text that ran, its plan and the certificate's checks."""
    folder = quickstart.folder
    assert (RECIPES / "quickstart.tost").read_text() == (folder / "recipe.tost").read_text()
    for name in ("recipe.tost", "plan.tost"):
        (again,) = compile_file(folder / name).plans
        assert quickstart.fingerprint == again.fingerprint
    certificate = json.loads((folder / "certificate.json").read_text("utf-8"))
    assert certificate["passed"]
    names = " ".join(check["name"] for check in certificate["checks"])
    for words in ("ghost", "skip", "no hooks", "state_dict", "masked weights zero", "440 steps"):
        assert words in names
    with safe_open(folder / "masks.safetensors", "pt") as file:
        assert {"plan": quickstart.fingerprint} == file.metadata()
    environment = json.loads((folder / "environment.json").read_text("utf-8"))
    assert torch.__version__.split("+")[0] == environment["versions"]["torch"].split("+")[0]


def test_trace_logs_what_the_preview_shows(quickstart: Result) -> None:
    """The weight logged at a step is the one the program computes for it."""
    (made,) = compile_file(RECIPES / "quickstart.tost").plans
    clock = lower(made, 22).phases[0].clock
    ghosts = [s for s in made.stages if s.technique.name == "ghost"]
    (skip,) = (s for s in made.stages if s.technique.name == "skip")
    found = rows(quickstart.folder, "epoch")
    assert 20 == len(found)
    for row in found:
        wanted = {"ghost#1": ghosts[0], "ghost#2": ghosts[1], "skip": skip}
        expected = {
            name: pytest.approx(Curves.of(stage, clock).at(row["step"])[0], abs=1e-6)
            for name, stage in wanted.items()
            if row["step"] < clock.window(stage.window)[1]
        }
        assert expected == row["weights"]


def test_same_recipe_gives_the_same_bits(tmp_path: Path) -> None:
    """Two runs of one plan end with equal weights, masks and figures."""
    text = SMALL + "mask random(sparsity=80%)\nghost(width=2x) until epoch 2\n"
    a, b = trained(text, tmp_path / "a"), trained(text, tmp_path / "b")
    assert (a.accuracy, a.loss) == (b.accuracy, b.loss)
    for name in ("model.safetensors", "masks.safetensors"):
        assert (a.folder / name).read_bytes() == (b.folder / name).read_bytes()


def test_two_recipes_with_one_seed_see_the_same_start(tmp_path: Path) -> None:
    """A technique disturbs neither the initial weights nor the mask nor the order of images."""
    plain = SMALL.replace("3 epochs", "1 steps") + "mask random(sparsity=80%)\n"
    a = trained(plain, tmp_path / "a")
    b = trained(plain + "labels(smoothing=0)\n", tmp_path / "b")
    for name in ("model.safetensors", "masks.safetensors"):
        assert load_equal(a.folder / name, b.folder / name)


def load_equal(a: Path, b: Path) -> bool:
    left, right = load_file(a), load_file(b)
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


def test_lottery_rewinds_and_prunes(tmp_path: Path) -> None:
    """A lottery's rounds prune to their sparsities; the ticket trains from the rewind point."""

    class Watch(Observer):
        def __init__(self) -> None:
            self.said: list[str] = []

        def message(self, text: str) -> None:
            self.said.append(text)

    text = SMALL + "mask lottery(sparsity=50%, rate=30%, rewind=epoch 1, epochs=2)\n"
    watch = Watch()
    result = run(plan(text), RunOptions(out=tmp_path / "run"), watch)
    assert ["30.00%", "50.00%"] == [
        said[said.index("(") + 1 : -1] for said in watch.said if said.startswith("mask:")
    ]
    assert ["round 1", "round 1", "round 2", "round 2", *["training"] * 3] == [
        row["phase"] for row in rows(result.folder, "epoch")
    ]
    assert result.certified


def test_dense_training_needs_no_mask(tmp_path: Path) -> None:
    """Without a mask the network trains dense, and says so."""
    result = trained(SMALL, tmp_path / "run")
    assert (0, 0, True) == (result.zeros, result.scope, result.certified)


def test_missed_expectation_is_reported(tmp_path: Path) -> None:
    """An expectation that does not hold is a miss, in words."""
    result = trained(SMALL + "expect loss < 0.0001\nexpect accuracy > 1%\n", tmp_path / "run")
    (miss,) = result.misses
    assert "expected loss < 0.0001" in miss


def test_validation_is_held_out_and_logged(tmp_path: Path) -> None:
    """With a validation share each epoch has its figures, measured on images not trained on."""
    text = SMALL.replace("data digits", "data digits(validation=20%)")
    result = trained(text, tmp_path / "run")
    trained_on = 1797 * 4 // 5 + 1  # each fifth of the digits is a test image
    held_out = trained_on // 5
    found = rows(result.folder, "epoch")
    per_epoch = (trained_on - held_out) // plan(text).data.batch
    assert [per_epoch, 2 * per_epoch, 3 * per_epoch] == [row["step"] + 1 for row in found]
    right = [row["validation_accuracy"] * held_out for row in found]
    assert [round(each) for each in right] == pytest.approx(right, abs=1e-6)
    assert 0 < max(right) <= held_out


def test_rehearsal_meets_every_boundary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rehearsal of a long recipe takes few steps, and is certified as one."""
    advance, ran = loops.Loop._advance, []

    def counted(self: loops.Loop) -> None:
        advance(self)
        ran.append(self.step)

    monkeypatch.setattr(loops.Loop, "_advance", counted)
    text = SMALL.replace("3 epochs", "300 epochs") + (
        "mask lottery(sparsity=60%, rewind=epoch 2)\nghost(width=2x) until 30%\n"
        "skip from epoch 10 for 20 epochs\ninit(rescale=fanin_masked)\nexpect accuracy > 99.9%\n"
    )
    result = trained(text, tmp_path / "run", smoke=True)
    assert result.certified
    assert result.rehearsal
    assert () == result.misses
    assert 0 < len(ran) < 100  # of a hundred thousand


def test_taken_folder_is_refused(tmp_path: Path) -> None:
    """A folder that holds another run, or anything else, is not written to."""
    first = trained(SMALL, tmp_path / "run", smoke=True)
    before = sorted(path.name for path in first.folder.iterdir())
    with pytest.raises(TostError, match="R201"):
        trained(SMALL, tmp_path / "run", smoke=True)
    assert before == sorted(path.name for path in first.folder.iterdir())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(TostError, match="R203"):
        trained(SMALL, tmp_path / "other", smoke=True)


KILLED = """\
import os, sys
from pathlib import Path
from tostdsl.engine.folder import RunFolder
from tostdsl.engine.storage import Disk
from tostdsl.compile.compiler import compile_source
from tostdsl.source import Source
(plan,) = compile_source(Source("r.tost", sys.argv[2])).plans
Disk.rename = lambda *_: os._exit(9)
RunFolder(Path(sys.argv[1])).write_recipe(plan, {})
"""


def test_a_folder_of_a_run_killed_before_its_plan_may_go(tmp_path: Path) -> None:
    """It is told to hold nothing of a run; one with more in it, or still locked, is not."""
    folder = tmp_path / "run"
    child = subprocess.run([sys.executable, "-c", KILLED, str(folder), SMALL], check=False)
    assert 9 == child.returncode
    left = {".part-plan.json", "metrics.jsonl", "run.lock"}
    assert left == {path.name for path in folder.iterdir()}

    def refused() -> Diagnostic:
        with pytest.raises(TostError) as error:
            trained(SMALL, folder, smoke=True)
        return error.value.diagnostics[0]

    lock = Lock(folder)
    assert "R204" == refused().code
    lock.release()
    assert ("R203", True) == (refused().code, "remove the folder" in (refused().help or ""))
    (folder / "thesis.txt").write_text("mine")
    assert "choose another folder with `--out`" == refused().help
    (folder / "thesis.txt").unlink()
    (folder / "metrics.jsonl").write_text("{}\n")
    assert "choose another folder with `--out`" == refused().help


def test_out_below_a_file_is_refused(tmp_path: Path) -> None:
    """A path that cannot be made is named."""
    (tmp_path / "file").write_text("")
    with pytest.raises(TostError, match="R202"):
        trained(SMALL, tmp_path / "file" / "run", smoke=True)


def test_diverging_training_stops_and_says_so(tmp_path: Path) -> None:
    """A loss that is not finite ends the run with its step, and the folder says how it ended."""
    with pytest.raises(TostError, match="R302"):
        trained(SMALL + "optimizer sgd(lr=1e30)\nschedule constant\n", tmp_path / "run")
    result = json.loads((tmp_path / "run" / "result.json").read_text("utf-8"))
    assert "failed" == result["state"]


def test_a_rehearsal_that_diverges_tells_which_of_its_steps(tmp_path: Path) -> None:
    """Beside the step of the whole training, whose number says little of a rehearsal."""
    text = SMALL + "optimizer sgd(lr=1e30)\nschedule constant\nskip until 60%\n"
    with pytest.raises(TostError) as error:
        trained(text, tmp_path / "run", smoke=True)
    (found,) = error.value.diagnostics
    # of 66 steps those on either side of a boundary run: 0, 39, 40 and 65
    assert "R302" == found.code
    assert found.message.endswith("step 39 of training (number 2 of the 4 that are rehearsed)")


def test_fake_data_is_said_loudly(tmp_path: Path) -> None:
    """Random images stand in for a set that is not here, and the run says where they came from."""
    text = "model cifar_resnet(8)\ndata cifar10\ntrain for 400 epochs\n"
    result = trained(text, tmp_path / "run", smoke=True, fake_data=True)
    assert "random images" in str(result.facts["data"])


@pytest.mark.parametrize("seed", [1, 3])
def test_half_precision_survives_its_first_overflows(tmp_path: Path, seed: int) -> None:
    """The scaler skips the first steps of fp16; momentum starts from zeros all the same."""
    text = (
        "model cifar_resnet(8)\ndata digits(batch=64)\ntrain for 20 steps\n"
        f"mask random(sparsity=90%)\nprecision fp16\nseed {seed}\nskip until step 12\n"
    )
    (plan,) = compile_source(Source("r.tost", text)).plans
    result = run(plan, RunOptions(out=tmp_path / "run", device="cpu"))
    assert result.certified, result.failures


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_lower_precision_trains(tmp_path: Path, precision: str) -> None:
    """bf16 and fp16 train under autocast with masks and techniques in place."""
    text = SMALL + f"precision {precision}\nmask random(sparsity=50%)\nskip until epoch 2\n"
    text += "ghost(activation=swish, width=2x) until epoch 1\n"
    assert trained(text, tmp_path / "run").certified


@pytest.mark.data
@pytest.mark.skipif("TOST_DATA" not in os.environ, reason="TOST_DATA is not set")
def test_resnet18_lottery_rehearses_on_real_images(tmp_path: Path) -> None:
    """The shipped lottery recipe crosses all twelve phases on CIFAR-10 images."""
    (made,) = compile_file(RECIPES / "resnet18_lth.tost").plans
    result = run(made, RunOptions(out=tmp_path / "run", smoke=True))
    assert result.certified
    certificate = json.loads((result.folder / "certificate.json").read_text("utf-8"))
    assert 12 == sum(check["name"].startswith("same modules") for check in certificate["checks"])


@pytest.mark.parametrize(
    ("stage", "code"),
    [
        ('skip on "fc"', "T502"),
        ('ghost(activation=swish) on "fc"', "T502"),
        ("skip(span=block) on first", "T502"),
    ],
)
def test_a_stage_that_cannot_be_served_is_refused_before_anything_is_written(
    stage: str, code: str, tmp_path: Path
) -> None:
    """The error knows the stage of the plan, and no folder is left half filled."""
    made = plan("model cifar_resnet(8)\ndata digits\ntrain for 2 epochs\nlabels\n" + stage + "\n")
    with pytest.raises(TostError) as caught:
        run(made, RunOptions(out=tmp_path / "run"))
    assert [code] == [each.code for each in caught.value.diagnostics]
    assert caught.value.about in made.stages
    assert not (tmp_path / "run").exists()


def test_a_rate_is_that_of_training_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happens at boundaries (`init`, attaching, seams) is not counted, however long."""
    now = 0.0

    def cross(*args: Any) -> None:
        nonlocal now
        now += 1000.0
        boundary.cross(*args)

    def step(*_: Any) -> float:
        nonlocal now
        now += 0.001
        return now

    monkeypatch.setattr(loops, "cross", cross)
    monkeypatch.setattr(loops.time, "perf_counter", step)
    text = "model cifar_resnet(8)\ndata digits\ntrain for 2 epochs\nskip until step 30\ninit\n"
    result = run(plan(text + "mask random(sparsity=50%)\n"), RunOptions(out=tmp_path / "run"))
    rates = [row["images_per_second"] for row in rows(result.folder, "epoch")]
    assert 2 == len(rates)
    assert min(rates) > 1438 / 10
