"""The training loop: one phase of a program, segment by segment.

Everything structural happens in `boundary`; inside a segment a step writes precomputed scalars,
runs forward, backward and step, and nothing asks which techniques there are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import Optimizer

from tostdsl.diagnostics import TostError
from tostdsl.engine import device as devices
from tostdsl.engine import memory, randomness
from tostdsl.engine.boundary import cross, leave
from tostdsl.engine.equipment import Equipment
from tostdsl.engine.execution import failure
from tostdsl.engine.hooks import Batch, Hook
from tostdsl.engine.measure import Meter, evaluate
from tostdsl.engine.observer import Glimpse
from tostdsl.engine.seeds import derive
from tostdsl.engine.surgery import Attached
from tostdsl.plan.masking import Update
from tostdsl.plan.plan import StagePlan, stage_names
from tostdsl.plan.program import Curves, Phase, Segment

if TYPE_CHECKING:
    from tostdsl.engine.compiled import Forward

GLIMPSE_SECONDS = 0.2
BLOCK = 4096
"""Steps whose scalars are computed ahead at a time."""


@dataclass(frozen=True, slots=True)
class Begin:
    """Where in a phase to go on, and what puts its state back."""

    segment: int
    offset: int
    """How many of the segment's steps have run."""
    restore: Callable[[Loop], None]


