"""An engine's equipment around any network, on the real digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from tostdsl.compile.compiler import compile_source
from tostdsl.engine.certificate import Certificate, Shape
from tostdsl.engine.equipment import Equipment
from tostdsl.engine.feed import Feed
from tostdsl.engine.masked import Masked
from tostdsl.engine.observer import Observer
from tostdsl.engine.surgery import Surgeon
from tostdsl.plan.bases import LoadOptions
from tostdsl.source import Source

RECIPE = "model cifar_resnet(8)\ndata digits(batch=32)\ntrain for 2 epochs\nseed 4\n"
CPU = torch.device("cpu")


class Heard(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


def equipment(
    model: nn.Module, log: list[Mapping[str, Any]] | None = None, masked: Masked | None = None
) -> Equipment:
    """What a phase works with, the plan being `RECIPE`'s but for its model."""
    (plan,) = compile_source(Source("r.tost", RECIPE)).plans
    images = plan.data.load(LoadOptions())
    feed = Feed(images, plan.data, CPU, plan.seed)
    rows = [] if log is None else log
    facts = replace(images.facts)
    surgeon = Surgeon(
        model, facts, CPU, plan.seed, masked.masks if masked else {}, lambda _: None, "net",
        feed.drawn,
    )  # fmt: skip
    certificate = Certificate(Shape.of(model))
    return Equipment(plan, model, masked, surgeon, feed, CPU, Heard(), certificate, rows.append)
