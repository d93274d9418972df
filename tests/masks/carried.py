"""Files of masks, written by the libraries' own code, and what `file` finds in them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from tests.nets import FACTS
from tostdsl.diagnostics import TostError
from tostdsl.engine.scope import Scope
from tostdsl.masks.file import File


@dataclass
class Found:
    masks: dict[str, Tensor]
    report: Mapping[str, Any]
    lines: list[str] = field(default_factory=list)


def matrices(model: nn.Module) -> dict[str, Tensor]:
    return {name: weight for name, weight in model.named_parameters() if weight.dim() > 1}


def chosen(path: Path, model: nn.Module, without: tuple[str, ...] = (), **more: Any) -> Found:
    """What `file(path)` finds for all layers but those `without`."""
    reports: dict[str, Mapping[str, Any]] = {}
    lines: list[str] = []
    weights = {name: w for name, w in matrices(model).items() if name not in without}
    scope = Scope(
        model, weights, {}, FACTS, 1, say=lines.append, write=lambda n, c: reports.update({n: c})
    )
    masks = File(path=str(path), **more).choose(scope, None)
    assert list(weights) == list(masks)
    return Found(masks, reports["mask_file.json"], lines)


def refused(path: Path, model: nn.Module, **more: Any) -> str:
    """What `file(path)` says instead: code, message, help."""
    with pytest.raises(TostError) as caught:
        chosen(path, model, **more)
    (one,) = caught.value.diagnostics
    return f"{one.code}: {one.message} / {one.help}"


def layers(model: nn.Module) -> dict[str, nn.Module]:
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}


def pruned(network: nn.Module, wanted: Mapping[str, Tensor]) -> nn.Module:
    model = deepcopy(network)
    for name, module in layers(model).items():
        prune.custom_from_mask(module, "weight", wanted[f"{name}.weight"])
    return model


class Mask(nn.Module):
    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask.float())

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.mask


def parametrized(network: nn.Module, wanted: Mapping[str, Tensor]) -> nn.Module:
    model = deepcopy(network)
    for name, module in layers(model).items():
        parametrize.register_parametrization(module, "weight", Mask(wanted[f"{name}.weight"]))
    return model


def synflow(network: nn.Module, wanted: Mapping[str, Tensor]) -> nn.Module:
    """As the pruning code of SynFlow has it: masks beside all parameters, which stay whole."""
    model = deepcopy(network)
    for name, module in list(model.named_modules()):
        for part in ("weight", "bias"):
            tensor = getattr(module, part, None)
            if isinstance(tensor, nn.Parameter):
                mask = wanted.get(f"{name}.{part}", torch.ones_like(tensor))
                module.register_buffer(f"{part}_mask", mask.float())
    return model


def zeroed(network: nn.Module, wanted: Mapping[str, Tensor]) -> nn.Module:
    model = deepcopy(network)
    with torch.no_grad():
        for name, weight in matrices(model).items():
            weight.mul_(wanted[name])
    return model


def checkpoint(model: nn.Module) -> dict[str, Any]:
    """What training scripts save: the network among other things."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    state = deepcopy(model.state_dict())
    model(torch.randn(2, *FACTS.shape)).sum().backward()
    optimizer.step()
    whole = {"epoch": 7, "best_sa": 0.9, "result": {"train": [0.1], "test": [0.2]}}
    return {**whole, "state_dict": state, "optimizer": optimizer.state_dict()}


def of_torch(make: Callable[[nn.Module, Mapping[str, Tensor]], Any]) -> Callable[..., Path]:
    def write(folder: Path, network: nn.Module, wanted: Mapping[str, Tensor]) -> Path:
        torch.save(make(network, wanted), folder / "masks.pth")
        return folder / "masks.pth"

    return write


def legacy(folder: Path, network: nn.Module, wanted: Mapping[str, Tensor]) -> Path:
    state = synflow(network, wanted).state_dict()
    torch.save(state, folder / "old.pt", _use_new_zipfile_serialization=False)
    return folder / "old.pt"


