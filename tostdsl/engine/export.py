"""The masks of a run, taken out of its folder into a file of their own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from tostdsl.diagnostics import TostError, brief
from tostdsl.engine.folder import file_stem
from tostdsl.engine.manifest import MANIFEST, gap
from tostdsl.engine.start import masked_of, network
from tostdsl.engine.verify.plans import plan_of
from tostdsl.engine.verify.records import (
    StoredEnd,
    StoredEnvironment,
    StoredPlan,
    StoredResult,
    Unfit,
    read_manifest,
    read_record,
    read_tensors,
)
from tostdsl.engine.verify.weights import MASKS
from tostdsl.masks.exported import KEY, manifest
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.marker import MARKER, unended
from tostdsl.plan.plan import Plan

ENVIRONMENT, RESULT = "environment.json", "result.json"


@dataclass(frozen=True, slots=True)
class Exported:
    """A written file of masks, and what it holds."""

    path: Path
    sha256: str
    """Of the file."""
    plan: Plan
    """Of the run."""
    masks: int
    pruned: int
    weights: int
    unreal: str
    """Why the run was no real one, if it was none."""


def export(folder: Path, out: Path | None = None) -> Exported:
    """Write the masks of the run in `folder` to the new file `out`, `NAME-PLAN.safetensors`.

    A uint8 tensor (1 is kept) for each weight in the mask's scope, and a manifest in the metadata
    (`masks.exported`); the same run gives the same bytes. `TostError`: R162 where the run is dense,
    R202 or R603 where the file cannot be written, R403 where the run's files are not as they were
    written, R411 to R413 as `verify`.
    """
    if not (folder / MARKER).is_file():
        raise TostError.of("R411", path=folder, reason=f"there is no `{MARKER}`")
    try:
        end = read_record(folder / RESULT, StoredEnd)
        raise unended(folder, f"it {end.state}: {end.reason}")
    except Unfit:
        pass  # it came to its end, or is still at work
    if not (folder / MANIFEST).exists():
        raise unended(folder, f"there is no `{MANIFEST}`")
    try:
        plan, unreal, masks = _read(folder)
    except Unfit as why:
        raise TostError.of("R403", group="files", reason=why) from None
    content = manifest(masks, plan.name, plan.fingerprint, unreal)
    data = save(masks, metadata={KEY: json.dumps(content, sort_keys=True)})
    path = out or Path(f"{file_stem(plan)}.safetensors")
    _write(path, data)
    digest, weights = hashlib.sha256(data).hexdigest(), content["weights"]
    pruned = weights - content["kept"]
    return Exported(path, digest, plan, len(masks), pruned, weights, unreal)


def _read(folder: Path) -> tuple[Plan, str, dict[str, Tensor]]:
    known = read_manifest(folder / MANIFEST)
    for name in (MARKER, ENVIRONMENT, RESULT, MASKS):
        why = gap(folder, name, known[name]) if name in known else f"is not in {MANIFEST}"
        if why:
            raise Unfit(f"{name} {why}")
    stored = read_record(folder / MARKER, StoredPlan)
    plan = plan_of(stored.plan)
    if plan.mask is None:
        raise TostError.of("R162", path=folder)
    tensors, notes = read_tensors(folder / MASKS, _wanted(folder, plan))
    if notes.get("plan") != plan.fingerprint or stored.fingerprint != plan.fingerprint:
        raise Unfit(f"{MASKS} is of another plan than {MARKER}")
    for name, mask in tensors.items():
        if bool((mask > 1).any()):
            raise Unfit(f"{MASKS} holds `{name}`, which is no mask of 0 and 1")
    return plan, read_record(folder / RESULT, StoredResult).unreal, tensors


def _wanted(folder: Path, plan: Plan) -> dict[str, Tensor]:
    """Masks of the names and shapes that the plan's network has."""
    stored = read_record(folder / ENVIRONMENT, StoredEnvironment).data.facts
    facts = plan.data.facts() or DataFacts(**stored.model_dump())
    try:
        masked = masked_of(plan, network(plan, facts))
    except (TostError, ValueError, TypeError, ArithmeticError, RuntimeError, MemoryError) as error:
        said = (brief(error).splitlines() or [type(error).__name__])[0]
        raise Unfit(f"{MARKER} names a network that cannot be built: {said}") from None
    weights = masked.weights if masked is not None else {}
    return {name: torch.empty(w.shape, dtype=torch.uint8) for name, w in weights.items()}


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
    except FileExistsError:
        raise TostError.of("R603", path=path) from None
    except (OSError, ValueError) as error:  # a path may hold a null character
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise TostError.of("R202", path=path, reason=reason) from None
