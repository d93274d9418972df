"""Checkpoints that are not as they were written (S3, S4, S5, M4, M5, E3)."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from tests.engine.faults.runs import checkpoints, cut, resumed, rows, unequal
from tostdsl.diagnostics import TostError
from tostdsl.engine.checkpoint import Checkpoints, Snapshot
from tostdsl.engine.manifest import entry_of, manifest
from tostdsl.engine.observer import Observer

FLIPS = 200
FILES = ("state.safetensors", "state.json", "manifest.json")
STEP = 12


@pytest.fixture
def run(base: Path, tmp_path: Path) -> Path:
    """A run as if it had been killed."""
    return cut(base, tmp_path / "run", STEP)


def reason(run: Path, name: str) -> str | None:
    """Why a checkpoint is not used; None where it is sound."""
    _, skipped = Checkpoints(run).newest()
    return next((each.reason for each in skipped if each.name == name), None)


def only(run: Path, *steps: int) -> Path:
    """Removes all checkpoints but these; the newest of them."""
    kept = [f"step-{step:07d}" for step in steps]
    for path in checkpoints(run):
        if path.name not in kept:
            shutil.rmtree(path)
    return checkpoints(run)[-1]


@pytest.mark.parametrize("name", [*FILES, "masks", "rewind", "moments"])
def test_every_flipped_bit_is_found(run: Path, name: str) -> None:
    """200 single bits a file, drawn from a seed: each makes the checkpoint unusable."""
    newest = only(run, STEP)
    file = newest / name
    if name not in FILES:
        digest = json.loads((newest / "state.json").read_text())[name]
        file = run / "blobs" / digest
    content, drawn = file.read_bytes(), random.Random(name)
    for _ in range(FLIPS):
        place, bit = drawn.randrange(len(content)), drawn.randrange(8)
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        file.write_bytes(flipped)
        assert reason(run, newest.name), (place, bit)
    file.write_bytes(content)
    assert reason(run, newest.name) is None


def zeroed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4096] = bytes(len(content[middle : middle + 4096]))
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "zeroed": zeroed,
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "empty": lambda path: os.truncate(path, 0),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b" "),
    "missing": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_one_is_named_and_the_one_before_it_used(
    run: Path, base: Path, name: str, how: str
) -> None:
    """The newest sound one goes on to the same bits; the damaged one is told of and stays."""
    newest = only(run, STEP - 3, STEP)
    DAMAGE[how](newest / name)
    lines: list[str] = []

    class Heard(Observer):
        def message(self, text: str) -> None:
            lines.append(text)

    said = reason(run, newest.name)
    assert said
    assert name in said or "cannot be read" in said
    resumed(run, Heard())
    assert [f"warning[R707]: the checkpoint {newest.name} is not used: {said}"] == lines[:1]
    assert f"goes on from step {STEP - 3} of 24" in lines
    assert newest.exists()
    assert [] == unequal(base, run)
    told = [json.loads(line) for line in (run / "lives.jsonl").read_text().splitlines()]
    assert [{"name": newest.name, "reason": said}] == told[-1]["passed"]


@pytest.mark.parametrize("name", FILES)
def test_files_of_another_checkpoint_are_found(run: Path, name: str) -> None:
    """Each file alone is sound, the two folders are not."""
    first, second = checkpoints(run)[-2:]
    one, other = (first / name).read_bytes(), (second / name).read_bytes()
    (first / name).write_bytes(other)
    (second / name).write_bytes(one)
    assert reason(run, first.name)
    assert reason(run, second.name)


def test_a_checkpoint_under_another_step_is_found(run: Path) -> None:
    """Renamed, it is still the one of its own step."""
    newest = checkpoints(run)[-1]
    other = newest.rename(newest.with_name("step-0000099"))
    assert f"it is the one of {newest.name}" == reason(run, other.name)


def test_times_and_other_names_mean_nothing(run: Path, base: Path) -> None:
    """Shuffled times of change, a link to nowhere, a file: the newest by its steps is used."""
    for number, path in enumerate(reversed(checkpoints(run))):
        os.utime(path, (number, number))
    (run / "ckpt" / "latest").symlink_to("step-0009999")
    (run / "ckpt" / "notes.txt").write_text("mine")
    found, skipped = Checkpoints(run).newest()
    assert found is not None
    assert (f"step-{STEP:07d}", []) == (found.name, skipped)
    resumed(run)
    assert [] == unequal(base, run)


def test_steps_of_more_digits_are_newer(tmp_path: Path, run: Path) -> None:
    """Ten million steps come after 9,999,999, though not by the alphabet."""
    (run / "ckpt" / "step-9999999").mkdir()
    (run / "ckpt" / "step-10000000").mkdir()
    _, skipped = Checkpoints(run).newest()
    assert ["step-10000000", "step-9999999"] == [each.name for each in skipped]


def test_without_a_sound_one_the_run_is_refused(run: Path) -> None:
    """R704 after an R707 for each, newest first; nothing is removed or begun."""
    for path in checkpoints(run):
        os.truncate(path / "state.json", 7)
    before = sorted(str(path) for path in run.rglob("*"))
    with pytest.raises(TostError) as error:
        resumed(run)
    codes = [each.code for each in error.value.diagnostics]
    assert ["R707"] * (STEP + 1) + ["R704"] == codes
    assert f"step-{STEP:07d}" in error.value.diagnostics[0].message
    assert before == sorted(str(path) for path in run.rglob("*"))


@pytest.mark.parametrize("name", ["masks", "rewind", "moments"])
@pytest.mark.parametrize("how", ["missing", "of another"])
def test_a_lost_or_exchanged_blob_is_found(run: Path, name: str, how: str) -> None:
    """What a lottery goes back to, and masks, are those that were written, or none."""
    newest = checkpoints(run)[-1]
    blob = run / "blobs" / json.loads((newest / "state.json").read_text())[name]
    others = [path for path in (run / "blobs").iterdir() if path != blob]
    if how == "missing":
        blob.unlink()
    else:
        blob.write_bytes(others[0].read_bytes())
    assert (reason(run, newest.name) or "").startswith(f"blobs/{blob.name[:8]}")


def signed(path: Path, name: str, content: bytes) -> None:
    """Write a file of a checkpoint with a manifest that says so."""
    (path / name).write_bytes(content)
    entries = {each: entry_of((path / each).read_bytes()) for each in FILES[:2]}
    (path / "manifest.json").write_text(json.dumps(manifest(entries), indent=1))


def test_another_schema_is_named(run: Path) -> None:
    """A checkpoint of another version says which it is of and which is read."""
    newest = only(run, STEP)
    record = json.loads((newest / "state.json").read_text())
    signed(newest, "state.json", json.dumps({**record, "schema_version": 0}).encode())
    assert "it is of schema 0, this version reads schemas 1 to 3" == reason(run, newest.name)


@pytest.mark.parametrize(("schema", "lacks"), [(1, ["texts", "unreal"]), (2, ["unreal"])])
def test_an_older_schema_goes_on(run: Path, base: Path, schema: int, lacks: list[str]) -> None:
    """Schema 1 held no recipe, 2 not whether it is real: to the same bits, new ones are of 3."""
    for path in checkpoints(run):
        record = json.loads((path / "state.json").read_text())
        for name in lacks:
            del record[name]
        signed(path, "state.json", json.dumps({**record, "schema_version": schema}).encode())
    resumed(run)
    assert [] == unequal(base, run)
    newest = json.loads((checkpoints(run)[-1] / "state.json").read_text())
    assert (3, "") == (newest["schema_version"], newest["unreal"])


def with_blob(run: Path, name: str, content: bytes) -> None:
    """Exchange a blob of the newest checkpoint, with all digests as they should be."""
    newest = only(run, STEP)
    digest = entry_of(content).sha256
    (run / "blobs" / digest).write_bytes(content)
    record = json.loads((newest / "state.json").read_text())
    signed(newest, "state.json", json.dumps({**record, name: digest}).encode())


def masks_of(run: Path) -> dict[str, torch.Tensor]:
    newest = checkpoints(run)[-1]
    digest = json.loads((newest / "state.json").read_text())["masks"]
    return load((run / "blobs" / digest).read_bytes())


def test_masks_that_do_not_fit_are_refused_by_name(run: Path) -> None:
    """Other names, other sizes, a bit that is off where the weight is not zero: each R702."""
    sound = masks_of(run)
    first = sorted(sound)[0]
    renamed = {name + "x" if name == first else name: mask for name, mask in sound.items()}
    shorter = {**sound, first: sound[first][:-1]}
    bools = {**sound, first: sound[first].bool()}
    none = {**sound, first: torch.zeros_like(sound[first])}
    for masks, said in (
        (renamed, "its masks are of other weights"),
        (shorter, f"the mask of `{first}` has another size"),
        (bools, f"the mask of `{first}` has another size"),
        (none, f"masked weights of `{first}` are not zero"),
    ):
        with_blob(run, "masks", save(masks))
        with pytest.raises(TostError) as error:
            resumed(run)
        assert ["R702"] == [each.code for each in error.value.diagnostics]
        assert error.value.diagnostics[0].message.endswith(f": {said}")


def test_an_altered_blob_is_written_anew_by_a_run_at_work(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next checkpoint finds it and says so, the one after it is sound again."""
    run = cut(base, tmp_path / "again", STEP)
    only(run, STEP)
    lines: list[str] = []

    class Heard(Observer):
        def message(self, text: str) -> None:
            lines.append(text)

    def alter() -> None:
        record = json.loads((checkpoints(run)[-1] / "state.json").read_text())
        blob = run / "blobs" / record["rewind"]
        content = bytearray(blob.read_bytes())
        content[-1] ^= 1
        blob.write_bytes(content)

    def write(self: Checkpoints, snapshot: Snapshot) -> Path:
        if snapshot.name == f"step-{STEP + 3:07d}":  # here nobody reads it meanwhile
            alter()
        return plain(self, snapshot)

    plain = Checkpoints.write
    monkeypatch.setattr(Checkpoints, "write", write)
    resumed(run, Heard())
    warned = [line for line in lines if "R206" in line]
    assert 1 == len(warned)
    assert "is not as it was written" in warned[0]
    mended = [row for row in rows(run) if "R206" not in str(row)]
    assert (rows(base), ["metrics"]) == (mended, unequal(base, run))
    assert [] == Checkpoints(run).newest()[1]
