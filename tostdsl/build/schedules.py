"""The schedules of the learning rate, each as a class; third parties' as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tostdsl.build.classes import attribute, titles

if TYPE_CHECKING:  # a name that is registered could be `call`
    from tostdsl.build.calls import Call


def __getattr__(name: str) -> type[Call]:
    return attribute("schedule", name)


def __dir__() -> list[str]:
    return sorted(titles("schedule"))
