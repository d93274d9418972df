"""What holds for everything registered, no exceptions listed."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from safetensors.torch import save_file

from tests.nets import FACTS, Residual, Theatre, mlp, vgg
from tests.plans import plan_of
from tostdsl import registry
from tostdsl.compile.print import call_text
from tostdsl.compile.words import describe, value_of
from tostdsl.data.fake import fake_images
from tostdsl.engine.certificate import Shape
from tostdsl.engine.feed import Feed
from tostdsl.engine.hooks import Hook
from tostdsl.engine.scope import Scope
from tostdsl.models.nets.zoo import on_paper
from tostdsl.plan.bases import (
    Anneal,
    Augmentation,
    DataFacts,
    ModelSpec,
    ScheduleSpec,
    Technique,
)
from tostdsl.plan.masking import MaskMethod
from tostdsl.plan.plan import Plan, StagePlan
from tostdsl.plan.spec import Spec
from tostdsl.units import Clock

EVERYTHING = list(registry.everything())
HEAD = {
    "model": "model resnet20",
    "data": "data cifar10(batch=32)",
    "train": "train for 180 epochs",
}


def examples(cls: type[Spec]) -> list[str]:
    if cls.examples:
        return list(cls.examples)
    required = [
        f"{name}={value_of(info)}" for name, info in cls.model_fields.items() if info.is_required()
    ]
    return [f"{cls.name}({', '.join(required)})" if required else cls.name]


def recipe(cls: type[Spec], text: str) -> str:
    lines = dict(HEAD)
    if cls.kind == "technique":
        lines["stage"] = text
        lines["mask"] = "mask random(sparsity=90%)"
    elif cls.kind == "anneal":
        lines["stage"] = f"skip(anneal={text}) until epoch 9"
    elif cls.kind == "augmentation":
        lines["data"] = f"data cifar10(augment=[{text}])"
    else:
        lines[cls.kind] = f"{cls.kind} {text}"
    return "\n".join(lines.values())


def of_kind(kind: str) -> list[type[Any]]:
    return [cls for cls in EVERYTHING if cls.kind == kind]


@pytest.mark.parametrize("cls", EVERYTHING, ids=lambda c: f"{c.kind}-{c.name}")
def test_its_examples_compile_print_and_read_back(cls: type[Spec]) -> None:
    """Each example is a sound recipe whose plan survives JSON."""
    for text in examples(cls):
        plan = plan_of(recipe(cls, text))
        assert plan is not None, text
        assert plan == Plan.from_json(plan.to_json(), registry.get)


@pytest.mark.parametrize("cls", EVERYTHING, ids=lambda c: f"{c.kind}-{c.name}")
def test_it_documents_itself(cls: type[Spec]) -> None:
    """It and each argument have a line of documentation, and each type has words."""
    assert (cls.__doc__ or "").strip()
    assert re.fullmatch(r"[a-z][a-z0-9_]*", cls.name)
    assert cls.positional is None or cls.positional in cls.model_fields
    for info in cls.model_fields.values():
        assert info.description
        assert "<class" not in describe(info.annotation)


@pytest.mark.parametrize("cls", of_kind("technique"), ids=lambda c: c.name)
@pytest.mark.parametrize("network", [Residual, vgg, mlp])
def test_a_technique_leaves_nothing(
    cls: type[Technique], network: Callable[[], torch.nn.Module]
) -> None:
    """Attached, trained three steps and detached, it leaves the plain architecture."""
    for text in cls.examples:
        plan = plan_of(recipe(cls, text.split(" on ")[0]))
        assert plan is not None
        torch.manual_seed(0)
        model = network()
        plain = Shape.of(model)
        masks = {
            name: torch.rand_like(weight) < 0.5
            for name, weight in model.named_parameters()
            if weight.dim() > 1
        }
        for name, weight in model.named_parameters():
            if name in masks:
                weight.data *= masks[name]
        stage: StagePlan = plan.stages[0]
        theatre = Theatre(model, masks)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        attached = theatre.surgeon.enter(0, stage, optimizer)
        assert isinstance(attached.hook, Hook)
        images, labels = torch.randn(8, *FACTS.shape), torch.arange(8) % FACTS.classes
        for _ in range(3):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        attached.vector[0] = 0
        theatre.surgeon.train(False)
        before = model(images)
        theatre.surgeon.leave(attached, optimizer)
        assert plain == Shape.of(model)
        torch.testing.assert_close(before, model(images))
        assert 1 == len(optimizer.param_groups)


def bring_what_it_reads(method: MaskMethod, weights: dict[str, torch.Tensor]) -> MaskMethod:
    """A method that reads a file, with a file of masks in the current folder to read."""
    path = getattr(method, "path", None)
    if path is None:
        return method
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    masks = {name: torch.arange(w.numel()).view(w.shape) % 3 == 0 for name, w in weights.items()}
    if Path(path).suffix == ".safetensors":
        save_file({name: mask.to(torch.uint8) for name, mask in masks.items()}, path)
    else:
        torch.save(masks, path)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return method.model_copy(update={"sha256": digest})


@pytest.mark.parametrize("cls", of_kind("mask"), ids=lambda c: c.name)
def test_a_mask_has_the_exact_count_and_is_repeatable(
    cls: type[MaskMethod], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two searches with one seed give the same masks, of the sizes its own law tells.

    One that calls itself seeded gives them for any weights.
    """
    monkeypatch.chdir(tmp_path)
    for text in cls.examples:
        plan = plan_of(recipe(cls, text))
        assert plan is not None
        assert plan.mask is not None
        torch.manual_seed(0)
        facts = DataFacts(3, 8, 8, 5, 200, 1)
        model = plan.model.build(facts)
        weights = {n: p for n, p in model.named_parameters() if p.dim() > 1}
        method = bring_what_it_reads(plan.mask.method, weights)
        shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
        feed = Feed(fake_images(facts, None, 0), plan.data, "cpu", 5)
        targets = [r.sparsity for r in method.rounds()] or [method.first()]
        found = []
        for _ in range(2):
            masks: dict[str, torch.Tensor] = {}
            for target in targets:
                masks = method.choose(Scope(model, weights, masks, facts, 5, feed), target)
            found.append(masks)
        counts = {name: int(mask.sum()) for name, mask in found[0].items()}
        assert list(weights) == list(counts)
        assert all(torch.equal(found[0][name], found[1][name]) for name in weights)
        if targets[-1] is not None:
            total = sum(weight.numel() for weight in weights.values())
            assert abs((1 - targets[-1]) * total - sum(counts.values())) <= 0.5
        if method.counted:
            assert method.kept(shapes, targets[-1]) == sum(counts.values())
        shares = method.shared_out(shapes, targets[-1])
        if shares is not None:
            assert shares == counts
        if method.seeded:
            blank = {name: torch.zeros_like(weight) for name, weight in weights.items()}
            again = method.choose(Scope(model, blank, {}, facts, 5), targets[-1])
            assert all(torch.equal(found[0][name], again[name]) for name in weights)


