"""A class for each registered thing, made when it is asked for, from its registration alone."""

from __future__ import annotations

import inspect
import keyword
from typing import Any

from tostdsl import registry
from tostdsl.asked import text_of
from tostdsl.build.calls import Call
from tostdsl.build.kinds import BASES
from tostdsl.build.written import source_of
from tostdsl.compile.describe import described
from tostdsl.diagnostics import TostError, diagnose, nearest
from tostdsl.plan.spec import Kind, Spec
from tostdsl.registry import KINDS

_made: dict[type[Spec], type[Call]] = {}


def module_of(kind: str) -> str:
    """The module that a kind's classes are in."""
    return f"tostdsl.build.{KINDS[kind].removesuffix(' sets')}"


def title(name: str) -> str:
    """The class of a registered name: `cifar_resnet` is `CifarResnet`.

    An underscore stays between two digits, so that `regnet_x_1_6gf` and `regnet_x_16gf` differ; a
    word of Python gets one behind it.
    """
    made = ""
    for part in filter(None, name.split("_")):
        made += "_" if made[-1:].isdigit() and part[0].isdigit() else ""
        made += part[0].upper() + part[1:]
    return f"{made}_" if keyword.iskeyword(made) or not made.isidentifier() else made


def titles(kind: Kind) -> dict[str, str]:
    """The names of a kind by their classes' names, of those that have one in its module.

    What is built in always has. Of other names that would get the same, none has: what a recipe in
    Python means must not depend on what else is installed.
    """
    found = {}
    for made, names in _wanted(kind).items():
        owner = _owner(kind, names)
        if owner is not None:
            found[made] = owner
    return found


def _wanted(kind: Kind) -> dict[str, list[str]]:
    """The names of a kind that would get each class's name."""
    found: dict[str, list[str]] = {}
    for name in registry.names(kind):
        found.setdefault(title(name), []).append(name)
    return found


def _owner(kind: Kind, names: list[str]) -> str | None:
    """Which of some names has the class's name that all of them would get."""
    if len(names) > 1:
        names = [name for name in names if _built_in(registry.get(kind, name))]
    return names[0] if len(names) == 1 else None


def titled(spec: type[Spec]) -> bool:
    """Whether the class of a registered one can be had by its name from the module of its kind."""
    if _built_in(spec):
        return True
    rivals = [each for each in registry.names(spec.kind) if title(each) == title(spec.name)]
    return _owner(spec.kind, rivals) == spec.name


def _built_in(spec: type[Spec]) -> bool:
    return spec.__module__.startswith("tostdsl.")


def named(kind: Kind, name: str) -> type[Call]:
    """The class of a registered name; `TostError` T201 with a suggestion where there is none."""
    if kind not in KINDS if isinstance(kind, str) else True:
        raise TypeError(f"a kind is one of {', '.join(KINDS)}")
    spec = registry.find(kind, text_of(name, "a registered name"))
    if spec is not None:
        return class_of(spec)
    meant = nearest(name, registry.names(kind))
    help = f"did you mean `{meant}`?" if meant else None
    source = source_of(name)
    shown = kind.replace("data", "data set")
    raise TostError([diagnose("T201", source.span(0, len(name)), help=help, kind=shown, name=name)])


def attribute(kind: Kind, name: str) -> type[Call]:
    """The class of that name; `AttributeError` where nothing is registered for it."""
    known = None if name.startswith("__") else titles(kind).get(name)
    if known is None:
        said = f"module {module_of(kind)!r} has no attribute {name!r}"
        rivals = [] if name.startswith("__") else _wanted(kind).get(name, [])
        if rivals:
            base = BASES[kind].__name__
            which = " or ".join(f"`{base}.named({each!r})`" for each in rivals)
            said += f", which several names would have; write {which}"
        raise AttributeError(said)
    return named(kind, known)


def class_of(spec: type[Spec]) -> type[Call]:
    """The class whose calls make specs of a registered one."""
    if spec not in _made:
        content = {
            "__slots__": (),
            "__module__": module_of(spec.kind),
            "__doc__": _doc(spec),
            "__signature__": signature(spec),
            "name": spec.name,
            "registered": spec,
        }
        name = title(spec.name) if titled(spec) else spec.name
        _made[spec] = type(name, (BASES[spec.kind],), content)
    return _made[spec]


def signature(spec: type[Spec]) -> inspect.Signature:
    """The arguments of a registered name; the one that may come first without its name does.

    Those that are words of Python (`lambda`) are among the `arguments` at the end.
    """
    parameters: list[inspect.Parameter] = []
    for name, info in spec.model_fields.items():
        if keyword.iskeyword(name):
            continue
        first = name == spec.positional
        form = inspect.Parameter.POSITIONAL_OR_KEYWORD if first else inspect.Parameter.KEYWORD_ONLY
        default: Any = inspect.Parameter.empty if info.is_required() else info.default
        made = inspect.Parameter(name, form, default=default, annotation=info.annotation)
        parameters.insert(0 if first else len(parameters), made)
    if any(map(keyword.iskeyword, spec.model_fields)):
        parameters.append(inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def _doc(spec: type[Spec]) -> str:
    """The registration's documentation, with a line for each argument."""
    told = described(spec)
    parts = [told.summary, told.text]
    lines = []
    for argument in told.arguments:
        default = f"; {argument.default} unless given" if argument.default is not None else ""
        lines.append(f"    {argument.name}: {argument.doc} ({argument.type}{default})")
    if lines:
        parts.append("\n".join(["Args:", *lines]))
    return "\n\n".join(filter(None, parts))
