"""Masks that move while the network trains, against training loops written out here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.plans import plan_of
from tostdsl.engine.feed import Feed
from tostdsl.engine.masked import Masked
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.seeds import derive, generator
from tostdsl.plan.bases import LoadOptions
from tostdsl.plan.plan import Plan

HEAD = """model cifar_resnet(8)
data digits(batch=64)
optimizer sgd(lr=0.1, momentum=0.9, weight_decay=1e-3)
schedule constant
train for 20 steps
seed 3
"""


def plan(mask: str) -> Plan:
    found = plan_of(HEAD + mask)
    assert found is not None
    return found


def trained(mask: str, out: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights and masks of a run."""
    result = run(plan(mask), RunOptions(out=out))
    assert result.certified, result.failures
    masks = load_file(out / "masks.safetensors")
    return load_file(out / "model.safetensors"), {n: m.bool() for n, m in masks.items()}


def by_hand(mask: str, change: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A training loop with nothing of the engine but its data and its first weights.

    `change(t, weights, masks, momenta)` gives the masks before step t, or None for no change, and
    whether they take the step's place.
    """
    it = plan(mask)
    images = it.data.load(LoadOptions())
    feed = Feed(images, it.data, "cpu", it.seed)
    torch.manual_seed(derive(it.seed, "init"))
    model = it.model.build(images.facts)
    weights = {n: p for n, p in model.named_parameters() if p.dim() > 1}
    momenta = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    assert it.mask is not None
    masks: dict[str, Tensor] = {}

    def put(new: dict[str, Tensor]) -> None:
        for name, weight in weights.items():
            weight.data *= new[name]
            fresh = new[name] & (masks[name] if masks else new[name])
            momenta[name] *= fresh
        masks.update(new)

    put(change(-1, weights, masks)[0])
    for step in range(20):
        epoch, index = divmod(step, feed.steps_per_epoch)
        batch = feed.train_batch(epoch, index)
        model.zero_grad()
        cross_entropy(model(batch.images), batch.targets).backward()
        new, instead = change(step, weights, masks)
        if not (new is not None and instead):
            with torch.no_grad():
                for name, p in model.named_parameters():
                    assert p.grad is not None
                    momenta[name] = 0.9 * momenta[name] + p.grad + 1e-3 * p
                    p -= 0.1 * momenta[name]
                    if name in weights:
                        p *= masks[name]
        if new is not None and not instead:
            new, _ = change(step, weights, masks)
        if new is not None:
            with torch.no_grad():
                put(new)
    return {n: t.detach() for n, t in model.state_dict().items()}, masks


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    for name, tensor in first.items():
        torch.testing.assert_close(second[name], tensor, rtol=1e-4, atol=1e-5, msg=name)


def test_rigl_takes_the_place_of_steps(tmp_path: Path) -> None:
    """RigL's updates stand where steps 5 and 10 would, from their gradients."""
    text = "mask dynamic(sparsity=70%, every=5 steps, distribution=uniform)"
    it = plan(text)
    assert it.mask is not None
    first = it.mask.method

    def change(step: int, weights: Any, masks: Any) -> Any:
        if step == -1:
            found = {}
            for name, weight in weights.items():
                order = torch.randperm(
                    weight.numel(), generator=generator(3, "mask", f"mask {name}")
                )
                shapes = {n: tuple(w.shape) for n, w in weights.items()}
                count = first.shared_out(shapes, first.target())
                assert count is not None
                mask = torch.zeros(weight.numel(), dtype=torch.bool)
                mask[order[: count[name]]] = True
                found[name] = mask.reshape(weight.shape)
            return found, False
        if step not in (5, 10):
            return None, False
        share = 0.15 * (1 + float(torch.cos(torch.tensor(torch.pi * step / 15))))
        found = {}
        for name, weight in weights.items():
            active = int(masks[name].sum())
            count = int(share * active)
            size = weight.detach().abs().masked_fill(~masks[name], -1).reshape(-1)
            stay = torch.zeros(weight.numel(), dtype=torch.bool)
            stay[size.argsort(descending=True, stable=True)[: active - count]] = True
            slope = weight.grad.abs().reshape(-1).masked_fill(stay, -1)
            stay[slope.argsort(descending=True, stable=True)[:count]] = True
            found[name] = stay.reshape(weight.shape)
        return found, True

    weights, masks = trained(text, tmp_path / "run")
    reference, wanted = by_hand(text, change)
    assert all(torch.equal(wanted[name], masks[name]) for name in masks)
    same(reference, weights)


def test_gradual_prunes_after_steps(tmp_path: Path) -> None:
    """The smallest over all layers go after steps 6, 10 and 12, along the cubic."""
    text = "mask gradual(sparsity=80%, every=4 steps) from step 2 until step 12"

    def change(step: int, weights: Any, masks: Any) -> Any:
        if step == -1:
            return {n: torch.ones_like(w, dtype=torch.bool) for n, w in weights.items()}, False
        if step + 1 not in (6, 10, 12):
            return None, False
        progress = (step + 1 - 2) / 10
        flat = torch.cat(
            [w.detach().abs().masked_fill(~masks[n], -1).reshape(-1) for n, w in weights.items()]
        )
        kept = int((1 - (0.8 - 0.8 * (1 - progress) ** 3)) * len(flat) + 0.5)
        chosen = torch.zeros(len(flat), dtype=torch.bool)
        chosen[flat.argsort(descending=True, stable=True)[:kept]] = True
        parts = chosen.split([w.numel() for w in weights.values()])
        found = zip(weights.items(), parts, strict=True)
        return {name: part.reshape(w.shape) for (name, w), part in found}, False

    weights, masks = trained(text, tmp_path / "run")
    reference, wanted = by_hand(text, change)
    assert all(torch.equal(wanted[name], masks[name]) for name in masks)
    same(reference, weights)


def test_the_log_tells_each_move(tmp_path: Path) -> None:
    """Each update is a row with its step, zeros, and how many went and came."""
    run(plan("mask dynamic(sparsity=70%, every=5 steps, grow=random)"), RunOptions(tmp_path / "r"))
    rows = map(json.loads, (tmp_path / "r" / "metrics.jsonl").read_text().splitlines())
    moves = [row for row in rows if row["kind"] == "mask"]
    assert [5, 10] == [row["step"] for row in moves]
    assert all(0 < row["dropped"] == row["grown"] for row in moves)
    assert 1 == len({row["zeros"] for row in moves})


@pytest.mark.parametrize("mask", ["gradual(sparsity=80%, every=3 steps)", "dynamic(sparsity=80%)"])
def test_a_rehearsal_meets_the_first_and_the_last(mask: str, tmp_path: Path) -> None:
    """A rehearsal of a long training moves the mask at its first and last update only."""
    text = HEAD.replace("20 steps", "9000 steps") + f"mask {mask}"
    long = plan_of(text)
    assert long is not None
    result = run(long, RunOptions(tmp_path / "r", smoke=True))
    assert result.certified, result.failures
    rows = map(json.loads, (tmp_path / "r" / "metrics.jsonl").read_text().splitlines())
    moves = [row["step"] for row in rows if row["kind"] == "mask"]
    assert ([3, 6750] if "gradual" in mask else [100, 6700]) == moves


def _never_move(patch: pytest.MonkeyPatch) -> None:
    from tostdsl.engine.loop import Loop

    patch.setattr(Loop, "_turn", lambda self, _update: self._advance())


def _move_twice(patch: pytest.MonkeyPatch) -> None:
    from tostdsl.engine.loop import Loop

    turn = Loop._turn

    def twice(self: Loop, update: Any) -> None:
        turn(self, update)
        self.remask(self.phase, update)

    patch.setattr(Loop, "_turn", twice)


def _keep_too_many(patch: pytest.MonkeyPatch) -> None:
    put = Masked.set

    def more(self: Masked, masks: dict[str, Tensor]) -> None:
        put(self, {n: torch.ones_like(m) if n == "fc.weight" else m for n, m in masks.items()})

    patch.setattr(Masked, "set", more)


@pytest.mark.parametrize("leak", [_never_move, _move_twice, _keep_too_many])
def test_the_certificate_catches_masks_that_move_otherwise(
    leak: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Updates left out, made twice, or that keep more than planned fail the run."""
    leak(monkeypatch)
    text = "mask gradual(sparsity=80%, every=4 steps) from step 2 until step 12"
    result = run(plan(text), RunOptions(tmp_path / "run"))
    assert not result.certified
    assert any("the mask moved when planned" in failure for failure in result.failures)


def test_windows_are_for_masks_that_move() -> None:
    """A mask that moves takes a window, by default until 75%; it is part of the fingerprint."""
    mask = "mask gradual(sparsity=80%, every=2 steps)"
    written = plan(f"{mask} until 75%")
    assert written.fingerprint == plan(mask).fingerprint
    assert written.fingerprint != plan(f"{mask} until 70%").fingerprint
    assert plan_of(HEAD + "mask random(sparsity=80%) until 70%") is None
    assert plan_of(HEAD + f"{mask} at step 4") is None
