"""Seams: what it costs that stages leave the network, measured on one fixed batch.

Where stages that change the network leave, the same training images go through it three times at
most: with the stages as they stood in their last step, without them, and once more where one of
them has `recalibrate=yes`. Measuring draws no random number and leaves the network as it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from tostdsl.diagnostics import Diagnostic, diagnose
from tostdsl.engine import dead, shifts
from tostdsl.engine import device as devices
from tostdsl.engine.certificate import number
from tostdsl.engine.dead import Dead
from tostdsl.engine.recalibrate import recalibrate
from tostdsl.engine.shifts import Shift

if TYPE_CHECKING:
    from tostdsl.engine.equipment import Equipment

IMAGES = 256
"""Training images that every seam of a run is measured on, not augmented, drawn by the seed."""
RISE = 0.20
"""A seam costs where the loss rises by more than this share of it and by more than `LEAST` while
accuracy does not rise, …"""
LEAST = 0.02
FALL = 0.03
"""… or where accuracy falls by more than this share of the images (7 of 256 may go).

Ours: on digits, the seams of the shipped recipes raised the loss by 14 % at most and cost 3 images,
and a skip that left at weight 1 (`form=add, anneal=none`) cost 89 points.
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """The network on the fixed batch in evaluation mode, against true labels."""

    loss: float
    accuracy: float
    dead: Mapping[str, Dead]
    """By layer."""
    shifts: Mapping[str, Shift]
    """By normalisation: its input on the batch against its running statistics."""

    def to_json(self) -> dict[str, Any]:
        """What a row of metrics.jsonl has of it; null is what is no number."""
        return {
            "loss": number(self.loss),
            "accuracy": self.accuracy,
            "dead": {name: each.share for name, each in self.dead.items()},
            "norms": {
                name: {"mean": number(each.mean), "deviation": number(each.deviation)}
                for name, each in self.shifts.items()
            },
        }


@torch.no_grad()
def read(kit: Equipment) -> Reading:
    """Measure the network as it stands; every mode, buffer and random state stays."""
    batch = kit.feed.sample("seam", IMAGES)
    kit.surgeon.train(False)
    try:
        with kit.units.watch() as units, shifts.watch(kit.model) as moved:
            with devices.autocast(kit.device, kit.plan.precision):
                outputs = kit.model(batch.images).float()
            loss = float(functional.cross_entropy(outputs, batch.labels))
            right = int((outputs.argmax(1) == batch.labels).sum())
            return Reading(loss, right / len(batch.labels), units.read(), moved())
    finally:
        kit.surgeon.train(True)


@dataclass(frozen=True, slots=True)
class Seam:
    """Stages left: the network before, after, and after its statistics were re-estimated."""

    phase: str
    step: int
    at: str
    """Where, in words."""
    weights: Mapping[str, float]
    """The stages that left, by name, with the weights that they had in their last step."""
    before: Reading
    after: Reading
    recalibrated: Reading | None = None

    @property
    def end(self) -> Reading:
        """The network that training goes on with."""
        return self.recalibrated or self.after

    @property
    def costs(self) -> bool:
        """Whether the network is worse without what left, by more than the thresholds.

        A loss that is no finite number any more costs; one that was none before says nothing, and
        accuracy alone is judged.
        """
        before, end = self.before, self.end
        if before.accuracy - end.accuracy > FALL:
            return True
        if not math.isfinite(before.loss):
            return False
        if not math.isfinite(end.loss):
            return True
        rise = end.loss - before.loss
        return rise > max(LEAST, RISE * before.loss) and end.accuracy <= before.accuracy

    def to_json(self) -> dict[str, Any]:
        """The row of metrics.jsonl."""
        again = self.recalibrated.to_json() if self.recalibrated is not None else None
        return {
            "kind": "seam",
            "phase": self.phase,
            "step": self.step,
            "left": dict(self.weights),
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "recalibrated": again,
            "costs": self.costs,
        }

    def line(self) -> str:
        """One line for the screen."""
        stages = [self.before, self.after, *filter(None, [self.recalibrated])]
        parts = [
            f"seam at {self.at}: without {', '.join(self.weights)}",
            "loss " + " -> ".join(f"{each.loss:.4f}" for each in stages),
            "accuracy " + " -> ".join(f"{each.accuracy:.1%}" for each in stages),
        ]
        shares = [dead.total(each.dead) for each in stages]
        if None not in shares:
            parts.append("dead units " + " -> ".join(f"{share:.1%}" for share in shares))
        if self.before.shifts:
            off = [max(shift.mean for shift in each.shifts.values()) for each in stages]
            parts.append("statistics off by " + " -> ".join(f"{most:.2f}" for most in off))
        return "  ".join(parts) + ("  (recalibrated)" if self.recalibrated is not None else "")

    def warning(self) -> Diagnostic:
        """The message that a seam costs."""
        before, end = self.before, self.end
        more = ", or estimate normalisation statistics anew with `recalibrate=yes`"
        if self.recalibrated is not None:
            more = ""
        return diagnose(
            "R410",
            at=self.at,
            names=" and ".join(f"`{name}`" for name in self.weights),
            loss=f"{before.loss:.4f}",
            then=f"{end.loss:.4f}",
            accuracy=f"{before.accuracy:.1%}",
            now=f"{end.accuracy:.1%}",
            more=more,
        )


class Opening:
    """A seam that has begun: made before anything of the stages changes."""

    def __init__(self, kit: Equipment, phase: str, step: int, at: str) -> None:
        self._kit = kit
        self._place = phase, step, at
        self._before = read(kit)

    def close(self, weights: Mapping[str, float], again: bool) -> None:
        """The stages are gone: measure, with `again` re-estimate statistics too, and tell."""
        kit, (phase, step, at) = self._kit, self._place
        after, recalibrated = read(kit), None
        if again:
            recalibrate(kit, phase, step, at)
            recalibrated = read(kit)
        seam = Seam(phase, step, at, weights, self._before, after, recalibrated)
        kit.seams.append(seam)
        kit.log(seam.to_json())
        kit.observer.message(seam.line())
        if seam.costs and not kit.unreal:
            warning = seam.warning()
            kit.log({"kind": "message", "code": warning.code, "text": warning.message})
            kit.observer.message(f"{warning.severity}[{warning.code}]: {warning.message}")
