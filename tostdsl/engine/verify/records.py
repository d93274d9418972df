"""The files of a run folder, read as a stranger's: bounded, typed, never unpickled."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from tostdsl.engine.manifest import Entry, body_digest

MAX_JSON = 64 << 20
"""Bytes of a JSON file; a metrics log of a long run has a few."""
MAX_HEADER = 16 << 20
DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
Count = Annotated[int, Field(ge=0)]
Size = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Unfit(Exception):
    """A file that is not what a run writes; says why, without its name."""


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class GivenPlan(_Record):
    """The file of a saved plan."""

    name: str
    sha256: str


class Given(_Record):
    """What was set from outside of the recipe, or the saved plan that there was in its place."""

    params: dict[str, str]
    seed: Count | None
    plan_file: GivenPlan | None = None


class StoredPlan(_Record):
    """plan.json."""

    fingerprint: str
    plan: dict[str, Any]
    given: Given | None


class StoredFacts(_Record):
    """What the run knew of its data (`plan.bases.DataFacts`)."""

    channels: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    classes: Annotated[int, Field(ge=1)]
    train_size: Annotated[int, Field(ge=1)]
    test_size: Annotated[int, Field(ge=1)]


class StoredData(_Record):
    """The data of environment.json."""

    origin: str
    sha256: str
    facts: StoredFacts
    fake: bool
    limit: int | None


class StoredCode(_Record):
    """A function of the user's own, in environment.json."""

    kind: str
    function: str
    file: str | None
    sha256: str | None


class StoredInterval(_Record):
    """How often a run's state was kept (`engine.keeper.Every`)."""

    value: Annotated[float, Field(gt=0)]
    unit: Literal["minutes", "epochs", "steps"]


class StoredOptions(_Record):
    """How a run was started."""

    smoke: bool = False
    allow_ghosts: bool = False
    checkpoint: StoredInterval | None = None
    keep: Annotated[int, Field(ge=1)] = 2
    watch: Annotated[int, Field(ge=1)] | None = None
    channels_last: bool = False
    compile: bool = False
    deterministic: bool = False
    tf32: bool = False


class StoredEnvironment(_Record):
    """environment.json."""

    device: str
    device_name: str = ""
    threads: int = 0
    options: StoredOptions = StoredOptions()
    data: StoredData
    code: list[StoredCode] = []
    versions: dict[str, str | None] = {}
    in_force: dict[str, Any] = {}
    """How the device computed (`engine.execution`)."""
    trace_every: Annotated[int, Field(ge=0)] | None = 0
    """Steps from one traced step to the next; None for a run that was not traced, 0 where it was
    not taken down."""


class StoredCheck(_Record):
    """A check of the certificate."""

    name: str
    passed: bool
    detail: str


class StoredJump(_Record):
    """How far outputs moved where stages left (`engine.certificate.Jump`)."""

    at: str
    weights: dict[str, float]
    moved: Size | None
    largest: Size | None


class StoredCertificate(_Record):
    """certificate.json."""

    fingerprint: str
    unreal: str
    kept: list[str]
    allow_ghosts: bool
    sha256: dict[str, str]
    mask_digest: str | None
    passed: bool
    checks: list[StoredCheck]
    jumps: list[StoredJump]


class StoredKept(_Record):
    """What result.json says of what the recipe left in."""

    stages: list[str]
    parameters: Count
    weights: Count
    zero_weights: Count
    sparsity_with: Share
    accuracy_without: Share
    loss_without: float | None


class StoredWatching(_Record):
    """What result.json says of what watching the run cost (`engine.watch.Watching`)."""

    every: Annotated[int, Field(ge=1)]
    looks: Count
    seconds: Size
    share: Share


class StoredResult(_Record):
    """result.json of a run that came to its end."""

    state: str
    unreal: str
    accuracy: Share
    loss: float
    pruned_weights: Count
    weights_in_scope: Count
    sparsity: Share
    parameters: Count
    seconds: Size
    certified: bool
    rehearsal: bool
    kept: StoredKept | None
    seams: Count
    watching: StoredWatching | None = None
    costly_seams: list[str]
    missed_expectations: list[str]
    validation_accuracy: Share | None = None


class StoredEnd(_Record):
    """result.json of a run that did not."""

    state: str
    reason: str


class _StoredEntry(_Record):
    bytes: Count
    sha256: str


class _StoredManifest(_Record):
    version: int
    files: dict[str, _StoredEntry]
    sha256: str


R = TypeVar("R", bound=_Record)


