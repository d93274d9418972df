"""Training passes compiled: the same training, compiled anew where the network changes only."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch._dynamo.utils import counters

from tests.engine import test_execution as runs
from tests.engine.kits import equipment
from tostdsl import api
from tostdsl.diagnostics import TostError
from tostdsl.engine import session
from tostdsl.engine.compiled import Compiler
from tostdsl.engine.loop import Loop
from tostdsl.engine.resume import ResumeOptions
from tostdsl.engine.stops import StoppedRun
from tostdsl.plan.program import lower

RECIPE = """\
model cifar_resnet(8)
data digits(batch=128)
train for 14 steps
seed 3
mask random(sparsity=50%)
ghost(width=1.5x) until step 4
skip from step 6 until step 10
labels(smoothing=0.1) until step 12
"""
TIMES = 4
"""Networks of that recipe: with the ghost, bare, with skips, bare; labels change none."""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """The compiler's counts are of one test, and nothing of it stays."""
    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


def by(backend: str | Callable[..., Any], made: list[Compiler] | None = None) -> Any:
    """What makes a compiler in the engine's place, with another backend."""

    def make(*args: Any) -> Compiler:
        compiler = Compiler(*args, backend=backend)
        if made is not None:
            made.append(compiler)
        return compiler

    return make


def test_compiled_trains_what_is_trained_uncompiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same certificate, masks and weights; one graph for each network that stages make."""
    made: list[Compiler] = []
    monkeypatch.setattr(session, "Compiler", by("aot_eager", made))
    plain = runs.trained(tmp_path / "plain", RECIPE)
    compiled = runs.trained(tmp_path / "compiled", RECIPE, compile=True)
    assert runs.names_and_marks(plain) == runs.names_and_marks(compiled)
    assert [TIMES] == [each.times for each in made]
    assert TIMES == counters["stats"]["unique_graphs"]
    assert 0 == len(counters["graph_break"])
    states = [load_file(run / "model.safetensors") for run in (plain, compiled)]
    assert states[0].keys() == states[1].keys()
    for name, value in states[0].items():
        assert torch.allclose(value, states[1][name], rtol=1e-3, atol=1e-4), name
    masks = [(run / "masks.safetensors").read_bytes() for run in (plain, compiled)]
    assert masks[0] == masks[1]
    assert "inductor" == runs.content(compiled, "environment.json")["in_force"]["compiler"]


def test_a_compiled_run_goes_on_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From inside a window of ghosts, and from a bare stretch after it; or goes on uncompiled."""
    monkeypatch.setattr(runs, "EACH", 3)
    monkeypatch.setattr(session, "Compiler", by("aot_eager"))
    whole = runs.trained(tmp_path / "whole", RECIPE, compile=True)
    for place in (1, 3):
        again = runs.cut(whole, tmp_path / f"again{place}", place)
        assert api.resume(again).certified
        runs.same(whole, again)
    again, heard = runs.cut(whole, tmp_path / "uncompiled", 2), runs.Heard()
    assert api.resume(again, ResumeOptions(execution={"compile": False}), heard).certified
    assert any("compiler was inductor, is None" in line for line in heard.lines)


def test_a_compiler_that_fails_says_so_at_its_step() -> None:
    """R331 with the compiler's own reason, no traceback of it."""

    def fails(_graph: Any, _inputs: Any) -> Any:
        raise OSError("no compiler is installed")

    kit = equipment(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)))
    kit.compiler = Compiler(kit.model, kit.surgeon, backend=fails)
    (phase,) = lower(kit.plan, kit.feed.steps_per_epoch).phases
    with pytest.raises(TostError) as caught:
        Loop(kit, phase, lambda _: None, lambda *_: None).run()
    (found,) = caught.value.diagnostics
    assert "R331" == found.code
    assert "the network cannot be compiled: OSError: no compiler is installed" == found.message


def test_a_signal_that_kills_the_compiler_too_is_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C reaches every process of a terminal: R304, not the compiler's failure."""

    def killed(_graph: Any, _inputs: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        raise RuntimeError("a compile worker died")

    monkeypatch.setattr(session, "Compiler", by(killed))
    with pytest.raises(StoppedRun) as stopped:
        runs.trained(tmp_path / "run", RECIPE, compile=True)
    assert (130, "R304") == (stopped.value.status, stopped.value.diagnostics[0].code)
    assert "interrupted" == runs.content(tmp_path / "run", "result.json")["state"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")  # torch's own, of itself
def test_the_compiler_of_the_command_line_trains_the_same(tmp_path: Path) -> None:
    """Torch's own, with its kernels: to within rounding over the first steps."""
    text = "model cifar_resnet(8)\ndata digits(batch=128)\ntrain for 4 steps\nseed 3\n"
    plain = runs.trained(tmp_path / "plain", text)
    compiled = runs.trained(tmp_path / "compiled", text, compile=True, deterministic=True)
    assert runs.names_and_marks(plain) == runs.names_and_marks(compiled)
    states = [load_file(run / "model.safetensors") for run in (plain, compiled)]
    for name, value in states[0].items():
        assert torch.allclose(value, states[1][name], rtol=1e-3, atol=1e-3), name
