"""Stages that a recipe leaves in the network (`keep=yes`): measured with it, then taken out.

What such a run trained is not the plain architecture, so its certificate fails unless the run was
started with leave to keep them. Either way they are taken out after the final measurement, so
that the certificate still shows that nothing else was left behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tostdsl.engine.folder import RunFolder
    from tostdsl.engine.loop import Equipment

FILE = "ghosts.safetensors"


def take_out(kit: Equipment, folder: RunFolder, **notes: str) -> tuple[str, ...]:
    """Take the kept stages out, last in first out, and their names in the order they entered.

    Their state goes to `ghosts.safetensors`, by `<place in the plan>:<name of the tensor>`; for
    each the certificate has a check that passes only if the run may keep them.
    """
    if not kit.kept:
        return ()
    state = {
        f"{attached.index}:{name}": tensor
        for attached in kit.kept
        for name, tensor in attached.state_dict().items()
    }
    folder.write_tensors(FILE, state, **notes)
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
