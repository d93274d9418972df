"""One run that was never stopped, with a checkpoint after each of its steps."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.faults.runs import begun


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder; not to be written to."""
    out = tmp_path_factory.mktemp("faults") / "base"
    assert begun(out, keep=1000).certified
    return out
