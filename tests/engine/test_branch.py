"""A run that begins at a checkpoint of another one ends as if it had been run from its start."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.compare.test_truth import equal, state
from tests.conftest import Write
from tests.engine.faults.runs import cut, plan_of
from tests.engine.faults.test_training import NETS, Heard, codes
from tests.engine.lives import kept
from tostdsl import api
from tostdsl.diagnostics import TostError
from tostdsl.engine.keeper import Every
from tostdsl.engine.run import Made, RunOptions
from tostdsl.engine.twins import differences

BASE = """\
recipe base
model cifar_resnet(8, width=0.5x)
data digits(batch=256, validation=10%)
mask random(sparsity=50%)
optimizer adam
schedule constant
skip(anneal=none) until step 4
train for 10 steps
seed 3
"""
"""Of 5 steps an epoch."""
LOTTERY = BASE.replace("random(sparsity=50%)", "lottery(sparsity=20%, rewind=step 2, epochs=1)")


def ran(text: str, out: Path, observer: Heard | None = None, **more: Any) -> Path:
    """The folder of a run that keeps the state of each of its steps."""
    begin_from = more.pop("begin_from", None)
    options: dict[str, Any] = {"checkpoint": Every(1, "steps"), "keep": 1000, **more}
    chosen = RunOptions(out=out, device="cpu", **options)
    return api.run(plan_of(text), chosen, observer, begin_from=begin_from).folder


def alone(run: Path, name: str, into: Path) -> Path:
    """A copy of a run with one of its checkpoints."""
    shutil.rmtree(into, ignore_errors=True)

    def others(folder: str, names: list[str]) -> set[str]:
        return {each for each in names if each.startswith("step-") and each != name}

    shutil.copytree(run, into, ignore=others)
    return into


def bytes_of(folder: Path) -> dict[str, str]:
    """All files of a folder, with their times and contents."""
    return {
        str(path.relative_to(folder)): f"{path.stat().st_mtime_ns} "
        + hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def refused(text: str, begin_from: Path, out: Path, **more: Any) -> tuple[list[str], str]:
    """The codes, and the last message, of a run that does not begin; nothing is left of it."""
    with pytest.raises(TostError) as error:
        ran(text, out, begin_from=begin_from, **more)
    assert not out.exists()
    return codes(error), error.value.diagnostics[-1].message


def test_a_mask_that_cannot_come_to_its_end_is_refused_at_once(tmp_path: Path) -> None:
    """As of a run from the start, which chooses a mask of its own: nothing is trained or made."""
    base = BASE.replace("random(sparsity=50%)", "gradual(sparsity=50%, every=2 steps) until step 6")
    a = ran(base, tmp_path / "a")
    far = base.replace("sparsity=50%", "sparsity=99.99%")
    told = refused(far, a, tmp_path / "b")
    assert ["T505"] == told[0]
    with pytest.raises(TostError) as error:
        ran(far, tmp_path / "c")
    assert told == (codes(error), error.value.diagnostics[-1].message)
    assert not (tmp_path / "c").exists()


SKIP = "skip(anneal=none) until step 4"
TRACED = {"trace_every": 4}
CASES = [
    pytest.param(BASE, "for 10 steps", "for 15 steps", 10, {}, id="longer"),
    pytest.param(BASE, "for 10 steps", "for 8 steps", 7, {}, id="shorter"),
    pytest.param(BASE, "until step 4", "until step 7", 4, {}, id="a skip that stays longer"),
    pytest.param(BASE, "until step 4", "until step 3", 3, {}, id="a skip that leaves sooner"),
    pytest.param(BASE, "until step 4", "until step 7", 4, TRACED, id="longer, traced"),
    pytest.param(BASE, "until step 4", "until step 3", 2, TRACED, id="sooner, traced"),
    pytest.param(
        BASE, SKIP, f"{SKIP}\nghost(width=2x) from step 5 until step 8", 5, {}, id="a later ghost"
    ),
    pytest.param(
        BASE.replace(SKIP, "skip(projection=conv, anneal=none) until step 8"),
        "train for", "labels(smoothing=0.2) from step 6\ntrain for", 6, {}, id="labels, later on",
    ),
    pytest.param(
        BASE.replace(SKIP, "labels(smoothing=0.2) from step 6\nskip(projection=conv) until step 8"),
        "labels(smoothing=0.2) from step 6\n", "", 6, {}, id="no labels, later on",
    ),
    pytest.param(BASE, "(anneal=none)", "(anneal=step(at=[90%]))", 4, {}, id="another end"),
    pytest.param(BASE, "constant", "multistep(at=[step 7])", 7, {}, id="a rate that falls"),
    pytest.param(BASE, "recipe base", 'recipe other "A title"', 10, {}, id="labels only"),
    pytest.param(BASE, "seed 3", "# the same\nseed 3", 10, {}, id="the same"),
    pytest.param(LOTTERY, "for 10 steps", "for 15 steps", 15, {}, id="a longer lottery"),
    pytest.param(LOTTERY, "until step 4", "until step 3", 8, {}, id="another lottery"),
    pytest.param(LOTTERY, "until step 4", "until step 3", 7, TRACED, id="a traced lottery"),
    pytest.param(
        BASE.replace("random(sparsity=50%)", "gradual(sparsity=50%, every=2 steps) until step 6"),
        "for 10 steps", "for 15 steps", 10, {}, id="a mask that moves",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("base", "old", "new", "last", "more"), CASES)
def test_from_each_checkpoint_before_they_part(
    base: str, old: str, new: str, last: int, more: dict[str, Any], tmp_path: Path
) -> None:
    """The same folder, but for times and lives; each one after that is refused."""
    text = base.replace(old, new)
    assert text != base
    a, b = ran(base, tmp_path / "a", **more), ran(text, tmp_path / "b", **more)
    names = kept(a)
    for done, name in enumerate(names):
        one = alone(a, name, tmp_path / "one")
        before = bytes_of(one)
        out = tmp_path / "out"
        if 0 < done <= last:
            assert [] == list(differences(b, ran(text, out, begin_from=one)))
            assert api.verify(out).passed
            shutil.rmtree(out)
        else:
            assert ["R710"] == refused(text, one, out)[0][-1:]
            there = b / "ckpt" / name
            if done and not more and there.exists():
                assert not equal(state(one / "ckpt" / name), state(there))
        assert before == bytes_of(one)


def test_the_newest_is_taken_that_is_one_of_both(tmp_path: Path) -> None:
    """It is told on the screen and in lives.jsonl, kept at once, and goes on after a kill."""
    text = BASE.replace("until step 4", "until step 7")
    a, b = ran(BASE, tmp_path / "a"), ran(text, tmp_path / "b")
    heard = Heard()
    c = ran(text, tmp_path / "c", heard, begin_from=a)
    plan = plan_of(BASE)
    assert f"begins at step 4 of {a}'s run (plan {plan.short})" in heard.lines
    assert [f"step-{step:07d}" for step in range(4, 11)] == kept(c)
    life, *more = [json.loads(line) for line in (c / "lives.jsonl").read_text().splitlines()]
    manifest = hashlib.sha256((a / "ckpt" / "step-0000004" / "manifest.json").read_bytes())
    assert [] == more
    assert life["begun"] == {
        "run": str(a),
        "plan": plan.fingerprint,
        "checkpoint": "step-0000004",
        "done": 4,
        "manifest": manifest.hexdigest(),
        "passed": [],
        "others": [],
    }
    for done in (4, 5, 9):
        again = cut(c, tmp_path / "again", done)
        api.resume(again)
        assert [] == list(differences(b, again))
        assert api.verify(again).passed
    third = ran(text.replace("10 steps", "15 steps"), tmp_path / "third", begin_from=c)
    scratch = ran(text.replace("10 steps", "15 steps"), tmp_path / "scratch")
    assert [] == list(differences(scratch, third))


def test_a_run_that_was_killed_is_one_to_begin_from(tmp_path: Path) -> None:
    """Its lock is not taken, and it needs not be written to."""
    a, b = ran(BASE, tmp_path / "a"), ran(BASE.replace("10 steps", "15 steps"), tmp_path / "b")
    half = cut(a, tmp_path / "half", 7)
    from tostdsl.engine.lock import Lock

    lock = Lock(half)  # as if it were still at work
    before = bytes_of(half)
    try:
        c = ran(BASE.replace("10 steps", "15 steps"), tmp_path / "c", begin_from=half)
    finally:
        lock.release()
    assert before == bytes_of(half)
    assert "step-0000007" == kept(c)[0]
    assert [] == list(differences(b, c))


def test_damaged_checkpoints_are_named_and_passed_over(tmp_path: Path) -> None:
    """The one before is taken; where none is left, all are named and nothing begins."""
    a, b = ran(BASE, tmp_path / "a"), ran(BASE.replace("10 steps", "15 steps"), tmp_path / "b")
    text = BASE.replace("10 steps", "15 steps")
    (a / "ckpt" / "step-0000010" / "state.json").unlink()
    heard = Heard()
    c = ran(text, tmp_path / "c", heard, begin_from=a)
    said = "warning[R707]: the checkpoint step-0000010 is not used: state.json is missing"
    assert [said] == [line for line in heard.lines if "R707" in line]
    assert "step-0000009" == kept(c)[0]
    assert [] == list(differences(b, c))
    life = json.loads((c / "lives.jsonl").read_text().splitlines()[0])
    assert [{"name": "step-0000010", "reason": "state.json is missing"}] == life["begun"]["passed"]
    assert api.verify(c).passed
    for name in kept(a):
        (a / "ckpt" / name / "manifest.json").write_text("{}")
    found, message = refused(text, a, tmp_path / "d")
    assert ["R707"] * 11 + ["R710"] == found
    assert message.endswith("none of its checkpoints can be used")


def test_lines_that_a_checkpoint_counts_on_must_be_there(tmp_path: Path) -> None:
    """A checkpoint whose log was changed since is not used; an older one that needs less is."""
    a, text = ran(BASE, tmp_path / "a"), BASE.replace("10 steps", "15 steps")
    path = a / "metrics.jsonl"
    first, *rest = path.read_text().splitlines(keepends=True)
    epoch = next(index for index, row in enumerate(rest) if json.loads(row)["kind"] == "epoch")
    rest[epoch] = rest[epoch].replace('"loss"', '"Loss"')
    path.write_text("".join([first, *rest]))
    c = ran(text, tmp_path / "c", begin_from=a)
    assert "step-0000004" == kept(c)[0]
    assert [] == list(differences(ran(text, tmp_path / "b"), c))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed 3", "seed 4", "the plans differ from the first step on: seed: 3 becomes 4"),
        ("batch=256", "batch=128", "from the first step on: data.batch: 256 becomes 128"),
        ("until step 4", "from step 1 until step 4", "from the first step on: stages.skip.window"),
        (
            "until step 4",
            "until step 2",
            "the plans are the same up to step 2 of training, its checkpoints are of later on: "
            "step-0000009, step-0000010",
        ),
    ],
)
def test_plans_that_parted_before_are_refused(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    """With what changes, or where they part and which checkpoints there are."""
    a = ran(BASE, tmp_path / "a", keep=2)
    found, message = refused(BASE.replace(old, new), a, tmp_path / "out")
    assert ["R710"] == found
    assert said in message


def test_stages_under_another_name_are_refused(tmp_path: Path) -> None:
    """A second skip makes the first `skip#1`: the lines of the log would be others."""
    text = BASE.replace(SKIP, f"{SKIP}\nskip from step 6 until step 8")
    one = alone(ran(BASE, tmp_path / "all"), "step-0000005", tmp_path / "one")
    found, _ = refused(text, one, tmp_path / "out")
    assert ["R707", "R710"] == found


def test_what_is_not_of_the_plan_must_be_the_same(tmp_path: Path) -> None:
    """Rehearsals, random images, looks, traces, and folders without a run or a checkpoint."""
    a = ran(BASE, tmp_path / "a", keep=1)
    fake = ran(BASE, tmp_path / "fake", keep=1, fake_data=True)
    smoke = ran(BASE, tmp_path / "smoke", keep=1, smoke=True)
    none = ran(BASE, tmp_path / "none", checkpoint=None)
    traced = ran(BASE, tmp_path / "traced", keep=1, trace_every=4)
    (tmp_path / "empty").mkdir()
    asked: list[tuple[Path, dict[str, Any], str]] = [
        (smoke, {}, "it is a rehearsal"),
        (a, {"smoke": True}, "it is none, this is a rehearsal"),
        (fake, {}, "it is of random images, this one is not"),
        (a, {"fake_data": True}, "it is not of random images, this one is"),
        (none, {}, "it holds no checkpoints"),
        (tmp_path / "empty", {}, "it holds no run"),
        (tmp_path / "nothing", {}, "there is no such folder"),
        (a, {"watch": 1}, "it was looked at every 100 steps, and so must this one be"),
        (a, {"trace_every": 1}, "it was not traced, this one is to be"),
        (traced, {"trace_every": 1}, "it was traced every 4 steps, and so must this one be"),
    ]
    for path, options, said in asked:
        found, message = refused(BASE, path, tmp_path / "out", **options)
        assert (["R710"], True) == (found, said in message), message
    again = ran(BASE, tmp_path / "again", begin_from=smoke, smoke=True, keep=1)
    assert [] == list(differences(smoke, again))
    with pytest.raises(TostError) as error:
        ran(BASE, a, begin_from=a)
    assert ["R201"] == codes(error)


def test_other_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One label of one image is another."""
    from tostdsl.data.digits import Digits

    a, load = ran(BASE, tmp_path / "a", keep=1), Digits.load

    def other(self: Digits, options: Any) -> Any:
        images = load(self, options)
        images.train.labels[0] = (images.train.labels[0] + 1) % 10
        return images

    monkeypatch.setattr(Digits, "load", other)
    found, message = refused(BASE, a, tmp_path / "out")
    assert ["R710"] == found
    assert "it is of other data" in message


