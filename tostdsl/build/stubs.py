"""`python -m tostdsl.build.stubs` writes this package's `.pyi` files, from what is registered.

For type checkers and editors, which cannot see classes that are made when they are asked for. They
have the built-in names. With the name of a plug-in's package, as it is imported, it writes that
package's `classes.py` and its stub instead: the same for what the package registers.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import chain
from keyword import iskeyword, kwlist
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from tostdsl import registry
from tostdsl.build.classes import module_of, title
from tostdsl.build.kinds import BASES
from tostdsl.compile.describe import summary
from tostdsl.compile.print import value_text
from tostdsl.plan.spec import Spec
from tostdsl.registry import KINDS
from tostdsl.units import Duration, Factor, Moment, Pattern, Percent, Ramp, Unit

WIDTH = 100
LIKES = {
    Percent: "PercentLike",
    Factor: "FactorLike",
    Pattern: "PatternLike",
    Moment: "MomentLike",
    Duration: "DurationLike",
    Ramp: "RampLike",
}


def stub(kind: str) -> str:
    """The text of a kind's `.pyi`."""
    specs = (registry.get(kind, name) for name in registry.names(kind))
    return _stub([spec for spec in specs if spec.__module__.startswith("tostdsl.")], "")


def _stub(specs: Iterable[type[Spec]], package: str) -> str:
    text = "\n\n".join(map(_class, specs))
    code = re.sub(r'""".*"""', "", text)
    bases = _named((base.__name__ for base in BASES.values()), code)
    likes = _named(LIKES.values(), code)
    imports = ["from collections.abc import Sequence"] if "Sequence[" in text else []
    typing = [name for name in ("Final", "Literal") if f"{name}[" in text]
    imports += [f"from typing import {', '.join(typing)}"] if typing else []
    imports += [""] if imports else []
    imports += [f"from tostdsl.build.kinds import {', '.join(bases)}"]
    imports += [f"from tostdsl.build.likes import {', '.join(likes)}"] if likes else []
    units = _named((unit.__name__ for unit in LIKES), code)
    imports += [f"from tostdsl.units import {', '.join(units)}"] if units else []
    return "\n".join([_head(package), *imports]) + "\n\n" + text + "\n"


def _head(package: str) -> str:
    command = f"python -m tostdsl.build.stubs {package}".strip()
    return f"# Written by `{command}`, from what is registered.\n"


def _named(names: Iterable[str], code: str) -> list[str]:
    """Those of some names that code uses as types."""
    return sorted(name for name in names if re.search(rf"[(\[ ]{name}\b(?!\()", code))


def _class(spec: type[Spec]) -> str:
    lines = [f"class {title(spec.name)}({BASES[spec.kind].__name__}):"]
    lines += [f'    """{_one_line(summary(spec))}"""', ""]
    hidden = [*dir(BASES[spec.kind]), *kwlist]
    fields = spec.model_fields.items()
    lines += [_attribute(name, info) for name, info in fields if name not in hidden]
    order = sorted(spec.model_fields, key=lambda name: name != spec.positional)
    words = ["self" if "self" not in order else "self_"]
    for index, name in enumerate(name for name in order if not iskeyword(name)):
        if not (index == 0 and name == spec.positional) and "*" not in words:
            words.append("*")
        words.append(_argument(name, spec.model_fields[name]))
    words += ["**arguments: object"] if any(map(iskeyword, order)) else []
    flat = f"    def __init__({', '.join(words)}) -> None: ..."
    if len(flat) <= WIDTH:
        return "\n".join([*lines, flat])
    inside = [line for word in words for line in _wrapped(f"        {word},")]
    return "\n".join([*lines, "    def __init__(", *inside, "    ) -> None: ..."])


def _one_line(text: str) -> str:
    room = WIDTH - len('    """"""')
    return text if len(text) <= room else f"{text[: room - 3].rsplit(' ', 1)[0].rstrip(',;:.')}..."


