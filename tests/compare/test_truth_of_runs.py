"""What verdicts say of runs and of masks is so: first weights, images and masks of real runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.modules.module import register_module_forward_pre_hook

from tests.compare.test_changes import made
from tests.compare.test_truth import BASE, judged, same, states
from tests.engine.lives import watched
from tostdsl.diagnostics import TostError
from tostdsl.plan.plan import Plan

SHORT = BASE.replace("7 steps", "3 steps")
RANDOM = "random(sparsity=90%)"
SEED = "seed 1"


# -- runs, seed by seed


@dataclass
class Begun:
    """What a run began with, and the images that it trained on, batch by batch."""

    weights: dict[str, Tensor]
    batches: list[list[bytes]]
    used: dict[str, Tensor]
    """The weights that the first batch was given to: masked, and after stages that enter then."""


def begun(plan: Plan, out: Path) -> Begun:
    """A run's weights before its first step, as its checkpoint has them, and what it saw."""
    with seen() as (batches, used):
        first = states(plan, out)[0].tensors
    weights = {n: t for n, t in first.items() if n.endswith((".weight", ".bias"))}
    return Begun(weights, batches, used)


@contextmanager
def seen() -> Iterator[tuple[list[list[bytes]], dict[str, Tensor]]]:
    """Batches that a network in training is given, and what it is at the first of them.

    An image is its pixels, whichever way round it is.
    """
    batches: list[list[bytes]] = []
    used: dict[str, Tensor] = {}

    def note(module: torch.nn.Module, given: tuple[Any, ...]) -> None:
        if module.training and "ResNet" in type(module).__name__:
            pixels = given[0].detach().float().flatten(1).sort().values
            batches.append([image.numpy().tobytes() for image in pixels])
            if len(batches) == 1:
                used.update((n, t.detach().clone()) for n, t in module.named_parameters())

    handle = register_module_forward_pre_hook(note)
    try:
        yield batches, used
    finally:
        handle.remove()


@pytest.mark.parametrize(
    ("old", "new", "answer", "weights", "images"),
    [
        ("base\n", "other\n", "yes", True, True),
        ("for 3 steps", "for 3 steps\nlabels(smoothing=0.2)", "yes", True, True),
        ("for 3 steps", "for 3 steps\nskip until step 2", "yes", True, True),
        (RANDOM, "magnitude(sparsity=50%)", "yes", True, True),
        ("sgd(lr=0.1", "sgd(lr=0.2", "yes", True, True),
        ("schedule constant", "schedule cosine", "yes", True, True),
        (SEED, f"{SEED}\nprecision bf16", "yes", True, True),
        ("batch=64", "batch=64, augment=[flip]", "yes", True, True),
        (SEED, f"{SEED}\ninit(rescale=fanin_masked)", "yes", True, True),
        ("batch=64", "batch=32", "partly", True, False),
        ("cifar_resnet(8)", "cifar_resnet(14)", "partly", False, True),
        (SEED, "seed 2", "partly", False, False),
        ("use=30%", "use=60%", "no", True, False),
    ],
)
def test_runs_are_comparable_as_they_are_said_to_be(
    old: str, new: str, answer: str, weights: bool, images: bool, tmp_path: Path
) -> None:
    """Yes is to the bit, in weights and in batches, but for stages that it names."""
    assert old in SHORT
    a, b = made(SHORT), made(SHORT.replace(old, new))
    verdict = judged(a, b)[2]
    assert answer == verdict.answer
    x, y = begun(a, tmp_path / "a"), begun(b, tmp_path / "b")
    assert 3 == len(x.batches) == len(y.batches)
    assert (weights, images) == (same(x.weights, y.weights), x.batches == y.batches)
    if RANDOM != old and answer == "yes":
        named = "the same but for `stages." in verdict.why
        assert named != same(x.used, y.used)


# -- masks


