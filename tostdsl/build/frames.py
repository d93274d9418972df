"""Rows as pandas frames, where pandas is there; nothing else needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from tostdsl.diagnostics import TostError


def frame(rows: Iterable[Mapping[str, Any]]) -> Any:
    """A `pandas.DataFrame` of rows; `TostError` R830 where there is no pandas."""
    try:
        pandas = import_module("pandas")
    except ImportError:
        raise TostError.of("R830") from None
    return pandas.DataFrame.from_records(list(rows))


def flat(row: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """A row whose mappings are spread out: `{"weights": {"ghost": 1}}` has `weights.ghost`."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = value
    return found
