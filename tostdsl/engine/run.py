"""A plan to a run: data, network, every phase of the program, certificate, folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tostdsl.diagnostics import TostError
from tostdsl.engine import device as devices
from tostdsl.engine.certificate import Certificate, Shape
from tostdsl.engine.feed import Feed
from tostdsl.engine.folder import RunFolder, default_path
from tostdsl.engine.loop import Equipment, Loop, instants_of
from tostdsl.engine.masked import Masked
from tostdsl.engine.observer import Observer, Result
from tostdsl.engine.outcome import digest_of, finish
from tostdsl.engine.prepare import prepare
from tostdsl.engine.scope import Scope
from tostdsl.engine.start import DataOptions, images_of, masked_of, network, sources_of
from tostdsl.engine.surgery import Surgeon
from tostdsl.engine.trace import Tracer
from tostdsl.masks.health import refuse_collapse
from tostdsl.plan.bases import DataSet, Images
from tostdsl.plan.code import refuse_code
from tostdsl.plan.masking import Update, shapes_of
from tostdsl.plan.plan import Plan, stage_names
from tostdsl.plan.program import Phase, Program, lower
from tostdsl.units import Percent

REHEARSAL_IMAGES = 256
"""Images a split of a rehearsal's data."""
REHEARSAL_BATCH = 16
"""Batch of a rehearsal on a CPU, which a whole one would keep for minutes."""

TRACE_EVERY, TRACED = 50, 20
"""Steps from one traced step to the next where nobody says, and how many a run then has at least,
if it is that long."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to run, as opposed to what: nothing here changes the plan."""

    out: Path | None = None
    device: str = "auto"
    data_root: Path | None = None
    download: bool = False
    fake_data: bool = False
    smoke: bool = False
    allow_ghosts: bool = False
    """Whether the certificate passes where a recipe leaves stages in the network."""
    trace_every: int | None = None
    """Look at gradients and dead units every so many steps (`engine.trace`); None for never, 0 for
    `TRACE_EVERY`, or fewer where a short run would not have `TRACED` looks."""
    allow_code: bool = False
    """Whether Python code that the plan names may be imported and called (`plan.code`)."""


def run(
    plan: Plan,
    options: RunOptions | None = None,
    observer: Observer | None = None,
    texts: Mapping[str, str] | None = None,
    given: Mapping[str, Any] | None = None,
) -> Result:
    """Run a plan; `TostError` for whatever stops it. The folder says how far it came.

    `texts` are the recipe's, by the name that each gets in the run folder; `given` is what was set
    from outside of them (`RunFolder.write_recipe`).
    """
    options, observer = options or RunOptions(), observer or Observer()
    refuse_code([plan], options.allow_code, data=not options.fake_data)
    device = devices.choose(options.device)
    spec = _rehearsed(plan.data, device) if options.smoke else plan.data
    source = DataOptions(options.data_root, options.download, options.fake_data)
    images = images_of(plan, source, REHEARSAL_IMAGES if options.smoke else None)
    facts = plan.data.facts() or images.facts  # a rehearsal loads a slice only
    steps = plan.data.steps_per_epoch(facts.train_size)
    program = lower(plan, steps)
    unreal = "a rehearsal" if options.smoke else "random images" if options.fake_data else ""
    _fits(plan, program, unreal)
    if options.smoke:
        program = program.rehearse()
    prepare(plan, images.facts, device, Feed(images, spec, device, plan.seed).drawn)
    folder = RunFolder(options.out or default_path(plan))
    try:
        folder.write_recipe(plan, texts or {}, given)
        data = {
            "origin": images.origin,
            "sha256": digest_of(images),
            "facts": asdict(facts),
            "fake": options.fake_data,
            "limit": REHEARSAL_IMAGES if options.smoke else None,
        }
        code = sources_of(plan, data=not options.fake_data)
        every = _every(options.trace_every, program)
        environment = {
            **devices.environment(device),
            "data": data,
            "code": code,
            "trace_every": every,
        }
        folder.write_json("environment.json", environment)
        observer.started(program, folder.path, images.origin, str(device))
        return _Session(
            plan,
            program,
            spec,
            images,
            device,
            observer,
            folder,
            unreal,
            options.allow_ghosts,
            every,
        ).run()
    except torch.OutOfMemoryError as error:
        _record(folder, "failed", error)
        raise TostError.of("R303", device=device) from None
    except KeyboardInterrupt as error:
        _record(folder, "interrupted", error)
        raise TostError.of("R304", path=folder.path) from None
    except BaseException as error:
        _record(folder, "failed", error)
        raise
    finally:
        observer.finished()
        folder.close()


