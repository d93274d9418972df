"""What stages put into a network comes out again, whatever it was."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.nets import FACTS, NETS, Theatre, build, images, stage
from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Hook, Network
from tostdsl.engine.surgery import Attached, facts_of, layers
from tostdsl.plan.bases import ModuleFact, Technique
from tostdsl.plan.plan import Targets
from tostdsl.plan.spec import arg
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.skip import Skip
from tostdsl.units import Factor, Ramp, Selector

DOUBLE = Factor.from_json({"factor": 2})


class Probe(Technique):
    """Puts in one of everything."""

    name = "probe"
    level: float | Ramp = arg(Ramp(3.0, 1.0))
    fail: bool = arg(False)

    def hook(self) -> ProbeHook:
        return ProbeHook(self)


class ProbeHook(Hook[Probe]):
    memory = 0.0

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        self.cells = cells
        extra = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)).double()
        self.extra = net.add("extra", extra)
        first = net.targets[0]
        net.before(first, lambda _module, _args: None)
        net.after(first, lambda _module, _args, output: output * cells["level"])
        for name in net.activations():
            net.keep_inputs(name)
        net.report("here")
        if self.stage.fail:
            raise RuntimeError("no")

    def state_dict(self) -> dict[str, Tensor]:
        return {"memory": torch.tensor(self.memory)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.memory = float(state["memory"])


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def flags(model: nn.Module) -> list[Any]:
    return [getattr(module, "inplace", None) for module in model.modules()]


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 2) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(images()).square().mean().backward()
        optimizer.step()


OPTIMIZERS = [
    lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=1e-3, nesterov=True),
    lambda p: torch.optim.AdamW(p, lr=0.001),
]
EVERYTHING: dict[str, tuple[Technique, ...]] = {
    "probe": (Probe(),),
    "ghost activation": (Ghost(activation="swish", beta=Ramp(1, 20)),),
    "ghost width": (Ghost(width=DOUBLE),),
    "skip": (Skip(),),
    "all": (Ghost(activation="mish"), Ghost(width=DOUBLE), Skip(form="add"), Skip(), Probe()),
}


@pytest.mark.parametrize("make", OPTIMIZERS, ids=["sgd", "adamw"])
@pytest.mark.parametrize("techniques", EVERYTHING.values(), ids=EVERYTHING)
@pytest.mark.parametrize("net", NETS)
def test_what_enters_leaves_nothing(net: str, techniques: Iterable[Technique], make: Any) -> None:
    """After leaving: no hook, no flag, no parameter, no group, no state, no key of a stage."""
    model = build(net)
    keys, before = list(model.state_dict()), flags(model)
    optimizer = make(model.parameters())
    train(model, optimizer)
    own = {parameter: optimizer.state[parameter] for parameter in model.parameters()}
    groups = [dict(group) for group in optimizer.param_groups]
    surgeon = Theatre(model).surgeon
    attached = [surgeon.enter(i, stage(t), optimizer) for i, t in enumerate(techniques)]
    assert hooks(model) > 0
    assert keys == list(model.state_dict())
    train(model, optimizer)
    for each in reversed(attached):
        surgeon.leave(each, optimizer)
    assert 0 == hooks(model)
    assert before == flags(model)
    assert keys == list(model.state_dict())
    assert groups == [dict(group) for group in optimizer.param_groups]
    assert own.keys() == optimizer.state.keys()
    assert all(own[parameter] is optimizer.state[parameter] for parameter in own)
    assert () == surgeon.attached
    train(model, optimizer)


@pytest.mark.parametrize("net", NETS)
def test_a_left_network_computes_what_a_plain_one_with_its_weights_does(net: str) -> None:
    """At weight 0 the network is bitwise the plain one, attached or gone, in both modes."""
    model = build(net)
    surgeon = Theatre(model).surgeon
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    stages = (Ghost(activation="swish"), Ghost(width=DOUBLE), Skip(), Skip(form="normalised"))
    attached = [surgeon.enter(i, stage(t), optimizer) for i, t in enumerate(stages)]
    train(model, optimizer)
    for each in attached:
        each.vector.zero_()
    plain = build(net)
    for mode in (False, True):
        plain.load_state_dict(model.state_dict())
        surgeon.train(mode)
        plain.train(mode)
        assert torch.equal(plain(images()), model(images()))
    for each in reversed(attached):
        surgeon.leave(each, optimizer)
    plain.load_state_dict(model.state_dict())
    assert torch.equal(plain(images()), model(images()))


def test_cells_are_views_that_one_copy_moves() -> None:
    """Weight and ramps are 0-d float32 views of one vector, in the order of the curves."""
    model = build("mlp")
    attached = Theatre(model).surgeon.enter(0, stage(Probe()), None)
    assert ["weight", "level"] == list(attached.cells)
    assert [1.0, 3.0] == [float(cell) for cell in attached.cells.values()]
    assert all(c.dtype == torch.float32 and c.dim() == 0 for c in attached.cells.values())
    attached.vector.copy_(torch.tensor([0.5, 2.0]))
    assert [0.5, 2.0] == [float(cell) for cell in attached.hook.cells.values()]


def test_moving_a_cell_changes_the_network_without_attaching_again() -> None:
    """The same hooks compute with the new value."""
    model = build("mlp")
    surgeon = Theatre(model).surgeon
    last = stage(Probe(), on=("last",))
    attached = surgeon.enter(0, last, None)
    at_three = model(images())
    attached.vector[1] = 1.0
    torch.testing.assert_close(at_three / 3, model(images()))


def test_added_parameters_train_in_a_group_like_the_first() -> None:
    """The new group has the first one's settings, its current learning rate included."""
    model = build("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, weight_decay=0.1)
    optimizer.param_groups[0]["lr"] = 0.25
    attached = Theatre(model).surgeon.enter(0, stage(Probe()), optimizer)
    first, second = optimizer.param_groups
    assert {k: v for k, v in first.items() if k != "params"} == {
        k: v for k, v in second.items() if k != "params"
    }
    assert [parameter for _, parameter in attached.parameters] == second["params"]
    assert "extra.0.weight" == attached.parameters[0][0]


def test_an_optimizer_over_named_parameters_takes_named_ones() -> None:
    """Groups with names get names, and lose them again."""
    model = build("mlp")
    optimizer = torch.optim.SGD(model.named_parameters(), lr=0.5)
    surgeon = Theatre(model).surgeon
    attached = surgeon.enter(0, stage(Probe()), optimizer)
    assert "extra.0.weight" == optimizer.param_groups[1]["param_names"][0]
    surgeon.leave(attached, optimizer)
    assert 1 == len(optimizer.param_groups)


def test_groups_are_found_after_an_optimizer_was_loaded() -> None:
    """Loading an optimizer's state replaces its groups; leaving still removes the right one."""
    model = build("mlp")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    surgeon = Theatre(model).surgeon
    attached = surgeon.enter(0, stage(Ghost(width=DOUBLE)), optimizer)
    train(model, optimizer)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    surgeon.leave(attached, optimizer)
    assert list(model.parameters()) == optimizer.param_groups[0]["params"]
    assert set(model.parameters()) == set(optimizer.state)


def test_added_modules_follow_the_networks_mode() -> None:
    """They enter in the model's mode and change with it."""
    model = build("mlp").eval()
    surgeon = Theatre(model).surgeon
    attached = surgeon.enter(0, stage(Probe()), None)
    assert not attached.hook.extra.training
    surgeon.train(True)
    assert attached.hook.extra[1].training
    assert model.training


def test_a_stage_that_cannot_be_attached_leaves_the_network_alone() -> None:
    """A failure while attaching undoes what was put in."""
    model = build("vgg")
    surgeon = Theatre(model).surgeon
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    before = flags(model)
    with pytest.raises(RuntimeError, match="no"):
        surgeon.enter(0, stage(Probe(fail=True)), optimizer)
    assert 0 == hooks(model)
    assert before == flags(model)
    assert 1 == len(optimizer.param_groups)
    assert () == surgeon.attached


def test_a_flag_two_stages_hold_comes_back_with_the_last() -> None:
    """An activation stays out of place until no stage needs its input."""
    model = build("vgg")
    before = flags(model)
    surgeon = Theatre(model).surgeon
    one, two = (surgeon.enter(i, stage(Probe()), None) for i in range(2))
    surgeon.leave(one, None)
    assert not any(flags(model))
    surgeon.leave(two, None)
    assert before == flags(model)


def test_state_of_an_attached_stage_comes_back() -> None:
    """What the modules and the hook remember is one flat dict of tensors."""
    first, second = (enter_probe(seed) for seed in (1, 2))
    first.hook.memory = 4.0
    second.load_state_dict(first.state_dict())
    assert 4.0 == second.hook.memory
    for a, b in zip(first.hook.extra.parameters(), second.hook.extra.parameters(), strict=True):
        assert torch.equal(a, b)


def enter_probe(seed: int) -> Attached:
    torch.manual_seed(seed)
    return Theatre(build("mlp")).surgeon.enter(0, stage(Probe()), None)


def test_shapes_are_measured_without_a_trace() -> None:
    """Shapes leave out the batch; statistics, modes and random numbers stay as they were."""
    model = build("residual")
    theatre = Theatre(model)
    theatre.surgeon.enter(0, stage(Ghost(width=DOUBLE)), None)
    before = copy.deepcopy(model.state_dict())
    ghosts = theatre.surgeon.attached[0].state_dict()
    kept = {name: tensor.clone() for name, tensor in ghosts.items()}
    random = torch.get_rng_state()
    assert ((6, 8, 8), (8, 4, 4)) == theatre.surgeon.shapes["layer2.0.conv1"]
    assert ((8,), (5,)) == theatre.surgeon.shapes["fc"]
    assert all(module.training for module in model.modules())
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())
    now = theatre.surgeon.attached[0].state_dict()
    assert all(torch.equal(kept[name], t) for name, t in now.items())
    assert torch.equal(random, torch.get_rng_state())
    assert 1 == len([m for m in model.modules() if m is model and not m._forward_hooks])


