"""Loss and accuracy over many batches."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from tostdsl.engine import device as devices
from tostdsl.engine.feed import Part

if TYPE_CHECKING:
    from tostdsl.engine.equipment import Equipment


@dataclass(slots=True)
class Meter:
    """Sums over training images, kept on the device until they are read."""

    loss: Tensor
    right: Tensor
    images: int = 0
    """How many were counted."""

    @classmethod
    def on(cls, device: torch.device) -> Meter:
        """An empty meter."""
        return cls(
            torch.zeros((), device=device), torch.zeros((), dtype=torch.int64, device=device)
        )

    def add(self, loss: Tensor, outputs: Tensor, labels: Tensor) -> None:
        """Count a batch."""
        self.loss += loss.detach() * len(labels)
        self.right += (outputs.detach().argmax(1) == labels).sum()
        self.images += len(labels)

    @property
    def accuracy(self) -> Fraction:
        """Share of the images that were classified rightly, exact."""
        return Fraction(int(self.right), max(1, self.images))

    def read(self) -> tuple[float, float]:
        """Mean loss and accuracy of the images since the last reset."""
        count = max(1, self.images)
        return float(self.loss) / count, float(self.right) / count


@torch.no_grad()
def evaluate(kit: Equipment, split: Part) -> Meter:
    """Cross-entropy against true labels, and accuracy, in evaluation mode."""
    kit.surgeon.train(False)
    meter = Meter.on(kit.device)
    for images, labels in kit.feed.evaluation(split):
        with devices.autocast(kit.device, kit.plan.precision):
            outputs = kit.model(images)
        meter.add(functional.cross_entropy(outputs.float(), labels), outputs, labels)
    kit.surgeon.train(True)
    return meter
