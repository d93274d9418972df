"""What feeds what, read off a network's graph."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.nets import Residual, build, mlp, vgg
from tostdsl.diagnostics import TostError
from tostdsl.engine.places import Joint, Stretch
from tostdsl.engine.structure import Structure, activations_after


class Made(nn.Module):
    """Layers by keyword, and a forward given as a function of (self, x)."""

    def __init__(self, run: Any, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def conv(inputs: int = 4, outputs: int = 4, **settings: Any) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, **settings)


def pairs(structure: Structure) -> list[tuple[str, str | None, str]]:
    return [(each.producer, each.norm, each.consumer) for each in structure.hidden()[0]]


def reasons(structure: Structure) -> dict[str, str]:
    return {each.layer: each.reason for each in structure.hidden()[1]}


def test_a_residual_network_widens_inside_its_blocks() -> None:
    """First layers of blocks are hidden; what meets a residual sum or branches is not."""
    structure = Structure(Residual(), "net")
    block1, block2 = "layer1.0", "layer2.0"
    assert [
        (f"{block1}.conv1", f"{block1}.bn1", f"{block1}.conv2"),
        (f"{block2}.conv1", f"{block2}.bn1", f"{block2}.conv2"),
    ] == pairs(structure)
    assert {
        "stem": "its output is used more than once (layer1.0.add, layer1.0.conv1)",
        "layer1.0.conv2": "it feeds a residual sum (layer1.0.add)",
        "layer2.0.conv2": "it feeds a residual sum (layer2.0.add)",
        "layer2.0.shortcut.0": "it feeds a residual sum (layer2.0.add)",
        "fc": "it gives the network's output",
    } == reasons(structure)


def test_joints_end_before_the_sum_and_leave_out_shortcuts() -> None:
    """Every 3x3 convolution is a joint up to its normalisation, the 1x1 shortcut is none."""
    structure = Structure(Residual(), "net")
    assert (
        Joint("stem", "bn"),
        Joint("layer1.0.conv1", "layer1.0.bn1"),
        Joint("layer1.0.conv2", "layer1.0.bn2"),
        Joint("layer2.0.conv1", "layer2.0.bn1"),
        Joint("layer2.0.conv2", "layer2.0.bn2"),
    ) == structure.joints()


def test_a_vgg_widens_through_pooling_and_flattening() -> None:
    """Convolutions feed linear layers past pooling, flattening and dropout."""
    assert [("0", "1", "4"), ("4", "5", "9"), ("9", None, "12")] == pairs(Structure(vgg(), "net"))


def test_a_multilayer_perceptron_widens_but_for_its_last_layer() -> None:
    """All linear layers but the last are hidden, and joints end at the layer itself."""
    structure = Structure(mlp(), "net")
    assert [("1", None, "3"), ("3", None, "5")] == pairs(structure)
    assert (Joint("1", "1"), Joint("3", "3")) == structure.joints()


def test_functions_are_followed_as_modules_are() -> None:
    """Functional activations, pools, dropout and each way to flatten may lie between layers."""

    def run(net: Any, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(net.a(x)), 2)
        x = functional.dropout(torch.tanh(net.b(x)), 0.5, training=net.training)
        x = functional.adaptive_avg_pool2d(functional.gelu(net.c(x)), 2)
        x = net.d(torch.flatten(x, 1)).relu()
        x = net.e(x.view(x.shape[0], -1))
        return net.f(x.reshape(x.size()[0], -1))

    model = Made(run, a=conv(), b=conv(), c=conv(), d=nn.Linear(16, 5), e=nn.Linear(5, 3),
                 f=nn.Linear(3, 2))  # fmt: skip
    found, tied = Structure(model, "net").hidden()
    assert ["a", "b", "c", "d", "e"] == [each.producer for each in found]
    assert ["f"] == [each.layer for each in tied]
    assert ["relu()", "gelu()", "relu()#2"] == list(Structure(model, "net").functions.calls)


def test_what_lies_between_runs_on_any_number_of_channels() -> None:
    """`through` gives on more channels what the network's own functions give."""

    def run(net: Any, x: Tensor) -> Tensor:
        x = functional.relu(net.bn(net.a(x)))
        return net.b(functional.avg_pool2d(x, 2).mean([2, 3]))

    model = Made(run, a=conv(), bn=nn.BatchNorm2d(4), b=nn.Linear(4, 2))
    (hidden,), _ = Structure(model, "net").hidden()
    x = torch.randn(2, 9, 8, 8)
    expected = functional.avg_pool2d(x.relu(), 2).mean([2, 3])
    torch.testing.assert_close(hidden.through(x), expected)