def masks(plan: Plan, out: Path) -> dict[str, Tensor]:
    """The masks that a run ends with."""
    return load_file(watched(plan, out, smoke=False, fake_data=False) / "masks.safetensors")


LOTTERY = "lottery(sparsity=50%, rate=30%)"
STAGES = "lottery(sparsity=50%, rate=30%, stages=yes)"
GRADUAL = "gradual(sparsity=50%, every=1 step)"
LABELS = f"{SEED}\nlabels(smoothing=0.5)"
BF16 = f"{SEED}\nprecision bf16"


@pytest.mark.parametrize(
    ("method", "old", "new", "answer"),
    [
        ("snip(sparsity=90%)", "use=30%", "use=60%", "partly"),
        ("magnitude(sparsity=90%)", "use=30%", "use=60%", "yes"),
        ("synflow(sparsity=90%)", "use=30%", "use=60%", "yes"),
        (RANDOM, "use=30%", "use=60%", "yes"),
        (RANDOM, SEED, BF16, "yes"),
        ("snip(sparsity=90%)", SEED, BF16, "yes"),
        ("snip(sparsity=90%)", SEED, LABELS, "yes"),
        ("snip(sparsity=90%)", "batch=64", "batch=32", "yes"),
        (LOTTERY, SEED, BF16, "partly"),
        (LOTTERY, SEED, "seed 2", "partly"),
        (LOTTERY, "batch=64", "batch=32", "partly"),
        (LOTTERY, "use=30%", "use=60%", "partly"),
        (LOTTERY, "sgd(lr=0.1", "sgd(lr=0.2", "partly"),
        (LOTTERY, "schedule constant", "schedule cosine", "partly"),
        (LOTTERY, "for 3 steps", "for 5 steps", "partly"),
        (LOTTERY, SEED, LABELS, "yes"),
        (STAGES, SEED, LABELS, "partly"),
        (GRADUAL, SEED, LABELS, "partly"),
        (GRADUAL, SEED, BF16, "partly"),
    ],
)
def test_a_mask_depends_on_what_is_said(
    method: str, old: str, new: str, answer: str, tmp_path: Path
) -> None:
    """To the bit the same where the verdict is yes; another where it is partly."""
    text = SHORT.replace(RANDOM, method)
    assert old in text
    a, b = made(text), made(text.replace(old, new))
    assert answer == judged(a, b)[0].answer
    assert (answer == "yes") == same(masks(a, tmp_path / "a"), masks(b, tmp_path / "b"))


@pytest.mark.parametrize("digest", [True, False])
@pytest.mark.parametrize("content", ["kept", "moved", "changed"])
def test_a_mask_from_a_file_is_as_sure_as_its_digest(
    digest: bool, content: str, tmp_path: Path
) -> None:
    """Whatever the seed: with `sha256` it is that one or none; without, what is in it then."""
    old = new = tmp_path / "m.safetensors"
    save_file(masks(made(SHORT), tmp_path / "found"), old)
    other = masks(made(SHORT.replace(SEED, "seed 2")), tmp_path / "other")
    said = f', sha256="{hashlib.sha256(old.read_bytes()).hexdigest()}"' if digest else ""
    if content == "moved":
        new = tmp_path / "n.safetensors"
        new.write_bytes(old.read_bytes())
    a = made(SHORT.replace(RANDOM, f'file("{old}"{said})'))
    text = SHORT.replace(RANDOM, f'file("{new}"{said})')
    b = made(text.replace(SEED, "seed 2"))
    wanted = "yes" if digest else "partly" if content == "moved" else "unknown"
    assert wanted == judged(a, b)[0].answer
    first = masks(a, tmp_path / "a")
    if content == "changed":
        save_file(other, new)
    if digest and content == "changed":
        with pytest.raises(TostError) as error:
            masks(b, tmp_path / "b")
        assert ["R161"] == [each.code for each in error.value.diagnostics]
        return
    assert (content != "changed") == same(first, masks(b, tmp_path / "b"))
