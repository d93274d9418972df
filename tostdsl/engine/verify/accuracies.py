"""The test figures of a run, measured anew from its weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from tostdsl.data.fake import fake_for
from tostdsl.diagnostics import TostError
from tostdsl.engine import device as devices
from tostdsl.engine.feed import Feed
from tostdsl.engine.masked import Masked
from tostdsl.engine.measure import Meter
from tostdsl.engine.outcome import digest_of
from tostdsl.engine.verify.evidence import Evidence, Group
from tostdsl.engine.verify.staying import fill, put_in
from tostdsl.plan.bases import Images, LoadOptions
from tostdsl.units import Percent

SLACK = Fraction(1, 200)
"""Share of the test images that another device or precision may class otherwise."""
NEAR_HOME, NEAR = 1e-4, 2e-2
"""How far the loss may be off on a CPU in fp32, and elsewhere, in parts of it (or of 1)."""


def accuracy(
    evidence: Evidence,
    model: nn.Module,
    masked: Masked | None,
    kept: Mapping[str, Tensor] | None,
    group: Group,
    data_root: Path | None,
) -> None:
    """Measure accuracy and loss on the test images again, on this machine's CPU.

    `kept` is the state of what the recipe leaves in: where it leaves something, the network is
    measured with it, as it was judged, and without.
    """
    try:
        images = _images(evidence, data_root)
    except TostError as error:
        first = error.diagnostics[0]
        help = f" ({first.help})" if first.help else ""
        group.check("the data", False, f"cannot be had: {first.message}{help}")
        return
    same = digest_of(images) == evidence.environment.data.sha256
    words = "has the checksum of the run's" if same else "is not the run's: its checksum is another"
    if not group.check("the data", same, words):
        return
    if not evidence.staying:
        group.said = _compare(evidence, _measure(evidence, model, images), "test", "", group)
        return
    listed = " and ".join(dict.fromkeys(evidence.staying.values()))
    if kept is None:
        group.check(f"the network with {listed}", False, "is not there to be measured")
    else:
        masks = masked.masks if masked is not None else {}
        with put_in(evidence, model, masks) as (surgeon, attached):
            fill(attached, kept)
            surgeon.train(False)
            meter = _measure(evidence, model, images)
        group.said = _compare(evidence, meter, "test", f" with {listed}", group)
    meter = _measure(evidence, model, images)
    bare = _compare(evidence, meter, "test_without_kept", f" without {listed}", group)
    group.said += f"; {bare}"


def _compare(evidence: Evidence, meter: Meter, kind: str, which: str, group: Group) -> str:
    """What was measured against a row of metrics.jsonl; what it is, in words."""
    row = evidence.row(kind)
    told, said = (row.get("accuracy"), row.get("loss")) if row is not None else (None, None)
    if not all(isinstance(each, float) and math.isfinite(each) for each in (told, said)):
        group.check("metrics.jsonl", False, f"has no test accuracy and loss{which}")
        return ""
    assert isinstance(told, float)
    assert isinstance(said, float)
    loss, share = meter.read()
    off = abs(meter.accuracy - Fraction(told)) * meter.images
    home = evidence.environment.device == "cpu" and evidence.plan.precision == "fp32"
    most = 1 if home else max(1, math.ceil(SLACK * meter.images))
    where = f"{evidence.environment.device}, {evidence.plan.precision}"
    why = "" if home else f", since the run was on {where}"
    words = f"{share:.2%}{which} on {meter.images:,} test images, loss {loss:.4f}; "
    words += f"the run {told:.2%}"
    bound = f"{most} {'image' if most == 1 else 'images'} may be classed otherwise{why}"
    group.check("accuracy", off <= most + Fraction(1, 100), f"is {words} ({bound})")
    near = (NEAR_HOME if home else NEAR) * max(1.0, abs(said))
    words_of_loss = f"is {loss:.6f}{which}, the run's {said:.6f} ({near:.1e} apart at most)"
    group.check("loss", abs(loss - said) <= near, words_of_loss)
    return f"{words} ({bound})"


def _images(evidence: Evidence, data_root: Path | None) -> Images:
    data = evidence.environment.data
    if data.fake:
        return fake_for(evidence.plan.data, data.limit, evidence.plan.seed)
    return evidence.plan.data.load(LoadOptions(data_root, False, data.limit))


@torch.no_grad()
def _measure(evidence: Evidence, model: nn.Module, images: Images) -> Meter:
    """Count over the test images, in the precision of the plan."""
    cpu = torch.device("cpu")
    plain = {"batch": 1, "augment": (), "validation": Percent.from_json({"percent": 0})}
    feed = Feed(images, evidence.plan.data.model_copy(update=plain), cpu, evidence.plan.seed)
    meter = Meter.on(cpu)
    model.eval()
    for batch, labels in feed.evaluation("test"):
        with devices.autocast(cpu, evidence.plan.precision):
            outputs = model(batch)
        meter.add(functional.cross_entropy(outputs.float(), labels), outputs, labels)
    return meter
