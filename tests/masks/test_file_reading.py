"""Files of masks that are damaged, hostile or no masks at all."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save, save_file
from torch import nn

from tests.nets import FACTS, mlp
from tostdsl.diagnostics import TostError
from tostdsl.engine.scope import Scope
from tostdsl.masks import exported
from tostdsl.masks.bring import ROOM
from tostdsl.masks.file import File


@pytest.fixture
def network() -> nn.Module:
    return mlp()


@pytest.fixture
def wanted(network: nn.Module) -> dict[str, torch.Tensor]:
    noise = torch.Generator().manual_seed(5)
    weights = {n: w for n, w in network.named_parameters() if w.dim() > 1}
    return {n: torch.rand(w.shape, generator=noise) > 0.5 for n, w in weights.items()}


def choose(path: Path, model: nn.Module, **more: Any) -> dict[str, torch.Tensor]:
    weights = {n: w for n, w in model.named_parameters() if w.dim() > 1}
    return File(path=str(path), **more).choose(Scope(model, weights, {}, FACTS, 1), None)


def refused(path: Path, model: nn.Module, **more: Any) -> str:
    with pytest.raises(TostError) as caught:
        choose(path, model, **more)
    (one,) = caught.value.diagnostics
    return f"{one.code}: {one.message} / {one.help}"


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_nothing_is_run(tmp_path: Path, network: nn.Module) -> None:
    """What would run code is refused in every format, whole models with what to save instead."""
    sprung = tmp_path / "sprung"
    for form in (True, False):
        torch.save({"a": Trap(sprung)}, tmp_path / "m", _use_new_zipfile_serialization=form)
        assert "R160" in refused(tmp_path / "m", network)
    (tmp_path / "m").write_bytes(pickle.dumps({"a": Trap(sprung)}))
    assert "R160" in refused(tmp_path / "m", network)
    np.savez(tmp_path / "m.npz", a=np.array([Trap(sprung)], dtype=object))
    assert "it holds Python objects" in refused(tmp_path / "m.npz", network)
    assert not sprung.exists()
    torch.save(network, tmp_path / "m")
    said = refused(tmp_path / "m", network)
    assert "it holds Python objects (`torch.nn.modules.container.Sequential`)" in said
    assert "torch.save(model.state_dict()" in said
    with zipfile.ZipFile(tmp_path / "m", "w") as archive:
        archive.writestr("m/data.pkl", b"")
        archive.writestr("m/constants.pkl", b"")
    assert "TorchScript" in refused(tmp_path / "m", network)


def test_what_is_no_file_is_told(tmp_path: Path, network: nn.Module) -> None:
    """Nothing there, a folder, a pipe that nobody writes to, nothing in it, other formats."""
    assert "there is no such file" in refused(tmp_path / "none", network)
    assert "is a directory" in refused(tmp_path, network)
    os.mkfifo(tmp_path / "pipe")
    assert "it is not a regular file" in refused(tmp_path / "pipe", network)
    (tmp_path / "m").write_bytes(b"")
    assert "it is empty" in refused(tmp_path / "m", network)
    (tmp_path / "m").write_bytes(b"model resnet20\n" * 9)
    assert "R160" in refused(tmp_path / "m", network)
    np.save(tmp_path / "m.npy", np.ones(3))
    assert "it is one array of numpy" in refused(tmp_path / "m.npy", network)
    for tree in ({"epoch": 3}, [1, 2], 7, {"state_dict": {"a": 1}}, {}, []):
        torch.save(tree, tmp_path / "m")
        assert "no tensors by name stand in it" in refused(tmp_path / "m", network)
    assert "embedded null" in refused(Path("a\0b"), network)


def test_bombs_are_refused_before_they_go_off(
    tmp_path: Path, network: nn.Module, wanted: dict[str, torch.Tensor]
) -> None:
    """Files that unpack to far more than they are: by the sizes they tell, true or not."""
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            with archive.open(f"arr_{number}.npy", "w") as member:
                for _ in range(ROOM // (1 << 20)):
                    member.write(bytes(1 << 20))
    assert (tmp_path / "m.npz").stat().st_size < 1 << 20
    assert "unpacked it has" in refused(tmp_path / "m.npz", network)
    header = io.BytesIO()
    huge = {"descr": "<f8", "fortran_order": False, "shape": (1 << 50,)}
    np.lib.format.write_array_header_1_0(header, huge)
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(64))
    assert "cut off" in refused(tmp_path / "m.npz", network)
    wide = {name: torch.ones(1).expand(mask.shape) for name, mask in wanted.items()}
    torch.save(wide, tmp_path / "m.pth")
    assert "is no plain dense tensor" in refused(tmp_path / "m.pth", network)
    torch.save({"a": torch.ones(1).expand(1 << 40, 1 << 10)}, tmp_path / "m.pth")
    assert "is no plain dense tensor" in refused(tmp_path / "m.pth", network)
    with (tmp_path / "m").open("wb") as file:
        file.truncate(2 * ROOM)
    assert "it is larger than" in refused(tmp_path / "m", network)


def test_a_name_that_stands_twice_is_refused(tmp_path: Path, network: nn.Module) -> None:
    """The readers take one of the two, and not all of them the same."""
    header = b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},' * 2
    header = header.replace(b',{"a"', b',"a"')[:-1] + b"}"
    (tmp_path / "m").write_bytes(len(header).to_bytes(8, "little") + header + b"\1")
    assert "a name stands in its header twice" in refused(tmp_path / "m", network)


def test_two_carriers_in_one_file_are_not_guessed_between(
    tmp_path: Path, network: nn.Module, wanted: dict[str, torch.Tensor]
) -> None:
    """Both are named, and `carrier` chooses."""
    both = {f"{name}_mask": mask for name, mask in wanted.items()}
    both |= {
        f"{name.removesuffix('weight')}parametrizations.weight.0.mask": ~mask
        for name, mask in wanted.items()
    }
    torch.save(both, tmp_path / "m")
    said = refused(tmp_path / "m", network)
    assert "buffers `weight_mask` and masks of parametrizations" in said
    for carrier, turned in (("buffers", False), ("parametrizations", True)):
        masks = choose(tmp_path / "m", network, carrier=carrier)
        assert all(torch.equal(mask ^ turned, masks[name]) for name, mask in wanted.items())
    assert "it has no zeros of a checkpoint" in refused(tmp_path / "m", network, carrier="zeros")


def test_an_export_is_held_to_its_manifest(
    tmp_path: Path, network: nn.Module, wanted: dict[str, torch.Tensor]
) -> None:
    """A bit that changed on the way is found without a digest in the recipe."""
    bits = {name: mask.to(torch.uint8) for name, mask in wanted.items()}
    notes = {exported.KEY: json.dumps(exported.manifest(bits, "r", "f" * 64, ""))}
    save_file(bits, tmp_path / "m", notes)
    masks = choose(tmp_path / "m", network)
    assert all(torch.equal(mask, masks[name]) for name, mask in wanted.items())
    bits["1.weight"][0, 0] ^= 1
    save_file(bits, tmp_path / "m", notes)
    assert "the mask of `1.weight` is not the one that its manifest names" in refused(
        tmp_path / "m", network
    )
    del bits["1.weight"]
    save_file(bits, tmp_path / "m", notes)
    assert "`1.weight` is in its manifest or in the file, but not in both" in refused(
        tmp_path / "m", network
    )
    save_file(bits, tmp_path / "m", {exported.KEY: "[]"})
    assert "its manifest is damaged" in refused(tmp_path / "m", network)


def _torch(tree: Any, new: bool) -> bytes:
    file = io.BytesIO()
    torch.save(tree, file, _use_new_zipfile_serialization=new)
    return file.getvalue()


def _npz(tree: dict[str, torch.Tensor]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **{name: each.numpy() for name, each in tree.items()})
    return file.getvalue()


@pytest.mark.parametrize(
    "write",
    [
        lambda tree: _torch({"state_dict": tree}, True),
        lambda tree: _torch(list(tree.values()), False),
        lambda tree: save({name: each.to(torch.uint8) for name, each in tree.items()}),
        _npz,
    ],
    ids=["torch", "old torch", "safetensors", "npz"],
)
def test_damaged_files_give_masks_or_an_error_of_ours(
    write: Callable[[Any], bytes],
    tmp_path: Path,
    network: nn.Module,
    wanted: dict[str, torch.Tensor],
) -> None:
    """Cut anywhere, or with bits changed anywhere, nothing but a `TostError` comes out."""
    whole, dice, codes = write(wanted), random.Random(3), set()
    for trial in range(150):
        data = bytearray(whole)
        if trial % 3:
            for _ in range(dice.randint(1, 4)):
                data[dice.randrange(min(len(data), 2000 if trial % 2 else len(data)))] ^= (
                    1 << dice.randrange(8)
                )
        else:
            del data[dice.randrange(len(data)) :]
        (tmp_path / "m").write_bytes(data)
        try:
            choose(tmp_path / "m", network)
        except TostError as error:
            codes |= {found.code for found in error.diagnostics}
    assert "R160" in codes
    assert codes <= {"R160", "T508", "T560", "T561", "T562"}
