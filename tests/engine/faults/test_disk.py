"""A disk that fails, fills, or stops at any call (P2, P3, S1, S2, S6)."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.faults.runs import (
    RECIPE,
    Died,
    FaultyDisk,
    FaultyFolder,
    at_step,
    begun,
    checkpoints,
    cut,
    plan_of,
    resumed,
    rows,
    unequal,
    with_disk,
)  # fmt: skip
from tostdsl.diagnostics import TostError
from tostdsl.engine import room
from tostdsl.engine.checkpoint import Checkpoints, Snapshot
from tostdsl.engine.observer import Observer
from tostdsl.engine.storage import Disk


def full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def broken() -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO))


def taken(base: Path) -> list[Snapshot]:
    """The states of a run in order, each with all of its blobs."""
    found = []
    for path in checkpoints(base):
        snapshot = Checkpoints(base)._read(path)
        named = {each: (base / "blobs" / each).read_bytes() for each in snapshot.record.blobs}
        found.append(replace(snapshot, blobs=named))
    return found


@pytest.fixture(scope="module")
def snapshots(base: Path) -> list[Snapshot]:
    """Nine of a run's states: what a lottery goes back to appears, masks change twice."""
    return taken(base)[::3]


class Vanishing(FaultyDisk):
    """Somebody removes the run folder just before the call `at`."""

    def __init__(self, run: Path, at: int = -1) -> None:
        super().__init__(at, Died)
        self._run = run

    def _failing(self, name: str) -> bool:
        self.calls.append(name)
        if len(self.calls) == self.at + 1:
            shutil.rmtree(self._run)
        return False


def believed(path: Path) -> tuple[Snapshot | None, list[str]]:
    """The newest that a fresh process believes, and the names of those that it does not."""
    found, skipped = Checkpoints(path).newest()
    return found, [each.name for each in skipped]


def calls_of(path: Path, snapshots: list[Snapshot]) -> int:
    """How many calls it takes to write them all."""
    disk = FaultyDisk(-1, Died, once=True)
    path.mkdir()
    store = Checkpoints(path, disk=disk)
    for snapshot in snapshots:
        store.write(snapshot)
    return len(disk.calls)


def until_death(store: Checkpoints, snapshots: list[Snapshot]) -> int:
    """How many were said to be written."""
    for done, snapshot in enumerate(snapshots):
        try:
            store.write(snapshot)
        except Died:
            return done
    raise AssertionError("it did not die")


def test_a_death_at_any_call_leaves_the_last_that_was_written(
    snapshots: list[Snapshot], tmp_path: Path
) -> None:
    """Whole ones only, the newest at least as new as the last that was said to be written."""
    total = calls_of(tmp_path / "all", snapshots)
    assert total > 9 * len(snapshots)
    for at in range(total):
        run = tmp_path / "run"
        run.mkdir()
        store = Checkpoints(run, disk=FaultyDisk(at, Died))
        done = until_death(store, snapshots)
        found, skipped = believed(run)
        assert [] == skipped, at
        if done:
            assert found is not None, at
            assert found.name in {each.name for each in snapshots[done - 1 : done + 1]}, at
        fresh = Checkpoints(run)  # the next to hold the lock
        fresh.clear()
        fresh.newest()
        for snapshot in snapshots[done:]:
            fresh.write(snapshot)
        assert snapshots[-1].name == (believed(run)[0] or snapshots[0]).name, at
        left = {path.name for path in [*(run / "ckpt").iterdir(), *(run / "blobs").iterdir()]}
        assert not [name for name in left if name.startswith(".")], at
        shutil.rmtree(run)


@pytest.mark.parametrize("fault", [full, broken], ids=["full", "broken"])
def test_an_error_at_any_call_spares_what_was_written(
    snapshots: list[Snapshot], tmp_path: Path, fault: Callable[[], OSError]
) -> None:
    """One call fails: what was kept stays, nothing is half, and the next is written as ever."""
    for at in range(calls_of(tmp_path / "all", snapshots[:-1])):
        run = tmp_path / "run"
        run.mkdir()
        store = Checkpoints(run, disk=FaultyDisk(at, fault, once=True))
        last, failed = None, 0
        for snapshot in snapshots:
            try:
                store.write(snapshot)
                last = snapshot
            except OSError:
                failed += 1
                found, skipped = believed(run)
                assert [] == skipped, at
                assert last is None or (found is not None and found.name >= last.name), at
        assert failed <= 1, at
        assert last is snapshots[-1], at
        assert last.name == (believed(run)[0] or snapshots[0]).name, at
        assert not list((run / "ckpt").glob(".*")), at
        assert not list((run / "blobs").glob(".*")), at
        shutil.rmtree(run)


