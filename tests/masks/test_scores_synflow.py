"""SynFlow's scores, against products of matrices in numpy."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from tests.masks.bare import Bare, method, perceptron
from tostdsl.diagnostics import TostError
from tostdsl.masks.synflow import SynFlow
from tostdsl.plan.bases import DataFacts


def numpy_synflow(weights: list[np.ndarray], density: float, steps: int) -> list[np.ndarray]:
    """SynFlow of a perceptron without biases as products of matrices, and its masks."""
    masks = [np.ones(w.shape, dtype=bool) for w in weights]
    for t in range(1, steps + 1):
        layers = [np.abs(w) * m for w, m in zip(weights, masks, strict=True)]
        into = [np.ones(weights[0].shape[1])]
        for layer in layers:
            into.append(layer @ into[-1])
        out = [np.ones(weights[-1].shape[0])]
        for layer in reversed(layers):
            out.append(out[-1] @ layer)
        scores = [
            layer * np.outer(after, before)
            for layer, before, after in zip(layers, into, out[-2::-1], strict=False)
        ]
        flat = np.concatenate([s.ravel() for s in scores])
        flat[~np.concatenate([m.ravel() for m in masks])] = -1
        kept = int(np.floor(density ** (t / steps) * flat.size + 0.5))
        chosen = np.zeros(flat.size, dtype=bool)
        chosen[np.argsort(-flat, kind="stable")[:kept]] = True
        cuts = np.cumsum([m.size for m in masks])[:-1]
        parts = np.split(chosen, cuts)
        masks = [p.reshape(m.shape) for p, m in zip(parts, masks, strict=True)]
    return masks


@pytest.mark.parametrize("steps", [1, 7, 100])
def test_synflow_is_a_product_of_matrices(steps: int) -> None:
    """On a perceptron SynFlow keeps what numpy's products of absolute matrices rank highest."""
    model = perceptron(bias=False)
    site = Bare(model, facts=DataFacts(3, 2, 2, 5, 64, 64))
    found = method(SynFlow, "80", iterations=steps).choose(site, Fraction(4, 5))
    weights = [p.detach().numpy() for p in model.parameters()]
    wanted = numpy_synflow(weights, 0.2, steps)
    for mask, reference in zip(found.values(), wanted, strict=True):
        assert reference.tolist() == mask.tolist()


def test_synflow_conserves_flow() -> None:
    """The scores of each layer on a chain sum to the same flow, and no data is looked at."""
    site = Bare(perceptron(bias=False), facts=DataFacts(3, 2, 2, 5, 64, 64))
    sums = [float(score.sum()) for score in method(SynFlow).scores(site).values()]
    assert sums == pytest.approx([sums[0]] * len(sums), rel=1e-12)


def test_synflow_survives_a_deep_network() -> None:
    """Sixty layers whose flow overflows single precision are scored, none of them empty."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), *[nn.Linear(64, 64, bias=False) for _ in range(60)])
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=1.0)
    site = Bare(model, facts=DataFacts(1, 8, 8, 5, 64, 64))
    masks = method(SynFlow, "99", iterations=20).choose(site, Fraction(99, 100))
    assert min(int(mask.sum()) for mask in masks.values()) > 0
    flow = model(torch.ones(1, 1, 8, 8)).abs().sum()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    assert not torch.isfinite(model(torch.ones(1, 1, 8, 8)).sum()), flow


def test_synflow_refuses_a_silent_layer() -> None:
    """A layer no flow reaches is an error that names it; its weights cannot be ranked."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.Linear(4, 5))
    with torch.no_grad():
        model[2].weight.zero_()
    site = Bare(model, facts=DataFacts(3, 2, 2, 5, 64, 64))
    with pytest.raises(TostError, match=r"T504.*every weight of `1` and 1 more scores 0"):
        method(SynFlow).choose(site, Fraction(1, 2))
