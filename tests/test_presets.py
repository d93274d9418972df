"""The presets: each technique as published, and as the paper intends it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tostdsl import api
from tostdsl.cli.presets import names
from tostdsl.compile.compiler import compile_file
from tostdsl.engine.observer import Result
from tostdsl.engine.run import RunOptions
from tostdsl.engine.verify import VerifyOptions
from tostdsl.plan.plan import Plan, StagePlan
from tostdsl.units import END, START, Moment, Window

PRESETS = Path(__file__).parents[1] / "recipes" / "presets"
ALL = sorted(path.stem for path in PRESETS.glob("*.tost"))
PUBLISHED = ["published_ghost", "published_skip"]
MASKS = [name for name in ALL if name.startswith("mask_")]
PATTERNED = {"mask_nm": 0.5, "mask_vnm": 0.75}
"""Masks whose pattern says what share they prune."""
LONG = {"mask_force", "mask_snip_steps", *(n for n in MASKS if n.endswith("_conv"))}
"""Those that take long, or differ from others only in their scope."""
OTHERS = [name for name in ALL if name not in PUBLISHED]
SMALL = 'extends "{name}.tost"\nmodel cifar_resnet(8)\ndata digits(validation=10%)\n'


def plan(name: str) -> Plan:
    (made,) = compile_file(PRESETS / f"{name}.tost").plans
    return made


def stage(name: str, technique: str) -> StagePlan:
    (found,) = [each for each in plan(name).stages if each.technique.name == technique]
    return found


def test_every_technique_has_both_levels() -> None:
    """Those that change the network have two presets each, the others one for both."""
    agreed = ["agreed_init", "agreed_labels"]
    intended = ["intent_full", "intent_ghost", "intent_skip"]
    assert [*agreed, *intended, *MASKS, *PUBLISHED] == ALL
    assert ALL == names()


@pytest.mark.parametrize("name", ALL)
def test_they_check_clean_but_for_what_is_meant(name: str) -> None:
    """Published ones are warned of as staying, and that the learning rate drops meanwhile."""
    found = compile_file(PRESETS / f"{name}.tost").diagnostics
    meant = {"W026"} if name in PUBLISHED else set()
    assert meant == {diagnostic.code for diagnostic in found}


@pytest.mark.parametrize("name", ALL)
def test_training_is_that_of_the_public_code(name: str) -> None:
    """SGD 0.1, momentum 0.9, no Nesterov, 2e-4; 182 epochs, a tenth at 90 and 135; batch 128."""
    made = plan(name)
    sgd = made.optimizer.arguments()
    assert ("sgd", 0.1, 0.9, 2e-4) == (
        made.optimizer.name,
        *(sgd[key] for key in ("lr", "momentum", "weight_decay")),
    )
    assert not sgd["nesterov"]
    at = [moment.value for moment in made.schedule.arguments()["at"]]
    assert ([90, 135], 0.1) == (at, made.schedule.arguments()["factor"])
    assert "182 epochs" == str(made.train)
    assert 128 == made.data.batch
    assert ["crop", "flip"] == [change.name for change in made.data.augment]
    assert 4 == made.data.augment[0].arguments()["padding"]
    assert 45_000 == 50_000 - made.data.held_out(50_000)
    assert made.mask is not None
    if name not in MASKS:
        assert ["conv"] == [selector.text for selector in made.mask.targets.on]
        assert () == made.mask.targets.exclude
    assert ("resnet18", "cifar") == (made.model.name, made.model.arguments()["stem"])


def arguments(found: StagePlan) -> dict[str, Any]:
    values = found.technique.arguments()
    return {**values, "anneal": values["anneal"].name} if "anneal" in values else values


def test_the_published_ghosts_stay_and_are_constant() -> None:
    """Swish with beta 1 everywhere, from start to end; a skip's weights start at 1e-4, dense."""
    ghost = arguments(stage("published_ghost", "ghost"))
    wanted = {"activation": "swish", "beta": 1.0, "anneal": "none", "keep": True, "form": "blend"}
    assert wanted == {key: ghost[key] for key in wanted}
    assert Window() == stage("published_ghost", "ghost").window
    skip = stage("published_skip", "skip")
    wanted = {"form": "add", "projection": "conv", "fill": "constant", "alpha": 1.0}
    wanted |= {"anneal": "none", "keep": True, "span": "layer"}
    assert wanted == {key: arguments(skip)[key] for key in wanted}
    assert ["first"] == [selector.text for selector in skip.targets.exclude]
    assert Window() == skip.window


@pytest.mark.parametrize(
    ("name", "techniques"),
    [("intent_ghost", ["ghost"]), ("intent_skip", ["skip"]), ("intent_full", ["ghost", "skip"])],
)
def test_the_intended_ghosts_fade_and_leave_early(name: str, techniques: list[str]) -> None:
    """They fall along a line and are gone before the learning rate first drops."""
    for technique in techniques:
        found = stage(name, technique)
        assert ("linear", False) == (arguments(found)["anneal"], arguments(found)["keep"])
        assert START == found.window.start
        assert found.window.stop != END
        assert Moment("percent", 25) == found.window.stop
        assert 182 / 4 < 90


