"""What needs the whole plan: conflicts over time, expectations, selectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import cast

from tostdsl.compile.effects import drops, effectless, leavings, window_span
from tostdsl.compile.expects import contradictions, foregone
from tostdsl.compile.idle import idle
from tostdsl.compile.inherit import outlived, removal_help
from tostdsl.compile.lower import DEFAULT_FACTS, Lowered, StageSite
from tostdsl.compile.overlaps import overlaps
from tostdsl.compile.recipe import Recipe
from tostdsl.compile.windows import Length
from tostdsl.diagnostics import Diagnostic, Label, diagnose
from tostdsl.plan.bases import ModuleFact
from tostdsl.plan.masking import MaskMethod
from tostdsl.plan.targets import Selection
from tostdsl.syntax import nodes as n
from tostdsl.syntax.words import MAX_REPORTS
from tostdsl.units import Clock, Duration, Moment, Window

FEW = 10
"""Steps of a window in which no interval makes sense."""
EVERYWHERE = ("",)
"""Stands for the layers of a network whose modules are not known."""


def check(recipe: Recipe, lowered: Lowered) -> list[Diagnostic]:
    """Every mistake and warning that needs more than one statement."""
    modules = _modules(lowered)
    network = Selection(modules) if modules is not None else None
    passes: list[Iterator[Diagnostic]] = []
    if lowered.length is not None:
        clock = clock_of(lowered)
        passes += [
            _ends(recipe, lowered, lowered.length, clock),
            _conflicts(recipe, lowered, lowered.length, clock, network),
            _moments(lowered, lowered.length, clock),
            leavings(lowered, clock),
            _passed(lowered, lowered.length, clock),
            _still(lowered, clock),
            idle(lowered, clock),
            drops(lowered, lowered.length, clock),
        ]
    passes += [effectless(recipe, lowered, network), contradictions(lowered.expects)]
    passes += [foregone(lowered.expects), _selectors(lowered, network)]
    return [diagnostic for each in passes for diagnostic in islice(each, MAX_REPORTS)]


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


def _ends(
    recipe: Recipe, lowered: Lowered, length: Length, clock: Clock | None
) -> Iterator[Diagnostic]:
    """Windows in units that only the data's size makes comparable."""
    if clock is None:
        return
    places: list[tuple[Window, n.Stage | n.Slot]] = [
        (site.plan.window, site.node) for site in lowered.stages
    ]
    if lowered.period is not None and lowered.mask is not None:
        places.append((lowered.period, lowered.mask))
    for window, node in places:
        start, stop = clock.window(window)
        span = window_span(node)
        if max(start, stop) > clock.total:
            label = None
            if length.span is not None:
                label = Label(length.span, f"training ends at step {clock.total}")
            late = start > clock.total
            verb = "starts" if late else "ends"
            moment = window.start if late else window.stop
            if isinstance(moment, Duration):
                moment = Moment("step", Decimal(stop))
            past = diagnose(
                "T401",
                Label(span, f"this window {verb} at step {start if late else stop}"),
                label,
                verb=verb,
                end=moment,
                help=f"start before `step {clock.total}`, or train longer"
                if late
                else f"write `step {clock.total}` at most, or `end`, or train longer",
            )
            yield from (
                outlived(recipe, node, length, [past]) if isinstance(node, n.Stage) else [past]
            )
        elif start > stop:
            yield diagnose("T431", span, start=f"step {start}", end=f"step {stop}")
        elif start == stop and not window.instant:
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
                    ends = Label(whole.span, f"training is {whole.value}") if whole.span else None
                    half = whole.value.value // 2
                    what = f"{whole.value.unit[:-1]} {half}"
                    help = f"write a moment before the end, such as `{what}` or `50%`"
                    if whole.value != length.value:
                        ends = None
                        help = f"a round is {whole.value}; {help}"
                    yield diagnose("T412", *labels, ends, help=help, name=name, moment=item)
                elif isinstance(item, Duration) and _long(item, whole, where):
                    if name not in built.labels and lowered.period is not None:
                        continue  # what is left out does not fit: `_still` tells it
                    yield diagnose("T413", *labels, name=name, length=item, whole=whole.value)


def _late(moment: Moment, length: Length, clock: Clock | None) -> bool:
    if clock is not None:
        return clock.step(moment) >= clock.total
    place = length.place(moment)
    return place is not None and place >= 1


def _long(duration: Duration, length: Length, clock: Clock | None) -> bool:
    if clock is not None:
        return clock.steps(duration) >= clock.total
    return duration.unit == length.value.unit and duration.value >= length.value.value