def test_images_the_network_does_not_take_are_an_error_of_the_recipe() -> None:
    """T506 says which shape did not fit."""
    surgeon = Theatre(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())).surgeon
    with pytest.raises(TostError) as caught:
        _ = surgeon.shapes
    (mistake,) = caught.value.diagnostics
    assert "T506" == mistake.code
    assert mistake.message.startswith("`net` does not take images of 3x8x8: ")


def test_layers_are_selected_by_class_and_name() -> None:
    """A network's own modules become the facts that selectors match."""
    model = build("residual", torch.float32)
    assert ModuleFact("fc", "linear") == facts_of(model)[-1]
    assert ["layer1.0.conv1", "layer1.0.conv2", "fc"] == layers(
        model, Targets(on=(Selector("glob", "layer1"), Selector("class", "last"))), "net"
    )


@pytest.mark.parametrize(
    ("on", "exclude", "code", "said"),
    [
        (("layr1",), (), "T501", '`"layr1"` matches no module of `net`'),
        (("fc",), ("linear",), "T502", 'no layer is left of `on "fc" except linear`'),
    ],
)
def test_targets_without_a_layer_are_errors(
    on: tuple[str, ...], exclude: tuple[str, ...], code: str, said: str
) -> None:
    """A selector that matches nothing, and one whose matches are all excluded, are refused."""
    surgeon = Theatre(build("residual")).surgeon
    with pytest.raises(TostError) as caught:
        surgeon.enter(0, stage(Probe(), on, exclude), None)
    (mistake,) = caught.value.diagnostics
    assert code == mistake.code
    assert said in mistake.message
    assert code == "T502" or 'did you mean `"layer1"`?' in str(mistake.help)


