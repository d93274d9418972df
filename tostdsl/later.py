"""Modules that only mistakes need, imported with the first one."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """Stands for a module; asking it for something imports it.

    Beside an import for type checkers::

        if TYPE_CHECKING:
            from tostdsl.compile import guess
        else:
            guess = Later("tostdsl.compile.guess")
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self._name), name)
