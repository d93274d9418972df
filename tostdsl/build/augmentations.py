"""The random changes of training images, each as a class; third parties' as well."""

from __future__ import annotations

from tostdsl.build.calls import Call
from tostdsl.build.classes import attribute, titles


def __getattr__(name: str) -> type[Call]:
    return attribute("augmentation", name)


def __dir__() -> list[str]:
    return sorted(titles("augmentation"))
