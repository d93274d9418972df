"""Deaths from outside and from within, anywhere (P1, S7, M2, M3)."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.faults.runs import (
    Died,
    at_step,
    begun,
    checkpoints,
    nth,
    resumed,
    unequal,
)  # fmt: skip
from tostdsl.diagnostics import TostError
from tostdsl.engine.storage import Disk

KILLS = 12
"""Here; each costs the start of a run."""


def die() -> None:
    raise Died


PLACES = {
    "after a backward, before the step": ("tostdsl.engine.loop:Loop._advance", 11),
    "after the optimizer's step": ("tostdsl.engine.loop:Loop._advance", -11),
    "as masked weights are set to zero": ("tostdsl.engine.masked:Masked.apply", 3),
    "as stages enter": ("tostdsl.engine.loop.cross", 4),
    "as stages leave": ("tostdsl.engine.boundary._bare", 2),
    "in an evaluation": ("tostdsl.engine.loop.evaluate", 2),
    "before the rewind point is kept": ("tostdsl.engine.session:Session._keep", 1),
    "after the rewind point was kept": ("tostdsl.engine.session:Session._keep", -1),
    "before a round's mask": ("tostdsl.engine.session:Session._choose", 1),
    "after a round's mask": ("tostdsl.engine.session:Session._choose", -2),
    "after the rewind": ("tostdsl.engine.session:Session._returned", -1),
    "at a round's end": ("tostdsl.engine.session:Session._zeros", -2),
    "between rounds": ("tostdsl.engine.keeper:Keeper.border", 2),
    "between rounds, after that was kept": ("tostdsl.engine.keeper:Keeper.border", -3),
    "in the final test": ("tostdsl.engine.outcome.evaluate", 1),
    "before the network is written": ("tostdsl.engine.outcome._write_tensors", 1),
    "before the manifest": ("tostdsl.engine.folder:RunFolder.seal", 1),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("steps", [1, 4])
def test_a_death_there_resumes_to_the_same_bits(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, steps: int
) -> None:
    """Inside a step, at the border of a round, at the end: done or not done, never half."""
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        nth(patch, *PLACES[place], die)
        with pytest.raises(Died):
            begun(out, steps)
    (out / "result.json").unlink()  # a process that is killed writes none
    resumed(out)
    assert [] == unequal(base, out)


def test_a_manifest_half_written_does_not_end_the_run(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets its name when it is whole, so the run goes on instead of being called finished."""
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        write = Disk.write

        def half(self: Disk, path: Path, content: bytes) -> None:
            if path.parent == out and "manifest" in path.name:
                write(self, path, content[:40])
                raise Died
            write(self, path, content)

        patch.setattr(Disk, "write", half)
        with pytest.raises(Died):
            begun(out, 4)
    resumed(out)
    assert [] == unequal(base, out)


def refused(out: Path) -> None:
    """There is no checkpoint, and nothing else is said of it."""
    with pytest.raises(TostError) as error:
        resumed(out)
    (found,) = error.value.diagnostics
    assert f"the run in {out} cannot go on: it has no checkpoint" == found.message
    assert "remove the folder, or start anew in another" in (found.help or "")


@pytest.mark.parametrize("left", [3, 2])
def test_a_run_killed_as_its_folder_was_made_is_refused(
    base: Path, tmp_path: Path, left: int
) -> None:
    """With the plan and nothing after it, or all files but a checkpoint: R704, it has none."""
    out = tmp_path / "run"
    out.mkdir()
    for name in ["plan.json", "metrics.jsonl", "environment.json"][:left]:
        (out / name).write_bytes((base / name).read_bytes())
    refused(out)
    (out / "plan.json").write_text("{")
    refused(out)


def test_one_process_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a run is at work, its folder is refused to another run and to a resume."""
    out = tmp_path / "run"
    found = []

    def intrude() -> None:
        for attempt in (resumed, begun):
            with pytest.raises(TostError) as error:
                attempt(out)
            found.append(error.value.diagnostics[0].code)

    at_step(monkeypatch, 5, intrude)
    assert begun(out, 4).certified
    assert ["R204", "R201"] == found


def forked(act: Callable[[], object]) -> int:
    """A process of its own that does this and ends with 0, or 1 for any error."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        act()
        status = 0
    finally:
        os._exit(status)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_kills_at_any_time_cost_no_bits(base: Path, tmp_path: Path) -> None:
    """SIGKILL after a time drawn from a seed, again and again, until the run is through."""
    drawn, kills, number = random.Random(7), 0, 0
    while kills < KILLS:
        out = tmp_path / f"run-{number}"
        number += 1
        longest, reached = 0.5, [""]
        while True:
            before, reached = reached, [path.name for path in checkpoints(out)][-1:]
            longest = 0.5 if reached > before else 1.1 * longest  # slow machines get on, too
            going = bool(reached)
            child = forked(lambda: resumed(out) if going else begun(out, 2))  # noqa: B023
            time.sleep(drawn.uniform(0.02, longest))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            if (out / "manifest.json").exists():
                break
            assert os.WIFSIGNALED(status), "a life failed"
            kills += 1
            if not checkpoints(out):  # before its first there is nothing to go on from
                out = tmp_path / f"run-{number}"
                number += 1
        assert [] == unequal(base, out)


def test_where_there_is_nothing_to_resume(base: Path, tmp_path: Path) -> None:
    """R701: no folder, a file, a folder without a run, a run that is finished; each with a way."""
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for path, reason, help in [
        (tmp_path / "none", "there is no such folder", "give the folder that `tost run` wrote"),
        (tmp_path / "file", "it is no folder", "give the folder that `tost run` wrote"),
        (tmp_path / "empty", "it holds no run", "give the folder that `tost run` wrote"),
        (base, "the run in it has come to its end", "another recipe `--from` this run"),
    ]:
        with pytest.raises(TostError) as error:
            resumed(path)
        (found,) = error.value.diagnostics
        assert ("R701", True) == (found.code, found.message.endswith(reason))
        assert help in (found.help or "")
