"""`tost run --trace gradients`: what reaches each layer, with and without each stage.

At a traced step the batch that is about to be trained on goes through the network and back once
more, and once again for each stage that adds to the network, with that stage's weight at 0 and all
else equal: batch, targets, random numbers, the other stages. What is written are the norms of the
weights' gradients, masks applied, and the shares of dead units. The gradient is that of the
cross-entropy against the batch's targets; what a hook's `loss` would add to it is left out.
Training does not notice: nothing is stepped, gradients are not kept, and buffers, weights of stages
and random states are put back.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from tostdsl.engine import device as devices
from tostdsl.engine import nodes, randomness
from tostdsl.engine.equipment import Equipment
from tostdsl.engine.folder import TRACE, RunFolder
from tostdsl.engine.hooks import Batch
from tostdsl.engine.observer import Observer
from tostdsl.engine.picture import picture
from tostdsl.engine.surgery import Attached
from tostdsl.plan.plan import Plan, stage_names
from tostdsl.plan.program import Curves, Phase, Segment
from tostdsl.plan.timeline import described


def drawn(plan: Plan, rows: Sequence[Mapping[str, Any]]) -> str:
    """The picture of a trace's rows, as SVG."""
    words = map(described, plan.stages)
    return picture(plan.name, rows, dict(zip(stage_names(plan), words, strict=True)))


def traced(segment: Segment, every: int) -> Iterator[int]:
    """The steps of a segment that are traced: those that `every` divides, its first and last."""
    marked = {segment.steps[0], segment.steps[-1]} if segment.steps else set()
    return (step for step in segment.steps if step % every == 0 or step in marked)


def head(plan: Plan, phase: Phase, layers: Sequence[str]) -> dict[str, Any]:
    """The row that a phase begins with, where the weights of these layers are looked at."""
    names = stage_names(plan)
    changing = {i for segment in phase.segments for i in segment.attached} & {
        i for i, stage in enumerate(plan.stages) if stage.technique.adds_to_network()
    }
    curves = {i: Curves.of(plan.stages[i], phase.clock) for i in sorted(changing)}
    return {
        "kind": "phase",
        "phase": phase.name,
        "steps": phase.clock.total,
        "steps_per_epoch": phase.clock.steps_per_epoch,
        "layers": list(layers),
        "windows": {names[i]: [c.start, c.stop] for i, c in curves.items()},
    }


