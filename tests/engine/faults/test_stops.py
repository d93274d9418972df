"""Stops from outside and from within, anywhere (P1, P5, P6, S7, M2, M3)."""

from __future__ import annotations

import json
import os
import pkgutil
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.faults.runs import (
    RECIPE,
    Died,
    FaultyDisk,
    at_step,
    begun,
    checkpoints,
    resumed,
    unequal,
    with_disk,
)  # fmt: skip
from tostdsl import api
from tostdsl.diagnostics import TostError
from tostdsl.engine.stops import StoppedRun, Stops
from tostdsl.engine.storage import Disk

KILLS = 12
"""Here; each costs the start of a run."""


def nth(patch: pytest.MonkeyPatch, where: str, number: int, act: Callable[[], object]) -> None:
    """Something happens before the nth call of a function, or after it if the number is below 0."""
    module, _, name = where.rpartition(".")
    owner = pkgutil.resolve_name(module)
    plain, count = getattr(owner, name), [0]

    def also(*args: Any, **named: Any) -> Any:
        count[0] += 1
        if count[0] == number:
            act()
        found = plain(*args, **named)
        if count[0] == -number:
            act()
        return found

    patch.setattr(owner, name, also)


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


def sent(name: str) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), getattr(signal, name))


MOMENTS = {
    "in a step": ("tostdsl.engine.loop:Loop._advance", 11, 11),
    "in an evaluation": ("tostdsl.engine.loop.evaluate", 2, 8),
    "while a checkpoint is written": ("tostdsl.engine.checkpoint:Checkpoints._fill", 4, None),
    "while a mask is chosen": ("tostdsl.engine.session:Session._choose", 1, 8),
    "while the last mask is chosen": ("tostdsl.engine.session:Session._choose", 2, 16),
    "before the first step": ("tostdsl.engine.session.network", 1, 0),
    "as a stage leaves": ("tostdsl.engine.boundary._bare", 1, None),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGUSR1", 143), ("SIGINT", 130)])
def test_a_signal_keeps_every_step(
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    name: str,
    status: int,
) -> None:
    """R308, no step is lost though the interval is long; it goes on to the same bits."""
    where, number, done = MOMENTS[moment]
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        nth(patch, where, number, sent(name))
        with pytest.raises(StoppedRun) as stopped:
            begun(out, 4 if done is None else 1000)
    assert (status, "R308") == (stopped.value.status, stopped.value.diagnostics[0].code)
    kept = int(checkpoints(out)[-1].name.removeprefix("step-"))
    assert done in (None, kept)
    assert "stopped" == json.loads((out / "result.json").read_text())["state"]
    assert f"go on with it by `tost resume {out}`" == unverified(out)
    resumed(out)
    assert [] == unequal(base, out)


def test_a_signal_in_the_final_test_lets_the_run_end(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps are kept by then, and what is left is short."""
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        nth(patch, "tostdsl.engine.outcome.evaluate", 1, sent("SIGTERM"))
        assert begun(out, 1000).certified
    assert [] == unequal(base, out)


def test_a_second_interrupt_stops_at_once(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R304 in the midst of a step; what was kept before goes on."""
    out = tmp_path / "run"

    def twice() -> None:
        sent("SIGINT")()
        sent("SIGINT")()

    with monkeypatch.context() as patch:
        nth(patch, "tostdsl.engine.loop:Loop._advance", 11, twice)
        with pytest.raises(StoppedRun) as stopped:
            begun(out, 4)
    (found,) = stopped.value.diagnostics
    assert (130, "R304") == (stopped.value.status, found.code)
    assert f"go on from its last checkpoint with `tost resume {out}`" == found.help
    assert "step-0000008" == checkpoints(out)[-1].name
    resumed(out)
    assert [] == unequal(base, out)


def test_whoever_listens_is_told_of_the_first_signal_only() -> None:
    """And before anything else happens for it."""
    heard: list[str] = []
    with Stops(heard.append) as stops:
        sent("SIGTERM")()
        sent("SIGINT")()
    assert ["SIGTERM"] == heard
    assert "SIGINT" == stops.asked


def test_a_kill_while_a_stop_is_kept_costs_the_interval(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM, then death in the midst of the state that it asked for: the last one is used."""
    out, disk = tmp_path / "run", FaultyDisk(10_000, Died)

    def stop_and_die() -> None:
        sent("SIGTERM")()
        disk.at = len(disk.calls) + 3

    with monkeypatch.context() as patch:
        with_disk(patch, disk)
        at_step(patch, 11, stop_and_die)
        with pytest.raises(Died):
            begun(out, 4)
    assert "step-0000008" == checkpoints(out)[-1].name
    way = f"unless it is still at work, go on with it by `tost resume {out}`"
    (out / "result.json").unlink(missing_ok=True)  # a real kill leaves none
    assert way == unverified(out)
    resumed(out)
    assert [] == unequal(base, out)


def test_a_stop_without_checkpoints_says_so_and_cannot_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R304, then R704 with its reason."""
    from tests.engine.faults.runs import plan_of
    from tostdsl.engine.run import RunOptions, run

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        at_step(patch, 3, sent("SIGTERM"))
        with pytest.raises(StoppedRun) as stopped:
            run(plan_of(), RunOptions(out=out, device="cpu", checkpoint=None))
    (found,) = stopped.value.diagnostics
    assert (143, "R304", None) == (stopped.value.status, found.code, found.help)
    assert "start it anew in another folder: it has no checkpoint to go on from" == unverified(out)
    refused(out)


def unverified(out: Path) -> str | None:
    """What `tost verify` tells to do about a run that did not come to its end."""
    with pytest.raises(TostError) as error:
        api.verify(out)
    (found,) = error.value.diagnostics
    assert "R412" == found.code
    return found.help


def test_a_run_that_failed_is_led_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """R412 does not promise that resuming is enough: what it failed of comes first."""

    def fail() -> None:
        raise OSError(5, "the data is gone")

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        at_step(patch, 11, fail)
        with pytest.raises(OSError, match="gone"):
            begun(out, 4)
    help = unverified(out) or ""
    assert help.startswith(f"mend what it failed of and go on with it by `tost resume {out}`")


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


@pytest.mark.slow
@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_the_command_line_ends_with_the_signal_s_status(
    base: Path, tmp_path: Path, name: str, status: int
) -> None:
    """`tost run` is stopped, `tost resume` ends it to the same bits."""
    recipe, out = tmp_path / "r.tost", tmp_path / "run"
    recipe.write_text(RECIPE)
    tost = [sys.executable, "-m", "tostdsl"]
    options = ["--out", str(out), "--device", "cpu", "--checkpoint", "1 step"]
    with subprocess.Popen([*tost, "run", str(recipe), *options], stderr=subprocess.PIPE) as process:
        while not (out / "ckpt" / "step-0000004").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(getattr(signal, name))
        _, said = process.communicate(timeout=60)
    assert status == process.returncode
    assert f"{name}: the run stops at the end of its step".encode() in said
    assert b"R308" in said
    subprocess.run([*tost, "resume", str(out)], check=True, capture_output=True)
    assert (base / "model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()


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
