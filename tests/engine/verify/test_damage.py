"""Every damage to a run folder is found and named: by its checksum, and without one."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.engine.verify.runs import edit_json, edit_tensors, failures, reseal, trained, verdict
from tostdsl import api
from tostdsl.diagnostics import TostError
from tostdsl.engine.lives import sealed

Damage = Callable[[Path], None]
FILES = (
    "certificate.json",
    "environment.json",
    "lives.jsonl",
    "manifest.json",
    "masks.safetensors",
    "metrics.jsonl",
    "model.safetensors",
    "outputs.safetensors",
    "plan.json",
    "plan.tost",
    "recipe.tost",
    "base.tost",
    "result.json",
)
WATCHED_THERE = "sound at every look, in training"


def test_the_runs_files_are_these(run: Path) -> None:
    """So that no file is left out below; and the undamaged run holds, with its accuracy."""
    found = {p.relative_to(run).as_posix() for p in run.rglob("*") if p.is_file()}
    own = {name for name in found if not name.startswith(("ckpt/", "blobs/"))}
    assert {*FILES, "run.lock"} == own
    assert "" == failures(run, evaluate=True)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.99])
def test_a_flipped_bit_is_found(run: Path, name: str, where: float) -> None:
    """The highest bit of a byte anywhere: the file is named."""
    data = bytearray((run / name).read_bytes())
    data[int(where * len(data))] ^= 0x80
    (run / name).write_bytes(data)
    assert f": {name} " in failures(run)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_is_found(run: Path, name: str) -> None:
    """Of 100 drawn bits each: a failure, or for a recipe's text at least a note."""
    drawn = random.Random(name)
    data = (run / name).read_bytes()
    for _ in range(100):
        damaged = bytearray(data)
        damaged[drawn.randrange(len(data))] ^= 1 << drawn.randrange(8)
        (run / name).write_bytes(damaged)
        found = verdict(run)
        noted = [note for group in found.groups for note in group.notes if "was edited" in note]
        assert not found.passed or (name.endswith(".tost") and noted)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_found(run: Path, name: str) -> None:
    """It is named, and that it is missing; also where its name is gone from the manifest."""
    (run / name).unlink()
    assert f"{name} is missing" in failures(run)
    if name != "manifest.json" and not name.endswith(".tost"):
        reseal(run)
        assert f"files: {name} is not in manifest.json, though every run writes it" in failures(run)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("resealed", [False, True])