class Loop:
    """Runs one phase.

    `keep_rewind` is called at the moment a lottery goes back to, `remask` at each update of a mask
    that moves.
    """

    def __init__(
        self,
        kit: Equipment,
        phase: Phase,
        keep_rewind: Callable[[Optimizer], None],
        remask: Callable[[Phase, Update], None],
    ) -> None:
        self.kit = kit
        self.phase = phase
        self.keep_rewind = keep_rewind
        self.remask = remask
        self.done = 0
        """Steps that have run."""
        self.attached: dict[int, Attached] = {}
        self.acted: list[tuple[int, int]] = []
        """Instants that acted: the step before which, and the stage."""
        self.optimizer = kit.plan.optimizer.build(kit.model.parameters())
        self.trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        """The parameters that the optimizer was made for."""
        self.scaler = devices.scaler(kit.device, kit.plan.precision)
        self.meter = Meter.on(kit.device)
        self.curves = {
            index: Curves.of(kit.plan.stages[index], self.phase.clock)
            for segment in self.phase.segments
            for index in (*segment.attached, *segment.instants)
        }
        self.epoch_start = self.last_glimpse = time.perf_counter()
        self.seen = 0
        self.step = 0
        self.staged = phase.kind == "train" or bool(self.curves)

    # -- structure, at boundaries only

    def run(self, begin: Begin | None = None) -> None:
        """Run every segment, or those from `begin` on, then take everything out."""
        kit = self.kit
        kit.surgeon.train(True)
        if kit.masked is not None:
            kit.masked.bind(self.optimizer, self._used)
        for event in self.phase.events.get(0, ()) if begin is None else ():
            self._occasion(event)
        first, offset = (0, 0) if begin is None else (begin.segment, begin.offset)
        try:
            for number, segment in enumerate(self.phase.segments[first:], first):
                began = time.perf_counter()
                if begin is not None and number == first:
                    begin.restore(self)
                else:
                    cross(self, segment)
                    offset = 0
                pause = time.perf_counter() - began
                self.epoch_start += pause  # a rate is that of training, not of `init` and seams
                self.last_glimpse += pause
                self._run(segment, number, offset)
                self._witness(segment)
            staying = [index for index in self.attached if self._stays(index)]
            going = [index for index in self.attached if index not in staying]
            leave(self, going, self.phase.clock.total, "the end")
            kit.kept += [self.attached.pop(index) for index in staying]
        except (RuntimeError, ValueError) as error:  # torch's own; a stranger's model may fail
            raise self._failed(error) from error
        finally:
            if kit.masked is not None:
                kit.masked.unbind()

    def _stays(self, index: int) -> bool:
        technique = self.kit.plan.stages[index].technique
        return self.phase.kind == "train" and technique.stays()

    def _witness(self, segment: Segment) -> None:
        """Take down who was at work over a segment, as the network itself has it."""
        kit = self.kit
        at_work = sorted(attached.index for attached in kit.surgeon.attached)
        planned = at_work_at(kit.plan.stages, self.phase, segment.start) if self.staged else []
        kit.certificate.presence(self.phase.name, segment.start, at_work, planned)
        if kit.masked is not None:
            kit.certificate.masks(self.phase.name, segment.stop, kit.masked)

    def _failed(self, error: Exception) -> TostError:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if memory.is_full(error):
            return memory.told(self, error)
        if found := failure(error, self.kit.device):
            return found
        return TostError.of("R306", step=self.step, phase=self.phase.told(self.step), reason=said)

    # -- steps

    def _run(self, segment: Segment, number: int, offset: int) -> None:
        kit, optimizer, scaler, feed = self.kit, self.optimizer, self.scaler, self.kit.feed
        hooks: list[Hook[Any]] = [self.attached[index].hook for index in segment.attached]
        on_batch = _bound(hooks, "batch")
        if kit.tracer is not None:  # last, so that it sees the batch that is trained on
            on_batch.append(kit.tracer.over(kit, self.phase, segment, self.attached, self.scaler))
        on_loss = _bound(hooks[::-1], "loss")
        on_grads = _bound(hooks[::-1], "grads")
        if on_grads and scaler.is_enabled():
            on_grads.insert(0, self._unscale)
        on_stepped = _bound(hooks[::-1], "stepped")
        if scaler.is_enabled():  # stages may have brought parameters of their own
            devices.settle(optimizer)
        on_epoch = _bound(hooks[::-1], "epoch")
        vectors = [self.attached[index].vector for index in segment.attached]
        forward: Forward = kit.model if kit.compiler is None else kit.compiler.forward()
        turns = {step: partial(self._turn, update) for step, update in self.phase.updates.items()}
        per_epoch = self.phase.clock.steps_per_epoch
        watch = kit.watch
        for place, (step, scalars) in enumerate(self._scalars_of(segment, offset), offset + 1):
            self.step = step
            if watch is not None:
                watch.begin(step, segment)
            for vector, row in zip(vectors, scalars, strict=True):
                vector.copy_(row)
            rate = self._rate(step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            randomness.seed(derive(kit.plan.seed, "step", self.phase.name, step))  # dropout's
            epoch, index = divmod(step, per_epoch)
            batch: Batch = feed.train_batch(epoch, index % feed.steps_per_epoch)
            batch.step = step
            for change in on_batch:
                change(batch)
            loss, outputs = self._pass(forward, batch, on_loss)
            while step in turns and devices.overflowed(scaler, self.trained):  # masks rank by them
                loss, outputs = self._pass(forward, batch, on_loss)
            for act in on_grads:
                act()
            turns.get(step, self._advance)()
            for act in on_stepped:
                act()
            self.meter.add(loss, outputs, batch.labels)
            self.done += 1
            if watch is not None and watch.looking:
                watch.look(self, loss)
                kit.certificate.watched(self.phase.name)
            if time.perf_counter() - self.last_glimpse > GLIMPSE_SECONDS:
                self._glimpse(loss)
            for event in self.phase.occasions(step + 1):
                self._occasion(event)
                for act in on_epoch if event == "epoch" else ():
                    act()
            if kit.keeper is not None:
                kit.keeper.stepped(self, number, place)

    def _pass(
        self, forward: Forward, batch: Batch, on_loss: list[Callable[..., Any]]
    ) -> tuple[Tensor, Tensor]:
        """Loss and outputs of a batch; the gradients are new."""
        with devices.autocast(self.kit.device, self.kit.plan.precision):
            outputs = forward(batch.images)
        loss = functional.cross_entropy(outputs.float(), batch.targets)
        for change in on_loss:
            loss = change(loss)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return loss, outputs

    def _advance(self) -> None:
        """A training step from the gradients at hand."""
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _unscale(self) -> None:
        """Take the loss scale out of the gradients that are stepped on, for hooks that see them."""
        update = self.phase.updates.get(self.step)
        if update is None or update.step != self.step:
            self.scaler.unscale_(self.optimizer)

    def _turn(self, update: Update) -> None:
        """A step at which the mask moves: after it, or in its place."""
        assert self.kit.masked is not None
        with self.kit.masked.keeping_gradients():  # those of masked weights decide what grows
            if update.step != self.step:
                self._advance()
            self.remask(self.phase, update)

    def _used(self) -> None:
        """The optimizer has stepped on the gradients that are there."""
        if self.kit.watch is not None and self.kit.masked is not None:
            self.kit.watch.used(self.kit.masked, scaled=self.scaler.is_enabled())

    def _scalars_of(
        self, segment: Segment, offset: int
    ) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
        """Each step with the attached stages' scalars, computed ahead in blocks on the device."""
        for start in range(offset, len(segment.steps), BLOCK):
            steps = segment.steps[start : start + BLOCK]
            blocks = [
                torch.tensor(
                    [self.curves[index].at(step) for step in steps],
                    dtype=torch.float32,
                    device=self.kit.device,
                )
                for index in segment.attached
            ]
            for position, step in enumerate(steps):
                yield step, tuple(block[position] for block in blocks)

    def _rate(self, step: int) -> float:
        """The learning rate of a step."""
        plan = self.kit.plan
        return plan.optimizer.lr * plan.schedule.scale(step, self.phase.clock)

    # -- telling

    def _glimpse(self, loss: Tensor) -> None:
        now = time.perf_counter()
        rate = (self.meter.images - self.seen) / max(1e-9, now - self.last_glimpse)
        self.last_glimpse, self.seen = now, self.meter.images
        value = self._finite(float(loss.detach()))
        glimpse = Glimpse(self.phase, self.done, self.step, value, rate, self._scalars())
        self.kit.observer.step(glimpse)

    def _scalars(self) -> dict[str, float]:
        """What moves in the stages at work, read off the tensors that they compute with."""
        names = stage_names(self.kit.plan)
        found = {}
        for index, attached in self.attached.items():
            for cell, value in zip(self.curves[index].names, attached.vector.tolist(), strict=True):
                if cell != "weight":
                    found[f"{names[index]}.{cell}"] = value
                elif self.curves[index].anneal is not None:
                    found[names[index]] = value
        return found

    def refuse_infinite(self) -> None:
        """`TostError` R302 or R309 where loss, weights, buffers or moments are no numbers now."""
        self._finite(self.meter.read()[0])
        held = [p for group in self.optimizer.param_groups for p in group["params"]]
        for state in self.optimizer.state.values():
            held += [value for value in state.values() if isinstance(value, Tensor)]
        floating = [tensor.detach() for tensor in held if tensor.is_floating_point()]
        floating += self.kit.statistics()
        sound = torch.stack([tensor.isfinite().all().to(self.kit.device) for tensor in floating])
        if not bool(sound.all()):
            raise TostError.of("R309", step=self.step, phase=self.phase.told(self.step))

    def _finite(self, value: float) -> float:
        if not math.isfinite(value):
            phase = self.phase.told(self.step)
            raise TostError.of("R302", value=value, step=self.step, phase=phase)
        return value

    def _occasion(self, event: str) -> None:
        if event == "keep_rewind":
            self.keep_rewind(self.optimizer)
            return
        loss, accuracy = self.meter.read()
        self._finite(loss)
        now = time.perf_counter()
        row: dict[str, Any] = {
            "kind": "epoch",
            "phase": self.phase.name,
            "epoch": self.step // self.phase.clock.steps_per_epoch,
            "step": self.step,
            "loss": loss,
            "accuracy": accuracy,
            "lr": self._rate(self.step),
            "images_per_second": self.meter.images / max(1e-9, now - self.epoch_start),
            "weights": self._scalars(),
        }
        if self.phase.updates and self.kit.masked is not None:
            row["sparsity"] = float(self.kit.masked.counts().sparsity)
        if self.kit.feed.size("validation"):
            measured = evaluate(self.kit, "validation").read()
            row["validation_loss"], row["validation_accuracy"] = measured
            self.kit.validation = measured[1]
            self._finite(row["validation_loss"])
        self.kit.log(row)
        self.kit.observer.epoch(row)
        self.meter = Meter.on(self.kit.device)
        self.epoch_start = self.last_glimpse = time.perf_counter()
        self.seen = 0


def at_work_at(stages: Sequence[StagePlan], phase: Phase, step: int) -> list[int]:
    """Stages whose windows hold a step, worked out from the plan and not from its segments."""
    windows = [phase.window(stage.window) for stage in stages]
    return [index for index, (start, stop) in enumerate(windows) if start <= step < stop]


def instants_of(stages: Sequence[StagePlan], phase: Phase) -> list[tuple[int, int]]:
    """Stages that act at one moment: before which step, and which; in the order they act."""
    windows = [phase.window(stage.window) for stage in stages]
    return sorted((start, i) for i, (start, stop) in enumerate(windows) if start == stop)


def _bound(hooks: list[Hook[Any]], event: str) -> list[Callable[..., Any]]:
    """The hooks' methods of an event, those that do nothing left out."""
    plain = getattr(Hook, event)
    return [getattr(h, event) for h in hooks if getattr(type(h), event) is not plain]
