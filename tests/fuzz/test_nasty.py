"""The heaviest inputs within the limits take seconds to check, plan, format and fix."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.fuzz.nasty import NASTY

SECONDS = 5.0
"""Of the processor, for a check, a plan and a format; the rule for strangers' files."""
ROUNDS = 3
"""Checks that a fix makes at least: of the text, and after each of two rounds."""
MEGABYTES = 300
PATIENCE = 300
"""Seconds on the clock, on a busy machine."""


@pytest.mark.slow
@pytest.mark.parametrize("name", NASTY)
def test_no_input_within_the_limits_takes_long(name: str) -> None:
    """At most five seconds and 300 megabytes, whatever a stranger wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.measure", name],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    measured = json.loads(done.stdout)
    assert SECONDS >= max(
        measured["check"] + measured["show"], measured["plan"], measured["format"]
    )
    assert SECONDS * ROUNDS >= measured["fix"]
    assert MEGABYTES >= measured["megabytes"]
