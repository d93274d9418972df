"""What a checkpoint counts on is on disk before it has its name (P2), a full disk in truth (S1)."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.faults.runs import at_step, begun, checkpoints, cut, end, resumed, rows, unequal
from tostdsl.diagnostics import TostError
from tostdsl.engine.keeper import Keeper, _Writing
from tostdsl.engine.lines import Lines
from tostdsl.engine.stops import StoppedRun
from tostdsl.engine.storage import Disk

PATIENCE = 120
"""Seconds after which a thread of these tests stops waiting for what never comes."""


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, tuple[int, int]]]:
    """By inode what was last flushed to disk: a size, and a time of change (of a folder)."""
    found: dict[int, tuple[int, int]] = {}
    fsync = os.fsync

    def seen(descriptor: int) -> None:
        fsync(descriptor)
        now = os.fstat(descriptor)
        found[now.st_ino] = now.st_size, now.st_mtime_ns

    monkeypatch.setattr(os, "fsync", seen)
    return iter([found])


def test_a_file_is_flushed_when_it_is_written(
    tmp_path: Path, flushed: Iterator[dict[int, tuple[int, int]]]
) -> None:
    """All of it."""
    Disk().write(tmp_path / "a", b"12345")
    assert 5 == next(flushed)[(tmp_path / "a").stat().st_ino][0]


def test_what_a_checkpoint_counts_on_is_flushed_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flushed: Iterator[dict[int, tuple[int, int]]]
) -> None:
    """Its own files and their folder, and each file of the run that it names, at that length."""
    out, found = tmp_path / "run", next(flushed)
    rename, late = Disk.rename, []

    def renamed(self: Disk, old: Path, new: Path) -> None:
        if new.parent == out / "ckpt" and new.name.startswith("step-"):
            files = json.loads((old / "state.json").read_text())["files"]
            wanted = {old / each.name: each.stat().st_size for each in old.iterdir()}
            wanted |= {out / name: entry["bytes"] for name, entry in files.items()}
            late.extend(
                (new.name, path.name)
                for path, size in wanted.items()
                if found.get(path.stat().st_ino, (-1, 0))[0] < size
            )
            if found.get(old.stat().st_ino, (0, 0))[1] != old.stat().st_mtime_ns:
                late.append((new.name, "the folder"))
        rename(self, old, new)

    monkeypatch.setattr(Disk, "rename", renamed)
    assert begun(out, 5, keep=1000).certified
    assert len(checkpoints(out)) > 4
    assert [] == late


@pytest.fixture
def limited() -> Iterator[Any]:
    """Sets how large a file may get, as a full disk does; taken back at the end."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int | None) -> None:
        soft = before[0] if size is None else size
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, before[1]))

    yield limit
    limit(None)


def test_a_disk_without_room_for_a_while_costs_nothing(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: Any
) -> None:
    """Neither lines nor checkpoints can be written for some steps; training goes on, and is told.

    The limit is the system's own, on the length of files.
    """
    out = tmp_path / "run"
    at_step(monkeypatch, 6, lambda: limited((out / "metrics.jsonl").stat().st_size + 7))
    first = begun_with_messages(out, monkeypatch, {14: lambda: limited(None)})
    assert any("R207" in line and "metrics.jsonl" in line for line in first)
    assert any("R206" in line for line in first)
    said = [row for row in rows(out) if "R206" not in str(row)]
    assert rows(base) == said
    assert (base / "model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()


def begun_with_messages(out: Path, patch: pytest.MonkeyPatch, more: dict[int, Any]) -> list[str]:
    """A run that keeps its state after each step; what it said on the screen."""
    from tostdsl.engine.observer import Observer

    class Heard(Observer):
        def message(self, text: str) -> None:
            lines.append(text)

    lines: list[str] = []
    for step, act in more.items():
        at_step(patch, step, act)
    assert begun(out, observer=Heard(), keep=1000).certified
    return lines


def test_lines_that_never_find_room_end_the_run_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: Any
) -> None:
    """R205 once the last state has no room, whatever failed before; what was kept goes on."""
    out = tmp_path / "run"
    at_step(monkeypatch, 6, lambda: limited((out / "metrics.jsonl").stat().st_size + 7))
    with pytest.raises(TostError) as error:
        begun(out, keep=1000)
    limited(None)
    (found,) = error.value.diagnostics
    assert found.code == "R205"
    assert str(out / "ckpt") in found.message
    monkeypatch.undo()
    assert resumed(out).certified