def test_what_is_otherwise_is_said_and_taken_down(tmp_path: Path) -> None:
    """R708, as where a run goes on; without checkpoints of its own it begins all the same."""
    a = ran(LOTTERY, tmp_path / "a")
    path = a / "environment.json"
    environment = json.loads(path.read_text())
    environment["versions"]["torch"] = "1.0.0"
    path.write_text(json.dumps(environment))
    heard, text = Heard(), LOTTERY.replace("10 steps", "15 steps")
    c = ran(text, tmp_path / "c", heard, begin_from=alone(a, "step-0000004", tmp_path / "one"),
            checkpoint=None)  # fmt: skip
    assert "torch was 1.0.0" in next(line for line in heard.lines if "R708" in line)
    life = json.loads((c / "lives.jsonl").read_text().splitlines()[0])
    assert life["begun"]["others"][0].startswith("torch was 1.0.0")
    assert not (c / "ckpt").exists()
    b = ran(text, tmp_path / "b", checkpoint=None)
    assert (b / "model.safetensors").read_bytes() == (c / "model.safetensors").read_bytes()
    assert api.verify(c).passed


def test_a_begin_that_was_made_up_does_not_verify(tmp_path: Path) -> None:
    """The line of lives.jsonl has a form, and names a step of the run."""
    from tostdsl.engine.lives import rows, sealed
    from tostdsl.engine.verify import lives
    from tostdsl.engine.verify.records import StoredEnvironment, read_record

    a = ran(BASE, tmp_path / "a", keep=1)
    c = ran(BASE.replace("10 steps", "15 steps"), tmp_path / "c", begin_from=a)
    path, environment = c / "lives.jsonl", read_record(c / "environment.json", StoredEnvironment)
    (row,) = rows(path.read_bytes())
    for change, said in (
        ({}, ""),
        ({"done": 16, "checkpoint": "step-0000016"}, "that began at no step of the run"),
        ({"done": 9}, "that began at no step of the run"),
        ({"manifest": "0"}, "of no kind that a run writes"),
    ):
        made = {**row, "begun": {**row["begun"], **change}}
        first = sealed(made, hashlib.sha256().hexdigest())
        path.write_text(json.dumps(first) + "\n")
        assert lives.gap(c, 15, environment).endswith(said)
        assert bool(lives.gap(c, 15, environment)) == bool(said)


