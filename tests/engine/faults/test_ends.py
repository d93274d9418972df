"""Between a run's last file and its end, a look and the lock, a start and a step (P5, P6, S7)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engine.faults.runs import LAST, RECIPE, begun, checkpoints, cut, resumed, unequal
from tostdsl import api
from tostdsl.diagnostics import TostError
from tostdsl.engine.lock import Lock
from tostdsl.engine.storage import Disk


def interrupt() -> BaseException:
    return KeyboardInterrupt()


def broken() -> BaseException:
    return OSError(5, "input/output error")


@pytest.mark.parametrize(("fault", "code"), [(interrupt, "R304"), (broken, "R202")])
def test_what_fails_after_the_last_file_leaves_the_run_as_it_ended(
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[], BaseException],
    code: str,
) -> None:
    """The manifest has its name: how the run ended is not written over, and it verifies."""
    out = tmp_path / "run"
    sync = Disk.sync

    def failing(self: Disk, path: Path) -> None:
        if path == out and (out / "manifest.json").exists():
            raise fault()
        sync(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(Disk, "sync", failing)
        with pytest.raises(TostError) as error:
            begun(out, 100)
    (found,) = error.value.diagnostics
    assert code == found.code
    assert "tost resume" not in (found.help or "")
    assert api.verify(out).passed
    assert [] == unequal(base, out)


def test_a_run_that_ends_while_another_asks_for_its_lock_is_left_alone(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R701 under the lock, too; nothing of the finished run is touched."""
    out = cut(base, tmp_path / "run", 20)

    def late(path: Path) -> Lock:
        shutil.rmtree(out)
        shutil.copytree(base, out)
        return Lock(path)

    monkeypatch.setattr("tostdsl.engine.resume.Lock", late)
    with pytest.raises(TostError) as error:
        resumed(out)
    assert ["R701"] == [each.code for each in error.value.diagnostics]
    assert all((out / name).exists() for name in LAST if (base / name).exists())
    Lock(out).release()
    assert api.verify(out).passed


def test_a_refusal_cuts_no_log(base: Path, tmp_path: Path) -> None:
    """R706 for an edited plan: checkpoints set aside for a moment go with the log after it."""
    out = cut(base, tmp_path / "run", 20)
    plan, log = (out / "plan.json").read_bytes(), (out / "metrics.jsonl").read_bytes()
    last = checkpoints(out)[-1]
    last.rename(tmp_path / last.name)
    (out / "plan.json").write_bytes(plan + b"\n")
    with pytest.raises(TostError) as error:
        resumed(out)
    assert ["R706"] == [each.code for each in error.value.diagnostics]
    assert log == (out / "metrics.jsonl").read_bytes()
    (out / "plan.json").write_bytes(plan)
    (tmp_path / last.name).rename(last)
    resumed(out)
    assert [] == unequal(base, out)


SCRIPT = """
import os, signal, sys
from tostdsl.cli.start import script
from tostdsl.engine.run import Made
def of(*_, **__):
    os.kill(os.getpid(), signal.{name})
    raise AssertionError("it went on")
Made.of = of
script()
"""


@pytest.mark.parametrize(("name", "status"), [("SIGTERM", 143), ("SIGUSR1", 143), ("SIGINT", 130)])
@pytest.mark.parametrize("goes_on", [False, True], ids=["run", "resume"])
def test_a_signal_before_the_first_step_ends_the_command_by_name(
    base: Path, tmp_path: Path, name: str, status: int, goes_on: bool
) -> None:
    """While data is loaded: the usual statuses, a line, and nothing begun or changed."""
    recipe, out = tmp_path / "r.tost", tmp_path / "run"
    recipe.write_text(RECIPE)
    given = ["run", str(recipe), "--out", str(out)]
    if goes_on:
        given = ["resume", str(cut(base, out, 20))]
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    command = [sys.executable, "-c", SCRIPT.format(name=name), *given, "--device", "cpu"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert status == ended.returncode, ended.stderr
    assert "interrupted" in ended.stderr
    assert (name in ended.stderr) is (name != "SIGINT")
    assert "Traceback" not in ended.stderr
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
