"""The benchmark of checkpoints runs and prints its ratios."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_smoke_form_prints_every_ratio() -> None:
    """Whatever they are: times are for people to judge."""
    done = subprocess.run(
        [sys.executable, "benchmarks/checkpoint.py", "--smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    rows = re.findall(r"^\| (.+) \| (\d+\.\d\d) \|$", done.stdout, re.MULTILINE)
    assert 2 == len(rows)
    assert all(float(ratio) > 0 for _, ratio in rows)
    assert re.search(r"keeps training still for \d+\.\d\d steps", done.stdout)
