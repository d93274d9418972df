"""Forgeries of what a run tells of itself, and what is said of each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.engine.verify.runs import Damage, edit_json, edit_tensors
from tostdsl import api

WATCHED_THERE = "sound at every look, in training"


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


def other_images(run: Path) -> None:
    edit_json(run / "environment.json", lambda c: c["data"]["facts"].update(channels=3))


def kept_in_vain(run: Path) -> None:
    edit_json(run / "certificate.json", lambda c: c.update(kept=["skip"], allow_ghosts=True))


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


RECORDS: list[tuple[Damage, str]] = [
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
    (other_images, "network: environment.json is about images of 1x8x8"),
    (kept_in_vain, "ghosts: certificate.json names skip as left in, the plan nothing"),
    (fewer_looks, "figures: result.json tells of other looks than were called for"),
    (other_interval, "figures: result.json tells of other looks than were called for"),
    (unwatched, "figures: result.json tells of other looks than were called for"),
    (one_look, "figures: certificate.json tells of 1 look in training, called for were "),
    (text_for_number, "files: result.json is not as a run writes it: accuracy"),
    (no_row, "files: metrics.jsonl has a line"),
    (deep, "files: environment.json is no JSON"),
]
