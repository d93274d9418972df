"""What a run tells whoever watches it. The base tells nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tostdsl.diagnostics import Diagnostic
    from tostdsl.engine.watch import Watching
    from tostdsl.plan.program import Phase, Program


@dataclass(frozen=True, slots=True)
class Glimpse:
    """Where training stands at a step."""

    phase: Phase
    done: int
    """Steps of this phase that have run."""
    step: int
    """The plan's step, counted in the phase."""
    loss: float
    rate: float
    """Images a second, lately."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Weights of the stages at work, by a name for the screen."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the recipe left in the network, and the network without it."""

    names: tuple[str, ...]
    """The techniques, in the order they entered."""
    parameters: int
    """All that it added."""
    weights: int
    """Those of more than one dimension, as a mask would prune."""
    zeros: int
    """Weights that are 0, as a ghost's own density makes them."""
    accuracy: float
    """Share of test images that the network classifies rightly without it."""
    loss: float
    """The test loss without it."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What keeping a run's state cost."""

    times: int
    """Checkpoints that were written."""
    seconds: float
    """How long training stood still for them."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    folder: Path
    fingerprint: str
    accuracy: float
    """Share of test images classified rightly, in [0, 1], with what the recipe leaves in."""
    loss: float
    zeros: int
    """Weights in the mask's scope that its masks prune."""
    scope: int
    """Weights in the mask's scope: the denominator of the sparsity. 0 without a mask."""
    parameters: int
    """All parameters of the network."""
    seconds: float
    certified: bool
    rehearsal: bool
    misses: tuple[str, ...] = ()
    """Expectations that were not met, in words."""
    checks: int = 0
    """How many checks the certificate made."""
    unreal: str = ""
    """Why the figures mean nothing, in words: a rehearsal, random images; empty for a real run."""
    failures: tuple[str, ...] = ()
    """Checks of the certificate that did not pass, in words."""
    seams: int = 0
    """How many times stages left the network."""
    costs: tuple[Diagnostic, ...] = ()
    """Warnings of the seams that cost something; none where the figures mean nothing."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    kept: Kept | None = None
    """What the recipe left in the network, where it did."""
    validation: float | None = None
    """Share of held-out images classified rightly after the last epoch; None where none are."""
    watching: Watching | None = None
    """What looking at what must hold at every step cost; None where nobody looked."""

    keeping: Keeping | None = None
    """What keeping its state cost since it was started or resumed last; None where none was."""

    @property
    def sparsity_kept(self) -> float:
        """Share of zeros among the scope's weights and those of what was left in."""
        zeros, weights = (self.kept.zeros, self.kept.weights) if self.kept else (0, 0)
        return (self.zeros + zeros) / (self.scope + weights) if self.scope + weights else 0.0

    @property
    def sparsity(self) -> float:
        """Share of the scope's weights that are pruned; 0 without a mask."""
        return self.zeros / self.scope if self.scope else 0.0


class Observer:
    """Base: hears everything, does nothing."""

    def started(self, program: Program, folder: Path, origin: str, device: str) -> None:
        """The run begins: its program, where it is written, where its data came from."""

    def phase(self, phase: Phase) -> None:
        """A phase begins."""

    def step(self, glimpse: Glimpse) -> None:
        """Some steps have run (told a few times a second)."""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """An epoch is over; the row of metrics.jsonl."""

    def message(self, text: str) -> None:
        """Something worth a line."""

    def stopping(self, signal: str) -> None:
        """A signal asked the run to stop. Called from its handler: print through no buffer."""

    def finished(self) -> None:
        """No more steps will come, whether the run ended or failed."""
