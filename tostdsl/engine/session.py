"""A run from its first step to its last, or from a checkpoint on: every phase of the program."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tostdsl.engine import snapshots
from tostdsl.engine.blobs import blob
from tostdsl.engine.certificate import Certificate, Shape, acted, ran
from tostdsl.engine.checkpoint import Checkpoints, Snapshot
from tostdsl.engine.compiled import Compiler
from tostdsl.engine.equipment import Equipment, numbers
from tostdsl.engine.execution import PLAIN, Execution
from tostdsl.engine.feed import Feed
from tostdsl.engine.folder import RunFolder
from tostdsl.engine.keeper import Every, Keeper
from tostdsl.engine.loop import Loop, instants_of
from tostdsl.engine.masked import Masked
from tostdsl.engine.observer import Observer, Result
from tostdsl.engine.outcome import finish, prove
from tostdsl.engine.room import ask_for_room
from tostdsl.engine.scope import Scope
from tostdsl.engine.start import masked_of, network
from tostdsl.engine.state import copied
from tostdsl.engine.stops import Stops
from tostdsl.engine.stopwatch import Stopwatch
from tostdsl.engine.surgery import Surgeon
from tostdsl.engine.trace import Tracer
from tostdsl.engine.watch import Violation, Watch, looks
from tostdsl.masks.health import refuse_collapse
from tostdsl.plan.bases import DataSet, Images
from tostdsl.plan.masking import Update, shapes_of
from tostdsl.plan.plan import Plan, stage_names
from tostdsl.plan.program import Phase, Program


def _masks_of(masked: Masked | None) -> Callable[[], Mapping[str, Tensor]]:
    """The masks in force at any later time."""
    return lambda: masked.masks if masked is not None else {}


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _digest(tensors: Mapping[str, Tensor]) -> str:
    return blob({name: copied(tensor) for name, tensor in tensors.items()})[0]


@dataclass(slots=True)
class Session:
    """Trains one plan."""

    plan: Plan
    program: Program
    spec: DataSet
    images: Images
    device: torch.device
    observer: Observer
    folder: RunFolder
    unreal: str
    checkpoints: Checkpoints
    every: Every | None
    """How often the state is kept; None for never."""
    stops: Stops
    allow_ghosts: bool = False
    trace_every: int | None = None
    watch_every: int | None = None
    """Steps from one look at what must hold to the next; None for no look at all."""
    execution: Execution = PLAIN
    rewind: dict[str, Tensor] = field(default_factory=dict)
    moments: list[dict[str, Any]] | None = None
    """The optimizer's state of each parameter at the rewind point, where it goes on with that."""

    origin: str | None = None
    """The digest of `rewind` when it was kept."""
    phase: int = 0
    """The place of the phase at work in the program."""
    started: float = 0.0
    """When it began, on the clock of `time.perf_counter`; earlier lives count."""
    digests: dict[str, str] = field(default_factory=dict)
    """Digests of the blobs of masks, rewind point and moments, until they change."""

    def run(self, begin: Snapshot | None = None) -> Result:
        """Build, run all phases, or those that are left, measure, certify, write."""
        self.started = time.perf_counter() - (begin.record.seconds if begin else 0.0)
        kit = self._equipment(begin)
        keeper, first, going_on = kit.keeper, 0, False
        assert keeper is not None
        try:
            if begin is None and self.every is not None:
                ask_for_room(self.checkpoints, self.plan, kit.model)
            if begin is not None:
                snapshots.restore(self, kit, begin)
                first = begin.record.position.phase
                going_on = begin.record.position.segment is not None
            for index, phase in enumerate(self.program.phases[first:], first):
                self.phase = index
                if begin is not None and index == first:
                    self._phase(kit, phase, begin if going_on else None)
                else:
                    keeper.border()
                    self._phase(kit, phase)
            keeper.close()
            if kit.tracer is not None:
                kit.tracer.close()
            seconds = time.perf_counter() - self.started
            return finish(kit, self.program, self.folder, self.images, seconds, self.unreal)
        except BaseException as error:
            if isinstance(error, Violation):
                with suppress(Exception):
                    prove(kit, self.folder, self.unreal)
            if not isinstance(error, KeyboardInterrupt):  # which waits for nothing
                with suppress(Exception):  # of all of them, the reason why it ended is told
                    keeper.close()
            if kit.tracer is not None:
                with suppress(Exception):
                    kit.tracer.close()
            raise
        finally:
            kit.feed.close()
            if kit.compiler is not None:
                kit.compiler.close()

    def _equipment(self, begin: Snapshot | None) -> Equipment:
        plan, device = self.plan, self.device
        last = self.execution.channels_last
        layout = torch.channels_last if last else torch.preserve_format
        model: nn.Module = network(plan, self.images.facts).to(device)
        model = model.to(memory_format=layout)  # type: ignore[call-overload]
        masked = masked_of(plan, model)
        feed = Feed(self.images, self.spec, device, plan.seed, channels_last=last)
        surgeon = Surgeon(
            model,
            self.images.facts,
            device,
            plan.seed,
            _masks_of(masked),
            self._say,
            plan.model.name,
            feed.drawn,
            self.program.rehearsal,
            stage_names(plan),
        )
        kit = Equipment(
            plan, model, masked, surgeon, feed, device, self.observer,
            Certificate(Shape.of(model)), self.folder.log,
            self.allow_ghosts, unreal=self.unreal, tracer=self._tracer(),
            watch=self._watch(begin), bounded=numbers(model),
        )  # fmt: skip
        if self.execution.compile:
            kit.compiler = Compiler(model, surgeon, self.observer.message)
        self.checkpoints.lost = self.folder.lost
        kit.keeper = Keeper(
            self.checkpoints,
            self.every,
            self.stops,
            partial(snapshots.take, self, kit),
            self._say,
            self.program.steps,
            begin.record.position.done if begin is not None else 0,
            self.folder.sync,
        )
        return kit

    def _tracer(self) -> Tracer | None:
        if self.trace_every is None:
            return None
        return Tracer(self.folder, self.plan, self.trace_every, self.observer)

    def _watch(self, begin: Snapshot | None) -> Watch | None:
        if self.watch_every is None:
            return None
        return Watch(self.watch_every, Stopwatch(begin.record.watching if begin else 0.0))

    def _say(self, text: str) -> None:
        self.folder.log({"kind": "message", "text": text})
        self.observer.message(text)

    # -- phases

    def _phase(self, kit: Equipment, phase: Phase, begin: Snapshot | None = None) -> None:
        """Run a phase, or what is left of it, and all that ends it."""
        self.observer.phase(phase)
        if phase.kind == "train" and phase.prunes and begin is None:
            self._choose(kit, phase.sparsity)
        loop = Loop(kit, phase, partial(self._keep, kit.model), partial(self._update, kit))
        if begin is not None:
            loop.run(snapshots.begin(begin))
        else:
            if self.moments is not None and not (phase.kind == "round" and phase.index == 0):
                for parameter, held in zip(kit.model.parameters(), self.moments, strict=True):
                    if held:
                        loop.optimizer.state[parameter] = deepcopy(held)
            loop.run()
        planned = phase.steps if self.program.rehearsal else phase.length
        kit.certificate.add(ran(phase.name, planned), loop.done == planned, f"{loop.done} ran")
        instants = instants_of(self.plan.stages, phase) if loop.staged else []
        kit.certificate.add(acted(phase.name), loop.acted == instants, f"{len(loop.acted)} acted")
        planned_looks = looks(phase, kit.watch.every) if kit.watch is not None else None
        moving = [update.step for update in phase.updates.values()]
        kit.certificate.close(phase.name, moving, planned_looks)
        if not kit.kept:
            kit.certificate.shape(kit.model, f"after {phase.name}")
        if phase.kind == "round" and phase.prunes:
            assert self.plan.mask is not None
            assert kit.masked is not None
            back = self.plan.mask.method.goes_back()
            state = self.rewind if back else _state(kit.model)
            self._choose(kit, phase.sparsity)
            kit.model.load_state_dict(state)
            kit.masked.apply()
            self._returned(
                kit, f"{'rewound' if back else 'kept'} to the bit after {phase.name}", state
            )
        self._zeros(kit, f"after {phase.name}")

    def _returned(self, kit: Equipment, what: str, wanted: Mapping[str, Tensor]) -> None:
        """The network is the one it was to go back to, to the bit, under its new masks."""
        assert kit.masked is not None
        by_weight = {id(w): kit.masked.masks[n] for n, w in kit.masked.weights.items()}
        every = kit.model.named_parameters(remove_duplicate=False)  # a shared weight has two names
        masks = {name: by_weight[id(p)] for name, p in every if id(p) in by_weight}
        state = kit.model.state_dict()
        same = wanted is not self.rewind or self.origin == _digest(wanted)
        same = same and all(
            torch.equal(state[name], kept * masks[name] if name in masks else kept)
            for name, kept in wanted.items()
        )
        kit.certificate.add(what, same, f"{len(state)} tensors")

    def _keep(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Keep what a lottery goes back to."""
        self.digests.pop("rewind", None)
        self.digests.pop("moments", None)
        self.rewind = _state(model)
        self.origin = _digest(self.rewind)
        mask = self.plan.mask
        if mask is not None and mask.method.keeps_moments():
            own = model.parameters()  # without those of stages, which may be at work in rounds
            self.moments = [deepcopy(dict(optimizer.state.get(p, {}))) for p in own]

    def _choose(self, kit: Equipment, sparsity: Fraction | None) -> None:
        mask, masked = self.plan.mask, kit.masked
        assert mask is not None
        assert masked is not None
        site = self._scope(kit, masked)
        masks = mask.method.choose(site, sparsity)
        lines = refuse_collapse(mask.method, site, masks, sparsity)
        masked.set(masks)
        self.digests.pop("masks", None)
        kit.certificate.chosen(masked)
        counts = masked.counts()
        share = float(counts.sparsity)
        self._say(f"mask: {counts.zero:,} of {counts.total:,} weights pruned ({share:.2%})")
        for line in lines:
            self._say(f"mask: {line}")

    def _scope(self, kit: Equipment, masked: Masked) -> Scope:
        facts, seed, rehearsal = self.images.facts, self.plan.seed, self.program.rehearsal
        weights = masked.weights
        slopes = masked.gradients()
        return Scope(
            kit.model, weights, masked.masks, facts, seed, kit.feed, slopes, rehearsal,
            self._say, self.folder.write_json,
        )  # fmt: skip

    def _update(self, kit: Equipment, phase: Phase, update: Update) -> None:
        """Move the mask while training goes on."""
        mask, masked = self.plan.mask, kit.masked
        assert mask is not None
        assert masked is not None
        before, site = masked.masks, self._scope(kit, masked)
        masks = mask.method.update(site, update)
        if update is list(phase.updates.values())[-1]:
            for line in refuse_collapse(mask.method, site, masks):
                self._say(f"mask: {line}")
        dropped = sum(int((before[name] & ~new).sum()) for name, new in masks.items())
        grown = sum(int((new & ~before[name]).sum()) for name, new in masks.items())
        masked.set(masks)
        self.digests.pop("masks", None)
        counts = masked.counts()
        planned = mask.method.kept_at(shapes_of(masked.masks), update)
        kit.certificate.moved(phase.name, update.step, planned in (None, counts.kept), masked)
        row = {"kind": "mask", "phase": phase.name, "step": update.step, "zeros": counts.zero}
        self.folder.log({**row, "dropped": dropped, "grown": grown})

    def _zeros(self, kit: Equipment, when: str) -> None:
        if kit.masked is None:
            return
        bad = kit.masked.violations()
        detail = f"`{bad[0]}` has others" if bad else f"{kit.masked.counts().zero:,} weights"
        kit.certificate.add(f"masked weights zero {when}", not bad, detail)
