"""sgd, adam and adamw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from tostdsl.optimizers.adam import Adam, AdamW
from tostdsl.optimizers.sgd import Sgd
from tostdsl.plan.bases import OptimizerSpec
from tostdsl.plan.spec import CheckSite

STEPS = 7
Array = NDArray[np.float64]


def gradients() -> Array:
    return np.random.default_rng(0).normal(size=(STEPS, 5))


def walk(spec: OptimizerSpec) -> Iterator[Array]:
    """Give the weights after each step along fixed gradients."""
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 5, dtype=torch.float64))
    optimizer = spec.build([weight])
    for gradient in gradients():
        weight.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        yield weight.detach().numpy().copy()


def sgd(lr: float, momentum: float, weight_decay: float, nesterov: bool) -> Iterator[Array]:
    w, v = np.linspace(-1, 1, 5), np.zeros(5)
    for raw in gradients():
        g = raw + weight_decay * w
        v = momentum * v + g
        w = w - lr * ((g + momentum * v) if nesterov else v)
        yield w


def adam(
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float, decoupled: bool
) -> Iterator[Array]:
    w, m, s = np.linspace(-1, 1, 5), np.zeros(5), np.zeros(5)
    for t, raw in enumerate(gradients(), 1):
        g = raw if decoupled else raw + weight_decay * w
        w = w * (1 - lr * weight_decay) if decoupled else w
        m = beta1 * m + (1 - beta1) * g
        s = beta2 * s + (1 - beta2) * g**2
        w = w - lr * (m / (1 - beta1**t)) / (np.sqrt(s / (1 - beta2**t)) + eps)
        yield w


@pytest.mark.parametrize(
    ("momentum", "weight_decay", "nesterov"),
    [(0.9, 0.0, False), (0.9, 2e-4, True), (0.0, 0.1, False), (0.5, 0.1, True)],
)
def test_sgd_is_its_formula(momentum: float, weight_decay: float, nesterov: bool) -> None:
    """The weights follow the documented recursion."""
    spec = Sgd(lr=0.05, momentum=momentum, weight_decay=weight_decay, nesterov=nesterov)
    expected = list(sgd(0.05, momentum, weight_decay, nesterov))
    np.testing.assert_allclose(expected, list(walk(spec)), rtol=1e-12)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(("kind", "decoupled"), [(Adam, False), (AdamW, True)])
def test_adam_is_its_formula(kind: Any, decoupled: bool, weight_decay: float) -> None:
    """The weights follow the documented recursion, decay inside or outside the scaling."""
    values = {"lr": 0.02, "beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": weight_decay}
    expected = list(adam(**values, decoupled=decoupled))
    np.testing.assert_allclose(expected, list(walk(kind(**values))), rtol=1e-10)


@pytest.mark.parametrize("kind", [Sgd, Adam, AdamW])
def test_kernels(kind: Any) -> None:
    """Real floats on a CPU get the fused kernel; a complex parameter makes it `foreach`."""
    real = torch.nn.Parameter(torch.zeros(2))
    odd = torch.nn.Parameter(torch.zeros(2, dtype=torch.complex64))
    assert (True, None) == tuple(kind().build([real]).defaults[k] for k in ("fused", "foreach"))
    group = kind().build([real, odd]).defaults
    assert (True, True) == (not group["fused"], group["foreach"])


def test_an_iterator_of_parameters_is_enough() -> None:
    """Every parameter of a module's iterator is taken."""
    net = torch.nn.Linear(3, 2)
    optimizer = Sgd().build(net.parameters())
    assert [net.weight, net.bias] == optimizer.param_groups[0]["params"]


def test_defaults() -> None:
    """The defaults are those documented, and torch's where it has any."""
    assert {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "nesterov": False} == Sgd().arguments()
    for kind, torch_kind in ((Adam, torch.optim.Adam), (AdamW, torch.optim.AdamW)):
        parameter = torch.nn.Parameter(torch.zeros(1))
        ours, theirs = kind().build([parameter]).defaults, torch_kind([parameter]).defaults
        for key in ("lr", "betas", "eps", "weight_decay"):
            assert theirs[key] == ours[key]


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        *((Sgd, "lr", 0.0), (Sgd, "momentum", 1.0), (Sgd, "weight_decay", -1e-4)),
        *((Adam, "beta1", 1.0), (Adam, "eps", 0.0), (AdamW, "beta2", -0.1)),
    ],
)
def test_bounds(kind: Any, name: str, value: float) -> None:
    """Values that make no step, or an endless one, are refused."""
    with pytest.raises(ValidationError):
        kind(**{name: value})


def test_nesterov_needs_momentum() -> None:
    """`nesterov` without momentum is a problem in both arguments; with it there is none."""
    (problem,) = Sgd(momentum=0.0, nesterov=True).check(CheckSite())
    assert ("T504", ("nesterov", "momentum")) == (problem.code, problem.fields)
    assert [] == list(Sgd(nesterov=True).check(CheckSite()))


@pytest.mark.parametrize("spec", [Sgd(lr=0.3, nesterov=True), Adam(beta2=0.98), AdamW(eps=1e-6)])
def test_json_reads_back(spec: OptimizerSpec) -> None:
    """A spec's JSON reads back as the same spec."""
    assert spec == type(spec).model_validate(spec.model_dump(mode="json"))
