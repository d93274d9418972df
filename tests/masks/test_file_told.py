"""What the mask `file` says of files that are nearly right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from tests.masks.carried import chosen, layers, matrices, pruned, refused, safe, synflow, zeroed
from tests.nets import FACTS, Residual, mlp


@pytest.fixture
def network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return Residual()


@pytest.fixture
def wanted(network: nn.Module) -> dict[str, Tensor]:
    noise = torch.Generator().manual_seed(5)
    return {n: torch.rand(w.shape, generator=noise) > 0.6 for n, w in matrices(network).items()}


def saved(tree: Any, folder: Path) -> Path:
    torch.save(tree, folder / "m.pth")
    return folder / "m.pth"


def same(masks: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(mask, found[name]) for name, mask in masks.items())


# -- what the network does not have


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_of_nothing_is_refused(
    value: float, tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """Ones or zeros, with both sides listed; told aside it is named as not in the network."""
    path = safe(tmp_path, network, {**wanted, "ghost.weight": torch.full((4, 4), value)})
    said = refused(path, network)
    assert said.startswith("T508: ")
    assert "the network has nothing for `ghost.weight` (4 x 4) of the file" in said
    assert "its weights are `stem.weight` (6 x 3 x 3 x 3), `layer1.0.conv1.weight`" in said
    assert "`outside=ignore`" in said
    found = chosen(path, network, outside="ignore")
    assert same(wanted, found.masks)
    assert ["ghost.weight"] == found.report["strays"]
    assert [] == found.report["ignored"]
    assert "mask file: not in the network, and left aside: `ghost.weight`" in found.lines
    assert not any("left dense" in line for line in found.lines)


def test_a_checkpoint_may_have_more(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """A second head without zeros is no mask: it is named, not refused; with zeros it is one."""
    state = {**zeroed(network, wanted).state_dict(), "head.weight": torch.randn(3, 8) + 9}
    found = chosen(saved(state, tmp_path), network)
    assert "zeros" == found.report["carrier"]
    assert ["head.weight"] == found.report["strays"]
    state["head.weight"][1, 1] = 0
    assert "nothing for `head.weight` (3 x 8)" in refused(saved(state, tmp_path), network)


def test_biases_of_other_names_are_no_matter_unless_pruned(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """Rows of ones under names that the network does not have are masks of nothing pruned."""
    masks = {**wanted, "norm.bias": torch.ones(6)}
    assert [] == chosen(safe(tmp_path, network, masks), network).report["strays"]
    masks["norm.bias"][3] = 0
    assert "nothing for `norm.bias` (6)" in refused(safe(tmp_path, network, masks), network)


# -- what says nothing, or two things


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_diverged_has_no_zeros_to_go_by(
    value: float, tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """One weight of a checkpoint that is no number is named with its place."""
    state = zeroed(network, wanted).state_dict()
    state["layer2.0.conv2.weight"][1, 2, 0, 1] = value
    for carrier in ("auto", "zeros"):
        said = refused(saved(state, tmp_path), network, carrier=carrier)
        assert said.startswith("R160: ")
        assert f"`layer2.0.conv2.weight` holds {value:g} at [1, 2, 0, 1]" in said


def test_masks_and_a_checkpoint_that_contradicts_them(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """Neither is taken in silence; `carrier` chooses; a dense checkpoint and an equal one agree."""
    other = {**wanted, "fc.weight": ~wanted["fc.weight"]}
    state = zeroed(network, other).state_dict()
    for masks in (wanted, list(wanted.values())):
        path = saved({"state_dict": state, "masks": masks}, tmp_path)
        said = refused(path, network)
        kept, theirs = (int(each["fc.weight"].sum()) for each in (wanted, other))
        assert f"`masks` ({kept} of 40 kept) and zeros of a checkpoint, under `state_dict`" in said
        assert f"({theirs}) in it differ about `fc.weight`" in said
        assert "`carrier=zeros`" in said
        assert f"`carrier={'masks' if masks is wanted else 'list'}`" in said
    path = saved({"state_dict": state, "masks": wanted}, tmp_path)
    assert same(wanted, chosen(path, network, carrier="masks").masks)
    assert same(other, chosen(path, network, carrier="zeros").masks)
    for agreed in (network.state_dict(), zeroed(network, wanted).state_dict()):
        path = saved({"state_dict": agreed, "masks": wanted}, tmp_path)
        assert same(wanted, chosen(path, network).masks)
    turned = {name: ~mask for name, mask in wanted.items()}
    path = saved({"state_dict": zeroed(network, wanted).state_dict(), "masks": turned}, tmp_path)
    assert same(wanted, chosen(path, network, ones="pruned").masks)
    both = {"masks": wanted, "net": pruned(network, other).state_dict()}
    said = refused(saved(both, tmp_path), network)
    assert "buffers `weight_mask` of `torch.nn.utils.prune`, under `net`" in said
    assert "take the others out of the file" in said


def test_zeros_of_weights_before_they_are_masked(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """`weight_orig` is not pruned, so `carrier=zeros` is sent to the buffers; so is no buffer read.

    Of SynFlow's files, whose weights stay whole, nothing is pruned.
    """
    path = saved(pruned(network, wanted).state_dict(), tmp_path)
    said = refused(path, network, carrier="zeros")
    assert "`stem.weight_orig` in it is a weight before it is masked" in said
    assert "write `carrier=buffers`" in said
    path = saved(synflow(network, wanted).state_dict(), tmp_path)
    assert refused(path, network, carrier="zeros").startswith("T560: ")


def test_a_float_mask_of_an_empty_layer_is_still_one(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """All zeros are neither a mask nor weights by themselves; the others tell."""
    masks = {name: mask.float() for name, mask in wanted.items()}
    masks["layer1.0.conv1.weight"].zero_()
    found = chosen(saved(masks, tmp_path), network)
    assert "masks" == found.report["carrier"]
    assert not bool(found.masks["layer1.0.conv1.weight"].any())


# -- other names


class Other(nn.Module):
    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("m", mask.float())

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.m


@pytest.mark.parametrize("carrier", ["auto", "parametrizations"])
def test_parametrizations_of_other_buffers(
    carrier: str, tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """What they are called, what is known, and what to do."""
    for name, module in layers(network).items():
        parametrize.register_parametrization(module, "weight", Other(wanted[f"{name}.weight"]))
    said = refused(saved(network.state_dict(), tmp_path), network, carrier=carrier)
    assert "no buffer of its parametrizations is called `mask` or `…_mask`" in said
    assert "`stem.parametrizations.weight.0.m`" in said
    assert "save each mask by the name of its weight" in said


def test_parametrizations_that_mask_nothing_are_let_be(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """A spectral norm keeps vectors, so a checkpoint with one is told by its zeros."""
    model = zeroed(network, wanted)
    parametrizations.spectral_norm(model.fc)
    found = chosen(saved(model.state_dict(), tmp_path), network)
    assert "zeros" == found.report["carrier"]
    assert same({n: m for n, m in wanted.items() if n != "fc.weight"}, found.masks)


def deep() -> nn.Module:
    """Layers of which eleven have one shape."""
    middle = [nn.Linear(8, 8) for _ in range(11)]
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 8), *middle, nn.Linear(8, FACTS.classes))


def test_numbers_in_the_order_of_letters(tmp_path: Path) -> None:
    """`1, 10, 2` is no order of layers, even where each shape fits; `1, 2, 10` is one."""
    model = deep()
    noise = torch.Generator().manual_seed(5)
    masks = [torch.rand(w.shape, generator=noise) > 0.6 for w in matrices(model).values()]
    numbered = {f"mask_{i}": mask for i, mask in enumerate(masks)}
    names = list(matrices(model))
    found = chosen(saved(numbered, tmp_path), model)
    assert same(dict(zip(names, masks, strict=True)), found.masks)
    # the last one's name is such that shapes still fit one by one
    tall = {**{f"layer_{i}": m for i, m in enumerate(masks[:-1])}, "tail": masks[-1]}
    sorted_by_text = dict(sorted(tall.items()))
    assert [m.shape for m in sorted_by_text.values()] == [m.shape for m in masks]
    said = refused(saved(sorted_by_text, tmp_path), model)
    assert "left over in it: `layer_1` (8 x 8), `layer_10` (8 x 8)" in said
    assert "their order is one of letters: `layer_11` before `layer_2`" in said
    said = refused(safe(tmp_path, model, numbered), model)
    assert "stand more than once, and this file keeps no order" in said


def test_a_list_of_another_length_shows_both_sides(tmp_path: Path) -> None:
    """Shapes of the list, names and shapes of the network, and where to choose layers."""
    model = mlp()
    masks = list(matrices(model).values())
    said = refused(saved([mask > 0 for mask in masks[1:]], tmp_path), model)
    assert "the list has 2 tensors, the network 3 weights in scope and 3 in all" in said
    assert "in the list: 6 x 8, 5 x 6" in said
    assert "in the network: `1.weight` (8 x 192), `3.weight` (6 x 8), `5.weight` (5 x 6)" in said
    assert "`on` or `except`" in said
    found = chosen(saved([m > 0 for m in masks[1:]], tmp_path), model, without=("1.weight",))
    assert ["3.weight", "5.weight"] == list(found.masks)


@pytest.mark.parametrize("text", ["masks of the first run\n", "a", "conv1: 0.5\nfc: 0.9\n" * 9])
def test_a_text_is_no_format(text: str, tmp_path: Path) -> None:
    """Said in words, with the formats that are read."""
    (tmp_path / "text.pth").write_text(text, encoding="utf-8")
    said = refused(tmp_path / "text.pth", mlp())
    assert "it is in no format that holds tensors / masks come in safetensors" in said


def test_a_damaged_file_is_told_in_words(tmp_path: Path) -> None:
    """An old file with a byte that means nothing is no `101`."""
    (tmp_path / "m").write_bytes(b"\x80\x02h\x65.")  # takes from a place where nothing was put
    assert "it is a damaged file of torch /" in refused(tmp_path / "m", mlp())


def test_eight_bits_are_read_too(
    tmp_path: Path, network: nn.Module, wanted: dict[str, Tensor]
) -> None:
    """Masks and zeros of a checkpoint in float8, with which torch computes little."""
    state = zeroed(network, wanted).state_dict()
    small = {n: (value.sign() * 8).to(torch.float8_e4m3fn) for n, value in state.items()}
    found = chosen(saved(small, tmp_path), network, carrier="zeros")
    assert same(wanted, found.masks)


def test_numbers_of_any_length_are_compared(tmp_path: Path) -> None:
    """A stranger's name may have more digits than a number may."""
    model = deep()
    masks = [torch.ones_like(weight) for weight in matrices(model).values()]
    masks[4][0, 0] = 0
    names = [f"m{i}{'0' * 5000}" for i in range(1, 14)]
    found = chosen(saved(dict(zip(names, masks, strict=True)), tmp_path), model)
    assert 63 == int(found.masks["5.weight"].sum())