@pytest.mark.parametrize("name", ["agreed_init", "intent_full"])
def test_the_learned_scales_have_the_settings_of_the_readme(name: str) -> None:
    """Eta 0.1, gamma 1, normalised, lr 1e-2, floor 0.01, 180 iterations, clip 1."""
    wanted = {"rescale": "learned", "eta": 0.1, "gamma": 1.0, "normalise": True, "lr": 0.01}
    wanted |= {"floor": 0.01, "iterations": 180, "clip": 1.0, "base": "keep"}
    found = stage(name, "init").technique.arguments()
    assert wanted == {key: found[key] for key in wanted}


@pytest.mark.parametrize("name", ["agreed_labels", "intent_full"])
def test_labels_are_smoothed_as_in_the_code(name: str) -> None:
    """0.1 of the probability to the other classes, all through training."""
    found = stage(name, "labels")
    assert (0.1, "others", None, None) == tuple(found.technique.arguments().values())
    assert Window() == found.window


def test_the_masks_of_the_paper_have_a_preset_each() -> None:
    """Lottery tickets, SNIP, GraSP, SynFlow and random ones, and the usual others."""
    methods = {name: plan(name).mask for name in MASKS}
    found = {name: mask.method.name for name, mask in methods.items() if mask is not None}
    assert {"lottery", "snip", "grasp", "synflow", "random"} <= set(found.values())
    assert "dynamic" == found["mask_rigl"] == found["mask_set"]
    targets = {name: mask.method.target() for name, mask in methods.items() if mask is not None}
    patterned = {name: targets.pop(name) for name in PATTERNED}
    assert {None} == set(patterned.values())
    assert {Fraction(9, 10)} == set(targets.values())


def test_scopes_are_those_of_their_papers() -> None:
    """The paper's masks stand in ToST's scope too; RigL's first layer is dense, 2:4's last too."""
    found = {}
    for name in MASKS:
        mask = plan(name).mask
        assert mask is not None
        sides = (mask.targets.on, mask.targets.exclude)
        found[name] = tuple(" ".join(each.text for each in side) for side in sides)
    convs = {name for name, scope in found.items() if scope == ("conv", "")}
    paper = ("random", "snip", "grasp", "synflow")
    assert {"mask_lottery", *(f"mask_{name}_conv" for name in paper)} == convs
    for name in paper:
        first, second = plan(f"mask_{name}").mask, plan(f"mask_{name}_conv").mask
        assert first is not None
        assert second is not None
        assert first.method == second.method
        assert ("conv linear", "") == found[f"mask_{name}"]
    assert ("conv linear", "first") == found["mask_rigl"] == found["mask_gradual"]
    assert ("conv linear", "first last") == found["mask_nm"] == found["mask_vnm"]


def test_the_readme_names_every_preset() -> None:
    """Each by its name."""
    text = (PRESETS.parents[1] / "README.md").read_text("utf-8")
    assert [] == [name for name in ALL if f"`{name}`" not in text]


def rehearsed(path: Path, out: Path, **options: Any) -> Result:
    compiled = compile_file(path)
    assert compiled.recipe is not None
    (made,) = compiled.plans
    given = api.given(compiled.recipe)
    options = {"smoke": True, **options}
    return api.run(made, RunOptions(out=out, **options), None, compiled.recipe.sources, given)


def judge(name: str, path: Path, out: Path, **options: Any) -> Result:
    """Published: refused by the certificate and by `verify`, but for leave; else certified."""
    result = rehearsed(path, out / "run", **options)
    if name in PUBLISHED:
        technique = name.removeprefix("published_")
        (failure,) = result.failures
        assert failure.startswith(f"{technique} gone at the end of training: left in")
        assert "--allow-ghosts" in failure
        assert not api.verify(result.folder).passed
        assert api.verify(result.folder, VerifyOptions(allow_ghosts=True)).passed
        result = rehearsed(path, out / "allowed", allow_ghosts=True, **options)
    assert () == result.failures
    assert result.certified
    assert api.verify(result.folder).passed
    return result


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in ALL],
)
def test_on_a_small_network_they_do_what_they_say(name: str, tmp_path: Path) -> None:
    """Their stages, on ResNet-8 and digits."""
    for each in (f"{name}.tost",):
        (tmp_path / each).write_text((PRESETS / each).read_text("utf-8"), encoding="utf-8")
    (tmp_path / "small.tost").write_text(SMALL.format(name=name), encoding="utf-8")
    judge(name, tmp_path / "small.tost", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_as_they_are_they_do_what_they_say(name: str, tmp_path: Path) -> None:
    """ResNet-18 and CIFAR-10's shape, rehearsed on random images; masks are found on it."""
    result = judge(name, PRESETS / f"{name}.tost", tmp_path, fake_data=True)
    if name in MASKS:
        assert PATTERNED.get(name, 0.9) == pytest.approx(result.sparsity, abs=1e-4)


@pytest.mark.parametrize("activation", ["mish", "pswish", "lisht", "elu"])
@pytest.mark.parametrize("name", ["published_ghost", "intent_ghost"])
def test_other_activations_of_the_code_are_a_param(name: str, activation: str) -> None:
    """`--set activation=…` is the code's command line."""
    compiled = compile_file(PRESETS / f"{name}.tost", {"activation": activation})
    (made,) = compiled.plans
    assert activation == made.stages[0].technique.arguments()["activation"]
