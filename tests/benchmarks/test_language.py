"""The benchmark of the language runs and prints its ratios."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_smoke_form_prints_every_ratio() -> None:
    """Whatever they are: times are for people to judge."""
    done = subprocess.run(
        [sys.executable, "benchmarks/language.py", "--smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    wanted = ["cold `tost check`", "parse:", "parse and lower:", "format: parse", "torch"]
    assert len(wanted) == len([row for row in rows if "**" in row])
    assert [] == [word for word in wanted if not any(word in row for row in rows)]