def _still(lowered: Lowered, clock: Clock | None) -> Iterator[Diagnostic]:
    """A mask that is to move, and never does."""
    built, window = lowered.built.get("mask"), lowered.period
    if clock is None or built is None or window is None or lowered.mask is None:
        return
    start, stop = clock.window(window)
    method = cast(MaskMethod, built.spec)
    written = [value for name, value in method.arguments().items() if name in built.labels]
    if any(isinstance(each, Duration) and clock.steps(each) >= clock.total for each in written):
        return  # that is told as T413
    if start < stop <= clock.total and not method.updates(start, stop, clock):
        labels = built.labels.get("every", (Label(built.call.span),))
        reason = f"the mask would never move in its window of {stop - start} steps"
        left = "" if "every" in built.labels else "; left out, it is longer than that"
        help = f"write a shorter one, such as `every={max(1, (stop - start) // 10)} steps`{left}"
        if stop - start < FEW:
            help = "let the mask move over a longer window"
        place = Label(window_span(lowered.mask), "this window") if lowered.mask.window else None
        yield diagnose("T504", *labels, place, name="every", reason=reason, help=help)


def _passed(lowered: Lowered, length: Length, clock: Clock | None) -> Iterator[Diagnostic]:
    """Stages that are over before a training that goes on from a rewind point begins."""
    built = lowered.built.get("mask")
    method = built.spec if built is not None else None
    rewind = method.rewind_to() if isinstance(method, MaskMethod) and method.resumes() else None
    if built is None or rewind is None:
        return
    begin = clock.step(rewind) if clock is not None else length.place(rewind)
    if begin is None:
        return
    labels = built.labels.get("resume", (Label(built.call.span),))
    for site in lowered.stages:
        start, stop = _span_of(site.plan.window, length, clock)
        if start < begin if site.plan.window.instant else stop <= begin:
            name = site.built.spec.name
            yield diagnose("T433", window_span(site.node), *labels, name=name, moment=rewind)


def _span_of(window: Window, length: Length, clock: Clock | None) -> tuple[float, float]:
    """A window as a range comparable within one plan; unknown ends count as training's ends."""
    if clock is not None:
        return clock.window(window)
    start = length.place(window.start)
    stop = None if isinstance(window.stop, Duration) else length.place(window.stop)
    return float(start or 0), float(1 if stop is None else stop)


def _conflicts(
    recipe: Recipe,
    lowered: Lowered,
    length: Length,
    clock: Clock | None,
    network: Selection | None,
) -> Iterator[Diagnostic]:
    def interval(site: StageSite) -> tuple[float, float]:
        return _span_of(site.plan.window, length, clock)

    def layers(site: StageSite) -> Sequence[str]:
        targets = site.plan.targets
        chosen = network.select(targets.on, targets.exclude) if network is not None else ()
        return chosen or EVERYWHERE

    for a, b, shared in overlaps(lowered.stages, interval, layers):
        if a.plan == b.plan:  # one mistake, one report: T424
            continue
        name_a, name_b = a.built.spec.name, b.built.spec.name
        ways = [removal_help(recipe, lowered.stages, a, b), *_ways_apart(a, b)]
        yield diagnose(
            "T404",
            Label(b.node.span, "this stage"),
            Label(a.node.span, "and this one"),
            first=name_a,
            second=name_b,
            claim=" and ".join(sorted(shared)),
            help=", or ".join(filter(None, ways)),
        )


def _ways_apart(a: StageSite, b: StageSite) -> Iterator[str]:
    """What two stages that claim the same thing can do about it."""
    first, second = a.plan.technique, b.plan.technique
    if first.acts == "stretch" and second.acts == "stretch":
        yield "let one end where the other starts"
    if first.targeted and second.targeted:
        yield "give them different layers with `on`"
    if first.name == second.name and not (first.targeted and first.acts == "stretch"):
        yield "write one stage that says all of it"


def _modules(lowered: Lowered) -> tuple[ModuleFact, ...] | None:
    model, data = lowered.built.get("model"), lowered.built.get("data")
    if model is None:
        return None
    facts = data.spec.facts() if data is not None else None  # type: ignore[attr-defined]
    modules: tuple[ModuleFact, ...] | None = model.spec.modules(  # type: ignore[attr-defined]
        facts or DEFAULT_FACTS
    )
    return modules


def _selectors(lowered: Lowered, network: Selection | None) -> Iterator[Diagnostic]:
    """Selectors that match nothing, each at its place, and statements that have no layer left."""
    model = lowered.built.get("model")
    if network is None or model is None:
        return
    for owner, targets, node in lowered.reach:
        missed = [miss for each in (*targets.on, *targets.exclude) if (miss := network.miss(each))]
        for miss in missed:
            spans = [v.span for v in node.on + node.exclude if _shows(v, str(miss.selector))]
            yield diagnose(
                "T501",
                *(spans[:1] or [node.span]),
                selector=miss.selector,
                model=model.spec.name,
                help=miss.help,
            )
        if missed or network.select(targets.on, targets.exclude):
            continue
        read = len(targets.on) + len(targets.exclude)
        written = sum(len({value.span.text for value in side}) for side in (node.on, node.exclude))
        if read and read >= written:
            reason = f"no layer is left of `{targets}`"
            yield diagnose("T502", node.span, stage=owner, model=model.spec.name, reason=reason)


def _shows(value: n.Value, selector: str) -> bool:
    return value.span.text == selector