def arrays(folder: Path, _network: nn.Module, wanted: Mapping[str, Tensor]) -> Path:
    np.savez_compressed(folder / "masks.npz", **{n: m.numpy() for n, m in wanted.items()})
    return folder / "masks.npz"


def places(folder: Path, _network: nn.Module, wanted: Mapping[str, Tensor]) -> Path:
    np.savez(folder / "masks.npz", *[np.asfortranarray(m.numpy()) for m in wanted.values()])
    return folder / "masks.npz"


def safe(folder: Path, _network: nn.Module, wanted: Mapping[str, Tensor]) -> Path:
    save_file({n: m.to(torch.uint8) for n, m in wanted.items()}, folder / "masks.safetensors")
    return folder / "masks.safetensors"


def masks_of(kind: type, prefix: str = "") -> Callable[[nn.Module, Mapping[str, Tensor]], Any]:
    return lambda _, wanted: kind((f"{prefix}{n}", m.int()) for n, m in wanted.items())


FILES: dict[str, tuple[Callable[..., Path], str, str, str]] = {
    "torch.nn.utils.prune": (
        of_torch(lambda n, w: pruned(n, w).state_dict()),
        *("buffers", "buffers `weight_mask` of `torch.nn.utils.prune`", "by its name"),
    ),
    "parametrize": (
        of_torch(lambda n, w: parametrized(n, w).state_dict()),
        *("parametrizations", "masks of parametrizations", "by its name"),
    ),
    "SynFlow": (
        of_torch(lambda n, w: synflow(n, w).state_dict()),
        *("buffers", "buffers `weight_mask`", "by its name"),
    ),
    "an old file": (legacy, "buffers", "buffers `weight_mask`", "by its name"),
    "zeros": (
        of_torch(lambda n, w: zeroed(n, w).state_dict()),
        *("zeros", "zeros of a checkpoint", "by its name"),
    ),
    "zeros of a checkpoint": (
        of_torch(lambda n, w: checkpoint(zeroed(n, w))),
        *("zeros", "zeros of a checkpoint, under `state_dict`", "by its name"),
    ),
    "zeros, on several devices": (
        of_torch(lambda n, w: {"net": nn.DataParallel(zeroed(n, w)).state_dict(), "acc": 1.5}),
        *("zeros", "zeros of a checkpoint, under `net`", "without its prefix"),
    ),
    "zeros, compiled": (
        of_torch(lambda n, w: torch.compile(zeroed(n, w), backend="eager").state_dict()),
        *("zeros", "zeros of a checkpoint", "without its prefix"),
    ),
    "OpenLTH": (
        of_torch(masks_of(dict, "model.")),
        *("masks", "masks by the names of their weights", "without its prefix"),
    ),
    "layers": (
        of_torch(lambda _, w: {n.removesuffix(".weight"): m for n, m in w.items()}),
        *("masks", "masks by the names of their weights", "by its layer's name"),
    ),
    "other names": (
        of_torch(lambda _, w: OrderedDict((f"l{i}", m) for i, m in enumerate(w.values()))),
        *("masks", "masks by the names of their weights", "by shape and order"),
    ),
    "a list": (
        of_torch(lambda _, w: {"masks": [mask.float() for mask in w.values()]}),
        *("list", "a list of masks, under `masks`", "by its place in the list"),
    ),
    "npz": (arrays, "masks", "masks by the names of their weights", "by its name"),
    "npz, a list": (places, "list", "a list of masks", "by its place in the list"),
    "safetensors": (safe, "masks", "masks by the names of their weights", "by its name"),
}


def renamed(network: nn.Module, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The masks as another implementation of the network names them; the last name is the same."""
    words = {"layer": "blocks", "stem": "conv", "shortcut": "short", "bn": "norm"}
    state = {}
    for name, value in synflow(network, wanted).state_dict().items():
        for word, other in words.items():
            name = name.replace(word, other)
        state[name] = value
    return state