def forms(cls: type[ModelSpec]) -> list[ModelSpec]:
    """A network in every combination of those arguments that are choices."""
    choices = {
        name: get_args(info.annotation)
        for name, info in cls.model_fields.items()
        if get_origin(info.annotation) is Literal
    }
    plan = plan_of(recipe(cls, examples(cls)[0]))
    assert plan is not None
    drawn = itertools.product(*choices.values())
    return [plan.model.model_copy(update=dict(zip(choices, each, strict=True))) for each in drawn]


@pytest.mark.parametrize("cls", of_kind("model"), ids=lambda c: c.name)
def test_a_network_lists_the_modules_it_is_built_of(cls: type[ModelSpec]) -> None:
    """What it knows of its modules without torch is what it builds, in order, in each form."""
    facts = DataFacts(3, 32, 32, 5, 1, 1)
    for spec in forms(cls):
        listed = spec.modules(facts)
        if listed is None:  # torchvision's, which only building tells
            continue
        kinds = {torch.nn.Conv2d: "conv", torch.nn.Linear: "linear"}
        built = [
            (name, kinds.get(type(module), "other"))
            for name, module in on_paper(spec.build, facts).named_modules()
            if name
        ]
        assert built == [(fact.name, fact.form) for fact in listed]


@pytest.mark.parametrize("cls", of_kind("schedule"), ids=lambda c: c.name)
def test_a_schedule_is_a_factor(cls: type[ScheduleSpec]) -> None:
    """Its factor is in [0, 1] at every step, by a pure function."""
    plan = plan_of(recipe(cls, examples(cls)[0]))
    assert plan is not None
    clock = Clock(10, 1800)
    factors = [plan.schedule.scale(step, clock) for step in range(clock.total)]
    assert factors == [plan.schedule.scale(step, clock) for step in range(clock.total)]
    assert all(0 <= factor <= 1 for factor in factors)


@pytest.mark.parametrize("cls", of_kind("anneal"), ids=lambda c: c.name)
def test_an_anneal_falls_from_one(cls: type[Anneal]) -> None:
    """w(0) = 1, w never rises, and w(1) = 0 unless it is `none`."""
    plan = plan_of(recipe(cls, examples(cls)[0]))
    assert plan is not None
    anneal = plan.stages[0].technique.arguments()["anneal"]
    weights = [anneal.weight(i / 100) for i in range(101)]
    assert 1 == weights[0]
    assert weights == sorted(weights, reverse=True)
    assert (1 if cls.name == "none" else 0) == pytest.approx(weights[-1], abs=1e-12)


@pytest.mark.parametrize("cls", of_kind("augmentation"), ids=lambda c: c.name)
def test_an_augmentation_is_a_function_of_its_draws(cls: type[Augmentation]) -> None:
    """Equal draws give equal images, and the shape stays."""
    change = cls()
    images, draws = torch.rand(5, 3, 8, 8), torch.rand(5, cls.numbers)
    changed = change.apply(images.clone(), draws)
    assert images.shape == changed.shape
    assert torch.equal(changed, change.apply(images.clone(), draws))
    assert call_text(change).startswith(cls.name)
