"""Two run folders held against one another: what differs, but for how long things took."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, uint8

from tostdsl.engine.checkpoint import STATE, Checkpoints
from tostdsl.engine.folder import LIVES
from tostdsl.engine.lock import NAME as LOCK
from tostdsl.engine.manifest import MANIFEST
from tostdsl.engine.provenance import RECORD

FIRST = ("model.safetensors", "masks.safetensors", "ghosts.safetensors")
TIMES = {"seconds", "images_per_second", "watching"}
"""Keys of rows and figures that tell how long something took."""
OWN = {MANIFEST, LIVES, LOCK}
"""Files that two equal runs need not share: they tell of times and of lives."""
_NONE = object()


def differences(one: Path, other: Path) -> Iterator[str]:
    """What is not the same in two runs' folders, in words; nothing where they are twins.

    Network and masks come first, then the newest checkpoint with the optimizer's state, then
    everything else that lies there: outputs, certificate, rows, figures. Tensors are compared by
    their bits.
    """
    names = {path.name for run in (one, other) for path in run.iterdir() if path.is_file()} - OWN
    first = [name for name in FIRST if name in names]
    yield from _files(one, other, first)
    yield from _checkpoints(one, other)
    yield from _files(one, other, sorted(names - set(first)))


def _files(one: Path, other: Path, names: list[str]) -> Iterator[str]:
    for name in names:
        here, there = one / name, other / name
        if not here.exists() or not there.exists():
            yield f"{name} is in one of them only"
        elif here.read_bytes() != there.read_bytes():
            yield from _contents(name, here.read_bytes(), there.read_bytes())


def _contents(name: str, one: bytes, other: bytes) -> Iterator[str]:
    """What differs in two files that are not the same."""
    try:
        if name.endswith(".safetensors"):
            found = list(_tensors(load(one), load(other)))
            yield from (f"{name}: {each}" for each in found or ["its notes or its order"])
        elif name.endswith(".json"):
            yield from _values(name, json.loads(one), json.loads(other))
        elif name.endswith(".jsonl"):
            rows = [[json.loads(line) for line in text.splitlines()] for text in (one, other)]
            yield from _values(name, *rows)
        else:
            yield f"{name} has other bytes"
    except (ValueError, SafetensorError):
        yield f"{name} has other bytes, and cannot be read"


def _checkpoints(one: Path, other: Path) -> Iterator[str]:
    """What differs in the newest checkpoints, which must be of the same step, and in their blobs.

    Those name the files of lines by digests, which tell of times: the files are compared instead.
    """
    here, there = (Checkpoints(run).newest()[0] for run in (one, other))
    if here is None or there is None:
        if here is not there:
            yield "a checkpoint is in one of them only"
        return
    if here.name != there.name:
        yield f"the last checkpoints: {here.name} is not {there.name}"
        return
    where = f"the last checkpoint, {here.name}"
    for each in _tensors(here.tensors, there.tensors):
        yield f"{where}: {STATE}: {each}"
    records = (snapshot.record.model_dump(exclude={"files"}) for snapshot in (here, there))
    yield from _values(f"{where}: {RECORD}", *records)


def _tensors(one: Any, other: Any) -> Iterator[str]:
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other:
            yield f"`{name}` is in one of them only"
        elif one[name].dtype != other[name].dtype or one[name].shape != other[name].shape:
            yield f"`{name}` has another shape or type"
        elif count := _unequal(one[name], other[name]):
            yield f"`{name}` differs in {count} of {one[name].numel()} values"


def _unequal(one: Tensor, other: Tensor) -> int:
    """In how many values the bits differ; those of numbers that are none count, too."""
    bits = [each.contiguous().reshape(-1, 1).view(uint8) for each in (one, other)]
    return int((bits[0] != bits[1]).any(dim=1).sum())


def _values(where: str, one: Any, other: Any) -> Iterator[str]:
    """Where two pieces of JSON differ, but for times."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted((one.keys() | other.keys()) - TIMES):
            yield from _values(f"{where}: {key}", one.get(key, _NONE), other.get(key, _NONE))
    elif isinstance(one, list) and isinstance(other, list):
        for index in range(max(len(one), len(other))):
            pair = [each[index] if index < len(each) else _NONE for each in (one, other)]
            yield from _values(f"{where}: {index + 1}", *pair)
    elif one is _NONE or other is _NONE:
        yield f"{where} is in one of them only"
    elif json.dumps(one) != json.dumps(other):
        yield f"{where} is {_short(one)} and {_short(other)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