def test_a_file_cut_off_is_found(run: Path, name: str, resealed: bool) -> None:
    """Half of a file is not that file, whatever the checksums say."""
    data = (run / name).read_bytes()
    (run / name).write_bytes(data[: len(data) // 2])
    if resealed and name != "manifest.json":
        reseal(run)
    told = "recipe.tost" if resealed and name == "base.tost" else name
    assert f": {told} " in failures(run)


@pytest.mark.parametrize("name", ["model.safetensors", "plan.json", "metrics.jsonl"])
def test_what_is_no_file_is_not_read(run: Path, name: str) -> None:
    """A pipe nobody writes to does not keep it waiting; a folder is no file."""
    (run / name).unlink()
    os.mkfifo(run / name)
    assert f"{name} cannot be read: it is not a regular file" in failures(run)
    (run / name).unlink()
    (run / name).mkdir()
    assert f"{name} cannot be read" in failures(run)


# -- forgeries: the checksums fit


def _times(tensors: dict[str, Tensor], name: str, factor: float) -> dict[str, Tensor]:
    return {name: (tensors[name] * factor).to(tensors[name].dtype)}


def revive(run: Path) -> None:
    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        masks = {}
        edit_tensors(run / "masks.safetensors", lambda found, _: masks.update(found))
        weight = tensors["layer1.0.conv1.weight"]
        place = (masks["layer1.0.conv1.weight"] == 0).nonzero()[0]
        weight[tuple(place)] = 1e-30

    edit_tensors(run / "model.safetensors", change)


def nudge(run: Path) -> None:
    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        tensors["fc.bias"][0] += 0.01

    edit_tensors(run / "model.safetensors", change)


def shift_statistic(run: Path) -> None:
    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        tensors["bn1.running_mean"][0] += 0.1

    edit_tensors(run / "model.safetensors", change)


def more_batches(run: Path) -> None:
    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        tensors["bn1.num_batches_tracked"].fill_(7)

    edit_tensors(run / "model.safetensors", change)


def add_tensor(run: Path) -> None:
    edit_tensors(run / "model.safetensors", lambda t, n: t.update(ghost=torch.zeros(3)))


def drop_tensor(run: Path) -> None:
    edit_tensors(run / "model.safetensors", lambda t, n: t.__delitem__("fc.bias"))


def widen(run: Path) -> None:
    edit_tensors(run / "model.safetensors", lambda t, n: t.update({"fc.bias": torch.zeros(20)}))


def halve(run: Path) -> None:
    edit_tensors(
        run / "model.safetensors", lambda t, n: t.update({"fc.weight": t["fc.weight"].half()})
    )


def keep_one_more(run: Path) -> None:
    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        flat = tensors["layer3.0.conv1.weight"].view(-1)
        flat[(flat == 0).nonzero()[0]] = 1

    edit_tensors(run / "masks.safetensors", change)


def move_one(run: Path) -> None:
    """As many, elsewhere; the weight that is now masked is zero already or made so."""

    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        flat = tensors["layer3.0.conv1.weight"].view(-1)
        gone, new = (flat == 1).nonzero()[0], (flat == 0).nonzero()[0]
        flat[gone], flat[new] = 0, 1
        moved.append(int(gone))

    moved: list[int] = []
    edit_tensors(run / "masks.safetensors", change)

    def zero(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        tensors["layer3.0.conv1.weight"].view(-1)[moved[0]] = 0

    edit_tensors(run / "model.safetensors", zero)


def seven(run: Path) -> None:
    edit_tensors(run / "masks.safetensors", lambda t, n: t.update(_times(t, "fc.weight", 7)))


def foreign_note(run: Path) -> None:
    edit_tensors(run / "model.safetensors", lambda t, n: n.update(plan="0" * 64))


def stray_ghosts(run: Path) -> None:
    edit_tensors(run / "masks.safetensors", lambda t, n: None)
    shutil.copy(run / "masks.safetensors", run / "ghosts.safetensors")


def drop_check(run: Path) -> None:
    def change(content: Any) -> None:
        content["checks"] = [c for c in content["checks"] if "without a trace" not in c["name"]]

    edit_json(run / "certificate.json", change)


def failed_check(run: Path) -> None:
    edit_json(run / "certificate.json", lambda c: c["checks"][0].update(passed=False))


def no_jumps(run: Path) -> None:
    edit_json(run / "certificate.json", lambda c: c.update(jumps=[]))


def without_jumps(run: Path) -> None:
    edit_json(run / "certificate.json", lambda c: c.pop("jumps"))


def jump_elsewhere(run: Path) -> None:
    edit_json(run / "certificate.json", lambda c: c["jumps"].reverse())


def jump_from_elsewhere(run: Path) -> None:
    edit_json(run / "certificate.json", lambda c: c["jumps"][1]["weights"].update(skip=0.5))


def no_move(run: Path) -> None:
    edit_json(run / "certificate.json", lambda c: c["jumps"][0].update(moved=0.0))


def _left(run: Path, how: str) -> None:
    """Another outcome of the first removal, told by the check that passed."""

    def change(content: Any) -> None:
        check = next(c for c in content["checks"] if " left without a trace at " in c["name"])
        assert check["detail"].startswith("equal to the bit; ")
        check["detail"] = check["detail"].replace("equal to the bit", how)

    edit_json(run / "certificate.json", change)


def far_off(run: Path) -> None:
    _left(run, "largest difference 9.00e+09, bound 1.00e-05")


def wide_bound(run: Path) -> None:
    _left(run, "largest difference 9.00e-01, bound 1.00e+00")


def touched(run: Path) -> None:
    _left(run, "equal to the bit; but the network's own weights or buffers were changed")


def negative_seconds(run: Path) -> None:
    edit_json(run / "result.json", lambda c: c.update(seconds=-1))


def other_steps(run: Path) -> None:
    def change(content: Any) -> None:
        for check in content["checks"]:
            check["name"] = check["name"].replace("training ran its 10", "training ran its 9")
            check["name"] = check["name"].replace(" steps", " strides")

    edit_json(run / "certificate.json", change)


def other_learning_rate(run: Path) -> None:
    edit_json(run / "plan.json", lambda c: c["plan"]["optimizer"]["args"].update(lr=0.5))


def other_plan(run: Path) -> None:
    """Another plan with a fingerprint that fits it, in every place that names it."""
    content = json.loads((run / "plan.json").read_text("utf-8"))
    content["plan"]["optimizer"]["args"]["lr"] = 0.5
    old, new = content["fingerprint"], api.plan_from_json(content["plan"]).fingerprint
    content["fingerprint"] = new
    (run / "plan.json").write_text(json.dumps(content), encoding="utf-8")
    for name in ("certificate.json", "result.json"):
        text = (run / name).read_text("utf-8").replace(old, new)
        (run / name).write_text(text, encoding="utf-8")
    for name in ("model", "masks", "outputs"):
        edit_tensors(run / f"{name}.safetensors", lambda t, n: n.update(plan=new))


def other_recipe(run: Path) -> None:
    text = (run / "recipe.tost").read_text("utf-8").replace("until 60%", "until 50%")
    (run / "recipe.tost").write_text(text, encoding="utf-8")


def other_base(run: Path) -> None:
    text = (run / "base.tost").read_text("utf-8").replace("90%", "91%")
    (run / "base.tost").write_text(text, encoding="utf-8")


def other_expectation(run: Path) -> None:
    with (run / "plan.tost").open("a", encoding="utf-8") as file:
        file.write("expect accuracy >= 1%\n")


def broken_recipe(run: Path) -> None:
    (run / "recipe.tost").write_text("model resnet20(\n", encoding="utf-8")


def better_accuracy(run: Path) -> None:
    edit_json(run / "result.json", lambda c: c.update(accuracy=0.99))


def without_seams(run: Path) -> None:
    rows = (run / "metrics.jsonl").read_text("utf-8").splitlines(keepends=True)
    kept = [row for row in rows if json.loads(row)["kind"] != "seam"]
    assert len(kept) < len(rows)
    (run / "metrics.jsonl").write_text("".join(kept), encoding="utf-8")
    edit_json(run / "result.json", lambda c: c.update(seams=0, costly_seams=[]))


def more_sparsity(run: Path) -> None:
    edit_json(run / "result.json", lambda c: c.update(pruned_weights=77_000))


def real(run: Path) -> None:
    for name in ("result.json", "certificate.json"):
        edit_json(run / name, lambda c: c.update(unreal=""))


def outputs_of_another(run: Path) -> None:
    edit_tensors(run / "outputs.safetensors", lambda t, n: t.update(_times(t, "outputs", 1.0001)))


def other_images(run: Path) -> None:
    edit_json(run / "environment.json", lambda c: c["data"]["facts"].update(channels=3))


def kept_in_vain(run: Path) -> None:
    edit_json(run / "certificate.json", lambda c: c.update(kept=["skip"], allow_ghosts=True))


WHEN = "2026-01-02T03:04:05+00:00"
WENT_ON: dict[str, Any] = {
    "kind": "resumed", "time": WHEN, "done": 3, "device": "cpu", "passed": [], "others": [],
}  # fmt: skip
STOPPED = {"kind": "stopped", "time": WHEN, "reason": "SIGTERM was received"}


def lives(*rows: dict[str, Any]) -> Damage:
    """Lives.jsonl goes on so after its first line, bound line by line as a run writes it."""

    def damage(run: Path) -> None:
        path = run / "lives.jsonl"
        for row in rows:
            before = hashlib.sha256(path.read_bytes()).hexdigest()
            with path.open("a") as file:
                file.write(json.dumps(sealed(row, before)) + "\n")

    return damage


def keeps(run: Path, every: dict[str, Any] | None) -> None:
    """How often it says that its state was kept."""
    edit_json(run / "environment.json", lambda c: c["options"].update(checkpoint=every))


def unbound(run: Path) -> None:
    row = json.loads((run / "lives.jsonl").read_text())
    row["time"] = WHEN
    (run / "lives.jsonl").write_text(json.dumps(row) + "\n")


LIVES: list[tuple[Damage, str]] = [
    (unbound, "lives.jsonl has a line 1 that is not as it was written"),
    (lives(STOPPED), "lives.jsonl says that the run stopped last, not that it went on"),
    (lives(STOPPED, STOPPED, WENT_ON), "a line 3 in which the run stopped that had stopped before"),
    (lives(STOPPED, WENT_ON | {"done": 10_000}), "a line 3 that went on from no step of the run"),
    (lives(WENT_ON | {"device": "cuda:1"}), "a line 2 that went on on cuda:1, and does not say"),
    (lives(WENT_ON | {"time": "x"}), "has a line 2 of no kind that a run writes"),
    (lives(WENT_ON | {"passed": "garbage"}), "has a line 2 of no kind that a run writes"),
    (lives({k: v for k, v in WENT_ON.items() if k != "device"}), "a line 2 of no kind"),
    (lives(WENT_ON | {"more": 1}), "has a line 2 of no kind that a run writes"),
]


@pytest.mark.parametrize(("damage", "words"), LIVES)
def test_lives_that_do_not_fit_together_are_found(run: Path, damage: Damage, words: str) -> None:
    """With checksums that fit; what a run that was stopped would write is not."""
    keeps(run, {"value": 10.0, "unit": "minutes"})
    damage(run)
    reseal(run)
    assert words in failures(run)


def test_a_run_of_two_lives_is_sound(run: Path) -> None:
    """Stopped once, killed once; without any state kept it could not have gone on."""
    lives(STOPPED, WENT_ON, WENT_ON | {"done": 4})(run)
    keeps(run, {"value": 10.0, "unit": "minutes"})
    reseal(run)
    assert "" == failures(run)
    keeps(run, None)
    reseal(run)
    assert "a line 3 that went on, though no state was kept" in failures(run)


def fewer_looks(run: Path) -> None:
    edit_json(run / "result.json", lambda c: c["watching"].update(looks=c["watching"]["looks"] - 1))


def other_interval(run: Path) -> None:
    edit_json(run / "result.json", lambda c: c["watching"].update(every=7))


def unwatched(run: Path) -> None:
    edit_json(run / "result.json", lambda c: c.update(watching=None))


def one_look(run: Path) -> None:
    def change(content: Any) -> None:
        (check,) = (each for each in content["checks"] if each["name"].endswith(WATCHED_THERE))
        check["detail"] = "1 look"

    edit_json(run / "certificate.json", change)


def text_for_number(run: Path) -> None:
    edit_json(run / "result.json", lambda c: c.update(accuracy="0.99"))


def no_row(run: Path) -> None:
    with (run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write("17\n")


def deep(run: Path) -> None:
    (run / "environment.json").write_text("[" * 100_000, encoding="utf-8")


def twice(run: Path) -> None:
    """A name stands in the header twice, which the reader of safetensors lets pass."""
    path = run / "masks.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].decode().rstrip()
    start = header.index('"fc.weight":')
    entry = header[start : header.index("}", start) + 1]
    doubled = (header[:-1] + "," + entry + "}").encode()
    doubled += b" " * (-len(doubled) % 8)
    path.write_bytes(len(doubled).to_bytes(8, "little") + doubled + data[8 + length :])


FORGED: list[tuple[Damage, str]] = [
    (revive, "masks: masked weights are not: `layer1.0.conv1.weight` has others"),
    (nudge, "outputs: the network's outputs are not those of the run"),
    (shift_statistic, "outputs: the network's outputs are not those of the run"),
    (more_batches, "network: `bn1.num_batches_tracked` says 7 batches, the plan's steps make it "),
    (add_tensor, "network: model.safetensors holds besides `ghost`"),
    (drop_tensor, "network: model.safetensors lacks `fc.bias`"),
    (widen, "holds `fc.bias` as F32 [20], the network's is F32 [10]"),
    (halve, "holds `fc.weight` as F16 [10, 64], the network's is F32 [10, 64]"),
    (keep_one_more, "masks: the sparsity keeps 7,708 weights, the plan 7,707"),
    (move_one, "masks: the masks are not those that the seed draws"),
    (seven, "masks.safetensors cannot be used"),
    (foreign_note, "network: model.safetensors is of another run"),
    (stray_ghosts, "ghosts: ghosts.safetensors is there, but the plan keeps nothing"),
    (drop_check, "lacks a check the plan calls for: skip left without a trace at step"),
    (failed_check, "certificate: certificate.json says otherwise than its checks"),
    (no_jumps, "certificate: certificate.json tells of 0 jumps, the plan calls for 2"),
    (without_jumps, "files: certificate.json is not as a run writes it: jumps"),
    (jump_elsewhere, "certificate: certificate.json has no jump of ghost at step 26 of training"),
    (jump_from_elsewhere, "certificate.json tells a jump of skip from 0.5 at step 40 of training"),
    (no_move, "certificate.json tells two stories of how outputs moved at step 26 of training"),
    (far_off, "left without a trace at step 26 of training, though: largest difference 9.00e+09"),
    (wide_bound, "though: largest difference 9.00e-01, bound 1.00e+00"),
    (touched, "though: equal to the bit; but the network's own weights or buffers were changed"),
    (negative_seconds, "files: result.json is not as a run writes it: seconds"),
    (other_steps, "lacks a check the plan calls for: training ran its"),
    (other_learning_rate, "plan: plan.json says"),
    (other_plan, "plan: recipe.tost means plan"),
    (other_recipe, "plan: recipe.tost means plan"),
    (other_base, "plan: recipe.tost means plan"),
    (other_expectation, "plan: plan.tost expects something else"),
    (broken_recipe, "plan: recipe.tost does not compile: T"),
    (better_accuracy, "figures: result.json has not the accuracy and loss of metrics.jsonl"),
    (without_seams, "figures: result.json tells 0 seams, metrics.jsonl 0, the plan calls for 2"),
    (more_sparsity, "masks: result.json says 77,000 of 77,072 weights are pruned"),
    (real, "figures: what kind of run it was is told as `a real run` and `a rehearsal`"),
    (outputs_of_another, "outputs: the network's outputs are not those of the run"),
    (other_images, "network: environment.json is about images of 1x8x8"),
    (kept_in_vain, "ghosts: certificate.json names skip as left in, the plan nothing"),
    (fewer_looks, "figures: result.json tells of other looks than were called for"),
    (other_interval, "figures: result.json tells of other looks than were called for"),
    (unwatched, "figures: result.json tells of other looks than were called for"),
    (one_look, "figures: certificate.json tells of 1 look in training, called for were "),
    (text_for_number, "files: result.json is not as a run writes it: accuracy"),
    (no_row, "files: metrics.jsonl has a line"),
    (deep, "files: environment.json is no JSON"),
    (twice, "masks: masks.safetensors has a damaged header: a name stands in its header twice"),
]


@pytest.mark.parametrize(("damage", "words"), FORGED, ids=[damage.__name__ for damage, _ in FORGED])
def test_a_forgery_with_checksums_that_fit_is_found(run: Path, damage: Damage, words: str) -> None:
    """What a file says is held against the plan, the network, and the other files."""
    damage(run)
    reseal(run)
    found = failures(run)
    assert words in found
    assert "as it was written" not in found


def test_the_model_of_another_run_is_found(run: Path, tmp_path: Path) -> None:
    """The same network from another seed: its shapes fit, and nothing else does."""
    folder = tmp_path / "other"
    folder.mkdir()
    text = "seed 7\nmodel cifar_resnet(8)\ndata digits\ntrain for 1 epoch\n"
    text += "mask random(sparsity=90%, distribution=erk)\n"
    other = trained({"top.tost": text}, folder)
    shutil.copy(other / "model.safetensors", run / "model.safetensors")
    reseal(run)
    found = failures(run)
    for words in ("network: model.safetensors is of another run", "masked weights are not", "outp"):
        assert words in found


# -- what is no damage


def test_a_cosmetic_edit_is_a_note(run: Path) -> None:
    """A comment and the layout do not change what a recipe means; they are told of."""
    text = (run / "recipe.tost").read_text("utf-8")
    text = text.replace("# the top one", "# mine").replace("until 60%", "until   60%")
    (run / "recipe.tost").write_text(text, encoding="utf-8")
    found = verdict(run)
    assert found.passed
    (plan,) = [group for group in found.groups if group.name == "plan"]
    words = "recipe.tost was edited after the run, and means the same"
    assert [words] == plan.notes


def test_files_beside_the_runs_are_a_note(run: Path) -> None:
    """Somebody's notes are nobody's business."""
    (run / "notes.txt").write_text("mine")
    found = verdict(run)
    assert found.passed
    assert ["not of the run, and not looked at: notes.txt"] == found.groups[0].notes


def test_nothing_is_written(run: Path) -> None:
    """Verifying leaves every file alone, and makes none."""
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in run.rglob("*") if p.is_file()}
    verdict(run, evaluate=True)
    after = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in run.rglob("*") if p.is_file()}
    assert before == after


# -- what can not be verified


def unregistered(content: Any) -> None:
    content["plan"]["mask"]["method"]["name"] = "wanda"


def other_revision(content: Any) -> None:
    content["plan"]["mask"]["method"]["revision"] = 9


def older_schema(content: Any) -> None:
    content["plan"]["schema"] = 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (unregistered, "names the mask `wanda`, which is not registered here"),
        (other_revision, "`random` has revision 1 here, the plan wants 9"),
        (older_schema, "written in schema 0, this version reads schema 1"),
    ],
)
def test_a_plan_of_another_installation_is_refused(
    run: Path, change: Callable[[Any], None], words: str
) -> None:
    """R413 says what is not here; the rest of the folder is no failure for it."""
    edit_json(run / "plan.json", change)
    reseal(run)
    found = verdict(run)
    assert [] == found.failures
    assert not found.passed
    assert ["R413"] == [d.code for d in found.refused if d.severity == "error"]
    assert words in found.refused[-1].message


