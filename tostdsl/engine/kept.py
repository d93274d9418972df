"""Stages that a recipe leaves in the network (`keep=yes`): measured with it, then taken out.

What such a run trained is not the plain architecture, so its certificate fails unless the run was
started with leave to keep them. Either way they are taken out after the final measurement, so
that the certificate still shows that nothing else was left behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from tostdsl.engine.equipment import Equipment
    from tostdsl.engine.folder import RunFolder
    from tostdsl.engine.surgery import Attached

FILE = "ghosts.safetensors"


def state_of(attached: Iterable[Attached]) -> Mapping[str, Tensor]:
    """What `ghosts.safetensors` holds of stages: `<place in the plan>:<name of the tensor>`."""
    return {
        f"{each.index}:{name}": tensor
        for each in attached
        for name, tensor in each.state_dict().items()
    }


def count(attached: Iterable[Attached]) -> tuple[int, int, int]:
    """How many parameters stages added, how many of them are weights, and how many of those are 0.

    Weights are what a mask would prune: parameters of more than one dimension.
    """
    found = [parameter for each in attached for _, parameter in each.parameters]
    weights = [parameter for parameter in found if parameter.dim() > 1]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return sum(p.numel() for p in found), sum(w.numel() for w in weights), zeros


def take_out(kit: Equipment, folder: RunFolder, **notes: str) -> tuple[str, ...]:
    """Take the kept stages out, last in first out, and their names in the order they entered.

    Their state goes to `ghosts.safetensors`, by `<place in the plan>:<name of the tensor>`; for
    each the certificate has a check that passes only if the run may keep them.
    """
    if not kit.kept:
        return ()
    folder.write_tensors(FILE, state_of(kit.kept), **notes)
    names = tuple(attached.stage.technique.name for attached in kit.kept)
    for attached in reversed(kit.kept):
        kit.surgeon.leave(attached, None)
    detail = "left in, as the recipe says and this run may" if kit.may_keep else (
        "left in, as the recipe says; a run may keep it with `--allow-ghosts`"
    )  # fmt: skip
    for name in names:
        kit.certificate.add(f"{name} gone at the end of training", kit.may_keep, detail)
    kit.kept.clear()
    kit.certificate.shape(kit.model, "after what was left in is taken out")
    return names
