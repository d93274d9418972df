"""A run whose folder, lock, files or checkpoints somebody takes away while it is at work (S6)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.faults.runs import (
    RECIPE,
    at_step,
    begun,
    checkpoints,
    cut,
    plan_of,
    resumed,
    unequal,
    with_disk,
)
from tostdsl.diagnostics import TostError
from tostdsl.engine.checkpoint import Checkpoints
from tostdsl.engine.keeper import Every, Keeper
from tostdsl.engine.lock import Lock
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.storage import Disk


def contents(folder: Path) -> dict[str, bytes]:
    """All that lies in a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def landed(patch: pytest.MonkeyPatch, step: int, act: Callable[[], object]) -> None:
    """Something happens after so many steps, when no checkpoint is being written."""
    stepped = Keeper.stepped

    def also(self: Keeper, *place: object) -> None:
        if self.done + 1 == step:
            self.close()
            self._pending = None
            act()
        stepped(self, *place)  # type: ignore[arg-type]

    patch.setattr(Keeper, "stepped", also)


def empty(out: Path, base: Path) -> None:
    out.rename(out.with_name("moved"))
    out.mkdir()


def killed(out: Path, base: Path) -> None:
    out.rename(out.with_name("moved"))
    cut(base, out, 3)


def removed(out: Path, base: Path) -> None:
    shutil.rmtree(out)
    cut(base, out, 3)


def turned(out: Path, base: Path) -> None:
    cut(base, out.with_name("other"), 3)
    out.unlink()
    out.symlink_to("other")


@pytest.mark.parametrize("every", [2, 1000])
@pytest.mark.parametrize(
    ("replace", "reason"),
    [
        (empty, "run.lock is gone from the run folder"),
        (killed, "the run folder is another's by now"),
        (removed, "the run folder is another's by now"),
        (turned, "the run folder is another's by now"),
    ],
)
def test_what_takes_the_place_of_a_run_folder_is_left_alone(
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    replace: Callable[[Path, Path], None],
    reason: str,
    every: int,
) -> None:
    """R205 at the next checkpoint, and not a byte of the place has changed."""
    out = tmp_path / "run"
    if replace is turned:
        (tmp_path / "first").mkdir()
        out.symlink_to("first")
    then: list[dict[str, bytes]] = []

    def act() -> None:
        replace(out, base)
        then.append(contents(out))

    landed(monkeypatch, 6, act)
    with pytest.raises(TostError) as error:
        begun(out, every)
    (found,) = error.value.diagnostics
    assert ("R205", True) == (found.code, reason in found.message)
    assert then == [contents(out)]


