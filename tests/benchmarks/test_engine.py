"""The benchmark of the engine runs and prints its ratios."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_smoke_form_prints_every_ratio() -> None:
    """All but that of the compiler, which takes a minute; times are for people to judge."""
    done = subprocess.run(
        [sys.executable, "benchmarks/engine.py", "--smoke", "--device", "cpu"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "Measured on: CPU" in done.stdout
    rows = [line for line in done.stdout.splitlines() if "**" in line]
    wanted = ["streamed: resident", "channels_last: contiguous |", "both bf16"]
    assert len(wanted) == len(rows)
    assert [] == [word for word in wanted if not any(word in row for row in rows)]
