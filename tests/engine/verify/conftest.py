"""Runs to verify: trained once, copied before they are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.engine.verify.runs import KEPT, PLAIN, trained


@pytest.fixture(scope="session")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of all four techniques on a random mask; its recipe extends another."""
    return trained(PLAIN, tmp_path_factory.mktemp("plain"), params={"k": "0.2"})


@pytest.fixture(scope="session")
def kept_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a stage that stays, without leave."""
    return trained(KEPT, tmp_path_factory.mktemp("kept"))


@pytest.fixture
def run(plain_run: Path, tmp_path: Path) -> Path:
    """A copy of the plain run."""
    return Path(shutil.copytree(plain_run, tmp_path / "run"))
