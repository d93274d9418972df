"""A saved plan back to a plan: `tost plan RECIPE -o plan.json`, or a run's plan.json.

It may come from a stranger, or have been edited: it is read within limits, and what it says has to
compile as a recipe that means the same.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel

from tostdsl import registry
from tostdsl.compile.compiler import Compiled, PlanFile, compile_source
from tostdsl.compile.load import MAX_TOTAL, fetch
from tostdsl.compile.print import print_plan
from tostdsl.diagnostics import Diagnostic, TostError, diagnose
from tostdsl.plan.differences import differences, few
from tostdsl.plan.plan import SCHEMA, Plan
from tostdsl.plan.spec import Spec
from tostdsl.plan.stored import NoPlan, NotHere, plan_of
from tostdsl.source import Source
from tostdsl.syntax.format import format_text

MAX_SAID = 300
"""Characters of a reason."""


def saved_json(plan: Plan) -> dict[str, Any]:
    """What a file of a plan holds."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        writer: str | None = version("tostdsl")
    except PackageNotFoundError:
        writer = None
    content = {"fingerprint": plan.fingerprint, "plan": plan.to_json(), "tostdsl": writer}
    versions, names = registry.plugins(), sorted(_plugins(plan))
    return {**content, "plugins": {name: versions[name] for name in names}} if names else content


def _plugins(value: object) -> set[str]:
    """The distributions of the plug-ins that a plan, or a part of one, needs."""
    found = set()
    if isinstance(value, Spec):
        found = {registry.plugin_of(value.kind, value.name)}
    if isinstance(value, BaseModel):
        value = [getattr(value, name) for name in type(value).model_fields]
    for each in value if isinstance(value, list | tuple) else ():
        found |= _plugins(each)
    return {name for name in found if name is not None}


def saved_text(plan: Plan) -> str:
    """The text of a file of a plan."""
    return json.dumps(saved_json(plan), indent=2, sort_keys=True, allow_nan=False) + "\n"


def holds_plan(path: Path) -> bool:
    """Whether a file was written as a saved plan, of whatever version."""
    try:
        content = _content(fetch(path, limit=MAX_TOTAL), path)
    except TostError:
        return False
    return "schema" in _plan(content)


def read_saved(path: Path) -> Plan:
    """The plan of a file, checked as hard as a recipe; `TostError` for what keeps it from that."""
    return compile_saved(path).plans[0]


def content_of(path: Path) -> Mapping[str, Any]:
    """The JSON of a file of a plan, not checked further; T213 or T270 where it holds none."""
    return _content(fetch(path, limit=MAX_TOTAL), path)


def checked(content: Mapping[str, Any], path: Path) -> Plan:
    """The plan of what such a file holds, found elsewhere; checked as hard, `path` is its name."""
    return _compiled(content, path, "").plans[0]


def compile_saved(path: Path, given: Sequence[str] = ()) -> Compiled:
    """The plan of a file as compiling its recipe would give it.

    `given` are options that were to change it, for which it is refused (T272). T213 for a file that
    cannot be read, T270 for what is no plan, T271 for one that cannot be read here, and the codes
    of recipes for what no recipe may say, shown in the plan's own text.
    """
    try:
        data = fetch(path, limit=MAX_TOTAL)
        content = _content(data, path)
        if given:
            raise TostError(diagnose("T272", option=option, path=path) for option in given)
        return _compiled(content, path, hashlib.sha256(data).hexdigest())
    except TostError as error:
        return Compiled(None, (), error.diagnostics)


def _compiled(content: Mapping[str, Any], path: Path, sha256: str) -> Compiled:
    """The plan and its text, which has to mean the same."""
    try:
        plan = plan_of(_plan(content), registry.find)
    except NotHere as why:
        raise TostError([*registry.warnings(), _elsewhere(content, path, why)]) from None
    except NoPlan as why:
        _refuse(path, str(why))
    said = content.get("fingerprint", plan.fingerprint)
    if said != plan.fingerprint:
        reason = f"it says the fingerprint {str(said)[:8]}, what stands in it has {plan.short}"
        help = "take the change back; or remove the line `fingerprint`, if it is meant"
        _refuse(path, reason, help)
    text = print_plan(plan)
    try:
        text.encode()
    except UnicodeEncodeError:
        _refuse(path, "it has half a character in a text")
    named = Source(f"{path} (as a recipe)", text)
    made = compile_source(Source(named.name, format_text(named)[0] or text))
    if not made.errors:
        others = [differences(plan, each) for each in made.plans]
        if others != [[]]:
            what = few(others[0]) if others else "nothing"
            _refuse(path, f"no recipe says what stands in it; the nearest differs in {what}")
    said = path.name.encode("utf-8", "replace").decode()  # a name need not be UTF-8, plan.json is
    file = PlanFile(said, sha256)
    return Compiled(made.recipe, made.variants, made.diagnostics, file)


def _content(data: bytes, path: Path) -> Mapping[str, Any]:
    """The JSON object of a file; T270 where it is none."""
    if len(data) > MAX_TOTAL:
        _refuse(path, f"it has more than {MAX_TOTAL} bytes")
    try:
        content = json.loads(data, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError:
        _refuse(path, "it is nested too deeply")
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}, column {error.colno}: {error.msg.lower()}"
        _refuse(path, f"it is no JSON ({reason})")
    except UnicodeDecodeError:
        _refuse(path, "it is no UTF-8 text")
    except ValueError as error:
        _refuse(path, f"it is no JSON ({error})")
    if isinstance(content, list):
        _refuse(path, f"it is a list of {len(content)}: a file holds one plan")
    if not isinstance(content, dict):
        _refuse(path, "it is no JSON object")
    if not isinstance(_plan(content), dict):
        _refuse(path, "its `plan` is no JSON object")
    if not _plan(content):
        _refuse(path, "it has no `plan`")
    return content


def _plan(content: Mapping[str, Any]) -> Any:
    """The plan itself, alone or with its fingerprint beside it."""
    return content if "schema" in content and "plan" not in content else content.get("plan", {})


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"`{word}` is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"`{twice}` stands there twice")
    return found


def _refuse(path: Path, reason: str, help: str | None = None) -> NoReturn:
    raise TostError([diagnose("T270", path=path, reason=_cut(reason), help=help)])


def _cut(text: str) -> str:
    """What stands in a file may be of any length, a message not."""
    return text if len(text) <= MAX_SAID else f"{text[:MAX_SAID]}…"


def _elsewhere(content: Mapping[str, Any], path: Path, why: NotHere) -> Diagnostic:
    """The report of a plan of another installation, with what is known of that."""
    writer, schema = content.get("tostdsl"), _plan(content).get("schema")
    help = None
    plugins = content.get("plugins")
    if schema == SCHEMA and isinstance(plugins, dict) and plugins:
        wanted = ", ".join(f"`{name}` {version}" for name, version in plugins.items())
        help = _cut(f"it was saved with the plug-ins {wanted}: install what is missing")
    elif schema != SCHEMA:
        known = isinstance(writer, str) and schema is not None
        help = _cut(f"tostdsl {writer} wrote it, and reads it") if known else None
    return diagnose("T271", path=path, reason=_cut(str(why)), help=help)
