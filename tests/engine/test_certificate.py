"""The certificate catches what a stage could leave behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tostdsl.engine.certificate import Certificate, Shape


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(inplace=True), nn.Linear(6, 3))


def leave_hook(model: nn.Sequential) -> None:
    model[2].register_forward_hook(lambda module, args, output: output)


def leave_parameter(model: nn.Sequential) -> None:
    model[0].register_parameter("ghost", nn.Parameter(torch.zeros(1)))


def leave_module(model: nn.Sequential) -> None:
    model.add_module("ghost", nn.Identity())


def leave_buffer(model: nn.Sequential) -> None:
    model[0].register_buffer("ghost", torch.zeros(1))


def leave_flag(model: nn.Sequential) -> None:
    model[2].inplace = False  # type: ignore[assignment]


@pytest.mark.parametrize(
    "leak", [leave_hook, leave_parameter, leave_module, leave_buffer, leave_flag]
)
def test_leaks_are_caught(leak: Callable[[nn.Sequential], None]) -> None:
    """A left hook, parameter, module, buffer or flag fails the certificate."""
    model = network()
    certificate = Certificate(Shape.of(model))
    certificate.shape(model, "before")
    assert certificate.passed
    leak(model)
    certificate.shape(model, "after")
    assert not certificate.passed


@pytest.mark.parametrize(("gap", "passed"), [(0.0, True), (1e-7, True), (1e-3, False)])
def test_removal_compares_outputs(gap: float, passed: bool) -> None:
    """Outputs may differ by rounding when a stage leaves, by no more."""
    outputs = torch.ones(2, 3)
    certificate = Certificate(Shape.of(network()))
    certificate.removal("ghost", "step 1", outputs + gap, outputs)
    assert passed == certificate.passed


def test_outputs_that_are_not_numbers_fail() -> None:
    """A network that computes NaN cannot be certified."""
    certificate = Certificate(Shape.of(network()))
    broken = torch.full((2, 3), float("nan"))
    certificate.removal("ghost", "step 1", broken, broken)
    assert not certificate.passed
