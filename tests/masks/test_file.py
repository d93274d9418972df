"""The mask `file`, on files that the libraries' own code wrote."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.masks.carried import FILES, chosen, matrices, refused, renamed, safe
from tests.nets import FACTS, Residual
from tostdsl.engine.scope import Scope
from tostdsl.masks.file import File
from tostdsl.masks.shuffle import Shuffle


@pytest.fixture
def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Residual()


@pytest.fixture
def wanted(network: nn.Module) -> dict[str, Tensor]:
    """A mask for every weight of two dimensions or more."""
    noise = torch.Generator().manual_seed(5)
    return {n: torch.rand(w.shape, generator=noise) > 0.6 for n, w in matrices(network).items()}


@pytest.mark.parametrize("name", FILES)
def test_every_carrier_is_told_and_named(
    name: str, tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """The masks come out as they went in, and the report says what carried them and how they fit.

    Told to read it so, it reads the same.
    """
    write, carrier, said, how = FILES[name]
    path = write(tmp_path, network, wanted)
    found = chosen(path, network)
    assert all(torch.equal(mask, found.masks[name]) for name, mask in wanted.items())
    assert (carrier, said) == (found.report["carrier"], found.report["what"])
    told = found.report["layers"]
    assert {how} == {layer["matched"] for layer in told.values()}
    for weight, mask in wanted.items():
        assert (int(mask.sum()), mask.numel(), list(mask.shape)) == tuple(
            told[weight][key] for key in ("kept", "weights", "shape")
        )
        (line,) = [line for line in found.lines if line.startswith(f"  {weight} ")]
        assert f"{int(mask.sum()) / mask.numel():.2%}" in line
        assert " x ".join(map(str, mask.shape)) in line
        assert how in line
    again = chosen(path, network, carrier=carrier)
    assert all(torch.equal(mask, again.masks[name]) for name, mask in wanted.items())


def test_ones_may_stand_for_pruned(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """`ones=pruned` turns every mask over."""
    path = safe(tmp_path, network, wanted)
    found = chosen(path, network, ones="pruned")
    assert all(torch.equal(~mask, found.masks[name]) for name, mask in wanted.items())


def test_a_few_other_names_are_told_by_shapes_that_stand_once(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """A classifier of another name is found by its shape, where nothing else has it."""
    renamed = {n.replace("fc.", "linear."): m for n, m in wanted.items()}
    found = chosen(safe(tmp_path, network, renamed), network)
    assert torch.equal(wanted["fc.weight"], found.masks["fc.weight"])
    assert "by its shape alone" == found.report["layers"]["fc.weight"]["matched"]
    assert "linear.weight" == found.report["layers"]["fc.weight"]["from"]


def test_an_order_counts_where_names_agree_with_it(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """Of other names all go by order; where a known name stands elsewhere, no order is believed."""
    state = renamed(network, wanted)
    torch.save(state, tmp_path / "m.pth")
    found = chosen(tmp_path / "m.pth", network)
    assert all(torch.equal(mask, found.masks[name]) for name, mask in wanted.items())
    how = {name: layer["matched"] for name, layer in found.report["layers"].items()}
    assert "by its name" == how.pop("fc.weight")
    assert {"by shape and order"} == set(how.values())
    moved = {n.replace("blocks1.0.conv2", "layer1.0.conv1"): value for n, value in state.items()}
    torch.save(moved, tmp_path / "m.pth")
    found = chosen(tmp_path / "m.pth", network)
    first, second = (f"layer1.0.conv{i}.weight" for i in (1, 2))
    assert torch.equal(wanted[second], found.masks[first])
    assert torch.equal(wanted[first], found.masks[second])
    assert "by its shape alone" == found.report["layers"][second]["matched"]


def test_what_may_fit_two_ways_is_refused(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """Safetensors keeps no order, so weights of one shape are not told apart."""
    names = {"layer1.0.conv1.weight": "a", "layer1.0.conv2.weight": "b"}
    path = safe(tmp_path, network, {names.get(n, n): m for n, m in wanted.items()})
    said = refused(path, network)
    assert said.startswith("T508: ")
    assert "no mask for `layer1.0.conv1.weight` (6 x 6 x 3 x 3), `layer1.0.conv2.weight`" in said
    assert "left over in it: `a` (6 x 6 x 3 x 3), `b` (6 x 6 x 3 x 3)" in said


def test_what_is_missing_shaped_otherwise_or_twice_is_refused(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """Each with the names and shapes of both sides."""
    less = {name: mask for name, mask in wanted.items() if name != "fc.weight"}
    said = refused(safe(tmp_path, network, less), network)
    assert "no mask for `fc.weight` (5 x 8); left over in it: nothing" in said
    assert "`except`" in said
    assert chosen(safe(tmp_path, network, less), network, without=("fc.weight",)).masks
    other = {**wanted, "fc.weight": torch.ones(10, 8, dtype=torch.bool)}
    said = refused(safe(tmp_path, network, other), network)
    assert "T508: these masks do not fit the network: `fc.weight` is 5 x 8" in said
    assert "`fc.weight` in the file is 10 x 8" in said
    twice = {**wanted, "module.fc.weight": wanted["fc.weight"]}
    said = refused(safe(tmp_path, network, twice), network)
    assert "`fc.weight` and `module.fc.weight` of the file are both for `fc.weight`" in said
    torch.save([*wanted.values()][1:], tmp_path / "list.pth")
    said = refused(tmp_path / "list.pth", network)
    assert f"the list has {len(wanted) - 1} tensors, the network {len(wanted)} weights" in said
    torch.save([*wanted.values()][::-1], tmp_path / "list.pth")
    assert "number 1 of the list is 5 x 8, and `stem.weight` in its place" in refused(
        tmp_path / "list.pth", network
    )


def test_masks_outside_of_the_scope(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """Refused where they prune, unless told to be left dense; all ones are no matter."""
    path = safe(tmp_path, network, wanted)
    zeros = int((~wanted["fc.weight"]).sum())
    said = refused(path, network, without=("fc.weight",))
    assert said.startswith("T561: ")
    assert f"`fc.weight` (5 x 8: {zeros} of 40)" in said
    found = chosen(path, network, without=("fc.weight",), outside="ignore")
    assert [f"`fc.weight` (5 x 8: {zeros} of 40)"] == found.report["ignored"]
    assert "fc.weight" not in found.masks
    dense = {**wanted, "fc.weight": torch.ones(5, 8), "bn.bias": torch.ones(6)}
    found = chosen(safe(tmp_path, network, dense), network, without=("fc.weight",))
    assert [] == found.report["ignored"]
    dense["bn.bias"][2] = 0
    assert "T561" in refused(safe(tmp_path, network, dense), network, without=("fc.weight",))
    extra = {**wanted, "head.weight": torch.zeros(3, 3)}
    assert "nothing for `head.weight` (3 x 3)" in refused(safe(tmp_path, network, extra), network)


@pytest.mark.parametrize("value", [0.5, 2, -1, float("nan"), float("inf")])
def test_other_values_are_refused_where_they_stand(
    value: float, tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """With the tensor, the value and its place."""
    masks = {name: mask.float() for name, mask in wanted.items()}
    masks["layer2.0.conv2.weight"][3, 1, 2, 0] = value
    torch.save(masks, tmp_path / "masks.pth")
    said = refused(tmp_path / "masks.pth", network, carrier="masks")
    assert said.startswith("T562: `layer2.0.conv2.weight` in ")
    assert f" holds {value:g} at " in said
    assert "[3, 1, 2, 0]" in said
    assert "`carrier=masks`, or `carrier=zeros`" in refused(tmp_path / "masks.pth", network)


def test_whole_numbers_and_bytes_of_bools_count_too(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """255 is no 1, and a bool's byte of 7 is not taken for one."""
    masks = {name: mask.to(torch.uint8) * 255 for name, mask in wanted.items()}
    save_file(masks, tmp_path / "m.safetensors")
    assert "holds 255 at" in refused(tmp_path / "m.safetensors", network)
    seven = {name: (m.to(torch.uint8) * 7).view(torch.bool) for name, m in wanted.items()}
    save_file(seven, tmp_path / "m.safetensors")
    assert "holds 7 at" in refused(tmp_path / "m.safetensors", network)


