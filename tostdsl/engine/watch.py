"""What must hold at every step of training, looked at while it runs.

At a look, after a step and before anything of it is kept:

- the loss of the batch is a number;
- so is everything in the buffers of the network and of what stages added;
- masks are those that were put in force, and so are the factors that weights are multiplied by;
- the gradients that the optimizer used, its moments and the weights are 0 where masked;
- the weights and ramps of the stages at work are the plan's at that step.

All of it is computed where training runs and read at once: one synchronisation a look. What does
not hold ends the run; which layer it is, is only then looked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from tostdsl.diagnostics import TostError, diagnose
from tostdsl.engine.checksums import checksums
from tostdsl.engine.stopwatch import Stopwatch
from tostdsl.plan.plan import stage_names
from tostdsl.plan.program import Curves, Phase, Program, Segment

if TYPE_CHECKING:
    from tostdsl.engine.loop import Loop
    from tostdsl.engine.masked import Masked

EVERY = 100
"""Steps from one look to the next where nobody says."""
INVARIANT = {
    "R302": "the loss is a number",
    "R309": "weights, buffers and moments are numbers",
    "R310": "masked weights are zero",
    "R311": "gradients that were used are zero where masked",
    "R312": "moments are zero where masked",
    "R313": "weights and ramps of stages are the plan's",
    "R314": "masks are those that were put in force",
}
"""What the certificate says did not hold, by code."""


def due(step: int, segment: Segment, every: int) -> bool:
    """Whether there is a look after a step of a segment: every so many steps, and at its end."""
    return (step + 1) % every == 0 or step == segment.steps[-1]


def looks(phase: Phase, every: int) -> int:
    """How many looks there are in a phase."""
    return sum(due(step, segment, every) for segment in phase.segments for step in segment.steps)


@dataclass(frozen=True, slots=True)
class Watching:
    """What watching a run cost."""

    every: int
    looks: int
    seconds: float
    """On a GPU the time that its kernels took, without what the wait for it cost besides."""
    share: float
    """Of the run's time."""

    @classmethod
    def of(cls, watch: Watch, program: Program, seconds: float) -> Watching:
        """Of a whole run that took so many seconds."""
        many = sum(looks(phase, watch.every) for phase in program.phases)
        spent = watch.spent.seconds
        return cls(watch.every, many, spent, spent / max(1e-9, seconds))


