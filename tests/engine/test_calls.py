"""Activations that a network calls as functions are reached, and let go, without a trace."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.nets import FACTS, Theatre, images, stage
from tostdsl.engine.certificate import Certificate, Shape
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.skip import Skip


class Made(nn.Module):
    """Two layers and a forward given as a function of (self, x)."""

    def __init__(self, run: Callable[[Any, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(192, 6), nn.Linear(6, FACTS.classes)
        self.norm = nn.BatchNorm1d(6)
        self.act = nn.ReLU()
        self.run = run
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def enter(model: nn.Module, activation: Any = "mish") -> tuple[Theatre, Any]:
    theatre = Theatre(model)
    return theatre, theatre.surgeon.enter(0, stage(Ghost(activation=activation)), None)


FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "functional": functional.relu,
    "functional in place": lambda x: functional.relu(x, inplace=True),
    "functional in place by position": lambda x: functional.relu(x, True),
    "functional_": functional.relu_,
    "torch": torch.relu,
    "torch_": torch.relu_,
    "method": lambda x: x.relu(),
    "method_": lambda x: x.relu_(),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_way_to_call_is_reached(form: str) -> None:
    """Blended with Mish, half and half, whichever way the rectifier is called."""
    relu = FORMS[form]
    model = Made(lambda net, x: net.b(relu(net.a(x.flatten(1)))))
    del model.act
    theatre, attached = enter(model)
    attached.vector[0] = 0.5
    h = model.a(images().flatten(1))
    expected = model.b((functional.mish(h) + h.relu()) / 2)
    torch.testing.assert_close(expected, model(images()))
    assert ["ghost: mish in 1 activations"] == theatre.lines


@pytest.mark.parametrize(
    ("call", "plain"),
    [
        (lambda x: functional.leaky_relu(x, 0.2, True), nn.LeakyReLU(0.2)),
        (lambda x: functional.relu6(x), nn.ReLU6()),
        (lambda x: functional.hardswish(x, inplace=True), nn.Hardswish()),
        (lambda x: functional.elu(x, alpha=0.5), nn.ELU(0.5)),
        (lambda x: functional.softplus(x, beta=2), nn.Softplus(2)),
        (lambda x: functional.gelu(x, approximate="tanh"), nn.GELU("tanh")),
    ],
)
def test_settings_of_a_call_are_kept(call: Any, plain: nn.Module) -> None:
    """At weight 0 a call computes what it was written to compute, and leaves its input alone."""
    model = Made(lambda net, x: net.b(call(net.a(x.flatten(1)))))
    _, attached = enter(model)
    attached.vector[0] = 0
    assert torch.equal(model.b(plain(model.a(images().flatten(1)))), model(images()))


def test_what_is_written_in_place_is_read_later() -> None:
    """A rectifier that works in place changes what later code reads of its input."""

    def run(net: Any, x: Tensor) -> Tensor:
        h = net.a(x.flatten(1)) * 1.0
        before = h + 1
        h.relu_()
        return net.b(h + before)

    model = Made(run)
    enter(model)
    h = model.a(images().flatten(1))
    torch.testing.assert_close(model.b(functional.mish(h) + h + 1), model(images()))


def test_the_written_out_code_follows_the_networks_mode() -> None:
    """Dropout drops in training and not in evaluation."""

    def run(net: Any, x: Tensor) -> Tensor:
        h = functional.relu(net.a(x.flatten(1)))
        return net.b(functional.dropout(h, 0.5, training=net.training))

    model = Made(run)
    theatre, _ = enter(model)
    assert not torch.equal(model(images()), model(images()))
    theatre.surgeon.train(False)
    expected = model.b(functional.mish(model.a(images().flatten(1))))
    torch.testing.assert_close(expected, model(images()))


def test_a_trial_leaves_statistics_modes_and_random_numbers_alone() -> None:
    """What the trial of the written-out code runs through is put back."""
    model = Made(lambda net, x: net.b(functional.relu(net.norm(net.a(x.flatten(1))))))
    model.norm.eval()
    state = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    random = torch.get_rng_state()
    enter(model)
    assert modes == [module.training for module in model.modules()]
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_stages_share_a_call_and_the_last_puts_the_code_back() -> None:
    """The module's own `forward` returns when no stage needs the call any more."""
    model = Made(lambda net, x: net.b(functional.relu(net.a(x.flatten(1)))))
    plain, certificate = Shape.of(model), Certificate(Shape.of(model))
    surgeon = Theatre(model).surgeon
    expected = model(images())
    one, two = (
        surgeon.enter(i, stage(Ghost(activation=a)), None)  # type: ignore[arg-type]
        for i, a in enumerate(("mish", "elu"))
    )
    surgeon.leave(one, None)
    h = model.a(images().flatten(1))
    torch.testing.assert_close(model.b(functional.elu(h)), model(images()))
    certificate.shape(model, "with one left")
    assert not certificate.passed
    surgeon.leave(two, None)
    assert plain == Shape.of(model)
    assert torch.equal(expected, model(images()))


