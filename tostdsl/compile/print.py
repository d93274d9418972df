"""`Plan` to recipe text: `plan(print(plan)) == plan`, also where defaults are other ones.

Every argument that has a value is spelled out, and every statement. What has none, because it is
not set, has no way to be written either.
"""

from __future__ import annotations

from tostdsl.compile.expects import expect_text
from tostdsl.plan.lines import (
    call_text,
    mask_line,
    stage_line,
    string_text,
    tail,
    value_text,
)
from tostdsl.plan.plan import Plan
from tostdsl.plan.spec import Spec

__all__ = ["call_text", "mask_line", "print_plan", "stage_line", "string_text", "value_text"]


def print_plan(plan: Plan) -> str:
    """The recipe of a plan, complete (not laid out: `tost fmt` does that)."""
    lines = ["tost 1", ""]
    lines.append(f"recipe {plan.name}" + (f" {string_text(plan.title)}" if plan.title else ""))
    lines += ["", f"model {_whole(plan.model)}", f"data {_whole(plan.data)}"]
    if plan.mask is not None:
        method, window, targets = plan.mask.method, plan.mask.window, plan.mask.targets
        lines.append(f"mask {_whole(method)} {tail(window, targets, method.moves)}".rstrip())
    lines.append(f"optimizer {_whole(plan.optimizer)}")
    lines.append(f"schedule {_whole(plan.schedule)}")
    lines += [f"train for {plan.train}", f"seed {plan.seed}", f"precision {plan.precision}"]
    if plan.stages:
        lines.append("")
    for stage in plan.stages:
        lines.append(f"{_whole(stage.technique)} {tail(stage.window, stage.targets)}".rstrip())
    if plan.expect:
        lines.append("")
    for expect in plan.expect:
        lines.append(f"expect {expect_text(expect)}")
    return "\n".join(lines) + "\n"


def _whole(spec: Spec) -> str:
    return call_text(spec, complete=True)