@dataclass(slots=True)
class Watch:
    """Looks at one run."""

    every: int = EVERY
    spent: Stopwatch = field(default_factory=Stopwatch)
    """On looking; earlier lives count."""
    looking: bool = False
    """Whether there is a look after the step at work."""
    _used: list[Tensor] = field(default_factory=list)
    _places: list[str] = field(default_factory=list)
    _seen: tuple[str, int] | None = None

    def begin(self, step: int, segment: Segment) -> None:
        """A step begins."""
        self.looking = due(step, segment, self.every)
        self._used, self._places = [], []

    def used(self, masked: Masked, *, scaled: bool) -> None:
        """The optimizer has stepped; take down whether the gradients that it used were masked.

        Where losses are `scaled`, gradients that are no numbers were not used: the step was left
        out.
        """
        if not self.looking or not masked.masks:
            return
        with self.spent.on(next(iter(masked.masks.values())).device):
            pairs = {n: w.grad for n, w in masked.weights.items() if w.grad is not None}
            self._places = list(pairs)
            self._used = [_beyond(g, masked.masks[n], scaled) for n, g in pairs.items()]

    @torch.no_grad()
    def look(self, loop: Loop, loss: Tensor | None = None) -> None:
        """After a step; `TostError`, also taken down in the certificate, for what does not hold.

        The loss is left out where it is not given. Nothing is done twice after one step.
        """
        place = loop.phase.name, loop.done
        if self._seen == place:
            return
        self._seen = place
        masked, stages = loop.kit.masked, list(loop.attached.values())
        masks = masked.masks if masked is not None else {}
        with self.spent.on(loop.kit.device):
            flags = [*self._used]
            if loss is not None:
                flags.append(~loss.detach().isfinite())
            flags += [~each.isfinite().all() for each in loop.kit.statistics()]
            for name, mask in masks.items():
                assert masked is not None
                weight = masked.weights[name]
                flags.append(_beyond(weight, mask))
                flags += [_beyond(m, mask) for m in _moments(loop, weight).values()]
                flags.append((masked.factors[name] != mask).any())
            sums = checksums(list(masks.values())).to(loop.kit.device)
            parts = [torch.stack(flags).long()] if flags else []
            if stages:
                planned = torch.tensor(_planned(loop), dtype=torch.float32)
                here = torch.cat([stage.vector for stage in stages])
                # a copy that blocks would wait for all that came before
                parts.append((here != planned.to(here.device, non_blocking=True)).long())
            found = torch.cat([*parts, sums]).tolist()  # the one synchronisation
        many = len(found) - len(masks)
        recorded = masked.checksums if masked is not None else []
        if any(found[:many]) or found[many:] != recorded:
            self._refuse(loop, loss)

    # -- what it was that does not hold

    def _refuse(self, loop: Loop, loss: Tensor | None) -> None:
        code, values = self._first(loop, loss)
        fault = diagnose(code, **values, step=loop.step, phase=loop.phase.told(loop.step))
        held = f"{INVARIANT[code]}, in {loop.phase.name}"
        loop.kit.certificate.add(held, False, fault.message)
        raise Violation([fault])

    def _first(self, loop: Loop, loss: Tensor | None) -> tuple[str, dict[str, Any]]:
        """The code and the values of what comes first: the rest may well come of it."""
        masked = loop.kit.masked
        if loss is not None and not bool(loss.isfinite()):
            return "R302", {"value": float(loss)}
        masks = masked.masks if masked is not None else {}
        if masked is not None and masks:
            sums = checksums(list(masks.values())).tolist()
            other = [n for n, a, b in zip(masks, sums, masked.checksums, strict=True) if a != b]
            other += [n for n, f in masked.factors.items() if bool((f != masks[n]).any())]
            if other:
                return "R314", {"layer": _named(other)}
            found = self._unmasked(loop, masked)
            if found is not None:
                return found
        if any(not bool(each.isfinite().all()) for each in loop.kit.statistics()):
            return "R309", {}
        for index, attached in loop.attached.items():
            curves = Curves.of(loop.kit.plan.stages[index], loop.phase.clock)
            rows = zip(curves.names, attached.vector.tolist(), curves.at(loop.step), strict=True)
            for name, value, planned in rows:
                if value != float(torch.tensor(planned, dtype=torch.float32)):
                    here = {"stage": stage_names(loop.kit.plan)[index], "name": name}
                    return "R313", {**here, "value": f"{value:.9g}", "planned": f"{planned:.9g}"}
        raise AssertionError("a look found what nothing explains")

    def _unmasked(self, loop: Loop, masked: Masked) -> tuple[str, dict[str, Any]] | None:
        bad: dict[str, list[str]] = {"R311": [], "R310": [], "R312": []}
        lost, buffers = False, []
        bad["R311"] = [n for n, flag in zip(self._places, self._used, strict=True) if bool(flag)]
        for name in bad["R311"]:
            grad = masked.weights[name].grad
            lost |= grad is not None and not bool(grad.isfinite().all())
        for name, mask in masked.masks.items():
            weight = masked.weights[name]
            if bool(_beyond(weight, mask)):
                bad["R310"].append(name)
                lost |= not bool(weight.isfinite().all())
            for key, moment in _moments(loop, weight).items():
                if bool(_beyond(moment, mask)):
                    bad["R312"].append(name)
                    buffers.append(key)
                    lost |= not bool(moment.isfinite().all())
        if lost:
            return "R309", {}
        for code, names in bad.items():
            if names:
                more = {"buffer": buffers[0]} if code == "R312" else {}
                return code, {"layer": _named(names), **more}
        return None


class Violation(TostError):
    """An invariant does not hold."""


def _beyond(tensor: Tensor, mask: Tensor, finite: bool = False) -> Tensor:
    """Whether anything but 0 stands where a mask is not; 0-d bool. Only numbers, if `finite`."""
    found = tensor.detach().masked_fill(mask, 0)
    return (found.nan_to_num_(0.0, 0.0, 0.0) if finite else found).any()


def _moments(loop: Loop, weight: Tensor) -> dict[str, Tensor]:
    """What the optimizer holds of each entry of a weight."""
    held = loop.optimizer.state.get(weight, {}).items()
    return {k: v for k, v in held if isinstance(v, Tensor) and v.shape == weight.shape}


def _planned(loop: Loop) -> list[float]:
    """The scalars of the stages at work, from the plan itself."""
    stages, clock = loop.kit.plan.stages, loop.phase.clock
    return [v for i in loop.attached for v in Curves.of(stages[i], clock).at(loop.step)]


def _named(names: list[str]) -> str:
    names = list(dict.fromkeys(names))
    return f"`{names[0]}`" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
