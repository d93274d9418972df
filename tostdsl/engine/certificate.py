"""The proof that what was written is what ran: every ghost gone, every masked weight zero.

The plain architecture's shape is taken down before training; every check is made against that,
against the masks and against the program, never against what a technique says of itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tostdsl.engine.makeup import Shape, first_gap

if TYPE_CHECKING:
    from tostdsl.engine.masked import Masked

__all__ = ["Certificate", "Check", "Jump", "Shape"]

MOVED = "the mask moved when planned and keeps as many weights as planned"
ENTERED = "stages entered without changing a weight or a statistic"
WATCHED = "loss, masks, gradients, moments and weights of stages sound at every look"


Witnessed = dict[str, list[tuple[int, bool]]]
"""By phase: steps, and whether what was looked at then was right."""


def looked_at(times: int) -> str:
    """How often, in words."""
    return f"{times:,} look{'' if times == 1 else 's'}"


def ran(phase: str, steps: int) -> str:
    """The name of the check that a phase ran all of its steps."""
    return f"{phase} ran its {steps} steps"


def acted(phase: str) -> str:
    """The name of the check of a phase's stages that act at one moment."""
    return f"{phase}: what acts at one moment acted then, once"


def number(value: float) -> float | None:
    """A number that JSON has, or None."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Check:
    """One check and its outcome."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Jump:
    """How far outputs on the fixed batch moved from the last step with stages to without them."""

    at: str
    """Where, in words."""
    weights: Mapping[str, float]
    """The stages that left, by name, with the weights that they had in their last step."""
    moved: float | None
    """The largest change of an output; None where it is no number."""
    largest: float | None
    """The largest output afterwards, by its absolute value; None where it is no number."""

    @classmethod
    def of(
        cls, at: str, weights: Mapping[str, float], before: torch.Tensor, after: torch.Tensor
    ) -> Jump:
        """From the outputs (N x classes) before and after."""
        gap, largest = float((before - after).abs().max()), float(after.abs().max())
        return cls(at, dict(weights), number(gap), number(largest))

    def words(self) -> str:
        """For the detail of a check."""
        if self.moved is None or self.largest is None:
            return "how far outputs moved is no number"
        from_ = " and ".join(f"{weight:.3g}" for weight in dict.fromkeys(self.weights.values()))
        return (
            f"outputs moved by up to {self.moved:.2e} from the last step, at weight {from_}; "
            f"the largest is {self.largest:.2e}"
        )