def _attribute(name: str, info: FieldInfo) -> str:
    """An argument's value as an attribute, which cannot be changed."""
    want = _type(info.annotation, given=False)
    flat = f"    {name}: Final[{want}]"
    if len(flat) <= WIDTH:
        return flat
    return f"    {name}: Final[\n        {want}\n    ]"


def _argument(name: str, info: FieldInfo) -> str:
    want = _type(info.annotation)
    if info.is_required():
        return f"{name}: {want}"
    return f"{name}: {want} = {_default(info.default)}"


def _wrapped(line: str) -> list[str]:
    """An argument whose choices do not fit a line: each on one of its own."""
    if len(line) <= WIDTH or "Literal[" not in line:
        return [line]
    before, _, rest = line.partition("Literal[")
    choices, _, after = rest.partition("]")
    items = [f"            {choice}," for choice in choices.split(", ")]
    tail = [f"        {line}" for line in f"]{after}".replace("] | ", "]\n| ").split("\n")]
    return [f"{before}Literal[", *items, *tail]


def _type(want: Any, given: bool = True) -> str:
    """A type annotation in words: what may be `given` for a value of it, or that value's own."""
    origin, inner = get_origin(want), get_args(want)
    if origin is Annotated:
        return _type(inner[0], given)
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(_type(member, given) for member in inner))
    if origin is Literal:
        return f"Literal[{', '.join(_quoted(choice) for choice in inner)}]"
    if origin is tuple and not given:
        return f"tuple[{_type(inner[0], given)}, ...]"
    if origin is tuple:
        return f"Sequence[{_type(inner[0])}]"
    if want is NoneType:
        return "None"
    if isinstance(want, type) and issubclass(want, Spec):
        return f"{BASES[want.kind].__name__} | str" if given else BASES[want.kind].__name__
    return (LIKES.get(want) if given else None) or str(want.__name__)


def _default(value: Any) -> str:
    if isinstance(value, Unit | Spec):
        return _quoted(value_text(value))
    if isinstance(value, tuple):
        inside = ", ".join(map(_default, value))
        return f"({inside},)" if len(value) == 1 else f"({inside})"
    return _quoted(value)


def _quoted(value: object) -> str:
    if not isinstance(value, str):
        return repr(value)
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def paths() -> dict[Path, str]:
    """Each file, and what belongs into it."""
    folder = Path(__file__).parent
    names = {kind: module_of(kind).rpartition(".")[2] for kind in KINDS}
    return {folder / f"{name}.pyi": stub(kind) for kind, name in names.items()}


def package_paths(package: str) -> dict[Path, str]:
    """The files of a plug-in's package, `classes.py` with its stub, and what belongs into them.

    `ImportError` where there is no such package, `ValueError` where it registers nothing, or two
    names whose classes would have one name.
    """
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise ImportError(f"no package is named {package!r}")
    import_module(package)
    specs = [s for s in registry.everything() if f"{s.__module__}.".startswith(f"{package}.")]
    if not specs:
        raise ValueError(f"{package} registers nothing as it is imported")
    seen: dict[str, type[Spec]] = {}
    for spec in specs:
        other = seen.setdefault(title(spec.name), spec)
        if other is not spec:
            both = f"the {other.kind} `{other.name}` and the {spec.kind} `{spec.name}`"
            raise ValueError(f"{both} would have one class, {title(spec.name)}")
    bases = sorted({BASES[spec.kind].__name__ for spec in specs})
    doc = '"""What this package registers, as classes for recipes in Python."""'
    lines = [_head(package) + doc, "", f"from tostdsl.build import {', '.join(bases)}", ""]
    made = ((title(s.name), BASES[s.kind].__name__, s.name) for s in specs)
    lines += [f'{name} = {base}.named("{word}")' for name, base, word in made]
    folder = Path(found.submodule_search_locations[0])
    return {
        folder / "classes.py": "\n".join(lines) + "\n",
        folder / "classes.pyi": _stub(specs, package),
    }


def main(packages: Sequence[str]) -> int:
    """Write the files of this package, or of plug-ins' packages."""
    files = [package_paths(package) for package in packages] or [paths()]
    for path, text in chain.from_iterable(each.items() for each in files):
        path.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
