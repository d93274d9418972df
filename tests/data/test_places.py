"""Where data is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tostdsl.data.place import cache_home, data_root
from tostdsl.plan.bases import LoadOptions


def test_the_option_wins_over_the_variable_over_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--data-root`, else TOST_DATA, else the user's cache folder."""
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert Path("/home/ada/.cache/tostdsl/data") == data_root(LoadOptions())
    monkeypatch.setenv("TOST_DATA", "")
    assert Path("/home/ada/.cache/tostdsl/data") == data_root(LoadOptions())
    monkeypatch.setenv("TOST_DATA", "~/sets")
    assert Path("/home/ada/sets") == data_root(LoadOptions())
    assert Path("/data") == data_root(LoadOptions(root=Path("/data")))


def test_a_relative_cache_variable_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The XDG rules: paths in the variable must be absolute."""
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_CACHE_HOME", "there")
    assert Path("/home/ada/.cache/tostdsl") == cache_home()
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert Path("/there/tostdsl") == cache_home()
