"""The certificate's removals: the plan's jumps, and details of checks that tell their outcome."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest

from tostdsl.engine.certificate import Jump
from tostdsl.engine.verify.course import near, scalars
from tostdsl.engine.verify.evidence import Evidence, Group
from tostdsl.engine.verify.expected import leavings
from tostdsl.engine.verify.records import StoredCheck

LEFT, JUMPED = " left without a trace at ", " left by a jump, as written, at "
EXACT = "equal to the bit"
BOUNDED = re.compile(r"largest difference (\S+), bound (\S+)")


def jumps(evidence: Evidence, group: Group) -> None:
    """As many jumps as moments at which stages leave, where and at the weights of the plan.

    The details of the checks are those of passed removals, and tell the same of what moved.
    """
    gap = next(_gaps(evidence), "")
    words = f"has {len(evidence.certificate.jumps)} jumps, as the plan and the checks have them"
    group.check("certificate.json", not gap, gap or words)


def _gaps(evidence: Evidence) -> Iterator[str]:
    program, stored = evidence.program, evidence.certificate
    details = {check.name: check for check in stored.checks}
    moments = [(phase, *each) for phase in program.phases for each in leavings(program, phase)]
    for found, place in zip_longest(stored.jumps, moments):
        if found is None or place is None:
            count = f"{len(stored.jumps)} jumps, the plan calls for {len(moments)}"
            yield f"tells of {count}"
            return
        phase, step, names = place
        at = f"step {step}" if step < phase.clock.total else "the end"
        where = f"{at} of {phase.name}"
        if found.at != where or set(found.weights) != set(names):
            yield f"has no jump of {', '.join(names)} at {where} in its place"
            return
        last = scalars(evidence.plan, phase, step - 1)
        for name in names:
            if not near(found.weights[name], last[name]["weight"]):
                wanted = last[name]["weight"]
                yield f"tells a jump of {name} from {found.weights[name]} at {where}, not {wanted}"
        weights = {name: found.weights[name] for name in names}
        jump = Jump(found.at, weights, found.moved, found.largest)
        yield from _detail_gaps(jump, details, ", ".join(names))


def _detail_gaps(jump: Jump, details: Mapping[str, StoredCheck], what: str) -> Iterator[str]:
    left = details.get(f"{what}{LEFT}{jump.at}")  # a missing one is told elsewhere
    if left is not None:
        if not left.detail.endswith(f"; {jump.words()}"):
            yield f"tells two stories of how outputs moved at {jump.at}"
        how = left.detail.removesuffix(f"; {jump.words()}")
        if left.passed and not _within(how, jump.largest):
            yield f"says that {what} left without a trace at {jump.at}, though: {how}"
    for name, check in details.items():
        if name.endswith(f"{JUMPED}{jump.at}") and check.detail != jump.words():
            yield f"tells two stories of the jump at {jump.at}"


def _within(how: str, largest: float | None) -> bool:
    """Whether a detail is that of a removal that passed, by the bound that its outputs give."""
    if how == EXACT:
        return True
    match = BOUNDED.fullmatch(how)
    if match is None or largest is None:
        return False
    gap, bound = match.groups()
    try:
        return bound == f"{1e-5 * max(1.0, largest):.2e}" and 0 <= float(gap) <= float(bound)
    except ValueError:
        return False
