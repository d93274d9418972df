"""Python code of the user's own, which a recipe names as `package.module:function`.

`problems` looks at the words only, `called` imports and calls. Whether that may be done is settled
before (`plan.code`). Imports see the current folder first, as with `python -m`; what has been
imported stays so, also for the next recipe in the same process.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from tostdsl.diagnostics import TostError, brief, nearest
from tostdsl.plan.spec import Problem

_FUNCTION = re.compile(r"(?!.*\.py:)[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_PLACE = "modules are looked for in the current folder first, then where Python looks"
MOST = 200
"""Characters of an exception that are shown."""
_digests: dict[str, tuple[object, str]] = {}
"""Of each module's file as it was when it was loaded, which its `__spec__` stands for."""


# -- words


def problems(function: str, kwargs: Sequence[str]) -> Iterator[Problem]:
    """What is wrong with the fields of those names; nothing is imported."""
    if not _FUNCTION.fullmatch(function):
        reason = f"`{function}` does not name a module and a function in it"
        write = _meant(function) or "package.module:function"
        values = {"name": "function", "reason": reason}
        yield Problem("T504", values, ("function",), f'write `"{write}"`')
    seen: set[str] = set()
    for text in kwargs:
        name, value = _pair(text)
        reason, help = "", _LITERAL
        if not _NAME.fullmatch(name):
            reason = f"`{text}` is not `name=value`"
        elif value is None:
            reason = f"what `{name}` is given is not a literal of Python"
            word = text.partition("=")[2].strip()
            help = f"write `\"{name}='{word}'\"`" if _NAME.fullmatch(word) else _LITERAL
        elif name in seen:
            reason, help = f"`{name}` is given twice", "keep one of the two"
        seen.add(name)
        if reason:
            yield Problem("T504", {"name": "kwargs", "reason": reason}, ("kwargs",), help)


_LITERAL = 'write such as `"width=16"`, `"act=\'relu\'"` or `"sizes=[3, 5]"`'


def _meant(text: str) -> str | None:
    """What a path, or a dotted name, was probably to say."""
    module, colon, name = text.replace("::", ":").partition(":")
    module = module.strip().removeprefix("./").removesuffix(".py").replace("/", ".")
    if not colon:
        module, _, name = module.rpartition(".")
    meant = f"{module}:{name.strip().removesuffix('()')}"
    return meant if _FUNCTION.fullmatch(meant) else None


def _pair(text: str) -> tuple[str, tuple[Any] | None]:
    """Name and value of `name=value`; the value is in a tuple, None where it is no literal."""
    import ast
    import warnings

    name, _, written = text.partition("=")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of what Python merely puts up with
            return name.strip(), (ast.literal_eval(written.strip()),)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, Warning):
        return name.strip(), None


# -- code


@dataclass(frozen=True, slots=True)
class Source:
    """The file that a function comes from, as it was when it was loaded."""

    file: str | None
    """From the current folder if it is below; None where there is none, as of what is built in."""
    sha256: str | None


def called(function: str, kwargs: Sequence[str], offered: Mapping[str, object]) -> Any:
    """What a function gives for its `kwargs`, and for what it has parameters for of `offered`.

    `TostError` R340 where that fails in any way, with the place in the user's code.
    """
    for wrong in problems(function, kwargs):  # of a plan that was not made from a recipe
        raise TostError.of(wrong.code, **wrong.values, help=wrong.help)
    value, _ = _loaded(function)
    given = {name: each[0] for name, each in map(_pair, kwargs) if each is not None}
    given = _taken(function, value, given, offered)
    with guarded(function, "failed"):
        return value(**given)


def source_of(function: str) -> Source:
    """Where a function comes from; it is imported. `TostError` R340 where that fails."""
    value, module = _loaded(function)
    home = _home(value, module)
    file = getattr(home, "__file__", None)
    return Source(_shown(file) if file else None, _digest(home))


def _home(value: object, module: ModuleType) -> ModuleType:
    """The module that a function stands in, which need not be the one that is named."""
    if isinstance(value, FunctionType | type):
        return sys.modules.get(value.__module__, module)
    return module


def _digest(module: ModuleType) -> str | None:
    """Of a module's file as it was when this first saw it since the module was loaded."""
    import hashlib

    loaded, file = module.__spec__, getattr(module, "__file__", None)  # a reload changes the first
    known = _digests.get(module.__name__)
    if file and (known is None or known[0] is not loaded):
        with contextlib.suppress(OSError):
            known = loaded, hashlib.sha256(Path(file).read_bytes()).hexdigest()
            _digests[module.__name__] = known
    return known[1] if known is not None and known[0] is loaded else None


