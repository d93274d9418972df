"""Parts of a plan as a recipe writes them: values, calls, the lines of masks and stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tostdsl.plan.plan import MASK_SCOPE, MaskPlan, StagePlan, Targets
from tostdsl.plan.spec import Spec
from tostdsl.units import Unit, Window, number_text


def value_text(value: Any, complete: bool = False) -> str:
    """A typed value as a recipe writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Spec):
        return call_text(value, complete)
    if isinstance(value, Unit):
        return str(value)
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, tuple):
        return f"[{', '.join(value_text(item, complete) for item in value)}]"
    return str(value)


def string_text(value: str) -> str:
    """A string in quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def call_text(spec: Spec, complete: bool = False, given: Mapping[str, Any] | None = None) -> str:
    """A spec as a call, without defaults: with `complete` these too, or just what is `given`.

    That is by name, with the values as they are to be written.
    """
    words: list[str] = []
    for name, info in type(spec).model_fields.items():
        value = getattr(spec, name) if given is None else given.get(name)
        shown = complete or info.is_required() or value != info.default
        if value is None or not (shown or given is not None):
            continue
        if info.annotation in (str, str | None):
            text = string_text(value)
        elif info.annotation == tuple[str, ...]:
            text = f"[{', '.join(map(string_text, value))}]"
        else:
            text = value_text(value, complete)
        if name == spec.positional:
            words.insert(0, text)
        else:
            words.append(f"{name}={text}")
    return f"{spec.name}({', '.join(words)})" if words else spec.name


def tail(window: Window, targets: Targets, settled: bool = False) -> str:
    """Window and targets; `settled` says that without a window it would have another default."""
    words = [str(window) or ("until end" if settled else "")]
    return " ".join(filter(None, [*words, str(targets)]))


def mask_line(mask: MaskPlan) -> str:
    """The statement of a mask as somebody would write it, without defaults."""
    targets = mask.targets
    shown = targets.model_copy(update={"on": () if targets.on == MASK_SCOPE else targets.on})
    return f"mask {call_text(mask.method)} {tail(mask.window, shown, mask.method.moves)}".rstrip()


def stage_line(stage: StagePlan) -> str:
    """The statement of a stage as somebody would write it, without defaults."""
    return f"{call_text(stage.technique)} {tail(stage.window, stage.targets)}".rstrip()
