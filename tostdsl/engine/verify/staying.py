"""What a recipe leaves in the network, put into it again from the plan and `ghosts.safetensors`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tostdsl.diagnostics import TostError, brief
from tostdsl.engine.surgery import Attached, Surgeon
from tostdsl.engine.verify.evidence import Evidence
from tostdsl.engine.verify.expected import staying
from tostdsl.engine.verify.records import Unfit
from tostdsl.plan.program import Curves


@contextmanager
def put_in(
    evidence: Evidence, model: nn.Module, masks: Mapping[str, Tensor]
) -> Iterator[tuple[Surgeon, list[Attached]]]:
    """The stages that stay, in the network as in the run's last step, their weights drawn anew.

    They are out of it again afterwards. `Unfit` where one cannot be put in.
    """
    plan, clock = evidence.plan, evidence.program.phases[-1].clock
    surgeon = Surgeon(
        model, evidence.facts, torch.device("cpu"), plan.seed, masks, lambda _line: None,
        plan.model.name,
    )  # fmt: skip
    attached: list[Attached] = []
    try:
        for index in staying(evidence.program):
            try:
                attached.append(surgeon.enter(index, plan.stages[index], None))
            except (TostError, RuntimeError, ValueError) as error:
                name = plan.stages[index].technique.name
                said = (brief(error).splitlines() or [type(error).__name__])[0]
                raise Unfit(f"is not of this network: {name} cannot be put in: {said}") from None
            values = Curves.of(plan.stages[index], clock).at(clock.total - 1)
            attached[-1].vector.copy_(torch.tensor(values))
        yield surgeon, attached
    finally:
        for each in reversed(attached):
            surgeon.leave(each, None)


def fill(attached: list[Attached], state: Mapping[str, Tensor]) -> None:
    """Give the stages their state of the run."""
    for each in attached:
        prefix = f"{each.index}:"
        own = {k.removeprefix(prefix): t for k, t in state.items() if k.startswith(prefix)}
        each.load_state_dict(own)