def test_other_code_is_refused(tmp_path: Path, own: Write) -> None:
    """A file of the user's own that was changed; as it was, the run begins."""
    own("nets_branched.py", NETS)
    text = 'model python("nets_branched:small")\ndata digits(batch=256)\nschedule constant\n'
    text += "train for 5 steps\nseed 1\n"
    longer, more = text.replace("5 steps", "10 steps"), {"allow_code": True}
    a, b = ran(text, tmp_path / "a", **more), ran(longer, tmp_path / "b", **more)
    own("nets_branched.py", NETS + "# another\n")
    sys.modules.pop("nets_branched")
    found, message = refused(longer, a, tmp_path / "out", **more)
    assert (["R710"], True) == (found, "the file of `nets_branched:small`" in message)
    own("nets_branched.py", NETS)
    sys.modules.pop("nets_branched")
    c = ran(longer, tmp_path / "c", begin_from=a, **more)
    assert "step-0000005" == kept(c)[0]
    assert [] == list(differences(b, c))


def test_masks_of_a_file_come_with_their_report(tmp_path: Path) -> None:
    """What the method left in the folder is there, and what the checkpoints share."""
    masks, _ = api.export_masks(ran(BASE, tmp_path / "masks", keep=1), tmp_path / "m.safetensors")
    method = f'file("{masks.path}", sha256="{masks.sha256}")'
    text = BASE.replace("random(sparsity=50%)", method)
    longer = text.replace("10 steps", "15 steps")
    a, b = ran(text, tmp_path / "a", keep=1), ran(longer, tmp_path / "b", keep=1)
    c = ran(longer, tmp_path / "c", begin_from=a, keep=1)
    assert (c / "mask_file.json").is_file()
    assert [] == list(differences(b, c))
    assert api.verify(c).passed
    (a / "mask_file.json").write_text("{}")
    assert ["R707", "R710"] == refused(longer, a, tmp_path / "out")[0]


def test_a_mask_that_was_let_pass_is_not_taken_without_leave(tmp_path: Path) -> None:
    """A recipe without `allow=collapse` might have refused it, and so makes it itself."""
    text = BASE.replace("sparsity=50%", "sparsity=50%, allow=collapse")
    a = ran(text, tmp_path / "a", keep=1)
    assert ["R707", "R710"] == refused(BASE, a, tmp_path / "out")[0]
    ran(text, tmp_path / "c", begin_from=a)


def test_a_name_taken_while_data_was_loaded_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that begin in the same second without `--out` get a folder each."""
    first = ran(BASE, tmp_path / "first")
    names = [tmp_path / "a", tmp_path / "b"]
    monkeypatch.setattr(
        "tostdsl.engine.branch.default_path", lambda _plan: next(p for p in names if not p.exists())
    )
    of = Made.of

    def meanwhile(*args: Any, **named: Any) -> Made:
        shutil.copytree(first, names[0])
        return of(*args, **named)

    monkeypatch.setattr(Made, "of", meanwhile)
    assert names[1] == api.run(plan_of(BASE), RunOptions(device="cpu"), begin_from=first).folder