def read(path: Path, limit: int) -> bytes:
    """The bytes of a regular file; `Unfit` when it is none, is missing, or is larger."""
    try:
        # a pipe that nobody writes to would keep a plain open waiting
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unfit("is not a regular file")
            content = file.read(limit + 1)
    except FileNotFoundError:
        raise Unfit("is missing") from None
    except OSError as error:
        raise Unfit(f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    if len(content) > limit:
        raise Unfit(f"is larger than {limit:,} bytes, more than it can have to hold")
    return content


def read_json(path: Path) -> Any:
    """The content of a JSON file; `Unfit` when it is none."""
    return _parsed(read(path, MAX_JSON))


def _parsed(content: bytes) -> Any:
    try:
        found = json.loads(content)
        json.dumps(found, ensure_ascii=False).encode()  # half a character may stand in an escape
    except UnicodeError:
        raise Unfit("is not UTF-8") from None
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits is a plain ValueError
        raise Unfit(f"is no JSON: {str(error).lower()}") from None
    return found


def read_record(path: Path, form: type[R]) -> R:
    """A JSON file as the record it must be; `Unfit` names the first thing that is not right."""
    return _as(form, read_json(path))


def _as(form: type[R], content: Any) -> R:
    try:
        return form.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Unfit(f"is not as a run writes it: {where or 'all of it'}: {first['msg']}") from None


def read_lines(path: Path) -> list[Mapping[str, Any]]:
    """The rows of metrics.jsonl; `Unfit` names the first line that is none."""
    rows: list[Mapping[str, Any]] = []
    for number, line in enumerate(read(path, MAX_JSON).splitlines(), 1):
        try:
            row = _parsed(line)
        except Unfit as why:
            raise Unfit(f"has a line {number} that {why}") from None
        if not isinstance(row, dict):
            raise Unfit(f"has a line {number} that is no row")
        rows.append(row)
    return rows


def read_manifest(path: Path) -> dict[str, Entry]:
    """The files of manifest.json; `Unfit` also where it is not what its own checksum says."""
    content = read_json(path)
    stored = _as(_StoredManifest, content)
    try:
        whole = body_digest(content) == stored.sha256
    except (ValueError, RecursionError):  # numbers that JSON has not, in what nobody asked for
        whole = False
    if not whole:
        raise Unfit("is not as it was written (other SHA-256)")
    return {name: Entry(entry.bytes, entry.sha256) for name, entry in stored.files.items()}


def read_tensors(
    path: Path, wanted: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file, and its notes.

    `wanted` says which names, shapes and types must be there (the values do not matter). Nothing
    but the header is looked at before that is settled.
    """
    size = sum(t.numel() * t.element_size() for t in wanted.values())
    content = read(path, size + MAX_HEADER)
    header = _header(content)
    notes = header.pop("__metadata__", {})
    if not isinstance(notes, dict):
        raise Unfit("has no notes of a run")
    _compare(header, wanted)
    try:
        tensors = load(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise Unfit(f"is damaged: {_first_line(error)}") from None
    return tensors, {str(key): str(value) for key, value in notes.items()}


def _header(content: bytes) -> dict[str, Any]:
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8:
        raise Unfit(f"is cut off or no safetensors file: {len(content):,} bytes")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):  # the reader of safetensors takes one of the two
            raise ValueError("a name stands in its header twice")
        return found

    try:
        header = json.loads(content[8 : 8 + length], object_pairs_hook=once)
        json.dumps(header, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Unfit(f"has a damaged header: {_first_line(error)}") from None
    if not isinstance(header, dict):
        raise Unfit("has a damaged header")
    return header


def _compare(header: Mapping[str, Any], wanted: Mapping[str, Tensor]) -> None:
    missing = [name for name in wanted if name not in header]
    extra = [name for name in header if name not in wanted]
    if missing or extra:
        parts = [("lacks", missing), ("holds besides", extra)]
        raise Unfit("; ".join(f"{word} {_listed(names)}" for word, names in parts if names))
    for name, tensor in wanted.items():
        given = header[name] if isinstance(header[name], dict) else {}
        dtype = DTYPES.get(tensor.dtype, str(tensor.dtype))
        if given.get("shape") != list(tensor.shape) or given.get("dtype") != dtype:
            found = f"{given.get('dtype')} {given.get('shape')}"
            right = f"{dtype} {list(tensor.shape)}"
            raise Unfit(f"holds `{name}` as {found}, the network's is {right}")


def _listed(names: list[str], most: int = 3) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].lower()
