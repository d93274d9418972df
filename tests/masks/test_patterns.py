"""The masks `nm` and `vnm` against patterns found by trying all, and against numpy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tostdsl.diagnostics import TostError
from tostdsl.masks.blocks import columns_of_blocks, transposable
from tostdsl.masks.nm import NM, VNM
from tostdsl.plan.spec import CheckSite
from tostdsl.units import Pattern


def nm(n: int, m: int, transposed: bool = False) -> NM:
    return NM(pattern=Pattern((n, m)), transposable=transposed)


def vnm(*parts: int) -> VNM:
    return VNM(pattern=Pattern(parts))


def groups_of(mask: Tensor, m: int) -> Tensor:
    """Groups of m input channels of one output at one position, a row each."""
    flat = mask.flatten(2) if mask.dim() == 4 else mask.unsqueeze(2)
    return flat.transpose(1, 2).reshape(-1, m)


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (1, 4), (4, 8)])
def test_the_largest_of_every_group(make_site: Callable[..., Any], n: int, m: int) -> None:
    """Of m input channels at one position the n largest are kept, as numpy's argsort has them."""
    site = make_site({"a.weight": (6, 16, 3, 3), "b.weight": (10, 24)})
    masks = nm(n, m).choose(site, None)
    for name, mask in masks.items():
        found = groups_of(mask, m)
        sizes = groups_of(site.weights[name].abs(), m).numpy()
        wanted = np.zeros(sizes.shape, dtype=bool)
        np.put_along_axis(wanted, np.argsort(-sizes, axis=1, kind="stable")[:, :n], True, axis=1)
        assert wanted.tolist() == found.tolist()


def test_torch_takes_the_pattern(make_site: Callable[..., Any]) -> None:
    """A matrix masked 2:4 survives torch's own 2:4 pruner unchanged."""
    sparsifier = pytest.importorskip("torch.ao.pruning").WeightNormSparsifier(
        sparsity_level=1.0, sparse_block_shape=(1, 4), zeros_per_block=2
    )
    site = make_site({"0.weight": (16, 32)})
    mask = nm(2, 4).choose(site, None)["0.weight"]
    model = torch.nn.Sequential(torch.nn.Linear(32, 16, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(site.weights["0.weight"] * mask)
    before = model[0].weight.detach().clone()
    sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
    sparsifier.step()
    sparsifier.squash_mask()
    assert torch.equal(before, model[0].weight)


def test_what_is_not_divided_stays_dense(make_site: Callable[..., Any]) -> None:
    """A first convolution and a depthwise one keep every weight, and the counts say so."""
    shapes = {"stem.weight": (8, 3, 3, 3), "deep.weight": (8, 1, 3, 3), "body.weight": (6, 8, 1, 1)}
    method = nm(2, 4)
    masks = method.choose(make_site(shapes), None)
    counts = {name: int(mask.sum()) for name, mask in masks.items()}
    assert {"stem.weight": 216, "deep.weight": 72, "body.weight": 24} == counts
    assert counts == method.shared_out(shapes, None)
    both = make_site({**shapes, "square.weight": (8, 8, 1, 1)})
    assert 48 == int(nm(2, 4, True).choose(both, None)["body.weight"].sum())


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.sampled_from([1, 2, 3]))
def test_small_blocks_are_the_best(seed: int, n: int) -> None:
    """Up to 4 x 4 the transposable pattern keeps as much as any, by trying all."""
    values = torch.rand(4, 1, 4, generator=torch.Generator().manual_seed(seed))
    mask = transposable(values, n, 4).squeeze(1)
    assert [n] * 4 == mask.sum(0).tolist() == mask.sum(1).tolist()
    rows = [[i in kept for i in range(4)] for kept in combinations(range(4), n)]
    block, best = values.squeeze(1).double().numpy(), 0.0
    for pattern in product(rows, repeat=4):
        chosen = np.array(pattern)
        if (chosen.sum(0) == n).all():
            best = max(best, float(block[chosen].sum()))
    assert best == pytest.approx(float(block[mask.numpy()].sum()))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.sampled_from([(4, 8), (3, 8), (5, 6), (1, 8), (8, 16)]))
