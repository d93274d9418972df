"""The rows of a run's seams against the plan and its network, and each against itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from tostdsl.engine.seams import Reading, Seam
from tostdsl.engine.verify.course import Row, figure, near, scalars
from tostdsl.engine.verify.evidence import Evidence, Group
from tostdsl.engine.verify.expected import leavings
from tostdsl.engine.verify.parts import Parts
from tostdsl.plan.plan import Plan, stage_names
from tostdsl.plan.program import Phase


def seams(evidence: Evidence, parts: Parts | None, group: Group) -> None:
    """The seams' rows of metrics.jsonl; `parts` are the network's, where there is one."""
    program = evidence.program
    rows = [row for row in evidence.rows if row.get("kind") == "seam"]
    moments = [(phase, *each) for phase in program.phases for each in leavings(program, phase)]
    gap = next(_gaps(evidence.plan, parts, rows, moments), "")
    words = f"has {len(rows)} seams, where and at which weights the plan has them"
    group.check("metrics.jsonl", not gap, gap or words)


def _gaps(
    plan: Plan,
    parts: Parts | None,
    rows: Iterable[Row],
    wanted: Iterable[tuple[Phase, int, list[str]]],
) -> Iterator[str]:
    for row, place in zip_longest(rows, wanted):
        if row is None or place is None:
            return  # how many there are is looked at elsewhere
        phase, step, names = place
        left = row.get("left")
        if (row.get("phase"), row.get("step")) != (phase.name, step):
            yield f"has a seam in another place than step {step} of {phase.name}"
        if not isinstance(left, dict) or list(left) != names:
            listed = ", ".join(names)
            yield f"tells of others than {listed} that left at step {step} of {phase.name}"
            continue
        at = scalars(plan, phase, step - 1)
        for name in names:
            if not near(left[name], at[name]["weight"]):
                last = at[name]["weight"]
                yield (
                    f"tells {name} left at a weight of {left[name]} at step {step} of "
                    f"{phase.name}, the plan has it at {last:.6g}"
                )
        stages = dict(zip(stage_names(plan), plan.stages, strict=True))
        again = any(stages[name].technique.recalibrates() for name in names)
        where = f"step {step} of {phase.name}"
        yield from _reading_gaps(row, again, parts, where)


def _reading_gaps(row: Row, again: bool, parts: Parts | None, where: str) -> Iterator[str]:
    """What was measured is there, is a measurement, and costs what the row says."""
    if (row.get("recalibrated") is not None) != again:
        told, planned = ("nothing", "does") if again else ("something", "does not")
        yield f"tells {told} of recalibrating at {where}, where the plan {planned}"
        return
    measured = ["before", "after", *(["recalibrated"] if again else [])]
    for name in measured:
        if not _measured(row.get(name), parts):
            yield f"has not the figures of a seam under `{name}` at {where}"
            return
    before, after, *rest = (_reading(row[name]) for name in measured)
    costs = Seam("", 0, "", {}, before, after, *rest).costs
    if row.get("costs") is not costs:
        words = "costs" if costs else "costs nothing"
        yield f"says otherwise than its own figures, by which the seam at {where} {words}"


def _measured(found: Any, parts: Parts | None) -> bool:
    if not isinstance(found, dict) or set(found) != {"loss", "accuracy", "dead", "norms"}:
        return False
    dead, norms, loss = found["dead"], found["norms"], found["loss"]
    if not isinstance(dead, dict) or not isinstance(norms, dict):
        return False
    if parts is not None and (set(dead) != set(parts.units) or set(norms) != set(parts.norms)):
        return False
    return (
        (loss is None or figure(loss))
        and figure(found["accuracy"], 1)
        and all(figure(share, 1) for share in dead.values())
        and all(map(_shift, norms.values()))
    )


def _shift(found: Any) -> bool:
    """Whether it is how far a normalisation is off: two sizes, null for what is no number."""
    if not isinstance(found, dict) or set(found) != {"mean", "deviation"}:
        return False
    return all(each is None or figure(each) for each in found.values())


def _reading(found: Mapping[str, Any]) -> Reading:
    loss = found["loss"]
    return Reading(math.nan if loss is None else loss, found["accuracy"], {}, {})