class Tracer:
    """Writes `trace.jsonl`, and `trace.svg` when the run is over.

    Traced are the steps that `every` divides, and the first and last of each segment, so that each
    window is seen however short it is.
    """

    def __init__(self, folder: RunFolder, plan: Plan, every: int, observer: Observer) -> None:
        self._folder, self._plan, self._every = folder, plan, every
        self._observer = observer
        self._names = stage_names(plan)
        self._file = folder.lines(TRACE)
        self._closed = False
        text = (folder.path / TRACE).read_text(encoding="utf-8")  # of a run that goes on
        self._rows: list[Mapping[str, Any]] = [json.loads(line) for line in text.splitlines()]
        self._weights: dict[str, tuple[str, torch.nn.Parameter]] = {}

    def over(
        self,
        kit: Equipment,
        phase: Phase,
        segment: Segment,
        attached: Mapping[int, Attached],
        scaler: torch.amp.GradScaler,
    ) -> Callable[[Batch], None]:
        """What is to be called with each batch of a segment, when nothing changes it any more."""
        self._look(kit)
        begun = (row["phase"] for row in self._rows if row["kind"] == "phase")
        if phase.name not in begun:
            self._begin(phase)
        steps = set(traced(segment, self._every))
        here = {index: attached[index] for index in segment.attached}

        def batch(given: Batch) -> None:
            if given.step in steps:
                self._take(kit, phase, given, here, scaler.get_scale())

        return batch

    def close(self) -> None:
        """No more steps will come: draw what there is. Once is enough."""
        if self._closed:
            return
        self._closed = True
        steps = sum(row["kind"] == "step" for row in self._rows)
        if steps:
            self._folder.write_text("trace.svg", drawn(self._plan, self._rows))
            layers = len(self._weights)
            text = f"trace: {steps} steps of {layers} layers in trace.jsonl and trace.svg"
            self._observer.message(text)

    def _look(self, kit: Equipment) -> None:
        """Find the weights whose gradients are measured."""
        parameters = dict(kit.model.named_parameters(remove_duplicate=False))
        layers = [n for n, m in kit.model.named_modules() if isinstance(m, nodes.LAYERS)]
        self._weights = {
            name: (f"{name}.weight", parameters[f"{name}.weight"])
            for name in layers
            if f"{name}.weight" in parameters and parameters[f"{name}.weight"].requires_grad
        }

    def _begin(self, phase: Phase) -> None:
        """Write the row of a phase."""
        self._write(head(self._plan, phase, list(self._weights)))

    def _take(
        self,
        kit: Equipment,
        phase: Phase,
        batch: Batch,
        attached: Mapping[int, Attached],
        scale: float,
    ) -> None:
        at_work = {
            self._names[index]: {name: float(cell) for name, cell in each.cells.items()}
            for index, each in attached.items()
        }
        full = self._measure(kit, batch, scale)
        without = {}
        for index, each in attached.items():
            if each.stage.technique.adds_to_network():
                held = each.vector.clone()
                each.vector[0] = 0.0
                try:
                    without[self._names[index]] = self._measure(kit, batch, scale)
                finally:
                    each.vector.copy_(held)
        self._write(
            {
                "kind": "step",
                "phase": phase.name,
                "step": batch.step,
                "stages": at_work,
                "with": full,
                "without": without,
            }
        )

    def _measure(self, kit: Equipment, batch: Batch, scale: float) -> dict[str, Any]:
        """Loss, gradient norms and dead shares of the network as it stands."""
        roots = (kit.model, *kit.surgeon.beside)
        buffers = [buffer for root in roots for buffer in root.buffers()]
        kept = [buffer.clone() for buffer in buffers]
        weights = [weight for _, weight in self._weights.values()]
        try:
            with randomness.kept(kit.device), kit.units.watch() as units:
                with devices.autocast(kit.device, kit.plan.precision):
                    outputs = kit.model(batch.images.clone())  # a first layer may work in place
                loss = functional.cross_entropy(outputs.float(), batch.targets)
                # of the scaled loss, as fp16 is trained, and for the weights alone
                found = torch.autograd.grad(loss * scale, weights, allow_unused=True)
        finally:
            with torch.no_grad():
                for buffer, value in zip(buffers, kept, strict=True):
                    buffer.copy_(value)
        norms = self._norms(kit, found)
        return {
            "loss": _number(float(loss.detach())),
            "gradients": {
                name: _number(norm / scale) for name, norm in zip(self._weights, norms, strict=True)
            },
            "dead": {name: each.share for name, each in units.read().items()},
        }

    def _norms(self, kit: Equipment, gradients: tuple[Tensor | None, ...]) -> list[float]:
        """Norms of the layers' gradients under the mask; 0 where none arrives."""
        masks = kit.masked.masks if kit.masked is not None else {}
        norms: list[Tensor] = []
        for (name, weight), gradient in zip(self._weights.values(), gradients, strict=True):
            if gradient is None:
                norms.append(torch.zeros((), device=weight.device))
                continue
            mask = masks.get(name)
            kept = gradient if mask is None else torch.where(mask, gradient, 0)
            norms.append(torch.linalg.vector_norm(kept.float()))
        found: list[float] = torch.stack(norms).tolist() if norms else []
        return found

    def _write(self, row: Mapping[str, Any]) -> None:
        self._rows.append(row)
        self._file.write(row)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
