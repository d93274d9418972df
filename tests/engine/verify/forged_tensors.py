"""Forgeries of a run's weights, masks and outputs, and what is said of each."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from torch import Tensor

from tests.engine.verify.runs import Damage, edit_tensors


def _times(tensors: dict[str, Tensor], name: str, factor: float) -> dict[str, Tensor]:
    return {name: (tensors[name] * factor).to(tensors[name].dtype)}


def revive(run: Path) -> None:
    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        masks = {}
        edit_tensors(run / "masks.safetensors", lambda found, _: masks.update(found))
        weight = tensors["layer1.0.conv1.weight"]
        place = (masks["layer1.0.conv1.weight"] == 0).nonzero()[0]
        weight[tuple(place)] = 1e-30

    edit_tensors(run / "model.safetensors", change)


def nudge(run: Path) -> None:
    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        tensors["fc.bias"][0] += 0.01

    edit_tensors(run / "model.safetensors", change)


def shift_statistic(run: Path) -> None:
    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        tensors["bn1.running_mean"][0] += 0.1

    edit_tensors(run / "model.safetensors", change)


def more_batches(run: Path) -> None:
    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        tensors["bn1.num_batches_tracked"].fill_(7)

    edit_tensors(run / "model.safetensors", change)


def add_tensor(run: Path) -> None:
    edit_tensors(run / "model.safetensors", lambda t, n: t.update(ghost=torch.zeros(3)))


def drop_tensor(run: Path) -> None:
    edit_tensors(run / "model.safetensors", lambda t, n: t.__delitem__("fc.bias"))


def widen(run: Path) -> None:
    edit_tensors(run / "model.safetensors", lambda t, n: t.update({"fc.bias": torch.zeros(20)}))


def halve(run: Path) -> None:
    edit_tensors(
        run / "model.safetensors", lambda t, n: t.update({"fc.weight": t["fc.weight"].half()})
    )


def keep_one_more(run: Path) -> None:
    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        flat = tensors["layer3.0.conv1.weight"].view(-1)
        flat[(flat == 0).nonzero()[0]] = 1

    edit_tensors(run / "masks.safetensors", change)


def move_one(run: Path) -> None:
    """As many, elsewhere; the weight that is now masked is zero already or made so."""

    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        flat = tensors["layer3.0.conv1.weight"].view(-1)
        gone, new = (flat == 1).nonzero()[0], (flat == 0).nonzero()[0]
        flat[gone], flat[new] = 0, 1
        moved.append(int(gone))

    moved: list[int] = []
    edit_tensors(run / "masks.safetensors", change)

    def zero(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        tensors["layer3.0.conv1.weight"].view(-1)[moved[0]] = 0

    edit_tensors(run / "model.safetensors", zero)


def seven(run: Path) -> None:
    edit_tensors(run / "masks.safetensors", lambda t, n: t.update(_times(t, "fc.weight", 7)))


def foreign_note(run: Path) -> None:
    edit_tensors(run / "model.safetensors", lambda t, n: n.update(plan="0" * 64))


def stray_ghosts(run: Path) -> None:
    edit_tensors(run / "masks.safetensors", lambda t, n: None)
    shutil.copy(run / "masks.safetensors", run / "ghosts.safetensors")


def outputs_of_another(run: Path) -> None:
    edit_tensors(run / "outputs.safetensors", lambda t, n: t.update(_times(t, "outputs", 1.0001)))


def twice(run: Path) -> None:
    """A name stands in the header twice, which the reader of safetensors lets pass."""
    path = run / "masks.safetensors"
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].decode().rstrip()
    start = header.index('"fc.weight":')
    entry = header[start : header.index("}", start) + 1]
    doubled = (header[:-1] + "," + entry + "}").encode()
    doubled += b" " * (-len(doubled) % 8)
    path.write_bytes(len(doubled).to_bytes(8, "little") + doubled + data[8 + length :])


TENSORS: list[tuple[Damage, str]] = [
    (revive, "masks: masked weights are not: `layer1.0.conv1.weight` has others"),
    (nudge, "outputs: the network's outputs are not those of the run"),
    (shift_statistic, "outputs: the network's outputs are not those of the run"),
    (more_batches, "network: `bn1.num_batches_tracked` says 7 batches, the plan's steps make it "),
    (add_tensor, "network: model.safetensors holds besides `ghost`"),
    (drop_tensor, "network: model.safetensors lacks `fc.bias`"),
    (widen, "holds `fc.bias` as F32 [20], the network's is F32 [10]"),
    (halve, "holds `fc.weight` as F16 [10, 64], the network's is F32 [10, 64]"),
    (keep_one_more, "masks: the sparsity keeps 7,708 weights, the plan 7,707"),
    (move_one, "masks: the masks are not those that the seed draws"),
    (seven, "masks.safetensors cannot be used"),
    (foreign_note, "network: model.safetensors is of another run"),
    (stray_ghosts, "ghosts: ghosts.safetensors is there, but the plan keeps nothing"),
    (outputs_of_another, "outputs: the network's outputs are not those of the run"),
    (twice, "masks: masks.safetensors has a damaged header: a name stands in its header twice"),
]
