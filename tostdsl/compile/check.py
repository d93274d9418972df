"""What needs the whole plan: conflicts over time, jumps, selectors, params nobody uses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from tostdsl.compile.lower import Lowered, StageSite
from tostdsl.compile.recipe import Recipe
from tostdsl.compile.windows import Length
from tostdsl.diagnostics import Diagnostic, Label, diagnose
from tostdsl.plan.bases import DataFacts, MaskMethod, ModuleFact
from tostdsl.plan.plan import Plan, Targets
from tostdsl.plan.targets import NoMatch, select
from tostdsl.source import Span
from tostdsl.syntax import nodes as n
from tostdsl.units import Clock, Duration, Moment, Window

DEFAULT_FACTS = DataFacts(3, 64, 64, 10, 1, 1)
"""Stands for data whose facts only loading tells; module names do not depend on them."""


def check(recipe: Recipe, lowered: Lowered) -> list[Diagnostic]:
    """Every mistake and warning that needs more than one statement."""
    found: list[Diagnostic] = []
    if lowered.length is not None:
        clock = clock_of(lowered)
        found += _ends(lowered, clock)
        found += _conflicts(lowered, lowered.length, clock)
        found += _moments(lowered, lowered.length, clock)
    found += _jumps(lowered)
    if lowered.plan is not None:
        found += _selectors(lowered, lowered.plan)
    return found


def unused_params(recipe: Recipe, used: set[str]) -> list[Diagnostic]:
    """A warning for each param nothing refers to and no sweep moves."""
    swept = {sweep.name.text for sweep in recipe.sweeps}
    return [
        diagnose("W003", value.span, name=name)
        for name, value in recipe.params.items()
        if name not in used and name not in swept
    ]


def clock_of(lowered: Lowered) -> Clock | None:
    """The clock, where the data's size is known without loading it."""
    data = lowered.built.get("data")
    if data is None or lowered.length is None:
        return None
    spec = data.spec
    facts = spec.facts()  # type: ignore[attr-defined]
    if facts is None:
        return None
    steps = spec.steps_per_epoch(facts.train_size)  # type: ignore[attr-defined]
    return Clock.of(lowered.length.value, steps)


def _window_span(node: n.Stage) -> Span:
    if not node.window:
        return node.call.span
    return node.window[0].span.to(node.window[-1].span)


def _ends(lowered: Lowered, clock: Clock | None) -> Iterator[Diagnostic]:
    """Windows in units that only the data's size makes comparable."""
    if clock is None or lowered.length is None:
        return
    for site in lowered.stages:
        window = site.plan.window
        start, stop = clock.window(window)
        span = _window_span(site.node)
        if stop > clock.total:
            label = None
            if lowered.length.span is not None:
                label = Label(lowered.length.span, f"training ends at step {clock.total}")
            end = window.stop if not isinstance(window.stop, Duration) else f"step {stop}"
            text = f"this window ends at step {stop}"
            yield diagnose(
                "T401",
                Label(span, text),
                label,
                end=end,
                help=f"write `step {clock.total}` at most, or `end`, or train longer",
            )
        elif start >= stop and not window.instant:
            help = f"with {clock.steps_per_epoch} steps an epoch it has no step"
            yield diagnose("T402", span, start=f"step {start}", end=f"step {stop}", help=help)


def _moments(lowered: Lowered, length: Length, clock: Clock | None) -> Iterator[Diagnostic]:
    """Moments and lengths among arguments that training, or a mask's round, never reaches."""
    for word in ("schedule", "mask"):
        built = lowered.built.get(word)
        if built is None:
            continue
        spec, whole, where = built.spec, length, clock
        if isinstance(spec, MaskMethod):
            own = spec.round_length(length.value)
            whole = replace(length, value=own)
            where = Clock.of(own, clock.steps_per_epoch) if clock is not None else None
        for name, value in spec.arguments().items():
            labels = built.labels.get(name, (Label(built.call.span),))
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Moment) and _late(item, whole, where):
                    help = f"training is {whole.value}"
                    yield diagnose("T412", *labels, name=name, moment=item, help=help)
                elif isinstance(item, Duration) and _long(item, whole, where):
                    yield diagnose("T413", *labels, name=name, length=item, whole=whole.value)