@pytest.mark.parametrize("at", range(4, 78, 9))
def test_a_run_that_died_writing_ends_with_the_same_bits(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Killed at a call of its saves, and again at one of the resumed run's, then left alone."""
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        with_disk(patch, FaultyDisk(at, Died))
        with pytest.raises(Died):
            begun(out, 3)
    with monkeypatch.context() as patch:
        with_disk(patch, FaultyDisk(max(4, at // 2), Died))
        with pytest.raises((Died, TostError)):
            resumed(out)
    if not checkpoints(out):
        with pytest.raises(TostError, match="it has no checkpoint"):
            resumed(out)
        return
    resumed(out)
    assert [] == unequal(base, out)


def test_a_full_disk_on_the_way_is_said_and_survived(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A periodic checkpoint that fails is a warning; the run ends as ever."""
    lines: list[str] = []

    class Heard(Observer):
        def message(self, text: str) -> None:
            lines.append(text)

    with_disk(monkeypatch, FaultyFolder("step-0000012", full, once=True))
    out = tmp_path / "run"
    begun(out, 3, observer=Heard())
    warned = [line for line in lines if line.startswith("warning[R206]")]
    assert 1 == len(warned)
    assert "no space left on device" in warned[0]
    mended = [row for row in rows(out) if "R206" not in str(row)]
    assert (rows(base), ["metrics"]) == (mended, unequal(base, out))


def test_a_full_disk_at_the_end_is_an_error(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last state cannot be kept: R205, and what was kept goes on once there is room."""
    disk = FaultyDisk(10_000, full)
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        with_disk(patch, disk)
        at_step(patch, 22, lambda: setattr(disk, "at", len(disk.calls)))
        with pytest.raises(TostError, match="no space left") as error:
            begun(out, 3)
    assert ["R205"] == [each.code for each in error.value.diagnostics]
    assert "failed" == json.loads((out / "result.json").read_text())["state"]
    resumed(out)
    assert [] == unequal(base, out)


def test_too_little_room_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R205 with what is needed, before a step has run."""

    class Small(Disk):
        def reserve(self, path: Path, size: int) -> None:
            super().reserve(path, 1)
            raise full()

    with_disk(monkeypatch, Small())
    at_step(monkeypatch, 1, lambda: pytest.fail("it trained"))
    with pytest.raises(TostError, match=r"no space left on device \(\d+\.\d MiB are needed\)"):
        begun(tmp_path / "run", 3)
    assert [] == checkpoints(tmp_path / "run")


def test_the_room_asked_for_is_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the folder when one more is being written is at most that, and at least half."""
    asked: list[int] = []
    most = [0]

    class Watched(Disk):
        def reserve(self, path: Path, size: int) -> None:
            asked.append(size)
            super().reserve(path, size)
            assert not path.exists()

        def rename(self, old: Path, new: Path) -> None:
            run = tmp_path / "run"
            held = [f for name in ("ckpt", "blobs") for f in (run / name).rglob("*") if f.is_file()]
            most[0] = max(most[0], sum(file.stat().st_size for file in held))
            super().rename(old, new)

    with_disk(monkeypatch, Watched())
    text = "\n".join(line for line in RECIPE.splitlines() if not line.startswith(("ghost", "skip")))
    begun(tmp_path / "run", 1, text=text)
    assert 1 == len(asked)
    assert asked[0] / 2 <= most[0] <= asked[0]


def test_the_first_checkpoint_says_that_none_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that takes nothing stops the run before its first step."""

    class Stubborn(Disk):
        def write(self, path: Path, content: bytes) -> None:
            raise broken()

    with_disk(monkeypatch, Stubborn())
    at_step(monkeypatch, 1, lambda: pytest.fail("it trained"))
    with pytest.raises(TostError, match="input/output error"):
        begun(tmp_path / "run", 3)


def test_a_folder_that_vanishes_at_any_call_stays_away(
    snapshots: list[Snapshot], tmp_path: Path
) -> None:
    """It is refused no later than at the next checkpoint; no part of a run appears in its place."""
    for at in range(calls_of(tmp_path / "all", snapshots)):
        run = tmp_path / "run"
        run.mkdir()
        store = Checkpoints(run, disk=Vanishing(run, at))
        for snapshot in snapshots:
            there = run.exists()
            try:
                store.write(snapshot)
            except FileNotFoundError:
                assert not run.exists(), at
            else:
                assert there, at
        assert not run.exists(), at


@pytest.mark.parametrize("where", ["between two", "in one"])
def test_a_folder_that_vanishes_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """R205 by name, wherever the writing was when it went."""
    out = tmp_path / "run"
    disk = Vanishing(out)
    with_disk(monkeypatch, disk)

    def vanish() -> None:
        if where == "in one":
            disk.at = len(disk.calls) + 3
        else:
            shutil.rmtree(out)

    at_step(monkeypatch, 7, vanish)  # after the first state, and before a round's border
    with pytest.raises(TostError) as error:
        begun(out, 100)
    (found,) = error.value.diagnostics
    assert ("R205", True) == (found.code, "the run folder is gone" in found.message)
    assert not out.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_folder_is_refused(base: Path, tmp_path: Path) -> None:
    """R202, and nothing in it has changed."""
    again = cut(base, tmp_path / "again", 5)
    again.chmod(0o555)
    (again / "run.lock").chmod(0o444)
    try:
        with pytest.raises(TostError) as error:
            resumed(again)
    finally:
        again.chmod(0o755)
    assert ["R202"] == [each.code for each in error.value.diagnostics]


def test_a_folder_that_cannot_be_locked_is_refused(base: Path, tmp_path: Path) -> None:
    """R202, whoever asks."""
    again = cut(base, tmp_path / "again", 5)
    (again / "run.lock").unlink()
    (again / "run.lock").mkdir()
    with pytest.raises(TostError) as error:
        resumed(again)
    assert ["R202"] == [each.code for each in error.value.diagnostics]


def test_moments_weigh_what_the_optimizer_holds() -> None:
    """Adam holds two numbers a weight, SGD with momentum one, without none."""
    start, rest = RECIPE.split("optimizer adam")
    for text, wanted in [("adam", 2), ("sgd(momentum=0.9)", 1), ("sgd(momentum=0)", 0)]:
        plain = start.replace(", optimizer=rewind", "") + f"optimizer {text}" + rest
        assert wanted == room.moments_of(plan_of(plain))