def test_functional_dropout_between_layers_follows_the_networks_mode() -> None:
    """What was traced with `training=self.training` drops in training and not in evaluation."""

    def run(net: Any, x: Tensor) -> Tensor:
        return net.b(functional.dropout(net.a(x), 0.5, training=net.training))

    model = Made(run, a=nn.Linear(4, 4), b=nn.Linear(4, 2))
    model.eval()
    (hidden,), _ = Structure(model, "net").hidden()
    ones = torch.ones(8, 64)
    assert torch.equal(ones, hidden.through(ones))
    model.train()
    assert not torch.equal(ones, hidden.through(ones))


@pytest.mark.parametrize(
    ("run", "layers", "reason"),
    [
        (lambda n, x: n.b(n.a(x)), {"a": conv(), "b": conv(groups=2)},
         "it feeds a grouped convolution (b)"),
        (lambda n, x: n.b(n.a(x)), {"a": conv(groups=2), "b": conv()},
         "it is a grouped convolution"),
        (lambda n, x: n.b(n.a(x)), {"a": conv(groups=4), "b": conv()},
         "it is a depthwise convolution, which ghosts of the layer before it pass"),
        (lambda n, x: n.b(n.a(n.a(x))), {"a": conv(), "b": conv()},
         "it is called more than once"),
        (lambda n, x: n.b(n.a(input=x)), {"a": conv(), "b": conv()},
         "it is called by keyword"),
        (lambda n, x: n.b(x), {"a": conv(), "b": conv()},
         "it is called only inside another module"),
        (lambda n, x: n.b(n.b(n.a(x))), {"a": conv(), "b": conv()},
         "it feeds a layer that is called more than once (b)"),
        (lambda n, x: n.b(n.g(n.a(x))), {"a": conv(), "b": conv(), "g": nn.GroupNorm(2, 4)},
         "it feeds something tied to its width (g, a GroupNorm)"),
        (lambda n, x: n.b(n.g(n.a(x))), {"a": conv(), "b": conv(), "g": nn.PReLU(4)},
         "it feeds something tied to its width (g, a PReLU)"),
        (lambda n, x: n.b(n.a(x).permute(0, 1, 3, 2)), {"a": conv(), "b": conv()},
         "it feeds something tied to its width (permute)"),
        (lambda n, x: n.b(n.a(x).view(-1, 64)), {"a": conv(), "b": nn.Linear(64, 2)},
         "it feeds something tied to its width (view)"),
        (lambda n, x: n.b(n.a(x)), {"a": conv(), "b": nn.Linear(8, 2)},
         "it feeds a layer of another shape (b)"),
        (lambda n, x: n.b(n.a(x)), {"a": nn.Conv1d(4, 4, 3), "b": nn.Conv1d(4, 4, 3)},
         "it is a Conv1d, which is not widened"),
        (lambda n, x: (n.a(x), n.b(x))[1], {"a": conv(), "b": conv()},
         "nothing uses its output"),
    ],
)  # fmt: skip
def test_a_layer_that_cannot_be_widened_says_why(
    run: Any, layers: dict[str, nn.Module], reason: str
) -> None:
    """Each obstacle has a reason in words."""
    structure = Structure(Made(run, **layers), "net")
    assert reason == reasons(structure)["a"]


def test_parallel_1x1_convolutions_of_one_length_are_joints_both() -> None:
    """A 1x1 convolution is a shortcut only beside a longer path."""

    def run(net: Any, x: Tensor) -> Tensor:
        return functional.relu(net.a(x) + net.b(x))

    model = Made(run, a=nn.Conv2d(3, 4, 1), b=nn.Conv2d(3, 4, 1))
    assert (Joint("a", "a"), Joint("b", "b")) == Structure(model, "net").joints()


def test_a_layer_whose_activation_comes_first_is_no_joint() -> None:
    """In a pre-activation block only the layer right before an activation is a joint."""

    def run(net: Any, x: Tensor) -> Tensor:
        return x + net.b(functional.relu(net.n(net.a(functional.relu(x)))))

    model = Made(run, a=conv(), n=nn.BatchNorm2d(4), b=conv())
    assert (Joint("a", "n"),) == Structure(model, "net").joints()


