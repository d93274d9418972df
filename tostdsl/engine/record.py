"""The schema of a checkpoint's `state.json`: all of a run's state that is not a tensor.

Every field is required: a checkpoint that lacks one is refused, not filled in.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from tostdsl.engine.certificate import Check, Jump, Witnessed
from tostdsl.engine.seams import Seam

SCHEMA: Literal[1] = 1

Digest = str


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Position(_Part):
    """Where in the program a state was kept: between two steps, or before a phase."""

    phase: int
    """The place of the phase in the program."""
    segment: int | None
    """The segment at work; None before the phase begins."""
    offset: int
    """How many of the segment's steps have run."""
    done: int
    """Steps that have run in the whole program."""


class FileEntry(_Part):
    """A file of the run folder as it was then; of one with lines, as far as it was written."""

    bytes: int
    sha256: Digest


class Proof(_Part):
    """The certificate so far."""

    checks: list[Check]
    jumps: list[Jump]
    present: Witnessed
    entered: Witnessed
    masked: Witnessed
    moved: Witnessed
    looks: dict[str, int]
    """Looks at what must hold at every step, by phase."""
    chosen: Digest | None


class Training(_Part):
    """The phase at work; None of it before a phase begins."""

    attached: list[int]
    """Stages at work by their place in the plan, in the order they entered."""
    done: int
    """Steps of the phase that have run."""
    step: int
    """The last of them, as the phase counts."""
    acted: list[tuple[int, int]]
    groups: list[dict[str, Any]]
    """The optimizer's settings, group by group."""
    plain: dict[str, dict[str, Any]]
    """What of the optimizer's state is no tensor, by parameter and name."""
    host: list[str]
    """Tensors of the optimizer's state that lie on the CPU wherever training runs."""
    scaler: dict[str, Any]
    images: int
    """How many the meter has counted."""


class Record(_Part):
    """All but the tensors."""

    schema_version: Literal[1]
    plan: Digest
    """The plan's fingerprint."""
    position: Position
    training: Training | None
    masks: Digest | None
    """The blob of the masks in force; None before the first."""
    rewind: Digest | None
    """The blob of what a lottery goes back to; None before it was kept."""
    moments: Digest | None
    """The blob of the optimizer's state that goes with it, where one goes on with it."""
    moments_plain: list[dict[str, Any]] | None
    proof: Proof
    seams: list[Seam]
    files: dict[str, FileEntry]
    tensors: list[str]
    """The names of all tensors beside it, sorted."""
    seconds: float
    """How long the run had been at work."""
    watching: float
    """Seconds of them that were spent on looking at what must hold at every step."""
    validation: float | None
    """Accuracy on the images held out, last measured."""

    @property
    def blobs(self) -> set[Digest]:
        """The blobs that it names."""
        return {each for each in (self.masks, self.rewind, self.moments) if each is not None}