def test_masks_may_be_given_as_a_function() -> None:
    """A stage sees the masks in force when it enters, not those when the surgeon was made."""
    model = build("mlp")
    masks: dict[str, Tensor] = {}
    surgeon = Theatre(model, masks=lambda: masks).surgeon  # type: ignore[arg-type]
    masks = {"1.weight": torch.ones(8, 192, dtype=torch.bool)}
    site = surgeon.enter(0, stage(Probe()), None).site
    assert masks is site.masks
    assert FACTS.classes == site.classes


def test_generators_depend_on_seed_technique_and_purpose_only() -> None:
    """The same purpose gives the same numbers; another purpose or seed gives others."""

    def draw(seed: int, purpose: str) -> Tensor:
        theatre = Theatre(build("mlp"), seed=seed)
        site = theatre.surgeon.enter(0, stage(Probe()), None).site
        return torch.rand(4, generator=site.generator(purpose))

    assert torch.equal(draw(1, "a"), draw(1, "a"))
    assert not torch.equal(draw(1, "a"), draw(1, "b"))
    assert not torch.equal(draw(1, "a"), draw(2, "a"))


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        ((stage(Skip()), stage(Skip(form="add"))), True),
        ((stage(Skip(), on=("stem",)), stage(Skip(), on=("layer1.*",))), False),
        ((stage(Ghost(activation="swish")), stage(Ghost(width=DOUBLE))), False),
        ((stage(Skip()), stage(Ghost(activation="swish"))), False),
    ],
)
def test_two_of_a_kind_in_one_place_are_told_of(stages: tuple[Any, Any], told: bool) -> None:
    """Two skips around one layer may be meant, but not without a word."""
    theatre = Theatre(build("residual"))
    for index, each in enumerate(stages):
        theatre.surgeon.enter(index, each, None)
    said = [line for line in theatre.lines if "another skip is at work" in line]
    assert int(told) == len([line for line in theatre.lines if "another " in line]) == len(said)
    if told:
        assert "skip: another skip is at work on the same modules, and both act: bn, " in said[0]