def test_activations_after_a_layer_are_found_past_sums_and_pools() -> None:
    """An activation follows the layers whose outputs reach it, and says which others do."""
    structure = Structure(Residual(), "net")
    found, shared = activations_after(structure, ["layer2.0.conv2", "stem"])
    assert ["relu", "layer2.0.relu"] == found
    assert {"layer2.0.relu": ["layer2.0.conv1", "layer2.0.shortcut.0"]} == shared


def test_tracing_changes_neither_mode_nor_state() -> None:
    """A traced network has the modes and the state it had."""
    model = build("residual")
    model.eval()
    model.get_submodule("bn").train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    Structure(model, "net")
    assert modes == [module.training for module in model.modules()]
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_tensors_made_in_the_code_leave_no_attribute() -> None:
    """What the tracer keeps for itself on the network is taken off again."""
    model = Made(lambda net, x: net.a(x + torch.ones(1)), a=nn.Linear(4, 4))
    before = set(vars(model))
    Structure(model, "net")
    assert before == set(vars(model))


def test_a_forward_with_default_arguments_is_traced_with_them() -> None:
    """Arguments the engine never gives do not stop the tracing."""

    class Optional(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor, deep: bool = False, extra: Tensor | None = None) -> Tensor:
            x = self.a(x)
            if deep:
                x = self.a(x)
            return self.b(x if extra is None else x + extra)

    assert [("a", None, "b")] == pairs(Structure(Optional(), "net"))


def test_a_network_that_cannot_be_traced_is_named_with_the_place() -> None:
    """T503 names the network, the module and the reason."""

    class Bad(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.ModuleList([nn.Linear(4, 4)])

        def forward(self, x: Tensor) -> Tensor:
            return self.inner[0](x) if x.sum() > 0 else x

    with pytest.raises(TostError) as caught:
        Structure(nn.Sequential(nn.Linear(4, 4), Bad()), "mine")
    (mistake,) = caught.value.diagnostics
    assert "T503" == mistake.code
    assert mistake.message.startswith("`mine` cannot be traced: in `1`, ")
    assert mistake.help is not None


def test_a_chain_through_depthwise_convolutions_is_widened_by_its_first_layer() -> None:
    """A depthwise layer relays; what makes it wait for another reason is told."""

    def run(net: Any, x: Tensor) -> Tensor:
        return net.c(functional.relu6(net.n(net.d(functional.relu6(net.a(x))))))

    layers = {
        "a": nn.Conv2d(4, 6, 1), "d": nn.Conv2d(6, 6, 3, groups=6), "n": nn.BatchNorm2d(6),
        "c": nn.Conv2d(6, 4, 1),
    }  # fmt: skip
    (hidden,), tied = Structure(Made(run, **layers), "net").hidden()
    assert ("a", "c") == (hidden.producer, hidden.consumer)
    assert [("d", "n")] == [(relay.layer, relay.norm) for relay in hidden.relays]
    x = torch.randn(2, 9, 4, 4) * 9
    torch.testing.assert_close(x.clamp(0, 6), hidden.relays[0].through(x))
    assert ["d", "c"] == [each.layer for each in tied]
    layers["n"] = nn.GroupNorm(2, 6)
    assert (
        "it feeds something tied to its width (n, a GroupNorm)"
        == (reasons(Structure(Made(run, **layers), "net"))["a"])
    )


def test_stretches_end_where_an_output_is_used_twice_and_at_pools() -> None:
    """Bottlenecks are one stretch of three; plain layers are taken in twos between pools."""

    def run(net: Any, x: Tensor) -> Tensor:
        x = functional.relu(net.a(x))
        y = functional.relu(net.b(x))
        y = functional.relu(net.c(y))
        x = functional.relu(net.d(y) + x)
        x = functional.max_pool2d(functional.relu(net.f(functional.relu(net.e(x)))), 2)
        return net.h(functional.relu(net.g(x)))

    structure = Structure(Made(run, **{name: conv() for name in "abcdefgh"}), "net")
    assert (Stretch(("b", "c", "d"), "d"), Stretch(("e", "f"), "f")) == structure.stretches()
