"""lives.jsonl: a run was started once, and each time it went on it had been stopped before."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from tostdsl.engine.folder import LIVES
from tostdsl.engine.lives import rows
from tostdsl.engine.verify.records import MAX_JSON, StoredEnvironment, StoredInterval, Unfit, read


class _Life(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    time: str

    @field_validator("time")
    @classmethod
    def _moment(cls, value: str) -> str:
        datetime.fromisoformat(value)
        return value


class _Passed(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    name: str
    reason: str


_Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Begun(BaseModel):
    """The checkpoint of another run that a run began at."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    run: str
    """Its folder, as it was given."""
    plan: _Digest
    """The fingerprint of its plan."""
    checkpoint: str
    done: Annotated[int, Field(ge=1)]
    """Steps that had run."""
    manifest: _Digest
    """SHA-256 of the checkpoint's manifest."""
    passed: list[_Passed]
    """Checkpoints that could not be used."""
    others: list[str]
    """What was not as when that run began."""


class _Started(_Life):
    kind: Literal["started"]
    device: str
    begun: _Begun | None = None


class _Changes(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    checkpoint: StoredInterval | None = None
    channels_last: bool | None = None
    compile: bool | None = None
    deterministic: bool | None = None
    tf32: bool | None = None


class _Resumed(_Life):
    kind: Literal["resumed"]
    device: str
    done: Annotated[int, Field(ge=0)]
    """Steps that had run."""
    passed: list[_Passed]
    """Checkpoints that could not be used."""
    others: list[str]
    """What was not as when the run began."""
    options: _Changes = _Changes()
    """Options that were given otherwise than at the run's start."""


class _Ended(_Life):
    kind: Literal["stopped", "interrupted", "failed"]
    reason: str


_Row = Annotated[_Started | _Resumed | _Ended, Field(discriminator="kind")]
_ROW: TypeAdapter[_Started | _Resumed | _Ended] = TypeAdapter(_Row)


def gap(folder: Path, steps: int, environment: StoredEnvironment) -> str:
    """What is wrong with the file of a run of so many steps, in words; empty if nothing."""
    try:
        content = read(folder / LIVES, MAX_JSON)
        found = [_row(number, row) for number, row in enumerate(rows(content), 1)]
    except (Unfit, ValueError) as why:
        return str(why)
    kinds = [row.kind for row in found]
    if kinds[:1] != ["started"] or "started" in kinds[1:]:
        return "does not begin with the one start of the run"
    if isinstance(found[-1], _Ended):
        return f"says that the run {kinds[-1]} last, not that it went on"
    for number, (before, row) in enumerate(pairwise(found), 2):
        if isinstance(row, _Ended) and isinstance(before, _Ended):
            return f"has a line {number} in which the run {row.kind} that had {before.kind} before"
    for number, row in enumerate(found, 1):
        if wrong := _wrong(row, steps, environment):
            return f"has a line {number} {wrong}"
    return ""


def _row(number: int, row: dict[str, Any]) -> _Started | _Resumed | _Ended:
    try:
        return _ROW.validate_python(row)
    except ValidationError:
        raise Unfit(f"has a line {number} of no kind that a run writes") from None


def _wrong(row: _Started | _Resumed | _Ended, steps: int, environment: StoredEnvironment) -> str:
    """What of a row does not fit the run."""
    device = "" if isinstance(row, _Ended) else row.device.partition(":")[0]
    if isinstance(row, _Started) and device != environment.device:
        return f"that starts on {row.device}, environment.json says {environment.device}"
    if isinstance(row, _Started) and row.begun is not None:
        begun = row.begun
        if begun.done > steps or begun.checkpoint != f"step-{begun.done:07d}":
            return "that began at no step of the run"
    if isinstance(row, _Resumed):
        if row.done > steps:
            return "that went on from no step of the run"
        if environment.options.checkpoint is None:
            return "that went on, though no state was kept"
        elsewhere = device != environment.device
        if elsewhere != any(each.startswith("device was ") for each in row.others):
            return f"that went on on {row.device}, and does not say what that changes"
    return ""
