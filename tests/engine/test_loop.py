"""What the loop does at each step and boundary, seen from inside a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tostdsl.compile.compiler import compile_source
from tostdsl.diagnostics import TostError
from tostdsl.engine import device as devices
from tostdsl.engine import loop as loops
from tostdsl.engine import reference
from tostdsl.engine import run as runs
from tostdsl.engine.loop import Loop
from tostdsl.engine.observer import Result
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.session import Session
from tostdsl.engine.surgery import Surgeon
from tostdsl.plan.plan import Plan
from tostdsl.source import Source
from tostdsl.techniques.labels import LabelsHook
from tostdsl.units import Clock

SMALL = "model cifar_resnet(8)\ndata digits\ntrain for 2 epochs\nseed 3\n"
STAGED = SMALL + "mask random(sparsity=50%)\nskip until epoch 1\ninit\nlabels\n"


def plan(text: str) -> Plan:
    (one,) = compile_source(Source("r.tost", text)).plans
    return one


def trained(text: str, out: Path) -> Result:
    return run(plan(text), RunOptions(out=out))


def watch(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, seen: Callable[..., None]
) -> None:
    """Call `seen` with the arguments of each call, before the call."""
    plain = getattr(owner, name)

    def watched(*args: Any, **named: Any) -> Any:
        seen(*args, **named)
        return plain(*args, **named)

    monkeypatch.setattr(owner, name, watched)


def test_learning_rate_follows_the_schedule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step runs at the optimizer's rate times the schedule's factor at that step."""
    seen: list[float] = []
    watch(
        monkeypatch,
        torch.optim.SGD,
        "step",
        lambda self, *_, **__: seen.append(self.param_groups[0]["lr"]),
    )
    text = SMALL + "optimizer sgd(lr=0.2)\nschedule multistep(at=[epoch 1], factor=0.1)\n"
    run(plan(text), RunOptions(out=tmp_path / "run", checkpoint=None))  # whose size takes a step
    assert [0.2] * 22 + [pytest.approx(0.02)] * 22 == seen
    made = plan(SMALL)
    assert 1.0 == made.schedule.scale(0, Clock(22, 44))


