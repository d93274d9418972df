"""What exists: every technique, mask, model, data set, optimizer and schedule, by kind and name.

Built-in ones are imported on first use; third parties register through the entry-point group
`tostdsl.plugins`, each entry naming a module whose import registers its classes.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from typing import TypeVar

from tostdsl.builtin import BUILTIN
from tostdsl.diagnostics import Diagnostic, brief, diagnose
from tostdsl.installed import declared
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
_PLUGINS = "tostdsl.plugins"
_known: dict[tuple[str, str], type[Spec]] = {}
_later: dict[tuple[str, str], Callable[[str], type[Spec]]] = {}
"""Names whose class is made when it is asked for; making it registers it."""
_warnings: list[Diagnostic] = []
_plugins: dict[str, str] = {}
"""Versions of the distributions whose plug-ins were loaded, by name."""
_owners: dict[tuple[str, str], str] = {}
"""The distribution of each kind and name that a plug-in has registered."""


class DuplicateName(Exception):
    """Two classes ask for one name; says both."""


def register(name: str) -> Callable[[type[S]], type[S]]:
    """Class decorator: makes a spec known under `name` within its kind."""

    def known(cls: type[S]) -> type[S]:
        if not cls.__module__.startswith("tostdsl."):
            _import(cls.kind)  # so that a name that is taken is known to be
        later = _later.pop((cls.kind, name), None)
        if later is not None and later.__module__ != cls.__module__:
            later(name)
        other = _known.get((cls.kind, name))
        if other is not None:
            raise DuplicateName(
                f"the {cls.kind} `{name}` is registered by both {_where(other)} and {_where(cls)}"
            )
        cls.name = name
        _known[cls.kind, name] = cls
        return cls

    return known


def register_later(kind: str, names: Iterable[str], make: Callable[[str], type[Spec]]) -> None:
    """Make names known whose classes `make` makes and registers, one by one as they are used."""
    for name in names:
        if (kind, name) in _known or (kind, name) in _later:
            raise DuplicateName(f"the {kind} `{name}` is registered by {make.__module__} too")
        _later[kind, name] = make


def _where(cls: type[Spec]) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


@cache
def _import(kind: str) -> None:
    """Load the built-in modules of a kind."""
    for module in BUILTIN.get(kind, ()):
        importlib.import_module(module)


def _said(error: BaseException) -> str:
    return repr(error) if isinstance(error, SystemExit) else brief(error) or repr(error)


@lru_cache(maxsize=1)
def _load() -> None:
    """Load the plug-ins, after everything whose names they could want."""
    if not declared(_PLUGINS):
        return
    from importlib.metadata import entry_points

    for kind in BUILTIN:
        _import(kind)
    for entry in entry_points(group=_PLUGINS):
        before, later = dict(_known), dict(_later)
        try:
            entry.load()
        except (Exception, SystemExit) as error:  # in any way; it must not stop us, or end us
            for names, kept in ((_known, before), (_later, later)):
                names.clear()
                names.update(kept)  # type: ignore[arg-type]
            _warnings.append(diagnose("W004", name=entry.name, reason=_said(error)))
            continue
        if entry.dist is not None:
            _plugins[entry.dist.name] = entry.dist.version
            new = (_known.keys() | _later.keys()) - before.keys() - later.keys()
            _owners.update(dict.fromkeys(new, entry.dist.name))


def find(kind: str, name: str) -> type[Spec] | None:
    """The class registered under a name, or None."""
    _load()
    if (kind, name) not in _known:
        modules = BUILTIN.get(kind, {})
        module = next((module for module, names in modules.items() if name in names), None)
        if module is None:
            _import(kind)
        else:
            importlib.import_module(module)
    make = _later.get((kind, name))
    return _known.get((kind, name)) if make is None else make(name)


def get(kind: str, name: str) -> type[Spec]:
    """The class registered under a name; `ValueError` when there is none."""
    found = find(kind, name)
    if found is None:
        raise ValueError(f"unknown {kind} `{name}`")
    return found


def names(kind: str) -> list[str]:
    """All names of a kind, sorted."""
    _load()
    _import(kind)
    return sorted(name for known, name in (*_known, *_later) if known == kind)


def loaded(kind: str) -> Iterator[type[Spec]]:
    """The classes of a kind that need not be made first, by name."""
    _load()
    _import(kind)
    for known, name in sorted(_known):
        if known == kind:
            yield _known[known, name]


def everything() -> Iterator[type[Spec]]:
    """All registered classes, by kind and name."""
    _load()
    for kind in BUILTIN:
        _import(kind)
    for kind, name in sorted((*_known, *_later)):
        yield get(kind, name)


def plugins() -> dict[str, str]:
    """The distributions whose plug-ins are loaded, with their versions."""
    _load()
    return dict(_plugins)


def plugin_of(kind: str, name: str) -> str | None:
    """The distribution whose plug-in has registered a name; None for what is built in."""
    _load()
    return _owners.get((kind, name))


def warnings() -> list[Diagnostic]:
    """What went wrong while loading plug-ins."""
    _load()
    return list(_warnings)
