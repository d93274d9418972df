"""The tensors of a run folder against the network that its plan means."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tostdsl.diagnostics import TostError, brief
from tostdsl.engine import reference, start
from tostdsl.engine.certificate import Shape
from tostdsl.engine.kept import FILE as GHOSTS
from tostdsl.engine.kept import count, state_of
from tostdsl.engine.masked import Masked
from tostdsl.engine.scope import Scope
from tostdsl.engine.verify.evidence import Evidence, Group
from tostdsl.engine.verify.expected import staying
from tostdsl.engine.verify.records import Unfit, read_json, read_tensors
from tostdsl.engine.verify.staying import fill, put_in
from tostdsl.plan.masking import MaskMethod

MODEL, MASKS = "model.safetensors", "masks.safetensors"


def network(evidence: Evidence, group: Group) -> nn.Module | None:
    """The plain architecture with the weights of the run; None where they do not fit."""
    plan, facts = evidence.plan, evidence.facts
    told = evidence.stored_facts
    same = (told.shape, told.classes) == (facts.shape, facts.classes)
    shape = "x".join(map(str, facts.shape))
    group.check("environment.json", same, f"is about images of {shape} in {facts.classes} classes")
    try:
        model = start.network(plan, facts)
    except (TostError, ValueError, TypeError, ArithmeticError, RuntimeError, MemoryError) as error:
        said = (brief(error).splitlines() or [type(error).__name__])[0]
        group.check(plan.model.name, False, f"cannot be built: {said}")
        return None
    plain, wanted = Shape.of(model), model.state_dict()
    state = _tensors(evidence, group, MODEL, wanted)
    if state is None:
        return None
    model.load_state_dict(state, strict=True)
    now = Shape.of(model)
    group.check("modules, tensors and hooks", now == plain, "are those of the plain architecture")
    counted, named = plain.parameters, evidence.result.parameters
    group.check(
        "result.json", counted == named, f"names {named:,} parameters, there are {counted:,}"
    )
    said = f"{plan.model.name} takes {len(wanted)} tensors strictly, {counted:,} parameters"
    group.said = f"{said}, no hooks" if not now.hooks else f"{said}, hooks of its own only"
    return model


def _tensors(
    evidence: Evidence, group: Group, name: str, wanted: Mapping[str, Tensor]
) -> dict[str, Tensor] | None:
    """A file's tensors, where it is of this plan and holds what it must."""
    try:
        tensors, notes = read_tensors(evidence.folder / name, wanted)
    except Unfit as why:
        group.check(name, False, str(why))
        return None
    mine = notes.get("plan") == evidence.plan.fingerprint
    other = notes.get("plan", "none")[:8]
    words = "is of this plan" if mine else f"is of another run: its plan is {other}"
    group.check(name, mine, words)
    return tensors


def masks(evidence: Evidence, model: nn.Module | None, group: Group) -> Masked | None:
    """Masks are the plan's, and the model is zero where they are; None without a mask."""
    plan = evidence.plan
    if model is None:
        group.check(MASKS, False, "cannot be compared without the network")
        return None
    if plan.mask is None:
        if _tensors(evidence, group, MASKS, {}) is not None:
            group.check(MASKS, True, "is empty")
        _counts(evidence, group, 0, 0)
        group.check("certificate.json", evidence.certificate.mask_digest is None, "has a mask")
        group.said = "none, as the plan has none"
        return None
    try:
        masked = start.masked_of(plan, model)
        assert masked is not None
    except (TostError, ValueError) as error:
        group.check("the mask's layers", False, f"are not in the network: {brief(error)}")
        return None
    wanted = {n: torch.empty(w.shape, dtype=torch.uint8) for n, w in masked.weights.items()}
    state = _tensors(evidence, group, MASKS, wanted)
    if state is None:
        return None
    try:
        masked.load_state_dict(state)
    except TostError as error:
        group.check(MASKS, False, f"cannot be used: {error.diagnostics[0].message}")
        return None
    _sparsity(evidence, model, masked, group)
    bad = masked.violations()
    where = f"are not: `{bad[0]}` has others" if bad else "are all zero"
    group.check("masked weights", not bad, where)
    digest = masked.digest() == evidence.certificate.mask_digest
    words = "has the digest of these masks" if digest else "has the digest of other masks"
    group.check("certificate.json", digest, words)
    counts = masked.counts()
    _counts(evidence, group, counts.zero, counts.total)
    group.said = (
        f"{len(masked.masks)} masks prune {counts.zero:,} of {counts.total:,} weights "
        f"({float(counts.sparsity):.2%}), each of them zero"
    )
    return masked