def test_a_run_that_keeps_nothing_leaves_the_place_alone(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R202 when it ends: neither its model nor how it failed is written over another's."""
    out = tmp_path / "run"
    at_step(monkeypatch, 6, lambda: removed(out, base))
    with pytest.raises(TostError) as error:
        run(plan_of(), RunOptions(out=out, device="cpu", checkpoint=None))
    (found,) = error.value.diagnostics
    assert ("R202", True) == (found.code, "is another's by now" in found.message)
    assert contents(cut(base, tmp_path / "same", 3)) == contents(out)


class Acting(Disk):
    """Something happens after a file or folder of that path's end was written or flushed, once."""

    def __init__(self, end: str, act: Callable[[], object]) -> None:
        self._end, self._act, self.acted = end, act, False

    def _after(self, path: Path) -> None:
        if not self.acted and re.search(self._end, path.as_posix()):
            self.acted = True
            self._act()

    def write(self, path: Path, content: bytes) -> None:
        super().write(path, content)
        self._after(path)

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self._after(new)


def test_a_checkpoint_half_written_when_the_lock_goes_gets_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R205; the ones before it are all that is there."""
    out = tmp_path / "run"
    disk = Acting(r"step-0000006.*/manifest.json$", (out / "run.lock").unlink)
    with_disk(monkeypatch, disk)
    with pytest.raises(TostError) as error:
        begun(out, 2, keep=1000)
    assert ["R205"] == [each.code for each in error.value.diagnostics]
    assert disk.acted
    names = [path.name for path in (out / "ckpt").iterdir()]
    assert [f"step-{done:07d}" for done in (0, 2, 4)] == sorted(names)


def test_no_checkpoint_of_another_run_is_rotated_away(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where it takes the place between a checkpoint and the rotation after it."""
    out = tmp_path / "run"
    disk = Acting(r"ckpt/step-0000006$", lambda: killed(out, base))
    with_disk(monkeypatch, disk)
    with pytest.raises(TostError) as error:
        begun(out, 1)
    assert ["R205"] == [each.code for each in error.value.diagnostics]
    assert disk.acted
    assert contents(cut(base, tmp_path / "same", 3)) == contents(out)


def test_a_writer_without_its_lock_ends(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """run.lock is removed and another goes on with the run: only that one ends with a proof."""
    out = tmp_path / "run"
    ended: list[bool] = []
    then: dict[str, bytes] = {}

    def intrude() -> None:
        monkeypatch.undo()
        (out / "run.lock").unlink()
        ended.append(resumed(out).certified)
        then.update(contents(out))

    landed(monkeypatch, 6, intrude)
    with pytest.raises(TostError) as error:
        begun(out, 2)
    (found,) = error.value.diagnostics
    assert ("R205", True) == (found.code, "is another's by now" in found.message)
    assert ([True], then) == (ended, contents(out))
    assert (base / "model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()
    assert '"finished"' in (out / "result.json").read_text()


def test_a_lock_whose_file_goes_as_it_is_taken_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds is the file that the others see: a second process is refused."""
    fcntl = pytest.importorskip("fcntl")
    flock, tries = fcntl.flock, []

    def removing(*args: int) -> None:
        flock(*args)
        tries.append(args)
        if len(tries) == 1:
            (tmp_path / "run.lock").unlink()

    monkeypatch.setattr(fcntl, "flock", removing)
    lock = Lock(tmp_path)
    assert 2 == len(tries)
    with pytest.raises(TostError) as error:
        Lock(tmp_path)
    assert ["R204"] == [each.code for each in error.value.diagnostics]
    lock.release()
    Lock(tmp_path).release()


LINED = ("metrics.jsonl", "lives.jsonl", "trace.jsonl")


@pytest.mark.parametrize("name", [*LINED, "plan.json", "environment.json", "recipe.tost"])
@pytest.mark.parametrize("kept", [True, False])
def test_a_file_taken_away_from_a_run_at_work_ends_it_without_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kept: bool
) -> None:
    """By name; where lines are gone no state that counts on them is kept."""
    out = tmp_path / "run"
    at_step(monkeypatch, 6, (out / name).unlink)
    every = Every(9, "steps") if kept else None
    options = RunOptions(out=out, device="cpu", checkpoint=every, trace_every=0)
    with pytest.raises(TostError) as error:
        run(plan_of(), options, texts={"recipe.tost": RECIPE})
    (found,) = error.value.diagnostics
    assert ("R205" if kept and name in LINED else "R202") == found.code
    assert f"{name} was taken away" in found.message or f"{name}: it was taken" in found.message
    assert not (out / "manifest.json").exists()
    assert "finished" not in (out / "result.json").read_text()


@pytest.mark.parametrize("name", ["metrics.jsonl", "plan.json", "recipe.tost"])
def test_a_file_put_in_place_of_one_that_was_written_is_no_proof(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """R202: lines go to the file that was there before, and a text must have its length."""
    out = tmp_path / "run"
    path = out / name

    def replace() -> None:
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content if name == "metrics.jsonl" else content[:-1])

    at_step(monkeypatch, 6, replace)
    options = RunOptions(out=out, device="cpu", checkpoint=None)
    with pytest.raises(TostError) as error:
        run(plan_of(), options, texts={"recipe.tost": RECIPE})
    (found,) = error.value.diagnostics
    assert ("R202", True) == (found.code, path.name in found.message)
    assert not (out / "manifest.json").exists()


def test_a_checkpoint_taken_away_does_not_end_rotation(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept at the end, and its blobs, are what an untouched run keeps."""
    plain, out = tmp_path / "plain", tmp_path / "run"
    begun(plain)
    landed(monkeypatch, 6, lambda: (out / "ckpt" / "step-0000004").rename(tmp_path / "taken"))
    assert begun(out).certified
    assert (tmp_path / "taken").is_dir()
    for folder in ("ckpt", "blobs"):
        names = [sorted(each.name for each in (run / folder).iterdir()) for run in (plain, out)]
        assert names[0] == names[1]
    assert [] == unequal(base, out)


def test_one_checkpoint_that_cannot_be_removed_keeps_no_other(base: Path, tmp_path: Path) -> None:
    """Its name stays, and is tried again; those after it go as ever."""
    out = cut(base, tmp_path / "run", 7)

    class Stuck(Disk):
        def rename(self, old: Path, new: Path) -> None:
            if old.name == "step-0000002":
                raise PermissionError
            super().rename(old, new)

    store = Checkpoints(out, keep=2, disk=Stuck())
    newest = store.newest()[0]
    assert newest is not None
    best = max(store.valid, key=lambda name: (store.valid[name].validation or 0, name))
    shutil.rmtree(out / "ckpt" / newest.name)
    store.write(newest)
    names = {path.name for path in checkpoints(out)}
    assert names - {best} == {"step-0000002", "step-0000006", "step-0000007"} - {best}


def test_a_state_that_was_kept_and_taken_away_is_kept_anew(base: Path, tmp_path: Path) -> None:
    """The same step again: a stop says that its state is kept, so it has to be there."""
    out = cut(base, tmp_path / "run", 5)
    store = Checkpoints(out, keep=1000)
    snapshot = store.newest()[0]
    assert snapshot is not None
    path = out / "ckpt" / snapshot.name
    before = contents(path)
    shutil.rmtree(path)
    assert path == store.write(snapshot)
    assert before == contents(path)
