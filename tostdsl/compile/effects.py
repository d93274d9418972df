"""Stages that do nothing, that never leave, and that are at work when the learning rate drops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from tostdsl.compile.lower import Lowered, StageSite
from tostdsl.compile.recipe import Recipe
from tostdsl.compile.windows import Length
from tostdsl.diagnostics import Diagnostic, Label, diagnose
from tostdsl.plan.bases import ScheduleSpec
from tostdsl.plan.masking import MaskMethod
from tostdsl.plan.plan import Targets
from tostdsl.plan.targets import Selection
from tostdsl.source import Span
from tostdsl.syntax import nodes as n
from tostdsl.units import END, START, Clock, Duration, Moment, Window

HIGH = 0.2
"""A weight above this in a stage's last step makes its leaving a jump: windows of up to four steps
with `anneal=linear`. Ours."""


def leavings(lowered: Lowered, clock: Clock | None) -> Iterator[Diagnostic]:
    """Stages that leave by a jump, and those that are still at full weight when training ends."""
    for site in lowered.stages:
        technique = site.plan.technique
        anneal = technique.arguments().get("anneal")
        leaves = technique.adds_to_network() and not technique.stays()
        if leaves and anneal is not None and anneal.name == "none":
            labels = site.built.labels.get("anneal", (Label(site.node.call.span),))
            if not _to_the_end(site, clock):
                how = "with `anneal=none` its weight is still 1 when it leaves"
                yield diagnose("W002", *labels, name=technique.name, how=how)
                continue
            train = lowered.length.span if lowered.length is not None else None
            ends = Label(train, "training ends here") if train is not None else None
            keeps = "keep" in type(technique).model_fields
            more = ", or leave it in on purpose with `keep=yes`" if keeps else ""
            yield diagnose("T432", *labels, ends, name=technique.name, more=more)
        elif leaves and anneal is not None:
            steps = max(0, _steps(site.plan.window, clock))
            last = anneal.weight((steps - 1) / steps) if steps else 0.0
            if last > HIGH:
                over = f"{steps} step{'s' if steps > 1 else ''}"
                how = f"its window is {over} long, in the last of which its weight is {last:.2g}"
                help = "give it a longer window to fall over"
                span = window_span(site.node)
                yield diagnose("W002", span, name=technique.name, how=how, help=help)


def window_span(node: n.Stage | n.Slot) -> Span:
    """Where a stage's window stands, or its call where it has none."""
    if not node.window:
        return node.call.span
    return node.window[0].span.to(node.window[-1].span)


def _steps(window: Window, clock: Clock | None) -> int:
    """How many steps a window is long; 0 where that is not known without the data."""
    start, stop = window.start, window.stop
    if clock is not None:
        first, last = clock.window(window)
        return last - first
    if isinstance(stop, Duration):
        return stop.value if stop.unit == "steps" else 0
    if stop.unit == "step" and (start == START or start.unit == "step"):
        return int(stop.value - start.value)
    return 0


def _to_the_end(site: StageSite, clock: Clock | None) -> bool:
    window = site.plan.window
    if clock is None:
        return window.stop == END
    return not window.instant and clock.window(window)[1] >= clock.total


def effectless(recipe: Recipe, lowered: Lowered, network: Selection | None) -> Iterator[Diagnostic]:
    """Stages that work on masked weights, where there are none."""
    statement = recipe.slots.get("mask")
    for site in lowered.stages:
        name = site.plan.technique.name
        if not site.plan.technique.needs_mask() or (
            statement is None and recipe.broken & {"mask", "extends"}
        ):
            continue
        if statement is None:
            out = f"remove `{name}`"
            if site.node.span.source is not recipe.source:
                out = f"write `without {name}` to take the inherited one out"
            help = f"add a `mask`, or {out}"
            reason = "this recipe has no mask"
            yield diagnose("T521", site.node.span, name=name, reason=reason, help=help)
            continue
        built, scope = lowered.built.get("mask"), lowered.scope
        if built is None or scope is None or network is None:
            continue
        here = Label(statement.span, "the mask")
        if cast(MaskMethod, built.spec).first() == 0:
            reason = "the mask keeps every weight"
            help = f"raise `sparsity`, or remove `{name}`"
        elif cast(MaskMethod, built.spec).stages_in_rounds():
            reason = "the first of the mask's rounds has no mask yet"
            help = "leave `stages=yes` out"
        elif _apart(site.plan.targets, scope, network):
            reason = "no layer it works on has a mask"
            help = "give it layers that the mask prunes too"
        else:
            continue
        yield diagnose("T521", site.node.span, here, name=name, reason=reason, help=help)


def _apart(stage: Targets, mask: Targets, network: Selection) -> bool:
    if any(map(network.miss, (*stage.on, *stage.exclude, *mask.on, *mask.exclude))):
        return False
    masked = network.select(mask.on, mask.exclude)
    return set(masked).isdisjoint(network.select(stage.on, stage.exclude))


def drops(lowered: Lowered, length: Length, clock: Clock | None) -> Iterator[Diagnostic]:
    """Drops of the learning rate while something added to the network is at work."""
    schedule = lowered.built.get("schedule")
    if schedule is None:
        return
    moments = cast(ScheduleSpec, schedule.spec).drops()
    labels = schedule.labels.get("at", (Label(schedule.call.span),))
    for site in lowered.stages:
        technique = site.plan.technique
        if not technique.adds_to_network() or technique.stays():
            continue
        for moment in moments:
            if _inside(moment, site, length, clock):
                text = f"the learning rate drops at {moment}"
                name = site.plan.technique.name
                drop = Label(labels[0].span, text)
                yield diagnose("W021", site.node.span, drop, moment=moment, name=name)
                break


def _inside(moment: Moment, site: StageSite, length: Length, clock: Clock | None) -> bool:
    window = site.plan.window
    if clock is not None:
        start, stop = clock.window(window)
        return start < clock.step(moment) < stop
    if isinstance(window.stop, Duration):
        return False
    start_at, at, stop_at = map(length.place, (window.start, moment, window.stop))
    if start_at is None or at is None or stop_at is None:
        return False
    return start_at < at < stop_at