def _sparsity(evidence: Evidence, model: nn.Module, masked: Masked, group: Group) -> None:
    """The counts are those of the mask method's own law, in all and where it says so by layer."""
    plan, counts = evidence.plan, masked.counts()
    assert plan.mask is not None
    method, sparsity = plan.mask.method, evidence.program.sparsity
    shapes = {name: tuple(weight.shape) for name, weight in masked.weights.items()}
    if method.counted:
        kept = method.kept(shapes, sparsity)
        words = f"keeps {counts.kept:,} weights, the plan {kept:,}"
        group.check("the sparsity", counts.kept == kept, words)
    shares = method.shared_out(shapes, sparsity)
    for name, share in (shares or {}).items():
        found = counts.layers[name].kept
        if found != share:
            group.check(f"the mask of `{name}`", False, f"keeps {found:,}, the plan {share:,}")
    if method.report is not None:
        why = _refuted(evidence, method, method.report, masked)
        if group.check(method.report, not why, why or "tells of these masks"):
            text = f"`{method.name}` found them as {method.report} tells; that is not done again"
            group.notes.append(text)
    if method.seeded:
        weights = {name: weight.detach() for name, weight in masked.weights.items()}
        try:
            drawn = method.choose(Scope(model, weights, {}, evidence.facts, plan.seed), sparsity)
        except TostError as error:
            group.check("the masks", False, f"cannot be drawn again: {brief(error)}")
            return
        same = all(torch.equal(mask, drawn[name]) for name, mask in masked.masks.items())
        words = "are those that the seed draws" if same else "are not those that the seed draws"
        group.check("the masks", same, words)


def _refuted(evidence: Evidence, method: MaskMethod, name: str, masked: Masked) -> str:
    """Why the method's own report does not hold; empty where it does."""
    try:
        return method.refute(read_json(evidence.folder / name), masked.masks)
    except Unfit as why:
        return str(why)


def _counts(evidence: Evidence, group: Group, zeros: int, scope: int) -> None:
    result = evidence.result
    right = (result.pruned_weights, result.weights_in_scope) == (zeros, scope)
    right = right and result.sparsity == (zeros / scope if scope else 0.0)
    said = f"says {result.pruned_weights:,} of {result.weights_in_scope:,} weights are pruned"
    group.check("result.json", right, said if right else f"{said}; it is {zeros:,} of {scope:,}")


def ghosts(
    evidence: Evidence, model: nn.Module | None, masked: Masked | None, group: Group
) -> dict[str, Tensor] | None:
    """What stages left in is there exactly when the recipe keeps them, fits them, and may.

    Gives its tensors, where they fit.
    """
    names = [evidence.staying[index] for index in staying(evidence.program)]
    listed = ", ".join(names)
    told = evidence.certificate.kept
    words = f"names {', '.join(told) or 'nothing'} as left in"
    words += "" if told == names else f", the plan {listed or 'nothing'}"
    group.check("certificate.json", told == names, words)
    if not names:
        present = (evidence.folder / GHOSTS).exists()
        words = "is there, but the plan keeps nothing" if present else "is not there"
        group.check(GHOSTS, not present, words)
        bare = evidence.result.kept is None
        words = "tells of nothing" if bare else "tells of something"
        group.check("result.json", bare, f"{words} left in")
        group.said = "none left in"
        return None
    state = _left_in(evidence, model, masked, group)
    run_may = evidence.certificate.allow_ghosts
    may = run_may or evidence.allow_ghosts
    leave = "with the run's leave" if run_may else "with `--allow-ghosts`"
    words = f"is left in, {leave}" if may else (
        "is left in, and neither the run nor this had `--allow-ghosts`"
    )  # fmt: skip
    group.check(listed, may, words)
    group.said = f"{listed} left in as the recipe says, {leave}"
    return state


def _left_in(
    evidence: Evidence, model: nn.Module | None, masked: Masked | None, group: Group
) -> dict[str, Tensor] | None:
    """The tensors of what was left in, where the plan's own stages take them."""
    if model is None:
        group.check(GHOSTS, False, "cannot be compared without the network")
        return None
    try:
        with put_in(evidence, model, masked.masks if masked is not None else {}) as (_, attached):
            state = _tensors(evidence, group, GHOSTS, state_of(attached))
            if state is not None:
                fill(attached, state)
                _kept_counts(evidence, count(attached), group)
            return state
    except Unfit as why:
        group.check(GHOSTS, False, str(why))
        return None


def _kept_counts(evidence: Evidence, counts: tuple[int, int, int], group: Group) -> None:
    result = evidence.result
    told = result.kept
    if told is None:
        group.check("result.json", False, "tells of nothing left in")
        return
    parameters, weights, zeros = counts
    scope = result.weights_in_scope + weights
    share = (result.pruned_weights + zeros) / scope if scope else 0.0
    right = (told.parameters, told.weights, told.zero_weights, told.sparsity_with) == (
        *counts, share,
    )  # fmt: skip
    right = right and told.stages == evidence.certificate.kept
    words = f"counts {told.parameters:,} parameters left in, a sparsity of {told.sparsity_with:.2%}"
    group.check(
        "result.json", right, words if right else f"{words}; it is {parameters:,} and {share:.2%}"
    )


def outputs(evidence: Evidence, model: nn.Module | None, group: Group) -> None:
    """The network computes what the trained one computed."""
    if model is None:
        group.check(reference.FILE, False, "cannot be compared without the network")
        return
    shape, seed = evidence.facts.shape, evidence.plan.seed
    wanted = {reference.KEY: torch.empty(reference.IMAGES, evidence.facts.classes)}
    stored = _tensors(evidence, group, reference.FILE, wanted)
    if stored is None:
        return
    try:
        now = reference.outputs(model, shape, seed)
    except RuntimeError as error:
        said = (str(error).splitlines() or ["error"])[0]
        group.check("the network", False, f"does not run: {said}")
        return
    _, there = read_tensors(evidence.folder / reference.FILE, wanted)
    here = reference.machine(shape, seed)
    same, how = reference.agree(stored[reference.KEY], now, there, here)
    group.check("the network's outputs", same, how if same else f"are not those of the run: {how}")
    group.said = how
