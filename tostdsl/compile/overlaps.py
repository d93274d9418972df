"""Stages that claim the same thing over the same stretch of training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tostdsl.compile.lower import StageSite

Interval = tuple[float, float]


def overlaps(
    sites: Iterable[StageSite],
    interval: Callable[[StageSite], Interval],
    layers: Callable[[StageSite], Iterable[str]],
) -> Iterator[tuple[StageSite, StageSite, frozenset[str]]]:
    """Pairs of stages with what both claim: each stage against the one longest at work.

    One pass in the order of their starts, so that many stages cost little more than few. An
    instant overlaps a stretch that it lies inside of, and another at the same moment.
    """
    numbered = [(interval(site), number, site) for number, site in enumerate(sites)]
    numbered.sort(key=lambda item: item[:2])
    longest: dict[tuple[str, str], tuple[Interval, int, StageSite]] = {}
    for (start, stop), number, site in numbered:
        met: dict[int, tuple[StageSite, set[str]]] = {}
        for claim in site.plan.technique.claims():
            for layer in layers(site):
                before = longest.get((claim, layer))
                if before is not None and _meet(before[0], (start, stop)):
                    met.setdefault(before[1], (before[2], set()))[1].add(claim)
                if before is None or before[0][1] < stop:
                    longest[claim, layer] = ((start, stop), number, site)
        for other_number, (other, claims) in met.items():
            pair = (other, site) if other_number < number else (site, other)
            yield (*pair, frozenset(claims))


def _meet(first: Interval, second: Interval) -> bool:
    """Whether they have a step, or a moment, in common; `first` does not start later."""
    if first == second and first[0] == first[1]:
        return True
    return second[0] < first[1]
