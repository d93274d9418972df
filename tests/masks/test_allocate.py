"""Counts and choices against float64 and numpy references."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from time import perf_counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tostdsl.diagnostics import TostError
from tostdsl.masks.allocate import (
    erk_shares,
    keep_largest,
    kept_total,
    refuse_collapse,
    share_out,
    uniform_shares,
)

SHAPES = st.lists(
    st.one_of(
        st.tuples(st.integers(1, 64), st.integers(1, 64)),
        st.tuples(st.integers(1, 64), st.integers(1, 64), st.just(3), st.just(3)),
        st.tuples(st.integers(1, 64), st.just(1), st.integers(1, 5), st.integers(1, 5)),
    ),
    min_size=1,
    max_size=12,
)
SPARSITIES = st.integers(0, 9999).map(lambda n: Fraction(n, 10000))


def erk_densities(shapes: list[tuple[int, ...]], density: float) -> list[float]:
    """Densities by bisection on epsilon over min(1, epsilon * raw), in float64."""
    sizes = [float(np.prod(shape)) for shape in shapes]
    raw = [float(np.sum(shape)) / size for shape, size in zip(shapes, sizes, strict=True)]
    low, high = 0.0, 1.0 / min(raw)
    for _ in range(200):
        middle = (low + high) / 2
        kept = sum(min(1.0, middle * r) * n for r, n in zip(raw, sizes, strict=True))
        low, high = (middle, high) if kept < density * sum(sizes) else (low, middle)
    return [min(1.0, high * r) for r in raw]


@settings(deadline=None)
@given(SHAPES, SPARSITIES)
def test_erk_agrees_with_bisection(shapes: list[tuple[int, ...]], sparsity: Fraction) -> None:
    """The exact solve gives the densities that a bisection in float64 finds."""
    shares = erk_shares(shapes, sparsity)
    densities = [float(share / prod(shape)) for share, shape in zip(shares, shapes, strict=True)]
    assert erk_densities(shapes, float(1 - sparsity)) == pytest.approx(densities, abs=1e-9)


def test_erk_formula() -> None:
    """Layers that are not dense have densities proportional to sum over product of their shape."""
    shapes = [(64, 3, 3, 3), (128, 64, 3, 3), (256, 128, 3, 3), (10, 256)]
    shares = erk_shares(shapes, Fraction(995, 1000))
    densities = [share / prod(shape) for share, shape in zip(shares, shapes, strict=True)]
    assert max(densities) < 1
    constant = {
        density * prod(shape) / sum(shape) for density, shape in zip(densities, shapes, strict=True)
    }
    assert len(constant) == 1
    assert Fraction(5, 1000) * sum(map(prod, shapes)) == sum(shares)


def test_erk_makes_small_layers_dense() -> None:
    """A layer that would exceed density 1 is dense, and the others take what it cannot."""
    shapes = [(4, 1, 3, 3), (256, 256, 3, 3)]
    shares = erk_shares(shapes, Fraction(1, 2))
    assert Fraction(36) == shares[0]
    assert Fraction(36 + 256 * 256 * 9, 2) - 36 == shares[1]


@settings(deadline=None)
@given(SHAPES, SPARSITIES, st.booleans())
def test_counts_are_exact(shapes: list[tuple[int, ...]], sparsity: Fraction, erk: bool) -> None:
    """Counts sum to the rounded density times the size, each within one of its share."""
    shares = (erk_shares if erk else uniform_shares)(shapes, sparsity)
    size = sum(map(prod, shapes))
    total = kept_total(size, sparsity)
    counts = share_out(shares, total)
    assert total == sum(counts)
    assert abs(total - (1 - sparsity) * size) <= Fraction(1, 2)
    assert all(abs(count - share) < 1 for count, share in zip(counts, shares, strict=True))
    assert all(0 <= count <= prod(shape) for count, shape in zip(counts, shapes, strict=True))


def test_a_half_is_kept() -> None:
    """A density that asks for half a weight more rounds up."""
    assert 3 == kept_total(5, Fraction(1, 2))
    assert 2 == kept_total(3, Fraction(1, 2))


def test_largest_remainder_first() -> None:
    """What rounding down leaves goes to the largest remainders, then to the earlier layer."""
    assert [1, 3, 1] == share_out([Fraction(14, 10), Fraction(26, 10), Fraction(1)], 5)
    assert [2, 1, 1] == share_out([Fraction(4, 3)] * 3, 4)


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=60), st.data())
def test_ties_keep_the_earlier(values: list[int], data: st.DataObject) -> None:
    """The choice is the head of numpy's stable sort, so of equal scores the first is kept."""
    kept = data.draw(st.integers(0, len(values)))
    cut = data.draw(st.integers(0, len(values)))
    scores = {"a": torch.tensor(values[:cut]).float(), "b": torch.tensor(values[cut:]).float()}
    masks = keep_largest(scores, kept)
    expected = np.zeros(len(values), dtype=bool)
    expected[np.argsort(-np.array(values), kind="stable")[:kept]] = True
    assert expected.tolist() == [*masks["a"].tolist(), *masks["b"].tolist()]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_all_float_types(dtype: torch.dtype) -> None:
    """Scores of every float type are ranked, also infinite ones."""
    scores = torch.tensor([[0.5, float("inf")], [-1.0, 2.0]], dtype=dtype)
    assert [[False, True], [False, True]] == keep_largest({"a": scores}, 2)["a"].tolist()


