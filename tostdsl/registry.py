"""What exists: every technique, mask, model, data set, optimizer and schedule, by kind and name.

Built-in ones are imported on first use; third parties register through the entry-point group
`tostdsl.plugins`, each entry naming a module whose import registers its classes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib.metadata import entry_points
from typing import TypeVar

from tostdsl.diagnostics import Diagnostic, diagnose
from tostdsl.plan.spec import Spec

S = TypeVar("S", bound=Spec)

KINDS: dict[str, str] = {
    "technique": "techniques",
    "mask": "masks",
    "model": "models",
    "data": "data sets",
    "optimizer": "optimizers",
    "schedule": "schedules",
    "anneal": "anneals",
    "augmentation": "augmentations",
}
_BUILTIN = (
    "tostdsl.anneals",
    "tostdsl.techniques",
    "tostdsl.masks",
    "tostdsl.models",
    "tostdsl.data",
    "tostdsl.optimizers",
    "tostdsl.schedules",
)
_known: dict[tuple[str, str], type[Spec]] = {}
_warnings: list[Diagnostic] = []


class DuplicateName(Exception):
    """Two classes ask for one name; says both."""


def register(name: str) -> Callable[[type[S]], type[S]]:
    """Class decorator: makes a spec known under `name` within its kind."""

    def known(cls: type[S]) -> type[S]:
        other = _known.get((cls.kind, name))
        if other is not None:
            raise DuplicateName(
                f"the {cls.kind} `{name}` is registered by both {_where(other)} and {_where(cls)}"
            )
        cls.name = name
        _known[cls.kind, name] = cls
        return cls

    return known


def _where(cls: type[Spec]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


@lru_cache(maxsize=1)
def _load() -> None:
    for module in _BUILTIN:
        importlib.import_module(module)
    for entry in entry_points(group="tostdsl.plugins"):
        before = dict(_known)
        try:
            entry.load()
        except Exception as error:  # a stranger's plug-in may fail in any way; it must not stop us
            _known.clear()
            _known.update(before)
            _warnings.append(diagnose("W004", name=entry.name, reason=str(error) or repr(error)))


def find(kind: str, name: str) -> type[Spec] | None:
    """The class registered under a name, or None."""
    _load()
    return _known.get((kind, name))


def get(kind: str, name: str) -> type[Spec]:
    """The class registered under a name; `ValueError` when there is none."""
    found = find(kind, name)
    if found is None:
        raise ValueError(f"unknown {kind} `{name}`")
    return found


def names(kind: str) -> list[str]:
    """All names of a kind, sorted."""
    _load()
    return sorted(name for known, name in _known if known == kind)


def everything() -> Iterator[type[Spec]]:
    """All registered classes, by kind and name."""
    _load()
    for key in sorted(_known):
        yield _known[key]


def warnings() -> list[Diagnostic]:
    """What went wrong while loading plug-ins."""
    _load()
    return list(_warnings)
