"""A mask's health without a training: of a plan, or of a finished run.

The mask of a plan is chosen exactly as a run would choose it, on the same first weights and the
same images, which are loaded only if the method looks at some.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.engine import device as devices
from tostdsl.engine.flops import known_layers, uses
from tostdsl.engine.scope import Scope
from tostdsl.engine.start import DataOptions, LateFeed, masked_of, network
from tostdsl.engine.verify.plans import plan_of
from tostdsl.engine.verify.records import (
    StoredEnvironment,
    StoredPlan,
    Unfit,
    read_record,
    read_tensors,
)
from tostdsl.engine.verify.weights import MASKS, MODEL
from tostdsl.masks.findings import findings
from tostdsl.masks.health import layer_of
from tostdsl.masks.remedy import remedy
from tostdsl.masks.report import MaskReport, examine
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.code import refuse_code
from tostdsl.plan.marker import MARKER, unended
from tostdsl.plan.masking import MaskMethod, Update, shapes_of
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import Phase, lower


@dataclass(frozen=True, slots=True)
class Law:
    """How a mask's law shares the kept weights out among the layers."""

    dense: tuple[str, ...]
    """Layers that it leaves without a zero at the wanted sparsity."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """A mask and its health."""

    plan: Plan
    report: MaskReport
    """Of the mask; where only training finds it, of the scope before anything is pruned."""
    device: str
    seconds: float
    run: Path | None = None
    """The run folder that it was read from."""
    origin: str | None = None
    """Where the images came from that the method looked at; None where it looked at none."""
    digest: str | None = None
    """Of the masks, as a run's certificate has it; None where only training finds them."""
    phases: tuple[Phase, ...] = ()
    """What has to be trained, round by round, where only training finds the mask."""
    updates: tuple[Update, ...] = ()
    """When the mask moves in training, of which this is then the first one."""
    law: Law | None = None
    highest: Fraction | None = None
    """The highest sparsity that leaves every layer a weight, where that is known."""
    findings: tuple[Diagnostic, ...] = ()
    told: tuple[str, ...] = ()
    """What the method said of how it came to the mask."""

    @property
    def found(self) -> bool:
        """Whether there is a mask; False where it takes a training to find it."""
        return self.digest is not None

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs."""
        assert self.plan.mask is not None
        targets = self.plan.mask.targets
        rounds = [
            {
                "name": phase.name,
                "steps": phase.steps,
                "sparsity": float(phase.sparsity) if phase.sparsity is not None else None,
            }
            for phase in self.phases
        ]
        return {
            "name": self.plan.name,
            "plan": self.plan.fingerprint,
            "run": None if self.run is None else str(self.run),
            "mask": self.plan.mask.method.model_dump(mode="json"),
            "scope": {
                "on": [str(each) for each in targets.on],
                "except": [str(each) for each in targets.exclude],
            },
            "data": self.origin,
            "device": self.device,
            "found_by_training": not self.found,
            "phases": rounds,
            "mask_digest": self.digest,
            "moves_at_steps": [update.step for update in self.updates],
            "law": None if self.law is None else {"dense": list(self.law.dense)},
            "highest_sparsity": None if self.highest is None else float(self.highest),
            "report" if self.found else "before_pruning": self.report.to_json(),
            "told": list(self.told),
            "findings": [each.to_json() for each in self.findings],
        }


def checkup(
    plan: Plan,
    data: DataOptions | None = None,
    device: str = "auto",
    *,
    allow_code: bool = False,
    say: Callable[[str], None] | None = None,
) -> Checkup:
    """Choose the mask of a plan and look at it; nothing is trained and nothing is written.

    What the method tells while it works goes to `say` at once, too.

    `TostError` T540 without a mask, T550 for code that `allow_code` does not let run, and whatever
    keeps the mask from being chosen; layer collapse is no exception here, but among the findings.
    """
    started = time.perf_counter()
    if plan.mask is None:
        raise TostError.of("T540", name=plan.name)
    refuse_code([plan], allow_code, data=not (data or DataOptions()).fake)
    where, method = devices.choose(device), plan.mask.method
    feed = LateFeed(plan, data or DataOptions(), where)
    facts = feed.facts()
    model = network(plan, facts).to(where)
    masked = masked_of(plan, model)
    assert masked is not None
    phases = lower(plan, plan.data.steps_per_epoch(facts.train_size)).phases
    if method.rounds():
        whole = {name: torch.ones_like(w, dtype=torch.bool) for name, w in masked.weights.items()}
        report = _examine(model, whole, facts)
        return Checkup(plan, report, str(where), time.perf_counter() - started, phases=phases)
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        if say is not None:
            say(text)

    site = Scope(model, masked.weights, masked.masks, facts, plan.seed, feed, say=tell)
    try:
        masks = method.choose(site, method.first())
        report = _examine(model, masks, facts)
        law = _law(method, masks, method.first())
        # where images decide, to rank all anew only for this would take as long again
        asked = feed.images is None or law is not None
        highest = method.highest(site) if asked else None
        allowed = method.allow == "collapse"
        lost = report.collapsed and not allowed
        help = remedy(method, site, method.first()) if lost else ""
    except torch.OutOfMemoryError:
        raise TostError.of("R303", device=where, fits="", write="") from None
    said = tuple(findings(report, masks, allowed, help, trained=False))
    masked.set(masks)
    return Checkup(
        plan,
        report,
        str(where),
        time.perf_counter() - started,
        origin=feed.images.origin if feed.images is not None else None,
        digest=masked.digest(),
        updates=tuple(phases[-1].updates.values()),
        law=law,
        highest=highest,
        findings=said,
        told=tuple(told),
    )


def checkup_run(folder: Path, *, allow_code: bool = False) -> Checkup:
    """Look at the mask and the trained weights of a run folder, on the CPU.

    `TostError` R411 where there is no run, R412 where it did not come so far, R403 where its files
    are damaged, R413 where its plan needs another version, T540 without a mask, T550 for code that
    `allow_code` does not let run. That everything in it is as it was written is for `tost verify`
    to say.
    """
    started = time.perf_counter()
    plan, facts = _stored(folder)
    if plan.mask is None:
        raise TostError.of("T540", name=folder)
    refuse_code([plan], allow_code, data=False)
    model = network(plan, facts)
    masked = masked_of(plan, model)
    assert masked is not None
    model.load_state_dict(_tensors(folder, MODEL, model.state_dict()))
    wanted = {n: torch.empty(w.shape, dtype=torch.uint8) for n, w in masked.weights.items()}
    masked.load_state_dict(_tensors(folder, MASKS, wanted))
    masks, method = masked.masks, plan.mask.method
    report = _examine(model, masks, facts)
    return Checkup(
        plan,
        report,
        "cpu",
        time.perf_counter() - started,
        run=folder,
        digest=masked.digest(),
        law=_law(method, masks, method.target()),
        findings=tuple(findings(report, masks, method.allow == "collapse")),
    )


def _examine(model: nn.Module, masks: Mapping[str, Tensor], facts: DataFacts) -> MaskReport:
    known = known_layers(model)
    return examine(model, masks, facts.shape, uses(model, facts.shape), known)


def _law(method: MaskMethod, masks: Mapping[str, Tensor], sparsity: Fraction | None) -> Law | None:
    """What the method's law does, where shapes alone decide how much each layer keeps."""
    shares = method.shared_out(shapes_of(masks), sparsity)
    if shares is None:
        return None
    return Law(tuple(layer_of(n) for n, count in shares.items() if count == masks[n].numel()))


def _stored(folder: Path) -> tuple[Plan, DataFacts]:
    """The plan of a run folder, and what is known of its data."""
    try:
        stored = read_record(folder / MARKER, StoredPlan)
        plan = plan_of(stored.plan)
    except Unfit as why:
        raise TostError.of("R411", path=folder, reason=f"{MARKER} {why}") from None
    facts = plan.data.facts()
    if facts is None:
        try:
            environment = read_record(folder / "environment.json", StoredEnvironment)
        except Unfit as why:
            raise TostError.of("R403", group="files", reason=f"environment.json {why}") from None
        facts = DataFacts(**environment.data.facts.model_dump())
    return plan, facts


def _tensors(folder: Path, name: str, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if not (folder / name).exists():
        raise unended(folder, f"there is no `{name}`")
    try:
        return read_tensors(folder / name, wanted)[0]
    except Unfit as why:
        raise TostError.of("R403", group="files", reason=f"{name} {why}") from None


__all__ = ["Checkup", "DataOptions", "Law", "checkup", "checkup_run"]
