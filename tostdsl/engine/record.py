"""The schema of a checkpoint's `state.json`: all of a run's state that is not a tensor.

Every field is required: a checkpoint that lacks one is refused, not filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tostdsl.engine.certificate import Check, Jump, Witnessed
from tostdsl.engine.seams import Seam

SCHEMA: Literal[3] = 3
ADDED: Mapping[int, Mapping[str, Any]] = {1: {"texts": None, "unreal": None}, 2: {"unreal": None}}
"""What checkpoints of older schemas that are still read lack, with what stands for it."""

Digest = str
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class OtherSchema(Exception):
    """Which schema a checkpoint has, and which are read."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Position(_Part):
    """Where in the program a state was kept: between two steps, or before a phase."""

    phase: Count
    """The place of the phase in the program."""
    segment: Count | None
    """The segment at work; None before the phase begins."""
    offset: Count
    """How many of the segment's steps have run."""
    done: Count
    """Steps that have run in the whole program."""


class FileEntry(_Part):
    """A file of the run folder as it was then; of one with lines, as far as it was written."""

    bytes: Count
    sha256: Digest


class Proof(_Part):
    """The certificate so far."""

    checks: list[Check]
    jumps: list[Jump]
    present: Witnessed
    entered: Witnessed
    masked: Witnessed
    moved: Witnessed
    looks: dict[str, Count]
    """Looks at what must hold at every step, by phase."""
    chosen: Digest | None


class Training(_Part):
    """The phase at work; None of it before a phase begins."""

    attached: list[Count]
    """Stages at work by their place in the plan, in the order they entered."""
    done: Count
    """Steps of the phase that have run."""
    step: Count
    """The last of them, as the phase counts."""
    acted: list[tuple[Count, Count]]
    groups: list[dict[str, Any]]
    """The optimizer's settings, group by group."""
    plain: dict[str, dict[str, Any]]
    """What of the optimizer's state is no tensor, by parameter and name."""
    host: list[str]
    """Tensors of the optimizer's state that lie on the CPU wherever training runs."""
    scaler: dict[str, Any]
    images: Count
    """How many the meter has counted."""


class Record(_Part):
    """All but the tensors."""

    schema_version: Literal[3]
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
    texts: dict[str, str] | None
    """plan.json and the texts of the recipe, as they lie in the run folder, so that a checkpoint
    alone can tell what it is of; None in one of schema 1, which had none."""
    unreal: str | None
    """Why the run's figures mean nothing, as `Made.unreal` has it, empty for a real run; None in
    one of schema 1 or 2, which did not tell."""
    tensors: list[str]
    """The names of all tensors beside it, sorted."""
    seconds: Seconds
    """How long the run had been at work."""
    watching: Seconds
    """Seconds of them that were spent on looking at what must hold at every step."""
    validation: Share | None
    """Accuracy on the images held out, last measured."""

    @classmethod
    def read(cls, said: Any) -> Record:
        """The record of a JSON content, of this schema or of one that is still read.

        Raises:
            ValueError: it is none (pydantic's `ValidationError` where a field is not sound).
            OtherSchema: this version does not read it.

        """
        if not isinstance(said, dict):
            raise ValueError("not an object")
        schema = said.get("schema_version")
        if type(schema) is int and schema in ADDED:
            said = {**ADDED[schema], **said, "schema_version": SCHEMA}
        elif type(schema) is int and schema != SCHEMA:
            raise OtherSchema(f"it is of schema {schema}, this version reads schemas 1 to {SCHEMA}")
        return cls.model_validate(said)

    @property
    def blobs(self) -> set[Digest]:
        """The blobs that it names."""
        return {each for each in (self.masks, self.rewind, self.moments) if each is not None}