def _late(moment: Moment, length: Length, clock: Clock | None) -> bool:
    if clock is not None:
        return clock.step(moment) > clock.total
    place = length.place(moment)
    return place is not None and place > 1


def _long(duration: Duration, length: Length, clock: Clock | None) -> bool:
    if clock is not None:
        return clock.steps(duration) > clock.total
    return duration.unit == length.value.unit and duration.value > length.value.value


def _span_of(window: Window, length: Length, clock: Clock | None) -> tuple[float, float]:
    """A window as a range comparable within one plan; unknown ends count as training's ends."""
    if clock is not None:
        return clock.window(window)
    start = length.place(window.start)
    stop = None if isinstance(window.stop, Duration) else length.place(window.stop)
    return float(start or 0), float(1 if stop is None else stop)


def _conflicts(lowered: Lowered, length: Length, clock: Clock | None) -> Iterator[Diagnostic]:
    for a, b in combinations(lowered.stages, 2):
        shared = _claims(a) & _claims(b)
        if not shared:
            continue
        a_start, a_stop = _span_of(a.plan.window, length, clock)
        b_start, b_stop = _span_of(b.plan.window, length, clock)
        instants = a.plan.window.instant and b.plan.window.instant and a_start == b_start
        if not instants and (a_stop <= b_start or b_stop <= a_start):
            continue
        if _disjoint(a.plan.targets, b.plan.targets, _modules(lowered)):
            continue
        name_a, name_b = a.built.spec.name, b.built.spec.name
        yield diagnose(
            "T404",
            Label(b.node.span, "this stage"),
            Label(a.node.span, "and this one"),
            first=name_a,
            second=name_b,
            claim=" and ".join(sorted(shared)),
            help="let one end where the other starts, or give them different layers with `on`",
        )


def _claims(site: StageSite) -> frozenset[str]:
    return site.plan.technique.claims()


def _disjoint(a: Targets, b: Targets, modules: Sequence[ModuleFact] | None) -> bool:
    if modules is None or not (a.on or a.exclude) or not (b.on or b.exclude):
        return False
    try:
        return not set(select(modules, a.on, a.exclude)) & set(select(modules, b.on, b.exclude))
    except NoMatch:
        return False


def _jumps(lowered: Lowered) -> Iterator[Diagnostic]:
    for site in lowered.stages:
        technique = site.plan.technique
        anneal = technique.arguments().get("anneal")
        leaves = technique.adds_to_network() and not technique.stays()
        if leaves and anneal is not None and anneal.name == "none":
            labels = site.built.labels.get("anneal", (Label(site.node.call.span),))
            yield diagnose("W002", *labels, name=technique.name)


def _modules(lowered: Lowered) -> tuple[ModuleFact, ...] | None:
    model, data = lowered.built.get("model"), lowered.built.get("data")
    if model is None:
        return None
    facts = data.spec.facts() if data is not None else None  # type: ignore[attr-defined]
    modules: tuple[ModuleFact, ...] | None = model.spec.modules(  # type: ignore[attr-defined]
        facts or DEFAULT_FACTS
    )
    return modules


def _selectors(lowered: Lowered, plan: Plan) -> Iterator[Diagnostic]:
    modules = _modules(lowered)
    if modules is None:
        return
    sites: list[tuple[str, Targets, n.Targets]] = [
        (site.built.spec.name, site.plan.targets, site.node.targets) for site in lowered.stages
    ]
    if lowered.mask is not None and plan.mask is not None:
        sites.append(("mask", plan.mask.targets, lowered.mask.targets))
    for owner, targets, node in sites:
        try:
            kept = select(modules, targets.on, targets.exclude)
            if not kept and (targets.on or targets.exclude):
                reason = f"no layer is left of `{targets}`"
                yield diagnose("T502", node.span, stage=owner, model=plan.model.name, reason=reason)
        except NoMatch as miss:
            spans = [v.span for v in node.on + node.exclude if _shows(v, str(miss.selector))]
            yield diagnose(
                "T501",
                *(spans[:1] or [node.span]),
                selector=miss.selector,
                model=plan.model.name,
                help=miss.help,
            )


def _shows(value: n.Value, selector: str) -> bool:
    return value.span.text == selector