def test_lines_wait_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a line is finished, told once a time, and in order."""
    told, fail = [], [False]
    write = os.write

    def some(descriptor: int, content: bytes) -> int:
        if fail[0] and len(content) < 12:
            raise OSError(errno.ENOSPC, "no room")
        return write(descriptor, bytes(content[:5]))

    monkeypatch.setattr(os, "write", some)
    lines = Lines(tmp_path / "x.jsonl", owing=lambda path, _: told.append(path.name))
    lines.write({"a": 1})
    fail[0] = True
    lines.write({"b": 2})
    lines.write({"c": 3})
    with pytest.raises(OSError, match="no room"):
        lines.sync()
    fail[0] = False
    lines.write({"d": 4})
    lines.sync()
    assert '{"a": 1}\n{"b": 2}\n{"c": 3}\n{"d": 4}\n' == (tmp_path / "x.jsonl").read_text()
    assert lines.entry.bytes == (tmp_path / "x.jsonl").stat().st_size
    assert ["x.jsonl"] == told
    lines.close()


def test_each_flipped_bit_of_its_lives_is_found(base: Path, tmp_path: Path) -> None:
    """200 of a run of two lives: refused by name before anything is touched; so is a lost line."""
    run = cut(base, tmp_path / "run", 5)
    resumed(run)
    run = cut(run, tmp_path / "again", 9)
    path = run / "lives.jsonl"
    whole = path.read_bytes()
    assert 2 == whole.count(b"\n")
    drawn = random.Random(3)
    spoilt = [bytearray(whole) for _ in range(200)]
    for each in spoilt:
        each[drawn.randrange(len(whole) - 1)] ^= 1 << drawn.randrange(8)
    lost = [b"", whole[whole.index(b"\n") + 1 :]]
    for content in (*spoilt, *lost):
        path.write_bytes(content)
        with pytest.raises(TostError) as error:
            resumed(run)
        assert ["R706"] == [each.code for each in error.value.diagnostics]
        assert "lives.jsonl" in error.value.diagnostics[0].message
    path.write_bytes(whole + b'{"kind": "stop')  # a kill may leave a part of a line
    assert resumed(run).certified
    assert end(base)["model"] == end(run)["model"]


def test_resuming_without_checkpoints_keeps_none(base: Path, tmp_path: Path) -> None:
    """`none` is not the same as nothing said."""
    run = cut(base, tmp_path / "run", 5)
    resumed(run, checkpoint="none")
    assert ["step-0000005"] == [path.name for path in checkpoints(run)][-1:]
    again = cut(base, tmp_path / "again", 5)
    resumed(again)
    assert [] == unequal(base, again)


def test_a_second_interrupt_does_not_wait_for_a_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run is over while its last state is still being written, however long the disk takes."""
    stopping, waiting, over, ended = (threading.Event() for _ in range(4))
    told: list[bool] = []
    write, result = Keeper._write, _Writing.result

    def slow(self: Keeper, snapshot: Any) -> None:
        if self.done < 5:
            write(self, snapshot)
        elif waiting.wait(PATIENCE) and not over.is_set():
            os.kill(os.getpid(), signal.SIGINT)
            told.append(over.wait(PATIENCE))  # and never writes: the disk takes for ever
            ended.set()

    def waited(self: _Writing) -> None:
        if stopping.is_set():
            waiting.set()  # the run does nothing any more but wait for this write
        result(self)

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        stopping.set()

    monkeypatch.setattr(Keeper, "_write", slow)
    monkeypatch.setattr(_Writing, "result", waited)
    at_step(monkeypatch, 5, interrupt)
    try:
        with pytest.raises(StoppedRun) as stopped:
            begun(tmp_path / "run", 100)
    finally:
        over.set()
        waiting.set()
    assert ended.wait(PATIENCE)
    assert [True] == told
    assert 130 == stopped.value.status
