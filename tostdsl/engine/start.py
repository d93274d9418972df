"""What a plan names, made: images, the network with its first weights, the mask's scope.

A run, its verification and a look at a mask start from the same, so that they see the same.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tostdsl.data.fake import fake_for
from tostdsl.engine.feed import Feed
from tostdsl.engine.masked import Masked
from tostdsl.engine.seeds import derive
from tostdsl.engine.site import layers
from tostdsl.plan.bases import DataFacts, Images, LoadOptions
from tostdsl.plan.code import code_of
from tostdsl.plan.plan import Plan
from tostdsl.usercode import source_of


@dataclass(frozen=True, slots=True)
class DataOptions:
    """Where images come from; nothing here changes the plan."""

    root: Path | None = None
    download: bool = False
    fake: bool = False
    """Random images instead."""


def images_of(plan: Plan, options: DataOptions, limit: int | None = None) -> Images:
    """The images of a plan, at most `limit` a split; `TostError` where they are not to be had."""
    if options.fake:
        return fake_for(plan.data, limit, plan.seed)
    return plan.data.load(LoadOptions(options.root, options.download, limit))


def network(plan: Plan, facts: DataFacts) -> nn.Module:
    """The network with the weights that the seed draws, on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(plan.seed, "init"))
        return plan.model.build(facts)


def sources_of(plan: Plan, *, data: bool = True) -> list[dict[str, Any]]:
    """The user's own functions in a plan, which are imported, each with its file and checksum."""
    return [
        {"kind": each.kind, "function": each.function, **asdict(source_of(each.function))}
        for each in code_of(plan, data=data)
    ]


def masked_of(plan: Plan, model: nn.Module) -> Masked | None:
    """The weights in the mask's scope, none masked yet; None without a mask.

    `TostError` T501 or T502 where the scope is not in the network.
    """
    if plan.mask is None:
        return None
    names = layers(model, plan.mask.targets, plan.model.name)
    return Masked(model, [f"{name}.weight" for name in names])


@dataclass(slots=True)
class LateFeed:
    """Training images that are loaded when they are first asked for, if ever."""

    plan: Plan
    options: DataOptions
    device: torch.device
    images: Images | None = None
    """Those that are loaded."""
    _feed: Feed | None = field(default=None, init=False)

    def facts(self) -> DataFacts:
        """What the plan knows of its data, else what loading it tells."""
        return self.plan.data.facts() or self._loaded().facts

    def balanced(self, purpose: str, each: int) -> tuple[Tensor, Tensor]:
        """As `Feed.balanced`."""
        if self._feed is None:
            self._feed = Feed(self._loaded(), self.plan.data, self.device, self.plan.seed)
        return self._feed.balanced(purpose, each)

    def _loaded(self) -> Images:
        if self.images is None:
            self.images = images_of(self.plan, self.options)
        return self.images
