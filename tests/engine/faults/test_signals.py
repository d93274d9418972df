"""Signals that ask a run to stop, anywhere (P5, P6)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.faults.runs import (
    RECIPE,
    Died,
    FaultyFolder,
    advances,
    at_step,
    begun,
    checkpoints,
    nth,
    plan_of,
    resumed,
    unequal,
    with_disk,
)  # fmt: skip
from tostdsl import api
from tostdsl.diagnostics import TostError
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.stops import StoppedRun, Stops

PATIENCE = 300.0
"""Seconds to wait for what comes at once."""
WAITS = f"""
import runpy, time
from tostdsl.engine.keeper import Keeper
stepped, until = Keeper.stepped, time.monotonic() + {PATIENCE}
def waiting(self, *place):
    while self.done == 4 and self.stops.asked is None and time.monotonic() < until:
        time.sleep(0.01)
    stepped(self, *place)
Keeper.stepped = waiting
runpy.run_module("tostdsl", run_name="__main__", alter_sys=True)
"""
"""The command line, of which a run does not end its fifth step before it is told to stop."""


def sent(name: str) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), getattr(signal, name))


MOMENTS = {
    "in a step": ("tostdsl.engine.loop:Loop._advance", 11, range(11, 12)),
    "in an evaluation": ("tostdsl.engine.loop.evaluate", 2, range(8, 9)),
    # that of step 12, on its thread; at step 16 the run waits for it
    "while a checkpoint is written": (
        "tostdsl.engine.checkpoint:Checkpoints._fill",
        4,
        range(13, 17),
    ),
    "while a mask is chosen": ("tostdsl.engine.session:Session._choose", 1, range(8, 9)),
    "while the last mask is chosen": ("tostdsl.engine.session:Session._choose", 2, range(16, 17)),
    "before the first step": ("tostdsl.engine.session.network", 1, range(1)),
    "as a stage leaves": ("tostdsl.engine.boundary._bare", 1, range(22, 23)),
}
"""A function, which of its calls, and after how many steps the run may stop for that."""


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
    where, number, steps = MOMENTS[moment]
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        ran = advances(patch)
        nth(patch, where, number, sent(name))
        with pytest.raises(StoppedRun) as stopped:
            begun(out, 4 if "checkpoint" in moment else 1000)
    assert (status, "R308") == (stopped.value.status, stopped.value.diagnostics[0].code)
    assert f"step-{len(ran):07}" == checkpoints(out)[-1].name
    assert len(ran) in steps
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
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        with_disk(patch, FaultyFolder("step-0000011", Died))
        at_step(patch, 11, sent("SIGTERM"))
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
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        at_step(patch, 3, sent("SIGTERM"))
        with pytest.raises(StoppedRun) as stopped:
            run(plan_of(), RunOptions(out=out, device="cpu", checkpoint=None))
    (found,) = stopped.value.diagnostics
    assert (143, "R304", None) == (stopped.value.status, found.code, found.help)
    assert "start it anew in another folder: it has no checkpoint to go on from" == unverified(out)
    with pytest.raises(TostError, match="it has no checkpoint") as error:
        resumed(out)
    assert ["R704"] == [each.code for each in error.value.diagnostics]


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


@pytest.mark.slow
@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_the_command_line_ends_with_the_signal_s_status(
    base: Path, tmp_path: Path, name: str, status: int
) -> None:
    """`tost run` is stopped, `tost resume` ends it to the same bits."""
    recipe, out = tmp_path / "r.tost", tmp_path / "run"
    recipe.write_text(RECIPE)
    tost = [sys.executable, "-m", "tostdsl"]
    words = ["run", str(recipe), "--out", str(out), "--device", "cpu", "--checkpoint", "1 step"]
    waits = [sys.executable, "-c", WAITS, *words]
    with subprocess.Popen(waits, stderr=subprocess.PIPE) as process:
        try:
            until = time.monotonic() + PATIENCE
            while not (out / "ckpt" / "step-0000004").exists():
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.01)
            process.send_signal(getattr(signal, name))
            _, said = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert status == process.returncode
    assert f"{name}: the run stops at the end of its step".encode() in said
    assert b"R308" in said
    assert "step-0000005" == checkpoints(out)[-1].name
    subprocess.run([*tost, "resume", str(out)], check=True, capture_output=True)
    assert (base / "model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()