def test_infinity_is_no_value(run: Path) -> None:
    """It has the fingerprint of a value left out, and is refused."""

    def change(content: Any) -> None:
        content["plan"]["stages"][1]["technique"]["args"]["clip"] = float("inf")

    edit_json(run / "plan.json", change)
    reseal(run)
    words = "clip` is not as it would be written: it is Infinity, and would be null"
    assert words in failures(run)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["plan"]["optimizer"]["args"].update(lr="fast"),
        lambda c: c.update(plan={}),
        lambda c: c["plan"].update(schema=None),
        lambda c: c["plan"].update(train={"epochs": 10**400}),
        lambda c: c["plan"].update(title="\ud800"),
        lambda c: c["plan"]["model"]["args"]["width"].update(factor=2**70),
    ],
    ids=["type", "nothing", "schema", "epochs", "half_a_character", "width"],
)
def test_a_made_up_plan_is_named(run: Path, change: Callable[[Any], None]) -> None:
    """Whatever it holds, plan.json is named, and nothing else goes wrong."""
    edit_json(run / "plan.json", change)
    reseal(run)
    assert "plan.json" in failures(run)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"state": "interrupted", "reason": ""}, "it was interrupted"),
        ({"state": "failed", "reason": "[R302] the loss is nan"}, "it failed: [R302]"),
        (None, "still at work or was killed"),
    ],
)
def test_a_run_without_an_end_is_named(run: Path, state: dict[str, str] | None, words: str) -> None:
    """R412 says how it ended, if it did."""
    (run / "manifest.json").unlink()
    (run / "result.json").unlink()
    if state is not None:
        (run / "result.json").write_text(json.dumps(state))
    with pytest.raises(TostError, match="R412") as raised:
        verdict(run)
    assert words in str(raised.value)


def test_what_holds_no_run_is_named(tmp_path: Path) -> None:
    """R411 for nothing, a file, an empty folder."""
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for name in ("none", "file", "empty", "a\0b"):
        with pytest.raises(TostError, match="R411"):
            verdict(tmp_path / name)
