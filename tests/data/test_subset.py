"""Slices for rehearsals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tostdsl.data.subset import balanced


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 70))
def test_a_slice_is_as_even_as_the_classes_allow(labels: list[int], limit: int) -> None:
    """No class could get one more image without another, better served one, losing its."""
    kept = balanced(np.array(labels), limit)
    assert min(limit, len(labels)) == len(kept)
    assert sorted(set(kept.tolist())) == kept.tolist()
    there, taken = np.bincount(labels, minlength=5), np.zeros(5, int)
    for index in kept:
        taken[labels[index]] += 1
    short = taken < there
    if short.any():
        assert taken.max() <= taken[short].min() + 1


@pytest.mark.parametrize(
    ("limit", "expected"), [(None, [0, 1, 2, 3]), (9, [0, 1, 2, 3]), (2, [0, 3]), (0, [0])]
)
def test_the_first_images_of_each_class_are_taken(limit: int | None, expected: list[int]) -> None:
    """Images come in their old order, the first of each class first; there is always one."""
    assert expected == balanced(np.array([0, 0, 0, 1]), limit).tolist()