def test_what_prunes_nothing_is_refused(tmp_path: Path, network: nn.Module) -> None:
    """A dense checkpoint, and masks of ones."""
    torch.save(network.state_dict(), tmp_path / "dense.pth")
    said = refused(tmp_path / "dense.pth", network)
    assert said.startswith("T560: ")
    assert "zeros of a checkpoint" in said
    ones = {name: torch.ones_like(weight) for name, weight in matrices(network).items()}
    assert "T560" in refused(safe(tmp_path, network, ones), network)


def test_another_file_than_was_meant_is_refused(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """One changed value gives another digest, which is named; without one the run says it."""
    path = safe(tmp_path, network, wanted)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = chosen(path, network)
    assert any(f'write `sha256="{digest}"`' in line for line in found.lines)
    found = chosen(path, network, sha256=digest)
    assert digest == found.report["sha256"]
    assert not any("write `sha256" in line for line in found.lines)
    wanted["fc.weight"][0, 0] ^= True
    safe(tmp_path, network, wanted)
    now = hashlib.sha256(path.read_bytes()).hexdigest()
    said = refused(path, network, sha256=digest)
    assert said.startswith("R161: ")
    assert f"its SHA-256 is {now}" in said


def test_shared_weights_have_one_mask(tmp_path: Path) -> None:
    """A state dict names a shared weight twice; both must say the same."""
    model = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    model[2].weight = model[0].weight
    mask = torch.eye(6) > 0
    torch.save({"0.weight": mask, "2.weight": mask}, tmp_path / "m.pth")
    assert torch.equal(mask, chosen(tmp_path / "m.pth", model).masks["0.weight"])
    torch.save({"0.weight": mask, "2.weight": ~mask}, tmp_path / "m.pth")
    assert "are of one weight, and differ" in refused(tmp_path / "m.pth", model)


def test_a_mask_of_ones_own_can_be_shuffled(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """The control keeps as many weights a layer, and others; nobody asks it for its own count."""
    own = File(path=str(safe(tmp_path, network, wanted)))
    mixed = Shuffle(of=own)
    masks = mixed.choose(Scope(network, matrices(network), {}, FACTS, 1), mixed.target())
    assert not mixed.counted
    assert {n: int(m.sum()) for n, m in wanted.items()} == {
        n: int(m.sum()) for n, m in masks.items()
    }
    assert not any(torch.equal(mask, masks[name]) for name, mask in wanted.items())
