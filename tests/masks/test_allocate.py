"""Counts and choices against float64 and numpy references."""

from __future__ import annotations

from fractions import Fraction
from time import perf_counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tostdsl.diagnostics import TostError
from tostdsl.masks.allocate import highest_of, keep_largest, share_out
from tostdsl.plan.masking import kept_total


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


@given(st.lists(st.lists(st.integers(-4, 4), min_size=1, max_size=6), min_size=1, max_size=4))
def test_the_highest_sparsity_leaves_no_layer_empty(layers: list[list[int]]) -> None:
    """At the highest sparsity every layer keeps a weight; by brute force over all counts."""
    scores = {str(i): torch.tensor(values).double() for i, values in enumerate(layers)}
    size = sum(map(len, layers))
    alive = [
        kept
        for kept in range(size + 1)
        if all(bool(mask.any()) for mask in keep_largest(scores, kept).values())
    ]
    kept = (1 - highest_of(scores)) * size
    assert kept in alive
    without_ties = len({value for values in layers for value in values}) == size
    assert kept == alive[0] or not without_ties
