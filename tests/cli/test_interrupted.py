"""The command line when it is told to end: while it tells how it ended, and while it kills runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.cli.conftest import Tost

PATIENCE = 120.0
"""Seconds to wait for what comes in a few."""
RECIPE = """\
model cifar_resnet(8)
data digits(batch=32)
train for 40 epochs
"""


def test_an_interrupt_while_the_end_is_told(tost: Tost, monkeypatch: pytest.MonkeyPatch) -> None:
    """130, and no traceback."""
    import tostdsl.cli.main as module

    def interrupted(_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "show", interrupted)
    found = tost("new", "--yes", ".")  # is told as R603
    assert (130, "", "") == (found.code, found.out, found.err)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary ones with a short name: processes talk through sockets below it."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_a_trial_that_is_stopped_is_tidied_up(tmp_path: Path, scratch: Path, name: str) -> None:
    """The status is the signal's, it is said why, and no folder stays."""
    (tmp_path / "r.tost").write_text(RECIPE)
    words = [sys.executable, "-m", "tostdsl", "verify-resume", "r.tost", "--full", "--kills", "1"]
    env = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen(words, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as trial:
        until = time.monotonic() + PATIENCE
        while not list(scratch.glob("tost-verify-resume-*/unstopped/metrics.jsonl")):
            assert trial.poll() is None, trial.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.01)
        trial.send_signal(getattr(signal, name))
        _, err = trial.communicate(timeout=PATIENCE)
    assert 143 == trial.returncode
    assert f"error[R721]: the trial did not come to its end: {name} was received" in err
    assert "Traceback" not in err
    assert [] == list(scratch.glob("tost-verify-resume-*"))
