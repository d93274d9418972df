"""The schedules of the learning rate, each as a class; third parties' as well."""

from __future__ import annotations

from tostdsl.build.calls import Call
from tostdsl.build.classes import attribute, titles


def __getattr__(name: str) -> type[Call]:
    return attribute("schedule", name)


def __dir__() -> list[str]:
    return sorted(titles("schedule"))
