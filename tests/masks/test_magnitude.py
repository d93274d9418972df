"""The mask `magnitude`."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pytest
import torch

from tostdsl.masks.magnitude import Magnitude
from tostdsl.units import Percent


def magnitude(percent: str, law: Literal["global", "uniform"] = "global") -> Magnitude:
    return Magnitude(sparsity=Percent(Decimal(percent)), distribution=law)


def reference(values: np.ndarray, kept: int) -> np.ndarray:
    mask = np.zeros(values.size, dtype=bool)
    mask[np.argsort(-np.abs(values), kind="stable")[:kept]] = True
    return mask


@pytest.mark.parametrize("percent", ["0", "33.3", "80", "95"])
def test_global_is_numpy_argsort(make_site: Callable[..., Any], percent: str) -> None:
    """Global magnitude keeps the head of numpy's stable argsort over all weights, with ties."""
    noise = torch.Generator().manual_seed(3)
    weights = {
        f"{name}.weight": torch.randint(-40, 41, shape, generator=noise) / 10
        for name, shape in {"a": (8, 4, 3, 3), "b": (16, 8), "c": (10, 16)}.items()
    }
    method = magnitude(percent)
    masks = method.choose(make_site(weights), method.sparsity.fraction)
    flat = np.concatenate([weight.numpy().ravel() for weight in weights.values()])
    kept = int((1 - method.sparsity.fraction) * flat.size + Fraction(1, 2))
    actual = np.concatenate([mask.numpy().ravel() for mask in masks.values()])
    assert kept == actual.sum()
    assert reference(flat, kept).tolist() == actual.tolist()


def test_layer_is_numpy_argsort_of_each(make_site: Callable[..., Any]) -> None:
    """By layer, each keeps its own largest at the common density, whatever its scale."""
    site = make_site({"a.weight": (20, 10), "b.weight": (30, 10)})
    site.weights["b.weight"].mul_(1e-3)
    masks = magnitude("90", "uniform").choose(site, Fraction(9, 10))
    for name, kept in (("a.weight", 20), ("b.weight", 30)):
        wanted = reference(site.weights[name].numpy().ravel(), kept)
        assert wanted.tolist() == masks[name].ravel().tolist()


def test_equal_weights_keep_the_first(make_site: Callable[..., Any]) -> None:
    """Of equal weights the earlier in the network are kept, the same every time."""
    site = make_site({"a.weight": torch.ones(2, 2), "b.weight": -torch.ones(2, 2)})
    masks = magnitude("37.5").choose(site, Fraction(3, 8))
    assert [[True, True], [True, True]] == masks["a.weight"].tolist()
    assert [[True, False], [False, False]] == masks["b.weight"].tolist()


def test_weights_are_left_alone(make_site: Callable[..., Any]) -> None:
    """Choosing changes no weight."""
    site = make_site({"a.weight": (20, 10)})
    before = site.weights["a.weight"].clone()
    magnitude("50").choose(site, Fraction(1, 2))
    assert torch.equal(before, site.weights["a.weight"])
