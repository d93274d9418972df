"""Calling `tost` in this process, as its console script does."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tostdsl.cli.main import entry


@dataclass(frozen=True)
class Said:
    """The exit status of a command, and what it printed."""

    code: int
    out: str
    err: str


Tost = Callable[..., Said]


@pytest.fixture
def tost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tost:
    """`tost(words…, stdin=…)`, through the console script's entry."""

    def call(*words: object, stdin: bytes = b"") -> Said:
        monkeypatch.setattr(sys, "argv", ["tost", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            entry()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert "R901" not in err
        code = stop.value.code
        assert isinstance(code, int)
        return Said(code, out, err)

    return call
