"""What of a plan imports and runs Python code of somebody's own, and the leave that this takes.

A recipe may come from a stranger, so nothing here imports anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

from tostdsl.diagnostics import TostError, diagnose
from tostdsl.plan.plan import Plan
from tostdsl.plan.spec import Spec


class Calling(Protocol):
    """The fields of a spec that has `runs_code`."""

    function: str
    kwargs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """A function that a plan calls."""

    kind: str
    """Of what names it: a model, a data set."""
    function: str
    """`package.module:function`."""
    kwargs: tuple[str, ...]
    """What it is given, as `name=value`."""

    def __str__(self) -> str:
        return f"{self.function}({', '.join(self.kwargs)})"


def code_of(plan: Plan, *, data: bool = True) -> tuple[Code, ...]:
    """The functions of a plan, those of its data only where that is to be loaded."""
    parts: list[object] = [plan.model, plan.data] if data else [plan.model]
    parts += [plan.optimizer, plan.schedule, *(stage.technique for stage in plan.stages)]
    if plan.mask is not None:
        parts.append(plan.mask.method)
    return tuple(_code(parts))


def _code(value: object) -> Iterator[Code]:
    if isinstance(value, Spec):
        if value.runs_code:
            calling = cast("Calling", value)
            yield Code(value.kind, calling.function, calling.kwargs)
        yield from _code(list(value.arguments().values()))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _code(each)


def refuse_code(plans: Iterable[Plan], allowed: bool, *, data: bool = True) -> None:
    """Refuse plans that run code without leave: `TostError` T550 for each function."""
    if not allowed:
        found = dict.fromkeys(each for plan in plans for each in code_of(plan, data=data))
        if found:
            raise TostError(diagnose("T550", kind=each.kind, call=each) for each in found)
