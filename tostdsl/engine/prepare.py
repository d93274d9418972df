"""What a run needs of its network, tried before anything is written.

Selectors that match nothing, layers that a stage cannot serve, code that cannot be traced, a mask
that can never come to its end: whatever of that is found only on the network itself is found here,
on one built for the purpose.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from tostdsl.diagnostics import TostError
from tostdsl.engine.recalibrate import refuse_without_norms
from tostdsl.engine.start import masked_of, network
from tostdsl.engine.surgery import Draw, Surgeon, layers
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.masking import shapes_of
from tostdsl.plan.plan import Plan


def prepare(plan: Plan, facts: DataFacts, device: torch.device, draw: Draw) -> None:
    """Try each stage on the plan's network, by itself; random states stay as they were.

    A stage that adds to the network enters and leaves, of another its targets are looked for.
    `TostError` says why one cannot be served; its `about` is the stage of the plan.
    """
    model = network(plan, facts).to(device)
    refuse_without_norms(plan, model)
    masks: Mapping[str, torch.Tensor] = {}
    masked = masked_of(plan, model)
    if plan.mask is not None and masked is not None:
        plan.mask.method.refuse(shapes_of(masked.weights))
    if masked is not None:  # which weights it will prune is not known yet: all are kept
        masks = {n: torch.ones_like(w, dtype=torch.bool) for n, w in masked.weights.items()}
    name, seed = plan.model.name, plan.seed
    surgeon = Surgeon(model, facts, device, seed, masks, lambda _line: None, name, draw)
    for index, stage in enumerate(plan.stages):
        technique = stage.technique
        try:
            surgeon.prepare(stage)
            if technique.adds_to_network():
                surgeon.leave(surgeon.enter(index, stage, None), None)
            elif technique.targeted:
                layers(model, stage.targets, plan.model.name, technique.name)
        except TostError as error:
            raise TostError(error.diagnostics, stage) from None
        except (RuntimeError, ValueError):
            continue  # the run says at which step it fails, with the message of torch