def test_a_copy_of_the_network_runs_its_own_layers() -> None:
    """A deep copy made while a stage is at work computes with the copy's weights."""
    model = Made(lambda net, x: net.b(functional.relu(net.a(x.flatten(1)))))
    enter(model)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.b.weight.zero_()
    assert torch.equal(twin.b.bias.expand(4, -1), twin(images()))
    assert not torch.equal(twin(images()), model(images()))


def test_a_module_of_the_users_without_submodules_is_reached() -> None:
    """An activation written as a module of its own calls functions, too."""

    class Squared(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return functional.relu(x) ** 2

    model = Made(lambda net, x: net.b(net.act(net.a(x.flatten(1)))))
    model.act = Squared()  # type: ignore[assignment]
    enter(model)
    h = functional.mish(model.a(images().flatten(1))) ** 2
    torch.testing.assert_close(model.b(h), model(images()))


def test_code_that_does_more_than_its_traced_steps_is_left_alone() -> None:
    """What the trial shows to compute something else keeps its code, and the log says so."""

    class Choosy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return functional.relu(x) * (1 if isinstance(x, Tensor) else 2)

    model = Made(lambda net, x: net.b(net.act(functional.relu(net.a(x.flatten(1))))))
    model.act = Choosy()  # type: ignore[assignment]
    theatre, _ = enter(model)
    assert "forward" not in vars(model.act)
    assert "forward" in vars(model)
    assert [
        "ghost: activations that `act` calls as functions stay as they are: "
        "its code does more than its traced steps",
        "ghost: mish in 1 activations",
    ] == theatre.lines


def test_a_network_that_never_computes_the_same_keeps_its_functions() -> None:
    """There is nothing to try the written-out code against; modules are softened all the same."""

    class Counting(nn.Module):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return functional.relu(x) * self.calls

    model = Made(lambda net, x: net.b(net.counting(net.act(net.a(x.flatten(1))))))
    model.counting = Counting()
    theatre, _ = enter(model)
    assert [
        "ghost: activations that `counting` calls as functions stay as they are: "
        "the network does not compute the same twice",
        "ghost: mish in 1 activations",
    ] == theatre.lines


def test_a_module_called_with_more_than_tensors_is_left_alone() -> None:
    """Its code may depend on what it is given; the log names it."""

    class Switched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Identity()

        def forward(self, x: Tensor, on: bool = False) -> Tensor:
            return functional.relu(self.inner(x)) if on else x

    model = Made(lambda net, x: net.b(net.act(net.switched(net.a(x.flatten(1)), on=True))))
    model.switched = Switched()
    theatre, _ = enter(model)
    assert (
        "ghost: activations that `switched` calls as functions stay as they are: "
        "it is called with more than tensors"
    ) == theatre.lines[0]


def test_a_network_that_cannot_be_traced_keeps_its_functions_and_softens_its_modules() -> None:
    """Modules need no graph; the log says why functions stay."""

    def run(net: Any, x: Tensor) -> Tensor:
        h = functional.relu(net.a(x.flatten(1)))
        return net.b(net.act(h - 1) if h.sum() > 0 else h)

    model = Made(run)
    theatre, _ = enter(model)
    h = functional.mish(model.a(images().flatten(1)).relu() - 1)
    torch.testing.assert_close(model.b(h), model(images()))
    assert theatre.lines[0].startswith(
        "ghost: activations called as functions stay as they are: `net` cannot be traced: "
    )


def test_techniques_that_need_no_function_do_not_write_code_out() -> None:
    """A skip leaves every `forward` alone."""
    model = Made(lambda net, x: net.b(functional.relu(net.a(x.flatten(1)))))
    Theatre(model).surgeon.enter(0, stage(Skip()), None)
    assert "forward" not in vars(model)
