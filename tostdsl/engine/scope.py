"""The network as a mask method sees it (`plan.masking.MaskSite`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from tostdsl.diagnostics import TostError
from tostdsl.engine.seeds import generator
from tostdsl.plan.bases import DataFacts


class Source(Protocol):
    """Where training images come from (`engine.feed.Feed`)."""

    def balanced(self, purpose: str, each: int) -> tuple[Tensor, Tensor]:
        """At most `each` training images of every class, and labels."""


@dataclass(slots=True)
class Scope:
    """What a mask method may look at: the network, the weights in scope, training images."""

    model: nn.Module
    weights: Mapping[str, Tensor]
    masks: Mapping[str, Tensor]
    facts: DataFacts
    seed: int
    feed: Source | None = None
    """Where training images come from; None for methods that look at none."""
    gradients: Mapping[str, Tensor] = field(default_factory=dict)
    """The weights' gradients, for updates during training."""
    rehearsal: bool = False
    """Whether a class may have fewer images than are asked for."""
    say: Callable[[str], None] | None = None
    """Where a method's lines go; None for nowhere."""
    write: Callable[[str, Mapping[str, Any]], None] | None = None
    """Where a method's report goes, by file name; None for nowhere."""

    def generator(self, purpose: str) -> torch.Generator:
        """A CPU generator derived from the seed and a purpose."""
        return generator(self.seed, "mask", purpose)

    def images(self, each: int) -> tuple[Tensor, Tensor]:
        """`each` training images of every class, and their labels."""
        images, labels = self._feed().balanced("mask", each)
        counts = torch.bincount(labels, minlength=self.facts.classes)
        fewest = int(counts.min())
        if fewest < each and not self.rehearsal:
            reason = f"class {int(counts.argmin())} has only {fewest} training images"
            raise TostError.of("T504", name="per_class", reason=reason)
        return images, labels

    def tell(self, text: str) -> None:
        """Say a line to whoever watches the run."""
        if self.say is not None:
            self.say(text)

    def record(self, name: str, content: Mapping[str, Any]) -> None:
        """Leave a JSON file in the run folder."""
        if self.write is not None:
            self.write(name, content)

    def _feed(self) -> Source:
        if self.feed is None:
            raise ValueError("this mask was to look at no images")
        return self.feed
