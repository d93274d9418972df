"""Hypothesis strategies: recipes that mean something, made from what is registered."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import assume
from hypothesis import strategies as st

from tostdsl import registry
from tostdsl.compile.compiler import compile_source
from tostdsl.plan.plan import Plan
from tostdsl.plan.spec import Spec
from tostdsl.source import Source
from tostdsl.units import Duration, Factor, Moment, Pattern, Percent, Ramp

PERCENTS = ["10%", "33.3%", "50%", "90%", "95%"]
TEXTS: dict[Any, list[str]] = {
    int: ["1", "2", "3", "8", "64"],
    float: ["0.1", "0.5", "2e-4", "1", "0.9"],
    bool: ["yes", "no"],
    str: ['"images"', '"a \\"b\\" \\\\"'],
    Percent: PERCENTS,
    Factor: ["1.5x", "2x", "3x"],
    Pattern: ["2:4"],
    Moment: ["start", "epoch 2", "25%", "step 40"],
    Duration: ["1 epoch", "5 epochs", "30 steps"],
    Ramp: ["0.2 -> 0.1", "1 -> 2"],
}
MODELS = ["resnet20", "cifar_resnet(8)", "resnet18", "resnet50(stem=imagenet)", "mobilenet_v2"]
SELECTORS = ["conv", "linear", "first", "last", '"layer1.*"', '"*conv1"']


def values(want: Any) -> st.SearchStrategy[str]:
    """Texts of values of a type annotation."""
    origin = get_origin(want)
    if origin is Annotated:
        return values(get_args(want)[0])
    if origin in (Union, types.UnionType):
        return st.one_of([values(m) for m in get_args(want) if m is not type(None)])
    if origin is Literal:
        return st.sampled_from([str(choice) for choice in get_args(want)])
    if origin is tuple:
        items = st.lists(values(get_args(want)[0]), max_size=3)
        return items.map(lambda texts: f"[{', '.join(texts)}]")
    if isinstance(want, type) and issubclass(want, Spec):
        return calls(want.kind)
    return st.sampled_from(TEXTS[want])


@st.composite
def calls(draw: st.DrawFn, kind: str) -> str:
    """A registered name with some of its arguments."""
    cls = registry.get(kind, draw(st.sampled_from(registry.names(kind))))
    arguments = []
    for name, info in cls.model_fields.items():
        if info.is_required() or draw(st.booleans()):
            arguments.append(f"{name}={draw(values(info.annotation))}")
    return f"{cls.name}({', '.join(draw(st.permutations(arguments)))})"


@st.composite
def windows(draw: st.DrawFn) -> str:
    """A window, or none."""
    moments = st.sampled_from(["epoch 3", "step 50", "10%", "epoch 20", "60%", "end", "start"])
    return draw(
        st.sampled_from(["", "at start", "until epoch 40", "until 25%", "from 10% for 4 epochs"])
        | st.tuples(moments, moments).map(lambda pair: f"from {pair[0]} until {pair[1]}")
    )


@st.composite
def targets(draw: st.DrawFn) -> str:
    """Targets, or none."""
    on = draw(st.lists(st.sampled_from(SELECTORS), max_size=2))
    exclude = draw(st.lists(st.sampled_from(SELECTORS), max_size=1))
    words = [f"on {', '.join(on)}"] if on else []
    return " ".join(words + ([f"except {', '.join(exclude)}"] if exclude else []))


@st.composite
def recipe_lines(draw: st.DrawFn) -> list[str]:
    """The statements of a recipe, which may still have mistakes in it."""
    lines = [
        f"model {draw(st.sampled_from(MODELS))}",
        f"data {draw(calls('data'))}",
        f"train for {draw(st.sampled_from(['60 epochs', '181 epochs', '500 steps']))}",
    ]
    for word in ("mask", "optimizer", "schedule"):
        if draw(st.booleans()):
            where = draw(targets()) if word == "mask" else ""
            lines.append(f"{word} {draw(calls(word))} {where}".rstrip())
    lines += draw(st.sets(st.sampled_from(["seed 7", "precision bf16"])).map(sorted))
    for _ in range(draw(st.integers(0, 3))):
        stage = draw(calls("technique"))
        lines.append(f"{stage} {draw(windows())} {draw(targets())}".rstrip())
    if draw(st.booleans()):
        lines.append("expect accuracy >= 91.5%")
    return lines


def plan_of(text: str) -> Plan | None:
    """The plan of a text, None when it has mistakes."""
    compiled = compile_source(Source("r.tost", text))
    return None if compiled.errors else compiled.plans[0]


@st.composite
def sound_recipes(draw: st.DrawFn) -> tuple[list[str], Plan]:
    """The statements of a recipe without mistakes, and its plan."""
    lines = draw(recipe_lines())
    plan = plan_of("\n".join(lines))
    assume(plan is not None)
    assert plan is not None
    return lines, plan