def test_large_blocks_are_full_and_good(seed: int, pattern: tuple[int, int]) -> None:
    """Every row and column has exactly n, and at least half of what any pattern could keep.

    No pattern keeps more than the n largest of each row.
    """
    n, m = pattern
    source = torch.Generator().manual_seed(seed)
    values = torch.randn(2 * m, 3, 2 * m, generator=source).abs()
    mask = transposable(values, n, m)
    for outs, ins in product((0, 1), repeat=2):
        block = mask[outs * m : (outs + 1) * m, :, ins * m : (ins + 1) * m]
        assert bool((block.sum(0) == n).all())
        assert bool((block.sum(2) == n).all())
    bound = values.reshape(2 * m, 3, 2, m).sort(dim=-1, descending=True).values[..., :n].sum()
    assert float(values[mask].sum()) > float(bound) / 2


def test_equal_values_still_fill_the_block() -> None:
    """A block of equal values is filled to n in every row and column."""
    mask = transposable(torch.ones(8, 1, 8), 4, 8).squeeze(1)
    assert [4] * 8 == mask.sum(0).tolist() == mask.sum(1).tolist()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31))
def test_vnm_keeps_four_columns_and_two_in_a_row(seed: int) -> None:
    """In each block of v x m, four columns with the largest sums hold all; two in each row."""
    source = torch.Generator().manual_seed(seed)
    values = torch.rand(8, 2, 16, generator=source)
    mask = columns_of_blocks(values, 4, 2, 8)
    for v, place, m in product(range(2), range(2), range(2)):
        block = values[v * 4 : v * 4 + 4, place, m * 8 : m * 8 + 8].numpy()
        kept = mask[v * 4 : v * 4 + 4, place, m * 8 : m * 8 + 8].numpy()
        columns = np.argsort(-block.sum(0), kind="stable")[:4]
        wanted = np.zeros_like(kept)
        for row in range(4):
            best = sorted(columns, key=lambda c, r=row: -block[r, c])[:2]
            wanted[row, best] = True
        assert wanted.tolist() == kept.tolist()


@pytest.mark.parametrize(
    ("method", "fits"),
    [
        (nm(2, 4), True),
        (nm(4, 2), False),
        (nm(0, 4), False),
        (nm(2, 128), False),
        (vnm(64, 2, 8), True),
        (vnm(64, 2, 4), False),
        (vnm(64, 3, 8), False),
        (NM(pattern=Pattern((64, 2, 8))), False),
        (VNM(pattern=Pattern((2, 4))), False),
    ],
)
def test_patterns_are_checked(method: NM | VNM, fits: bool) -> None:
    """A pattern of the wrong form or out of bounds is an error that shows one."""
    found = list(method.check(CheckSite()))
    assert ([] if fits else ["T504"]) == [problem.code for problem in found]
    assert all(method.form in (problem.help or "") for problem in found)


@pytest.mark.parametrize(
    ("method", "why"),
    [
        (nm(3, 7), r"`nm\(3:7\)` prunes nothing: 7 would .* inputs, which are 16, 24"),
        (nm(2, 5, True), r"5 would .* outputs, which are 6, 10; 5 would .* inputs"),
        (vnm(4, 2, 8), r"4 would have to divide a layer's outputs, which are 6, 10"),
    ],
)
def test_a_pattern_that_divides_no_layer_is_refused(
    make_site: Callable[..., Any], method: Any, why: str
) -> None:
    """A mask under which every layer would stay dense is an error that says which sizes it met."""
    site = make_site({"a.weight": (6, 16, 3, 3), "b.weight": (10, 24)})
    with pytest.raises(TostError, match=f"T563.*{why}"):
        method.choose(site, None)
    more = make_site({"a.weight": (6, 16, 3, 3), "c.weight": (280, 280)})
    masks = method.choose(more, None)
    assert bool(masks["a.weight"].all())
    assert not bool(masks["c.weight"].all())
