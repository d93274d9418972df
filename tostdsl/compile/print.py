"""`Plan` to recipe text: `plan(print(plan)) == plan`, arguments at their defaults left out."""

from __future__ import annotations

from typing import Any

from tostdsl.compile.lower import DEFAULT_PRECISION, DEFAULT_SEED, MASK_SCOPE
from tostdsl.plan.bases import Technique
from tostdsl.plan.plan import MaskPlan, Plan, Targets
from tostdsl.plan.spec import Spec
from tostdsl.units import START, Unit, Window, number_text

WHOLE = Window()


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


def call_text(spec: Spec, complete: bool = False) -> str:
    """A spec as a call; with `complete` the defaults are spelled out too."""
    words: list[str] = []
    for name, info in type(spec).model_fields.items():
        value = getattr(spec, name)
        if value is None or (not complete and not info.is_required() and value == info.default):
            continue
        text = (
            string_text(value)
            if info.annotation in (str, str | None)
            else value_text(value, complete)
        )
        if name == spec.positional:
            words.insert(0, text)
        else:
            words.append(f"{name}={text}")
    return f"{spec.name}({', '.join(words)})" if words else spec.name


def _tail(window: Window, targets: Targets, implied: Window = WHOLE) -> str:
    words = [] if window == implied else [str(window)]
    return " ".join(filter(None, [*words, str(targets)]))


def mask_line(mask: MaskPlan) -> str:
    """The statement of a mask."""
    targets = mask.targets
    shown = targets.model_copy(update={"on": () if targets.on == MASK_SCOPE else targets.on})
    return f"mask {call_text(mask.method)} {_tail(mask.window, shown)}".rstrip()


def print_plan(plan: Plan) -> str:
    """The recipe of a plan (not laid out: `tost fmt` does that)."""
    lines = ["tost 1", ""]
    lines.append(f"recipe {plan.name}" + (f" {string_text(plan.title)}" if plan.title else ""))
    lines += ["", f"model {call_text(plan.model)}", f"data {call_text(plan.data)}"]
    if plan.mask is not None:
        lines.append(mask_line(plan.mask))
    lines.append(f"optimizer {call_text(plan.optimizer)}")
    lines.append(f"schedule {call_text(plan.schedule)}")
    lines.append(f"train for {plan.train}")
    if plan.seed != DEFAULT_SEED:
        lines.append(f"seed {plan.seed}")
    if plan.precision != DEFAULT_PRECISION:
        lines.append(f"precision {plan.precision}")
    if plan.stages:
        lines.append("")
    for stage in plan.stages:
        technique: Technique = stage.technique
        implied = Window(START, START) if technique.acts == "instant" else WHOLE
        tail = _tail(stage.window, stage.targets, implied)
        lines.append(f"{call_text(technique)} {tail}".rstrip())
    if plan.expect:
        lines.append("")
    for expect in plan.expect:
        value = number_text(expect.value) if isinstance(expect.value, float) else expect.value
        lines.append(f"expect {expect.metric} {expect.op} {value}")
    return "\n".join(lines) + "\n"