def test_only_among() -> None:
    """What is not eligible is never kept, however large, even where all scores are equal."""
    scores = {"a": torch.tensor([9.0, 1.0, 1.0, 1.0])}
    among = {"a": torch.tensor([False, True, False, True])}
    assert [False, True, False, True] == keep_largest(scores, 2, among)["a"].tolist()
    with pytest.raises(ValueError, match="cannot keep 3 of 2"):
        keep_largest(scores, 3, among)


def test_nan_scores_are_refused() -> None:
    """Scores that are not numbers cannot be ranked and are an error naming the layer."""
    with pytest.raises(TostError, match=r"R305.*`fc`"):
        keep_largest({"fc.weight": torch.tensor([1.0, float("nan")])}, 1)


def test_masks_own_their_storage() -> None:
    """The masks share memory neither with one another nor with a common buffer."""
    masks = keep_largest({"a": torch.ones(4), "b": torch.ones(4)}, 4)
    assert 4 == masks["b"].untyped_storage().nbytes()
    assert masks["a"].untyped_storage().data_ptr() != masks["b"].untyped_storage().data_ptr()


@pytest.mark.parametrize("order", ["random", "rising", "falling", "equal"])
def test_eleven_million_scores(order: str) -> None:
    """As many scores as ResNet-18 has weights are ranked in seconds, whatever their order."""
    size = 11_159_232
    scores = {
        "random": lambda: torch.rand(size),
        "rising": lambda: torch.arange(size).float(),
        "falling": lambda: -torch.arange(size).float(),
        "equal": lambda: torch.zeros(size),
    }[order]()
    start = perf_counter()
    mask = keep_largest({"a": scores}, 1_115_923)["a"]
    assert perf_counter() - start < 5
    assert 1_115_923 == int(mask.sum())


def test_collapse_names_the_layers() -> None:
    """An empty layer is an error that names it and what to do; many are not all listed."""
    with pytest.raises(TostError) as caught:
        refuse_collapse({"conv.weight": 0, "fc.weight": 3}, Fraction(99, 100))
    (found,) = caught.value.diagnostics
    assert "T507" == found.code
    assert "a sparsity of 99% leaves no weight in `conv`" in found.message
    assert found.help is not None
    assert "`except`" in found.help
    with pytest.raises(TostError, match="`l0`, `l1`, `l2` and 2 more"):
        refuse_collapse({f"l{i}.weight": 0 for i in range(5)}, Fraction(99, 100))