def _every(asked: int | None, program: Program) -> int | None:
    """Steps from one traced step to the next; None where none is."""
    if asked is None or program.rehearsal:
        return None if asked is None else 1
    return asked or max(1, min(TRACE_EVERY, program.steps // TRACED))


def _record(folder: RunFolder, state: str, error: BaseException) -> None:
    """Say in the folder how the run ended, if that can still be written."""
    with suppress(TostError):
        reason = str(error) or "stopped from outside"
        folder.write_json("result.json", {"state": state, "reason": reason})


def _rehearsed(spec: DataSet, device: torch.device) -> DataSet:
    batch = spec.batch if device.type == "cuda" else min(spec.batch, REHEARSAL_BATCH)
    few = {"batch": min(batch, REHEARSAL_IMAGES // 2), "use": Percent(Decimal(100))}
    half = Percent(Decimal(50))
    return spec.model_copy(update={**few, "validation": min(spec.validation, half)})


def _masks_of(masked: Masked | None) -> Callable[[], Mapping[str, Tensor]]:
    """The masks in force at any later time."""
    return lambda: masked.masks if masked is not None else {}


def _fits(plan: Plan, program: Program, unreal: str) -> None:
    """Windows whose unit only the data's size makes comparable with the training's length."""
    clock = program.phases[-1].clock
    if unreal and plan.data.facts() is None:
        return  # the size of the real set is not known
    begin = program.phases[-1].begin
    for stage in plan.stages:
        start, stop = clock.window(stage.window)
        if max(stop, start + 1) <= begin:
            raise TostError.of("T433", name=stage.technique.name, moment=f"step {begin}")
    windows = [stage.window for stage in plan.stages]
    if plan.mask is not None and plan.mask.method.moves:
        windows.append(plan.mask.window)
        if not program.phases[-1].updates:
            reason = f"the mask would never move in a training of {clock.total} steps"
            raise TostError.of("T504", name="every", reason=reason)
    for window in windows:
        start, stop = clock.window(window)
        if stop > clock.total or start > clock.total:
            raise TostError.of("T401", end=f"step {stop}", help=f"training ends at {clock.total}")
        if start >= stop and not window.instant:
            raise TostError.of("T402", start=f"step {start}", end=f"step {stop}")


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


@dataclass(slots=True)
class _Session:
    plan: Plan
    program: Program
    spec: DataSet
    images: Images
    device: torch.device
    observer: Observer
    folder: RunFolder
    unreal: str
    allow_ghosts: bool = False
    trace_every: int | None = None
    rewind: dict[str, Tensor] = field(default_factory=dict)
    moments: list[dict[str, Any]] | None = None
    """The optimizer's state of each parameter at the rewind point, where it goes on with that."""

    def run(self) -> Result:
        """Build, run all phases, measure, certify, write."""
        started = time.perf_counter()
        plan, device = self.plan, self.device
        model = network(plan, self.images.facts).to(device)
        certificate = Certificate(Shape.of(model))
        masked = masked_of(plan, model)
        feed = Feed(self.images, self.spec, device, plan.seed)
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
            plan, model, masked, surgeon, feed, device, self.observer, certificate, self.folder.log,
            self.allow_ghosts, unreal=self.unreal, tracer=self._tracer(),
        )  # fmt: skip
        try:
            for phase in self.program.phases:
                self._phase(kit, phase)
            if kit.tracer is not None:
                kit.tracer.close()
            seconds = time.perf_counter() - started
            return finish(kit, self.program, self.folder, self.images, seconds, self.unreal)
        except BaseException:
            if kit.tracer is not None:
                with suppress(Exception):  # of the two, the reason why training ended is told
                    kit.tracer.close()
            raise

    def _tracer(self) -> Tracer | None:
        if self.trace_every is None:
            return None
        return Tracer(self.folder, self.plan, self.trace_every, self.observer)

    def _say(self, text: str) -> None:
        self.folder.log({"kind": "message", "text": text})
        self.observer.message(text)

    # -- phases

    def _phase(self, kit: Equipment, phase: Phase) -> None:
        self.observer.phase(phase)
        if phase.kind == "train" and phase.prunes:
            self._choose(kit, phase.sparsity)
        loop = Loop(kit, phase, partial(self._keep, kit.model), partial(self._update, kit))
        if self.moments is not None and not (phase.kind == "round" and phase.index == 0):
            for parameter, held in zip(kit.model.parameters(), self.moments, strict=True):
                if held:
                    loop.optimizer.state[parameter] = deepcopy(held)
        loop.run()
        planned = phase.steps if self.program.rehearsal else phase.length
        what = f"{phase.name} ran its {planned} steps"
        kit.certificate.add(what, loop.done == planned, f"{loop.done} ran")
        instants = instants_of(self.plan.stages, phase) if loop.staged else []
        acted = f"{phase.name}: what acts at one moment acted then, once"
        kit.certificate.add(acted, loop.acted == instants, f"{len(loop.acted)} acted")
        kit.certificate.close(phase.name, [u.step for u in phase.updates.values()])
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
        same = all(
            torch.equal(state[name], kept * masks[name] if name in masks else kept)
            for name, kept in wanted.items()
        )
        kit.certificate.add(what, same, f"{len(state)} tensors")

    def _keep(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Keep what a lottery goes back to."""
        self.rewind = _state(model)
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
        kit.certificate.chosen(masked)
        counts = masked.counts()
        share = float(counts.sparsity)
        self._say(f"mask: {counts.zero:,} of {counts.total:,} weights pruned ({share:.2%})")
        for line in lines:
            self._say(f"mask: {line}")

    def _scope(self, kit: Equipment, masked: Masked) -> Scope:
        facts, seed, rehearsal = self.images.facts, self.plan.seed, self.program.rehearsal
        weights = masked.weights
        slopes = {}
        if any(weight.grad is not None for weight in weights.values()):
            for name, weight in weights.items():  # no gradient reaches a layer that is not used
                slopes[name] = torch.zeros_like(weight) if weight.grad is None else weight.grad
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
