"""Frozen dataclasses that are quick to define and to make.

`@frozen` gives what `@dataclass(frozen=True, slots=True)` gives (`fields`, `replace`, `match`,
comparison, hashing, pickling), but compiles one function a class in place of six: the language's
sixty small value classes would otherwise be a third of the time a check of a recipe takes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def frozen(cls: type[T]) -> type[T]:
    """The class with slots, and the methods of a frozen dataclass with equality and hash."""
    fields = {k: v for base in cls.__mro__[:0:-1] for k, v in _fields(base).items()}
    own: dict[str, Any] = vars(cls).get("__annotations__", {})
    namespace = {k: v for k, v in vars(cls).items() if k not in ("__dict__", "__weakref__", *own)}
    for name, annotation in own.items():
        if "ClassVar" in str(annotation):
            if name in vars(cls):
                namespace[name] = vars(cls)[name]
            continue
        default = vars(cls).get(name, dataclasses.MISSING)
        made: Any = default if isinstance(default, dataclasses.Field) else _field(default)
        made.name, made.type = name, annotation
        made._field_type = cast("Any", dataclasses)._FIELD
        fields[name] = made
    inherited = {k for base in cls.__mro__[1:] for k in getattr(base, "__slots__", ())}
    namespace["__slots__"] = tuple(name for name in fields if name not in inherited)
    namespace["__dataclass_fields__"] = fields
    namespace["__match_args__"] = tuple(name for name, made in fields.items() if made.init)
    compared = [name for name, made in fields.items() if made.compare]
    shown = [name for name, made in fields.items() if made.repr]
    for name, method in (*_identity(compared).items(), *_state(list(fields)).items()):
        namespace.setdefault(name, method)
    namespace.setdefault("__repr__", _representation(shown))
    new = cast("Any", type(cls))(cls.__name__, cls.__bases__, namespace)
    new.__qualname__ = cls.__qualname__
    new.__init__ = _initializer(new, fields)
    return cast("type[T]", new)


def _fields(base: type) -> dict[str, Any]:
    return cast("dict[str, Any]", vars(base).get("__dataclass_fields__", {}))


def _field(default: Any) -> Any:
    return (
        dataclasses.field()
        if default is dataclasses.MISSING
        else dataclasses.field(default=default)
    )


def _initializer(cls: type, fields: dict[str, Any]) -> Callable[..., None]:
    """`__init__`, which writes through the slots' own descriptors past the frozen `__setattr__`."""
    scope: dict[str, Any] = {}
    arguments, body = [], []
    for name, made in fields.items():
        scope[f"_set_{name}"] = getattr(cls, name).__set__
        value = name
        if made.default is not dataclasses.MISSING:
            scope[f"_default_{name}"] = made.default
            arguments.append(f"{name}=_default_{name}")
        elif made.default_factory is not dataclasses.MISSING:
            scope |= {f"_default_{name}": made.default_factory, "_MISSING": dataclasses.MISSING}
            arguments.append(f"{name}=_MISSING")
            value = f"_default_{name}() if {name} is _MISSING else {name}"
        else:
            arguments.append(name)
        body.append(f" _set_{name}(self, {value})")
    exec(f"def __init__(self, {', '.join(arguments)}):\n" + "\n".join(body or [" pass"]), scope)
    function: Callable[..., None] = scope["__init__"]
    function.__qualname__ = f"{cls.__qualname__}.__init__"
    return function


def _identity(names: list[str]) -> dict[str, Any]:
    """Equality within the class, the hash that goes with it, and what keeps both lasting."""
    values: Callable[[Any], Any] = attrgetter(*names) if names else lambda self: ()

    def equal(self: Any, other: object) -> Any:
        same = other.__class__ is self.__class__
        return values(self) == values(other) if same else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    def assign(self: Any, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def delete(self: Any, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    return {"__eq__": equal, "__hash__": hashed, "__setattr__": assign, "__delattr__": delete}


def _state(names: list[str]) -> dict[str, Any]:
    """What copying and pickling ask of a class with slots that cannot be assigned to."""

    def get(self: Any) -> list[Any]:
        return [getattr(self, name) for name in names]

    def put(self: Any, state: list[Any]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return {"__getstate__": get, "__setstate__": put}


def _representation(names: list[str]) -> Callable[[Any], str]:
    def represent(self: Any) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({shown})"

    return represent
