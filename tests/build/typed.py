"""Exists to be type-checked, under mypy strict: what must pass, and what must not.

Each `type: ignore` names the error that a checker has to find there; one that it does not find is
an error itself (`warn_unused_ignores`).
"""

from __future__ import annotations

from typing import assert_type

import tostdsl as tost
from tostdsl.build import anneals, augmentations, data, masks, models, optimizers, schedules
from tostdsl.build.kinds import Augmentation, Mask, Stage
from tostdsl.diagnostics import Diagnostic
from tostdsl.units import Factor, Moment, Percent


def right() -> tost.Recipe:
    """How recipes are made."""
    ghost = tost.Ghost(width=2, anneal=anneals.Cosine()).until("epoch 40").on("conv", "layer1.*")
    assert_type(ghost.replace(width="3x"), tost.Ghost)
    assert_type(ghost.width, Factor | None)
    assert_type(data.Cifar10().augment, tuple[Augmentation, ...])
    assert_type(masks.Random(sparsity="90%").sparsity, Percent)
    mask: Mask = masks.Lottery(sparsity=tost.percent(90), rewind=tost.epoch(2)).without("first")
    recipe = tost.Recipe(
        "typed",
        model=models.Resnet18(stem="cifar"),
        data=data.Cifar10(batch=128, augment=[augmentations.Crop(padding=4), "flip"]),
        mask=mask,
        optimizer=optimizers.Sgd(lr=0.1, momentum=0.9),
        schedule=schedules.Multistep(["50%", tost.epoch(135)], factor=0.1),
        train=tost.epochs(180),
        precision="bf16",
        stages=[ghost, "skip until 25%", tost.Labels(smoothing=tost.ramp(0.2, 0))],
        expect="accuracy >= 94%",
    )
    recipe = recipe.add(tost.build.techniques.Skip(), tost.build.techniques.Init())
    assert_type(recipe.stages, tuple[Stage, ...])
    assert_type(recipe.plan(), tost.Plan)
    if isinstance(recipe.mask, masks.Lottery):
        assert_type(recipe.mask.rewind, Moment)
    assert_type(recipe.check(), tuple[Diagnostic, ...])
    assert_type(tost.format(recipe.plan()), str)
    assert_type(recipe.diff("other.tost").same, bool)
    assert_type(tost.run(recipe, out="run", smoke=True), tost.Run)
    assert_type(tost.load("recipe.tost"), tost.Plan)
    assert_type([plan for _, plan in tost.plans("sweep.tost")], list[tost.Plan])
    haze = tost.build.Stage.named("haze")(strength="30%").until("epoch 4")  # a third party's
    assert_type(haze, Stage)
    recipe = recipe.add(haze)
    return recipe.seeded(3).add(tost.Skip()).without("labels")


def wrong(recipe: tost.Recipe) -> None:
    """What a checker finds before anything runs."""
    tost.Ghost(widht=2)  # type: ignore[call-arg]
    tost.Ghost("swish")  # type: ignore[call-arg]
    tost.Ghost(activation="swsh")  # type: ignore[arg-type]
    tost.Ghost(width=[2])  # type: ignore[arg-type]
    tost.Ghost(keep="yes")  # type: ignore[arg-type]
    tost.Ghost(anneal=schedules.Cosine())  # type: ignore[arg-type]
    masks.Random(sparsity=0.9)  # type: ignore[arg-type]
    masks.Random(sparsity="90%").sparsty  # type: ignore[attr-defined]  # noqa: B018
    masks.Random(sparsity="90%").sparsity = tost.percent(95)  # type: ignore[misc]
    recipe.model.depth  # type: ignore[attr-defined]  # noqa: B018
    masks.Random()  # type: ignore[call-arg]
    masks.Lottery(sparsity="90%", rewind=2)  # type: ignore[arg-type]
    masks.Rando(sparsity="90%")  # type: ignore[attr-defined]
    models.Resnet18(stem="cifra")  # type: ignore[arg-type]
    models.Resnet18().until("epoch 4")  # type: ignore[attr-defined]
    tost.Skip().until(40)  # type: ignore[arg-type]
    tost.Recipe(model="resnet20", data="digits")  # type: ignore[call-arg]
    tost.Recipe(model=masks.Snip(sparsity="90%"), data="digits", train="1 epoch")  # type: ignore[arg-type]
    recipe.seed = 3  # type: ignore[misc]
    recipe.sede  # type: ignore[attr-defined]  # noqa: B018
    recipe.seeded("3")  # type: ignore[arg-type]
    recipe.replace(precision="fp64")  # type: ignore[arg-type]
    recipe.replace(sed=3)  # type: ignore[call-arg]
    recipe.run(smoke="yes")  # type: ignore[arg-type]
    tost.runn(recipe)  # type: ignore[attr-defined]
    tost.build.techniques.Haze()  # type: ignore[attr-defined]
    tost.build.mask  # type: ignore[attr-defined]  # noqa: B018
    tost.percent("90%")  # type: ignore[arg-type]
