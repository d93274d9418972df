"""Statements that pass every type and would do nothing: what is written must be what runs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tostdsl.compile.expects import expect_text, outcome
from tostdsl.compile.lower import Lowered, StageSite
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose
from tostdsl.units import END, START, Clock, Percent, Ramp


def idle(lowered: Lowered, clock: Clock | None) -> Iterator[Diagnostic]:
    """A report for each statement, or argument, that would have no effect."""
    for site in lowered.stages:
        yield from _too_late(site, clock)
        yield from _still_ramps(site)
    yield from _doubles(lowered.stages)
    yield from _other_sparsities(lowered)


def _other_sparsities(lowered: Lowered) -> Iterator[Diagnostic]:
    """An expectation on the sparsity that the mask, which meets its own exactly, cannot meet."""
    mask = lowered.built.get("mask")
    given = mask.spec.arguments().get("sparsity") if mask is not None else Percent(Decimal(0))
    if not isinstance(given, Percent):
        return
    for expect, node in lowered.expects:
        wanted = expect.value
        if expect.metric == "sparsity" and isinstance(wanted, Percent):
            # the count is rounded to whole weights, so only what is clearly apart is refused
            apart = abs(wanted.value - given.value) > 1
            below = given.value < wanted.value
            if outcome(expect) is None and apart and below == (expect.op in (">=", ">")):
                reason = f"the mask's sparsity is {given}, so `{expect_text(expect)}` cannot hold"
                said = mask.labels.get("sparsity", ()) if mask is not None else ()
                labels = [Label(each.span, each.text or f"{given}") for each in said]
                if mask is not None and not labels:
                    labels = [Label(mask.call.span, "the mask")]
                help = f"write `expect sparsity {expect.op} {given}`, or change the mask"
                yield diagnose("T504", node.span, *labels, help=help, name="expect", reason=reason)


def _too_late(site: StageSite, clock: Clock | None) -> Iterator[Diagnostic]:
    """What acts at one moment acts before a step, and there is none after the end."""
    window = site.plan.window
    if not window.instant:
        return
    last = clock is not None and clock.step(window.start) >= clock.total
    if window.start == END or last:
        span = site.node.window[0].span if site.node.window else site.node.span
        yield diagnose("T422", span, name=site.built.spec.name, moment=window.start)
    elif window.start != START and site.plan.technique.initial():
        span = site.node.window[0].span
        reason = f"it rescales initial weights, and at {window.start} they are trained"
        help = "write `at start`, or no moment at all, which says the same"
        fix = Fix((Edit(span, "at start"),), certain=False)
        values = {"name": site.built.spec.name, "reason": reason}
        yield diagnose("T504", span, help=help, fix=fix, **values)


def _still_ramps(site: StageSite) -> Iterator[Diagnostic]:
    """A ramp moves along its stage's anneal, so `none` holds it at its first value."""
    arguments = site.plan.technique.arguments()
    anneal = arguments.get("anneal")
    if anneal is None or anneal.name != "none":
        return
    for name, value in arguments.items():
        if isinstance(value, Ramp):
            labels = site.built.labels.get(name, (Label(site.node.call.span),))
            yield diagnose("T423", *labels, name=name, start=f"{value}".split(" ")[0])


def _doubles(stages: list[StageSite]) -> Iterator[Diagnostic]:
    """The same stage written twice: the second adds to the first, which nobody means."""
    alike: dict[object, list[StageSite]] = {}
    for site in stages:
        plan = site.plan
        key = (site.built.spec.name, plan.window, plan.targets.on, plan.targets.exclude)
        alike.setdefault(key, []).append(site)
    for group in alike.values():
        said: dict[str, StageSite] = {}
        for site in sorted(group, key=lambda site: site.node.span.start) if group[1:] else ():
            first = said.setdefault(repr(site.plan), site)
            if first is not site:
                label = Label(first.node.span, "first here")
                yield diagnose("T424", site.node.span, label, name=site.built.spec.name)
