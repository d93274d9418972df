"""The data sets, each as a class, made when it is asked for; third parties' as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tostdsl.build.classes import attribute, titles

if TYPE_CHECKING:  # a name that is registered could be `call`
    from tostdsl.build.calls import Call


def __getattr__(name: str) -> type[Call]:
    return attribute("data", name)


def __dir__() -> list[str]:
    return sorted(titles("data"))
