"""The figures of a run folder against one another, against the plan, and on request anew."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

from tostdsl.engine import reference
from tostdsl.engine.certificate import WATCHED, looked_at
from tostdsl.engine.masked import Masked
from tostdsl.engine.outcome import misses
from tostdsl.engine.verify.course import course
from tostdsl.engine.verify.evidence import Evidence, Group
from tostdsl.engine.verify.expected import checks_of, gone
from tostdsl.engine.verify.jumps import jumps
from tostdsl.engine.verify.parts import Parts
from tostdsl.engine.verify.seams import seams
from tostdsl.engine.verify.weights import MASKS, MODEL
from tostdsl.engine.watch import looks

SLACK = Fraction(1, 200)
"""Share of the test images that another device or precision may class otherwise."""
NEAR_HOME, NEAR = 1e-4, 2e-2
"""How far the loss may be off on a CPU in fp32, and elsewhere, in parts of it (or of 1)."""


def figures(evidence: Evidence, masked: Masked | None, parts: Parts | None, group: Group) -> None:
    """result.json, metrics.jsonl and certificate.json tell one story."""
    result, certificate = evidence.result, evidence.certificate
    for name in (MODEL, MASKS, reference.FILE):
        same = certificate.sha256.get(name) == evidence.digests.get(name)
        words = f"{'has' if same else 'has not'} the checksum of {name}"
        group.check("certificate.json", same, words)
    group.check(
        "certificate.json",
        certificate.fingerprint == evidence.plan.fingerprint,
        f"is of plan {certificate.fingerprint[:8]}, plan.json holds {evidence.plan.short}",
    )
    data = certificate.sha256.get("data") == evidence.environment.data.sha256
    group.check("certificate.json and environment.json", data, "name the checksum of the data")
    unreal = {result.unreal, certificate.unreal, evidence.unreal}
    words = " and ".join(f"`{each or 'a real run'}`" for each in sorted(unreal))
    group.check("what kind of run it was", len(unreal) == 1, f"is told as {words}")
    row = evidence.row("test")
    told = row is not None and (row.get("accuracy"), row.get("loss")) == (
        result.accuracy,
        result.loss,
    )
    words = "has the accuracy and loss of metrics.jsonl"
    group.check("result.json", told, words if told else f"has not {words[4:]}")
    last = (evidence.row("epoch") or {}).get("validation_accuracy")
    words = "has the accuracy on images held out of the last epoch"
    same = last == result.validation_accuracy
    group.check("result.json", same, words if same else f"has not {words[4:]}")
    _seams(evidence, group)
    _watching(evidence, group)
    course(evidence, group)
    seams(evidence, parts, group)
    bare = evidence.row("test_without_kept")
    right = (bare is not None) == bool(evidence.staying)
    words = "measures the network without what is left in exactly where something is"
    group.check("metrics.jsonl", right, words)
    if bare is not None and result.kept is not None:
        kept = result.kept.accuracy_without, result.kept.loss_without
        same = kept == (bare.get("accuracy"), bare.get("loss"))
        words = f"{'has' if same else 'has not'} the accuracy and loss without what is left in"
        group.check("result.json", same, f"{words} of metrics.jsonl")
    _expectations(evidence, masked, group)
    group.said = f"accuracy {result.accuracy:.2%}, loss {result.loss:.4f}, told the same everywhere"
    if unreal == {""} and result.missed_expectations:
        group.notes.append(f"it missed an expectation: {result.missed_expectations[0]}")
    if result.unreal:
        group.notes.append(f"NOT A RESULT: {result.unreal}; the figures mean nothing")


def _expectations(evidence: Evidence, masked: Masked | None, group: Group) -> None:
    """The misses that are told are those that the figures give."""
    result, facts = evidence.result, evidence.stored_facts
    judged = any(each.metric == "sparsity" for each in evidence.plan.expect)
    if masked is None and evidence.plan.mask is not None and judged and not result.unreal:
        return  # what the masks are is told elsewhere; without them nothing can be said
    if result.unreal:
        right = not result.missed_expectations
    else:
        counts = masked.counts() if masked is not None else None
        measured = {
            "accuracy": 100 * Fraction(round(result.accuracy * facts.test_size), facts.test_size),
            "loss": Fraction(result.loss) if math.isfinite(result.loss) else Fraction(0),
            "sparsity": 100 * (counts.sparsity if counts is not None else Fraction(0)),
        }
        right = misses(evidence.plan, measured) == result.missed_expectations
    words = "are those that result.json tells" if right else "are not those that result.json tells"
    group.check("missed expectations", right, words)


def certificate(evidence: Evidence, group: Group) -> None:
    """It is passed if its checks are, and they are all that the plan calls for."""
    stored, result = evidence.certificate, evidence.result
    failed = [check for check in stored.checks if not check.passed]
    excused = Counter(gone(evidence.program)) if evidence.allow_ghosts else Counter[str]()
    for check in failed:
        if excused[check.name] > 0:
            excused[check.name] -= 1
            group.notes.append(f"let pass with `--allow-ghosts`: {check.name}")
        else:
            group.check(
                "the certificate", False, f"failed in the run: {check.name}: {check.detail}"
            )
    whole = stored.passed == (not failed)
    words = "is passed if and only if all its checks are"
    group.check("certificate.json", whole, words if whole else "says otherwise than its checks")
    state = "finished" if stored.passed else "failed"
    right = (result.certified, result.state) == (stored.passed, state)
    verdict = "passed" if stored.passed else "failed"
    words = f"says the run {result.state}, the certificate {verdict}"
    group.check("result.json", right, words)
    every = evidence.environment.options.watch
    wanted = Counter(checks_of(evidence.program, every))
    there = Counter(check.name for check in stored.checks)
    for name in wanted - there:
        group.check("the certificate", False, f"lacks a check the plan calls for: {name}")
    for name in there - wanted:
        group.check("the certificate", False, f"has a check the plan does not call for: {name}")
    if wanted == there:
        many = sum(wanted.values())
        group.check("the certificate", True, f"holds the {many} checks the plan calls for")
    jumps(evidence, group)
    group.said = f"{len(stored.checks)} checks, all that the plan calls for"


def _seams(evidence: Evidence, group: Group) -> None:
    """As many as stages leave together, each with a row, and the costly ones told."""
    result = evidence.result
    rows = [row for row in evidence.rows if row.get("kind") == "seam"]
    called = sum(" left without a trace at " in name for name in checks_of(evidence.program))
    words = f"tells {result.seams} seams, metrics.jsonl {len(rows)}, the plan calls for {called}"
    group.check("result.json", result.seams == len(rows) == called, words)
    costly = 0 if evidence.unreal else sum(row.get("costs") is True for row in rows)
    words = f"names {len(result.costly_seams)} costly seams, metrics.jsonl {costly}"
    group.check("result.json", len(result.costly_seams) == costly, words)


def _watching(evidence: Evidence, group: Group) -> None:
    """As often as the plan's steps and the interval make it, in the result and the certificate."""
    every, told = evidence.environment.options.watch, evidence.result.watching
    phases = evidence.program.phases
    planned = {phase.name: looks(phase, every) for phase in phases} if every is not None else {}
    wanted = (every, sum(planned.values())) if every is not None else None
    same = wanted == (None if told is None else (told.every, told.looks))
    words = "tells of the looks that the plan and their interval call for"
    group.check("result.json", same, words if same else "tells of other looks than were called for")
    details = {check.name: check.detail for check in evidence.certificate.checks if check.passed}
    for name, many in planned.items():
        detail = details.get(f"{WATCHED}, in {name}")  # a missing one is told elsewhere
        if detail not in (None, looked_at(many)):
            words = f"tells of {detail} in {name}, called for were {looked_at(many)}"
            group.check("certificate.json", False, words)