def _loaded(function: str) -> tuple[Callable[..., Any], ModuleType]:
    """The function, and the module in which it is looked for."""
    where, _, name = function.partition(":")
    what, missing = "cannot be imported", None
    with guarded(function, what):
        importlib.invalidate_caches()
        try:
            module = importlib.import_module(where)
            value = getattr(module, name, None)
        except ModuleNotFoundError as error:
            if not f"{where}.".startswith(f"{error.name}."):
                raise  # of what it imports itself
            missing = error.name
    if missing is not None:
        raise _failed(function, what, "", f"there is no module `{missing}`", _PLACE)
    if not callable(value):
        file = getattr(module, "__file__", None)
        reason = f"{_shown(file) if file else f'`{where}`'} has no function `{name}`"
        close = nearest(name, [each for each, its in vars(module).items() if callable(its)])
        raise _failed(function, what, "", reason, f"did you mean `{where}:{close}`?" * bool(close))
    _digest(_home(value, module))
    return value, module


def _taken(
    function: str,
    value: Callable[..., Any],
    given: dict[str, Any],
    offered: Mapping[str, object],
) -> dict[str, Any]:
    """The arguments of a call; `TostError` R340 where they are not those of the function."""
    import inspect

    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):  # of some that are built in
        return given
    named = {
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    }
    all_of_them = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    taken = {name: each for name, each in offered.items() if all_of_them or name in named}
    taken |= given
    try:
        signature.bind(**taken)
    except TypeError as error:
        name = function.partition(":")[2]
        names = [p.name for p in signature.parameters.values()]
        help = f"`{name}` takes {', '.join(f'`{each}`' for each in names) or 'nothing'}"
        help += '; `kwargs=["name=value"]` gives an argument'
        raise _failed(function, "cannot be called", "", str(error), help) from None
    return taken


@contextlib.contextmanager
def guarded(function: str, what: str) -> Iterator[None]:
    """Run code of a function's: from the current folder, what it prints to the error stream.

    Whatever it raises becomes one `TostError` R340, which says that it `what`, and where.
    """
    kept = list(sys.path)
    sys.path.insert(0, os.getcwd())
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what is printed may be read by programs
            yield
    except (Exception, SystemExit) as error:
        place, reason = _place(error, function), _reason(error)
        raise _failed(function, what, place, reason) from error
    finally:
        sys.path[:] = kept


def _failed(function: str, what: str, place: str, reason: str, help: str = "") -> TostError:
    where = f" at {place}" if place else ""
    values = {"function": function, "what": what, "where": where, "reason": reason}
    return TostError.of("R340", **values, help=help or None)


def _reason(error: BaseException) -> str:
    said = error.msg if isinstance(error, SyntaxError) else brief(error)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    kind = type(error).__name__
    text = f"{kind}: {lines[0]}" if lines else kind
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def _place(error: BaseException, function: str) -> str:
    """File and line of the innermost frame in the code of the user, if there is any."""
    own = _ownership(function.partition(":")[0])
    if isinstance(error, SyntaxError) and error.filename and own(error.filename):
        return f"{_shown(error.filename)}:{error.lineno}"
    found, step = "", error.__traceback__
    while step is not None:
        file = step.tb_frame.f_code.co_filename
        if own(file):
            found = f"{_shown(file)}:{step.tb_lineno}"
        step = step.tb_next
    return found


def _ownership(module: str) -> Callable[[str], bool]:
    """Whether a file is of the user's code: beside the module, or in the package it is of."""
    top = module.partition(".")[0]
    spec = getattr(sys.modules.get(top), "__spec__", None) or _spec(top)
    roots = [Path(each) for each in getattr(spec, "submodule_search_locations", None) or ()]
    origin = getattr(spec, "origin", None)
    single = not roots
    if single:
        roots = [Path(origin).parent if origin and os.path.isabs(origin) else Path.cwd()]
    ours = Path(__file__).parent

    def own(file: str) -> bool:
        path = Path(file)
        if file == origin:
            return True
        if not path.is_absolute() or path.is_relative_to(ours):
            return False
        for root in roots:
            if path.is_relative_to(root):
                below = path.relative_to(root.parent if single else root).parts
                return not {"site-packages", "dist-packages"} & set(below)
        return False

    return own


def _spec(top: str) -> object:
    try:
        return PathFinder.find_spec(top, [os.getcwd(), *sys.path])
    except (ImportError, ValueError):
        return None


def _shown(file: str) -> str:
    """A path, from the current folder if it is below it."""
    path = Path(file)
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else str(path)