def test_a_lottery_goes_back_to_the_stored_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every later phase starts at the weights kept at the rewind point, under its masks."""
    starts: list[dict[str, torch.Tensor]] = []
    kept: list[dict[str, torch.Tensor]] = []

    def state(model: torch.nn.Module) -> dict[str, torch.Tensor]:
        return {name: tensor.clone() for name, tensor in model.state_dict().items()}

    watch(monkeypatch, Loop, "run", lambda self: starts.append(state(self.kit.model)))
    watch(
        monkeypatch,
        Session,
        "_keep",
        lambda self, model, _optimizer: kept.append(state(model)),
    )
    text = SMALL + "mask lottery(sparsity=50%, rate=30%, rewind=epoch 1)\n"
    assert trained(text, tmp_path / "run").certified
    assert (1, 3) == (len(kept), len(starts))
    assert any(not torch.equal(starts[0][name], kept[0][name]) for name in kept[0])
    for start in starts[1:]:
        for name, tensor in kept[0].items():
            same = start[name] == tensor
            masked = (start[name] == 0) if name.endswith("weight") else torch.zeros_like(same)
            assert bool((same | masked).all()), name
            if "bn" in name:
                assert torch.equal(start[name], tensor), name


def test_evaluation_is_in_evaluation_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Test figures come from running statistics, and training goes on in training mode."""
    modes: list[tuple[str, bool]] = []
    watch(
        monkeypatch,
        torch.nn.BatchNorm2d,
        "forward",
        lambda self, x: modes.append((kinds.get(len(x), "test"), self.training)),
    )
    kinds = {64: "train", reference.IMAGES: "reference"}
    trained(SMALL, tmp_path / "run")
    assert {("test", False), ("train", True), ("reference", False)} == set(modes)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_precision_is_what_convolutions_compute_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str, dtype: torch.dtype
) -> None:
    """`precision bf16` runs the forward pass in bf16."""
    seen: set[torch.dtype] = set()

    def note(_self: Any, _input: Any, output: torch.Tensor) -> None:
        seen.add(output.dtype)

    watch(
        monkeypatch,
        devices,
        "autocast",
        lambda *_: None,
    )
    plain = torch.nn.Conv2d.forward

    def forward(self: torch.nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        output = plain(self, x)
        if len(x) != reference.IMAGES:  # those are float32 whatever the plan says
            note(self, x, output)
        return output

    monkeypatch.setattr(torch.nn.Conv2d, "forward", forward)
    trained(SMALL.replace("2 epochs", "2 steps") + f"precision {precision}\n", tmp_path / "run")
    assert {dtype} == seen


def test_dropout_depends_on_the_step_and_not_on_what_was_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random layers draw from (seed, step): other draws in between change nothing."""
    text = "model mobilenet_v2\ndata cifar10(batch=4)\ntrain for 2 steps\n"
    a = run(plan(text), RunOptions(out=tmp_path / "a", smoke=True, fake_data=True))
    watch(monkeypatch, Loop, "_rate", lambda *_: torch.rand(7))
    b = run(plan(text), RunOptions(out=tmp_path / "b", smoke=True, fake_data=True))
    assert a.loss == b.loss


def _never_attach(monkeypatch: pytest.MonkeyPatch) -> None:
    def boundary(loop: Loop, segment: Any) -> None:
        """Forget the stages."""

    def steps(self: Loop, segment: Any, _number: int, _offset: int) -> None:
        self.done += len(segment.steps)

    monkeypatch.setattr(loops, "cross", boundary)
    monkeypatch.setattr(Loop, "_run", steps)


def _lose_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = runs.lower

    def short(*args: Any) -> Any:
        program = plain(*args)
        from dataclasses import replace

        phase = program.phases[-1]
        cut = replace(phase, segments=phase.segments[:-1])
        return replace(program, phases=(*program.phases[:-1], cut))

    monkeypatch.setattr(runs, "lower", short)


def _swap_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    def swap(self: Loop) -> None:
        masked = self.kit.masked
        if masked is not None:
            masked.set({name: mask.flip(0) for name, mask in masked.masks.items()})

    watch(monkeypatch, Loop, "_occasion", lambda self, event: swap(self))


def _hook_a_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    def leak(self: Surgeon, *_: Any) -> None:
        next(self.model.parameters()).register_hook(lambda grad: grad * 0)

    watch(monkeypatch, Surgeon, "leave", leak)


def _touch_a_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    @torch.no_grad()
    def leak(self: Surgeon, *_: Any) -> None:
        self.model.get_submodule("fc").weight.mul_(1 + 1e-6)  # type: ignore[operator, union-attr]

    watch(monkeypatch, Surgeon, "leave", leak)


def _freeze_a_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    def leak(self: Surgeon, *_: Any) -> None:
        next(self.model.parameters()).requires_grad_(False)

    watch(monkeypatch, Surgeon, "leave", leak)


def _on_leaving(change: Callable[[Any], Any]) -> Callable[[pytest.MonkeyPatch], None]:
    """A leak: a change of the first batch normalisation when stages leave."""

    @torch.no_grad()
    def leak(self: Surgeon, *_: Any) -> None:
        change(next(m for m in self.model.modules() if isinstance(m, torch.nn.BatchNorm2d)))

    return lambda monkeypatch: watch(monkeypatch, Surgeon, "leave", leak)


def _hide_a_key(norm: Any) -> None:
    norm.register_buffer("running_mean", norm.running_mean, persistent=False)


def _disguise(norm: Any) -> None:
    norm.__class__ = type(type(norm).__qualname__, (type(norm),), {})


LEAKS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a_setting": _on_leaving(lambda norm: setattr(norm, "momentum", 0.5)),
    "a_statistic": _on_leaving(lambda norm: norm.running_mean.add_(1e-3)),
    "a_key": _on_leaving(_hide_a_key),
    "a_class": _on_leaving(_disguise),
    "a_function": _on_leaving(lambda norm: setattr(norm, "_check_input_dim", lambda x: None)),
}


@pytest.mark.parametrize(
    "plant",
    [
        _never_attach,
        _lose_steps,
        _swap_masks,
        _hook_a_parameter,
        _touch_a_weight,
        _freeze_a_parameter,
        *(pytest.param(leak, id=name) for name, leak in LEAKS.items()),
    ],
    ids=lambda plant: plant.__name__.strip("_"),
)
def test_the_certificate_fails_when_the_run_is_not_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """A run that did something else than its recipe is not certified, and says why."""
    assert trained(STAGED, tmp_path / "plain").certified
    plant(monkeypatch)
    result = trained(STAGED, tmp_path / "planted")
    assert not result.certified
    assert result.failures


def test_a_failing_network_is_reported_with_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception from inside a model becomes a message that says when it happened."""

    def fail(*_: Any, **__: Any) -> torch.Tensor:
        raise RuntimeError("no kernel for this")

    monkeypatch.setattr(loops.functional, "cross_entropy", fail)
    with pytest.raises(TostError, match=r"R306.*step 0.*no kernel for this"):
        trained(SMALL, tmp_path / "run")


def test_expectations_compare_exactly() -> None:
    """57 of 100 right is 57 %, which `>= 57%` accepts and `> 57%` does not."""
    from fractions import Fraction

    from tostdsl.engine.outcome import misses

    made = plan(SMALL + "expect accuracy >= 57%\n")
    strict = plan(SMALL + "expect accuracy > 57%\n")
    measured = {"accuracy": 100 * Fraction(57, 100), "loss": Fraction(1), "sparsity": Fraction(0)}
    assert [] == misses(made, measured)
    assert 1 == len(misses(strict, measured))


@pytest.mark.parametrize("mask", ["random(sparsity=50%)", "dynamic(sparsity=50%, every=3 steps)"])
def test_hooks_see_gradients_without_the_loss_scale(
    mask: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fp16 they are as large as without; the scale is thousands."""
    seen: list[float] = []

    def grads(hook: Any) -> None:
        seen.append(float(hook._net.module("fc").weight.grad.abs().max()))

    monkeypatch.setattr(LabelsHook, "grads", grads, raising=False)
    text = f"model cifar_resnet(8)\ndata digits\nmask {mask}\ntrain for 12 steps\nlabels\n"
    largest = []
    for precision in ("fp32", "fp16"):
        assert trained(f"{text}precision {precision}\n", tmp_path / precision).certified
        assert 12 == len(seen)
        # where the mask moves in place of a step, nothing is stepped on and the scale stays
        largest.append(sorted(seen)[len(seen) // 2])
        seen.clear()
    assert largest[0] == pytest.approx(largest[1], rel=0.5)
