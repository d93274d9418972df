"""Every damage to a run folder's files is found and named; what is no damage is told as such."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.engine.verify.runs import failures, reseal, verdict

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
