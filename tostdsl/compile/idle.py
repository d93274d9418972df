"""Statements that pass every type and would do nothing: what is written must be what runs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from tostdsl.compile.lower import Lowered, StageSite
from tostdsl.diagnostics import Diagnostic, Label, diagnose
from tostdsl.units import END, Clock, Ramp


def idle(lowered: Lowered, clock: Clock | None) -> Iterator[Diagnostic]:
    """A report for each statement, or argument, that would have no effect."""
    for site in lowered.stages:
        yield from _too_late(site, clock)
        yield from _still_ramps(site)
    yield from _doubles(lowered.stages)


def _too_late(site: StageSite, clock: Clock | None) -> Iterator[Diagnostic]:
    """What acts at one moment acts before a step, and there is none after the end."""
    window = site.plan.window
    if not window.instant:
        return
    last = clock is not None and clock.step(window.start) >= clock.total
    if window.start == END or last:
        span = site.node.window[0].span if site.node.window else site.node.span
        yield diagnose("T422", span, name=site.built.spec.name, moment=window.start)


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
    ordered = sorted(stages, key=lambda site: repr(site.plan))
    for _, group in groupby(ordered, key=lambda site: repr(site.plan)):
        first, *others = sorted(group, key=lambda site: site.node.span.start)
        for other in others:
            label = Label(first.node.span, "first here")
            yield diagnose("T424", other.node.span, label, name=other.built.spec.name)
