"""Folders and files of a run that nobody may read, that vanish, or that are no files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from tests.engine.faults.runs import cut, nth, plan_of, resumed, unequal
from tostdsl import api
from tostdsl.diagnostics import TostError
from tostdsl.engine.blobs import Blobs
from tostdsl.engine.run import RunOptions
from tostdsl.engine.storage import Disk
from tostdsl.plan.marker import end_of, holds_run, unreal_of, why_no_run

STEP = 12
DEEP = "[" * 200_000


@pytest.fixture
def run(base: Path, tmp_path: Path) -> Path:
    """A run as if it had been killed."""
    return cut(base, tmp_path / "run", STEP)


def denied(patch: pytest.MonkeyPatch, name: str, folder: Path) -> None:
    """A function of `os` fails for what lies in a folder, or for the folder where it lists."""
    plain = getattr(os, name)

    def failing(path: Any = ".", *args: Any, **named: Any) -> Any:
        if isinstance(path, str | os.PathLike):
            here = Path(path)
            if folder in here.parents or (name != "stat" and here == folder):
                raise PermissionError(13, "Permission denied", str(path))
        return plain(path, *args, **named)

    patch.setattr(os, name, failing)


def codes(call: Callable[[], object]) -> tuple[list[str], str]:
    """The codes of the messages of what fails, and the last message."""
    with pytest.raises(TostError) as error:
        call()
    found = error.value.diagnostics
    return [each.code for each in found], found[-1].message


def test_checkpoints_that_nobody_may_list(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not taken for none, which would lead to the advice to remove the folder."""
    denied(monkeypatch, "listdir", run / "ckpt")
    said = (["R706"], f"{run / 'ckpt'} cannot be read: permission denied")
    assert said == codes(lambda: resumed(run))
    options = RunOptions(out=tmp_path / "new", device="cpu")
    assert said == codes(lambda: api.run(plan_of(), options, begin_from=run))


def test_left_overs_that_cannot_be_removed(
    base: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stay, and the run goes on to the same bits."""
    left = run / "ckpt" / ".tmp-step-0000013-1"
    left.mkdir()
    remove = Disk.remove

    def failing(self: Disk, path: Path) -> None:
        if path == left:
            raise PermissionError(13, "Permission denied", str(path))
        remove(self, path)

    monkeypatch.setattr(Disk, "remove", failing)
    resumed(run)
    assert [] == unequal(base, run)
    assert left.is_dir()


def other_values(blobs: Path) -> None:
    for path in blobs.iterdir():
        save_file({name: each * 0 for name, each in load_file(path).items()}, path)


def a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("x")


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (shutil.rmtree, "is missing"),
        (a_file, "cannot be read: not a directory"),
        (other_values, "is not as it was written (other SHA-256)"),
    ],
)
def test_blobs_that_change_while_a_run_is_loaded(
    run: Path, monkeypatch: pytest.MonkeyPatch, act: Callable[[Path], None], said: str
) -> None:
    """They are not believed for having been sound a moment ago."""
    nth(monkeypatch, "tostdsl.engine.state.put_network", 1, lambda: act(run / "blobs"))
    found, message = codes(lambda: resumed(run))
    assert ["R702"] == found
    assert message.startswith("this checkpoint does not fit the run: blobs/")
    assert message.endswith(said)


def test_checkpoints_that_vanish_while_they_are_listed(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said of which folder."""
    nth(monkeypatch, "os.listdir", 1, lambda: shutil.rmtree(run / "ckpt"))
    found, message = codes(lambda: resumed(run))
    assert (["R704"], f"the run in {run} cannot go on: it has no checkpoint") == (found, message)


def test_a_blob_that_nobody_may_look_for_is_not_there(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is written anew, and the writing says what is wrong."""
    digest = next((base / "blobs").iterdir()).name
    assert Blobs(base, Disk()).has(digest)
    denied(monkeypatch, "stat", base / "blobs")
    assert not Blobs(base, Disk()).has(digest)


def test_a_folder_that_nobody_may_look_into(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It holds no run that could be told, for the reason that the file system gives."""
    denied(monkeypatch, "stat", run)
    assert not holds_run(run)
    assert "permission denied" == why_no_run(run)
    assert "not finished" == end_of(run)


@pytest.mark.parametrize("name", ["x" * 300, "/".join(["y" * 200] * 25)])
def test_a_name_that_is_too_long(name: str) -> None:
    """There is no such folder, and that is why."""
    assert not holds_run(Path(name))
    assert "file name too long" == why_no_run(Path(name))
    found, message = codes(lambda: resumed(Path(name)))
    assert ["R701"] == found
    assert message.endswith(": file name too long")


@pytest.mark.parametrize("name", ["result.json", "environment.json"])
@pytest.mark.parametrize("how", ["deep", "a pipe", "a list"])
def test_a_damaged_file_tells_nothing(run: Path, name: str, how: str) -> None:
    """And keeps nobody waiting."""
    shutil.copy(run / "environment.json", run / "result.json")  # what holds neither
    (run / name).unlink()
    if how == "a pipe":
        os.mkfifo(run / name)
    else:
        (run / name).write_text(DEEP if how == "deep" else json.dumps(["state", "unreal"]))
    assert "not finished" == end_of(run)
    assert (None if name == "environment.json" else "") == unreal_of(run)
