"""Arguments checked each for itself, where others of the same call are wrong or not known."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from tostdsl import registry
from tostdsl.compile.strangers import problems
from tostdsl.compile.words import bound_text, sample
from tostdsl.diagnostics import Label
from tostdsl.plan.spec import CheckSite, Problem, Spec
from tostdsl.syntax import nodes as n


@dataclass(slots=True)
class Partial:
    """A call of which some arguments are wrong: the values of the others, with their places."""

    cls: type[Spec]
    call: n.Call
    values: Mapping[str, Any]
    labels: Mapping[str, tuple[Label, ...]]
    doubtful: Collection[str]
    """What was, or may have been, to be given by what is wrong."""
    window: object = None

    def problems(self, site: CheckSite) -> list[Problem]:
        """What is wrong whatever the doubtful arguments are."""
        return sure(self.cls, self.values, self.doubtful, site)


def sure(
    cls: type[Spec], values: Mapping[str, Any], doubtful: Collection[str], site: CheckSite
) -> list[Problem]:
    """The problems of some arguments that stay with every value tried for the doubtful ones.

    Those are tried one after the other: left out, and each of their choices, where they have some.
    """
    kept: list[Problem] | None = None
    for tried in _trials(cls, doubtful):
        try:
            spec = cls(**{**tried, **values})
        except ValidationError:
            continue
        found = problems(spec, site)
        if kept is None:
            kept = [p for p in found if p.fields and set(p.fields) <= set(values)]
        else:
            kept = [p for p in kept if any(_same(p, other) for other in found)]
    return kept or []


def bounds(cls: type[Spec], values: Mapping[str, Any], doubtful: Collection[str]) -> list[Any]:
    """What pydantic says of some arguments' own bounds."""
    tried = next(_trials(cls, doubtful), {})
    try:
        cls(**{**tried, **values})
    except ValidationError as error:
        return [each for each in error.errors() if each["loc"] and each["loc"][0] in values]
    return []


def must_be(cls: type[Spec], name: str, value: Any) -> str | None:
    """Help on what an argument must be, where a value is not that whatever the others are."""
    values = {name: value}
    others = set(cls.model_fields) - {name}
    for mistake in bounds(cls, values, others):
        bound = bound_text(mistake)
        return f"`{name}` must be {bound}" if bound else str(mistake["msg"])
    for problem in sure(cls, values, others, CheckSite()):
        if not problem.code.startswith("W"):
            if "bound" in problem.values:
                return f"`{name}` must be {problem.values['bound']}"
            return problem.help or str(problem.values.get("reason", "write another value"))
    return None


def _same(one: Problem, other: Problem) -> bool:
    return (one.code, one.fields, dict(one.values)) == (
        other.code,
        other.fields,
        dict(other.values),
    )


def _trials(cls: type[Spec], doubtful: Collection[str]) -> Iterator[dict[str, Any]]:
    """Values of doubtful arguments: what must be given as it likes to be, then one by one."""
    least = {
        name: sample(info.annotation)
        for name, info in cls.model_fields.items()
        if name in doubtful and info.is_required()
    }
    yield least
    for name in doubtful:
        for value in _choices(cls.model_fields[name].annotation):
            yield {**least, name: value}


def _choices(want: Any) -> Iterator[Any]:
    if want is bool:
        yield from (True, False)
    elif get_origin(want) is Literal:
        yield from get_args(want)
    elif type(None) in get_args(want):
        for member in get_args(want):
            if member is not type(None):
                yield from _choices(member)
    elif isinstance(want, type) and issubclass(want, Spec):
        for each in registry.names(want.kind):
            try:
                yield registry.get(want.kind, each)()
            except ValidationError:
                continue
    elif (value := sample(want)) is not None:
        yield value
