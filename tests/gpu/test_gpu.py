"""Runs on a GPU: `pytest tests/gpu`. What they promise on the CPU they keep there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine import test_execution as runs
from tostdsl import api
from tostdsl.engine import feed as feeds
from tostdsl.engine.execution import Execution
from tostdsl.engine.feed import Feed
from tostdsl.engine.keeper import Every
from tostdsl.engine.run import RunOptions
from tostdsl.plan.bases import LoadOptions

pytestmark = pytest.mark.gpu


def trained(out: Path, text: str = runs.RECIPE, **options: Any) -> Path:
    every, execution = Every(runs.EACH, "steps"), Execution(**options)
    given = RunOptions(out, "cuda", checkpoint=every, keep=100, execution=execution)
    result = api.run(runs.plan(text), given)
    assert result.certified
    assert result.accuracy > 0.7
    return out


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_deterministic_run_goes_on_to_the_bit(
    precision: str, channels_last: bool, tmp_path: Path
) -> None:
    """Again from its start, and from checkpoints inside rounds and windows."""
    text = f"{runs.RECIPE}precision {precision}\n"
    options = {"channels_last": channels_last, "deterministic": True}
    whole = trained(tmp_path / "whole", text, **options)
    runs.same(whole, trained(tmp_path / "twice", text, **options))
    for place in (1, 5):
        again = runs.cut(whole, tmp_path / f"again{place}", place)
        assert api.resume(again).certified
        runs.same(whole, again)


def test_streamed_is_resident_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinned, sent without waiting, and read ahead: the same batches."""
    held = trained(tmp_path / "held", deterministic=True)
    monkeypatch.setattr(feeds, "_most", lambda _device: 0)
    streamed = trained(tmp_path / "streamed", deterministic=True)
    assert "streamed" == runs.content(streamed, "environment.json")["in_force"]["images"]
    runs.same(held, streamed)


def test_what_streams_is_pinned() -> None:
    """Else it would be copied twice, and waited for."""
    plan = runs.plan()
    images = plan.data.load(LoadOptions())
    feed = Feed(images, plan.data, "cuda", 1, max_device_bytes=0)
    assert feed._train.read(torch.arange(4)).is_pinned()
    assert "cuda" == feed.train_batch(0, 0).images.device.type
    feed.close()


def test_compiled_trains_with_the_same_certificate(tmp_path: Path) -> None:
    """With channels last and bfloat16, the way it is meant to be fast."""
    text = f"{runs.RECIPE}precision bf16\n"
    plain = trained(tmp_path / "plain", text)
    compiled = trained(tmp_path / "compiled", text, compile=True, channels_last=True)
    assert runs.names_and_marks(plain) == runs.names_and_marks(compiled)
    found = runs.content(compiled, "environment.json")["in_force"]
    assert ("inductor", "channels_last", "fused") == tuple(
        found[name] for name in ("compiler", "memory_format", "optimizer")
    )
    assert api.verify(compiled).passed


@pytest.mark.parametrize("tf32", [False, True])
def test_products_are_what_was_asked_for(tf32: bool) -> None:
    """TF32 keeps 10 bits of a factor: 1 + 2^-12 is 1 in it, and not in float32."""
    device = torch.device("cuda")
    if tf32 and Execution(tf32=True).refused(device):
        pytest.skip("this GPU has no TF32")
    ones = torch.full((256, 256), 1 + 2.0**-12, device=device)
    with Execution(tf32=tf32).in_force():
        exact = float((ones @ torch.eye(256, device=device))[0, 0]) == 1 + 2.0**-12
    assert exact != tf32
