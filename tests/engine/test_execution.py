"""Ways to compute that leave the plan alone: what they change, what they refuse, what resumes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.engine.kits import equipment
from tostdsl import api
from tostdsl.compile.compiler import compile_source
from tostdsl.diagnostics import TostError
from tostdsl.engine import execution as how
from tostdsl.engine import feed as feeds
from tostdsl.engine.execution import Execution, differences, failure
from tostdsl.engine.keeper import Every
from tostdsl.engine.loop import Loop
from tostdsl.engine.observer import Observer
from tostdsl.engine.resume import ResumeOptions
from tostdsl.engine.run import RunOptions
from tostdsl.plan.bases import LoadOptions
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import lower
from tostdsl.source import Source

CPU = torch.device("cpu")
RECIPE = """\
model cifar_resnet(8)
data digits(batch=128, augment=[flip])
train for 2 epochs
seed 3
mask lottery(sparsity=20%, rate=20%, rewind=step 3, epochs=1)
ghost(width=1.5x) until 50%
labels(smoothing=0.1) until 80%
"""
EACH = 5
"""Steps from one checkpoint of these runs to the next."""


def plan(text: str = RECIPE) -> Plan:
    (one,) = compile_source(Source("r.tost", text)).plans
    return one


def trained(out: Path, text: str = RECIPE, **options: Any) -> Path:
    every, execution = Every(EACH, "steps"), Execution(**options)
    given = RunOptions(out, "cpu", checkpoint=every, keep=100, execution=execution)
    assert api.run(plan(text), given).certified
    return out


def cut(run: Path, to: Path, place: int) -> Path:
    """A run as it was when its checkpoint at a place was its newest."""
    shutil.copytree(run, to)
    kept = sorted(each for each in (to / "ckpt").iterdir() if each.name.startswith("step-"))
    for each in kept[place + 1 :]:
        shutil.rmtree(each)
    for name in ("manifest", "result", "certificate"):
        (to / f"{name}.json").unlink()
    for path in to.glob("*.safetensors"):
        path.unlink()
    return to


def content(run: Path, name: str) -> Any:
    return json.loads((run / name).read_text("utf-8"))


def flags() -> Mapping[str, Any]:
    convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
    return {
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnn": torch.backends.cudnn.deterministic,
        "benchmark": torch.backends.cudnn.benchmark,
        "products": torch.backends.cuda.matmul.fp32_precision,
        "convolutions": convolutions.fp32_precision,
        "cublas": os.environ.get(how.CUBLAS),
    }


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """Whatever a run decides for the process is as it was before, in every test."""
    before = flags()
    yield
    assert before == flags()


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("runs") / "plain")


def names_and_marks(run: Path) -> list[tuple[str, bool]]:
    return [(each["name"], each["passed"]) for each in content(run, "certificate.json")["checks"]]


# -- what is in force


def test_everything_is_off_unless_asked_for(plain: Path) -> None:
    """float32 is float32, to the last bit of it: torch's own default gives convolutions TF32."""
    environment = content(plain, "environment.json")
    assert [False] * 4 == [environment["options"][name] for name in how.NAMES]
    expected = {
        "precision": "fp32", "loss_scaler": False, "float32_products": "ieee",
        "memory_format": "contiguous", "compiler": None, "deterministic": False,
        "optimizer": "fused", "images": "resident",
    }  # fmt: skip
    assert expected == environment["in_force"]
    with Execution().in_force():
        assert "ieee" == flags()["products"] == flags()["convolutions"]
    with Execution(tf32=True).in_force():
        assert "tf32" == flags()["products"] == flags()["convolutions"]


