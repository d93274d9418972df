"""What of a network a run looks at: the units that may be dead, and the normalisations."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from tostdsl.engine import reference, shifts
from tostdsl.engine.dead import Units
from tostdsl.engine.surgery import Surgeon
from tostdsl.engine.verify.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Parts:
    """Names of parts of a plain network, as one forward pass in evaluation mode shows them."""

    units: frozenset[str]
    """The layers whose units may be dead (`engine.dead`)."""
    norms: frozenset[str]
    """The normalisations with running statistics that images reach (`engine.shifts`)."""


@torch.no_grad()
def parts_of(evidence: Evidence, model: nn.Module) -> Parts | None:
    """The parts of a network, which is left as it was; None where it does not run."""
    plan, facts = evidence.plan, evidence.facts
    cpu = torch.device("cpu")
    surgeon = Surgeon(model, facts, cpu, plan.seed, {}, lambda _line: None, plan.model.name)
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with Units(surgeon).watch() as units, shifts.watch(model) as moved:
            model(reference.images(facts.shape, plan.seed))
        return Parts(frozenset(units.read()), frozenset(moved()))
    except RuntimeError:  # told where its outputs are compared
        return None
    finally:
        for module, mode in modes.items():
            module.training = mode