@dataclass(slots=True)
class Certificate:
    """Collects checks; `passed` when all of them did."""

    plain: Shape
    checks: list[Check] = field(default_factory=list)
    jumps: list[Jump] = field(default_factory=list)
    """One for each moment at which stages that change the network left it."""
    _present: Witnessed = field(default_factory=dict)
    _entered: Witnessed = field(default_factory=dict)
    _masked: Witnessed = field(default_factory=dict)
    _moved: Witnessed = field(default_factory=dict)
    _looks: dict[str, int] = field(default_factory=dict)
    _chosen: str | None = None

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def failures(self) -> list[Check]:
        """The checks that did not pass."""
        return [check for check in self.checks if not check.passed]

    def add(self, name: str, passed: bool, detail: str) -> None:
        """Take down one check."""
        self.checks.append(Check(name, passed, detail))

    def removal(
        self,
        what: str,
        at: str,
        before: torch.Tensor,
        after: torch.Tensor,
        untouched: bool = True,
        jump: Jump | None = None,
    ) -> None:
        """The network computes the same without `what` as with it at weight 0.

        `before` and `after` are outputs (N x classes) on one fixed batch in evaluation mode.
        Equal to the bit, or within 1e-5 of the largest output where the arithmetic differs;
        `untouched` says that leaving changed no parameter and no buffer of the network. `jump` is
        how far outputs moved from the weights of the last step, which is no part of the check.
        """
        gap = float((before - after).abs().max())
        bound = 1e-5 * max(1.0, float(after.abs().max()))
        exact = torch.equal(before, after)
        how = "equal to the bit" if exact else f"largest difference {gap:.2e}, bound {bound:.2e}"
        if not untouched:
            how += "; but the network's own weights or buffers were changed"
        if jump is not None:
            how += f"; {jump.words()}"
            self.jumps.append(jump)
        passed = untouched and (exact or gap <= bound)
        self.add(f"{what} left without a trace at {at}", passed, how)

    def presence(self, phase: str, step: int, at_work: list[int], planned: list[int]) -> None:
        """Take down who was at work over a segment; `close` turns it into one check a phase."""
        self._present.setdefault(phase, []).append((step, at_work == planned))

    def masks(self, phase: str, step: int, masked: Masked) -> None:
        """Take down, at a segment's end, that masked weights are zero and masks are the chosen."""
        bad = masked.violations()
        same = self._chosen is None or masked.digest() == self._chosen
        self._masked.setdefault(phase, []).append((step, not bad and same))

    def chosen(self, masked: Masked) -> None:
        """Take the masks down that a method has just chosen."""
        self._chosen = masked.digest()

    def moved(self, phase: str, step: int, right: bool, masked: Masked) -> None:
        """Take down masks that moved after a step, and whether they keep as many as planned."""
        self._moved.setdefault(phase, []).append((step, right))
        self._chosen = masked.digest()

    def watched(self, phase: str) -> None:
        """Take down a look at what must hold at every step, at which all of it did."""
        self._looks[phase] = self._looks.get(phase, 0) + 1

    def close(self, phase: str, moving: Sequence[int] = (), looks: int | None = None) -> None:
        """End a phase: a check of presence, one of entering, one of masks, over its segments.

        `moving` are the steps after which masks were to move, `looks` how many looks at what must
        hold there were to be, if any.
        """
        looked = self._looks.pop(phase, 0)
        if looks is not None:
            self.add(f"{WATCHED}, in {phase}", looked == looks, looked_at(looked))
        moved = self._moved.pop(phase, [])
        if moving or moved:
            when = [step for step, _ in moved] == list(moving)
            wrong = [step for step, right in moved if not right]
            detail = f"{len(moved)} times" if when else f"{len(moved)} times, not as planned"
            detail += f"; at step {wrong[0]} other than planned" if wrong else ""
            self.add(f"{MOVED}, in {phase}", when and not wrong, detail)
        for what, found in (
            ("stages at work in their windows and nowhere else", self._present.pop(phase, [])),
            (ENTERED, self._entered.pop(phase, [])),
            (
                "masked weights zero and masks as chosen at each segment's end",
                self._masked.pop(phase, []),
            ),
        ):
            wrong = [step for step, right in found if not right]
            unit = "moments" if what == ENTERED else "segments"
            detail = f"not at step {wrong[0]}" if wrong else f"{len(found)} {unit}"
            if found:
                self.add(f"{what}, in {phase}", not wrong, detail)

    def entered(self, phase: str, step: int, untouched: bool) -> None:
        """Take down whether stages entered without a change of a parameter or a buffer."""
        self._entered.setdefault(phase, []).append((step, untouched))

    def left(self, what: str, at: str, gaps: list[str], beside: int) -> None:
        """Nothing of `what` is in the network or the optimizer; `gaps` say what is.

        `beside` is how many parts of stages that are still at work there are.
        """
        held = "as before training"
        if beside:
            held += f", but for {beside} parts of stages still at work"
        name = f"nothing of {what} in the network or the optimizer at {at}"
        self.add(name, not gaps, "; ".join(gaps) or held)

    def by_jump(self, what: str, at: str, jump: Jump) -> None:
        """Take down that stages left at a weight above 0, as written."""
        self.add(f"{what} left by a jump, as written, at {at}", True, jump.words())

    def shape(self, model: nn.Module, when: str) -> None:
        """The network has the plain architecture's modules, tensors and parameters, no hooks."""
        now, plain = Shape.of(model), self.plain
        gap = first_gap(now, plain)
        self.add(f"same modules {when}", not gap, gap or f"{len(plain.modules)} modules")
        same = now.tensors == plain.tensors
        kept = sum(name.startswith("state_dict ") for name, _ in plain.tensors)
        self.add(f"same state_dict {when}", same, f"{kept} tensors")
        extra = now.hook_gap(plain)
        self.add(f"no hooks left {when}", not extra, extra or "0 left")
        detail = f"{now.parameters:,} of {plain.parameters:,}"
        self.add(f"same parameter count {when}", now.parameters == plain.parameters, detail)

    def open_parts(self) -> dict[str, Any]:
        """What was taken down of phases that are not closed yet, for a checkpoint."""
        return {
            "present": deepcopy(self._present),
            "entered": deepcopy(self._entered),
            "masked": deepcopy(self._masked),
            "moved": deepcopy(self._moved),
            "looks": dict(self._looks),
            "chosen": self._chosen,
        }

    def reopen(
        self,
        present: Witnessed,
        entered: Witnessed,
        masked: Witnessed,
        moved: Witnessed,
        looks: Mapping[str, int],
        chosen: str | None,
    ) -> None:
        """Take back what `open_parts` gave."""
        self._present, self._entered = deepcopy(present), deepcopy(entered)
        self._masked, self._moved, self._chosen = deepcopy(masked), deepcopy(moved), chosen
        self._looks = dict(looks)

    def to_json(self) -> dict[str, Any]:
        """The content of certificate.json."""
        return {
            "passed": self.passed,
            "checks": [asdict(check) for check in self.checks],
            "jumps": [asdict(jump) for jump in self.jumps],
        }