@pytest.mark.parametrize("set_before", [None, ":16:8"])
def test_determinism_is_in_force_and_ends(
    set_before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an error ends it; what the user set for cuBLAS stays."""
    monkeypatch.delenv(how.CUBLAS, raising=False)
    if set_before:
        monkeypatch.setenv(how.CUBLAS, set_before)
    before = flags()
    found = []

    def fails() -> None:
        with Execution(deterministic=True).in_force():
            found.append(flags())
            raise KeyError

    with pytest.raises(KeyError):
        fails()
    (inside,) = found
    assert (True, True, False) == tuple(inside[n] for n in ("deterministic", "cudnn", "benchmark"))
    assert (set_before or how.WORKSPACE) == inside["cublas"]
    assert before == flags()


def test_what_is_said_to_be_in_force_is_what_torch_says() -> None:
    """Each option shows, each in its own place."""
    images = plan().data.load(LoadOptions())
    found = {}
    for name in how.NAMES:
        execution = Execution(**{name: True})
        with execution.in_force():
            found[name] = execution.described(plan(), images, CPU)
    with Execution().in_force():
        nothing = Execution().described(plan(), images, CPU)
    changed = {name: [k for k in nothing if nothing[k] != now[k]] for name, now in found.items()}
    assert {
        "channels_last": ["memory_format"], "compile": ["compiler"],
        "deterministic": ["deterministic"], "tf32": ["float32_products"],
    } == changed  # fmt: skip
    assert ["deterministic was False, is True"] == differences(nothing, found["deterministic"])


# -- what a device cannot do


def test_tf32_is_refused_where_there_is_none(tmp_path: Path) -> None:
    """R330, before the folder is there."""
    with pytest.raises(TostError) as caught:
        api.run(plan(), RunOptions(tmp_path / "run", "cpu", execution=Execution(tf32=True)))
    assert ["R330"] == [d.code for d in caught.value.diagnostics]
    assert not (tmp_path / "run").exists()
    assert Execution(compile=True) == Execution(compile=True, tf32=True).fitting(CPU)


def test_a_precision_that_the_device_lacks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch would warn and compute in float32."""
    Execution().refuse(CPU, "bf16")
    Execution().refuse(CPU, "fp16")
    monkeypatch.setattr(how.devices, "autocast", lambda *_: torch.autocast("cpu", enabled=False))
    Execution().refuse(CPU, "fp32")
    with pytest.raises(TostError) as caught:
        Execution().refuse(CPU, "bf16")
    assert ["R330"] == [d.code for d in caught.value.diagnostics]


class Unsettled(nn.Module):
    """Puts numbers to places, for which torch has no deterministic form."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)[:, :64]
        return self.last(x.clone().put_(torch.tensor([0, 1]), torch.ones(2)))


def test_an_operation_without_a_deterministic_form_is_named() -> None:
    """R332 at its step; without `--deterministic` the same network trains."""
    for deterministic in (False, True):
        kit = equipment(Unsettled())
        (phase,) = lower(kit.plan, kit.feed.steps_per_epoch).phases
        loop = Loop(kit, phase, lambda _: None, lambda *_: None)
        if not deterministic:
            loop.run()
            continue
        with Execution(deterministic=True).in_force(), pytest.raises(TostError) as caught:
            loop.run()
        (found,) = caught.value.diagnostics
        assert ("R332", True) == (found.code, "`put_`" in found.message)


def test_other_failures_are_not_taken_for_these() -> None:
    """What cuBLAS says is known by its words; any other error is left to others."""
    said = "... but this operation is not deterministic because it uses CuBLAS and you have ..."
    found = failure(RuntimeError(said), CPU)
    assert found is not None
    assert how.WORKSPACE in found.diagnostics[0].message
    assert failure(RuntimeError("shapes cannot be multiplied"), CPU) is None


# -- the same training


def test_channels_last_trains_the_same_within_rounding(plain: Path, tmp_path: Path) -> None:
    """The same certificate, and after the first steps the same weights to within rounding."""
    last = trained(tmp_path / "last", channels_last=True)
    assert names_and_marks(plain) == names_and_marks(last)
    assert "channels_last" == content(last, "environment.json")["in_force"]["memory_format"]
    states = [
        load_file(run / "ckpt" / f"step-{EACH:07}" / "state.safetensors") for run in (plain, last)
    ]
    assert states[0].keys() == states[1].keys()
    weights = [name for name in states[0] if name.startswith("model:") and "weight" in name]
    gaps = [float((states[1][name] - states[0][name]).abs().max()) for name in weights]
    assert 0 < max(gaps) < 1e-3
    assert api.verify(last).passed


def test_streamed_is_resident_to_the_bit(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights, masks and figures of a whole run whose images are read batch by batch."""
    monkeypatch.setattr(feeds, "CPU_BYTES", 0)
    streamed = trained(tmp_path / "streamed")
    assert "streamed" == content(streamed, "environment.json")["in_force"]["images"]
    same(plain, streamed)


def same(one: Path, other: Path) -> None:
    for name in ("model.safetensors", "masks.safetensors", "outputs.safetensors"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert (one / "certificate.json").read_bytes() == (other / "certificate.json").read_bytes()
    rows = [(run / "metrics.jsonl").read_text("utf-8").splitlines() for run in (one, other)]
    times = [[{**json.loads(row), "images_per_second": 0} for row in each] for each in rows]
    assert times[0] == times[1]


# -- resumed


class Heard(Observer):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


@pytest.mark.parametrize("how_streamed", [False, True])
def test_a_run_goes_on_as_it_began(
    how_streamed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Channels last and deterministic, resident or streamed: the same bits, nothing said."""
    if how_streamed:
        monkeypatch.setattr(feeds, "CPU_BYTES", 0)
    whole = trained(tmp_path / "whole", channels_last=True, deterministic=True)
    for place in (1, 5):
        heard = Heard()
        again = cut(whole, tmp_path / f"again{place}", place)
        assert api.resume(again, observer=heard).certified
        assert [] == [line for line in heard.lines if "R708" in line]
        same(whole, again)


def test_what_a_run_does_otherwise_from_here_on_is_said(plain: Path, tmp_path: Path) -> None:
    """R708 on the screen, and in lives.jsonl with all options; it ends certified and verifies."""
    again, heard = cut(plain, tmp_path / "again", 3), Heard()
    options = ResumeOptions(execution={"channels_last": True}, checkpoint=Every(7, "steps"))
    assert api.resume(again, options, heard).certified
    what = "memory_format was contiguous, is channels_last"
    (line,) = [line for line in heard.lines if "R708" in line]
    assert what in line
    lives = [json.loads(row) for row in (again / "lives.jsonl").read_text("utf-8").splitlines()]
    assert [what] == lives[-1]["others"]
    changed = {"checkpoint": {"value": 7, "unit": "steps"}, "channels_last": True}
    assert changed == lives[-1]["options"]
    assert api.verify(again).passed


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_goes_on_to_the_bit(precision: str, tmp_path: Path) -> None:
    """The loss scale, and how many steps it has held, are part of the state."""
    text = "model cifar_resnet(8)\ndata digits(batch=32)\ntrain for 12 steps\nseed 3\n"
    whole = trained(tmp_path / "whole", f"{text}precision {precision}\n")
    scales = content(whole / "ckpt" / f"step-{EACH:07}", "state.json")["training"]["scaler"]
    assert (precision == "fp16") == bool(scales)
    again = cut(whole, tmp_path / "again", 1)
    api.resume(again)
    same(whole, again)


def test_a_mask_moves_by_gradients_that_did_not_overflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In fp16 the loss scale that is too large at an update is lowered, not the run ended."""
    scales: list[float] = []

    def large(device: torch.device, _precision: str) -> torch.amp.GradScaler:
        return torch.amp.GradScaler(device.type, init_scale=2.0**30)

    overflowed = how.devices.overflowed

    def heard(scaler: torch.amp.GradScaler, parameters: Any) -> bool:
        found = overflowed(scaler, parameters)
        scales.append(scaler.get_scale())
        return found

    monkeypatch.setattr(how.devices, "scaler", large)
    monkeypatch.setattr(how.devices, "overflowed", heard)
    text = (
        "model cifar_resnet(8)\ndata digits(batch=16)\ntrain for 6 steps\nseed 3\nprecision fp16\n"
        "mask dynamic(sparsity=50%, grow=gradient, every=2 steps) until step 5\n"
    )
    trained(tmp_path / "run", text)
    assert scales == sorted(scales, reverse=True)
    assert 1 <= scales[-1] < 2.0**29


def test_gradients_that_are_no_numbers_by_themselves_end_the_lowering() -> None:
    """However small the scale, they stay so: whoever asks goes on, and is told by another."""
    weight = nn.Parameter(torch.ones(2))
    weight.grad = torch.tensor([1.0, float("nan")])
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(torch.ones(()))
    asked = [how.devices.overflowed(scaler, [weight]) for _ in range(6)]
    assert [True, True, True, True, False, False] == asked
    off = torch.amp.GradScaler("cpu", enabled=False)
    assert not how.devices.overflowed(off, [weight])
