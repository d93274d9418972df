"""How a run ends: test figures, expectations, certificate, files."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tostdsl.diagnostics import TostError
from tostdsl.engine import reference
from tostdsl.engine.certificate import number
from tostdsl.engine.equipment import Equipment
from tostdsl.engine.folder import RunFolder
from tostdsl.engine.kept import count, take_out
from tostdsl.engine.measure import evaluate
from tostdsl.engine.observer import Kept, Result
from tostdsl.engine.watch import Watching
from tostdsl.plan.bases import Images
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import Program
from tostdsl.units import Percent


def digest_of(images: Images) -> str:
    """SHA-256 over the bytes of all images and labels: what was trained and tested on."""
    digest = hashlib.sha256()
    for split in (images.train, images.test):
        digest.update(repr(split.images.shape).encode())
        digest.update(np.ascontiguousarray(split.images).data)
        digest.update(np.ascontiguousarray(split.labels).data)
    return digest.hexdigest()


def finish(
    kit: Equipment,
    program: Program,
    folder: RunFolder,
    images: Images,
    seconds: float,
    unreal: str,
) -> Result:
    """Measure, certify and write. `unreal` says why the figures mean nothing, if they do."""
    score = evaluate(kit, "test")
    loss, accuracy = score.read()
    if not math.isfinite(loss):
        raise TostError.of("R307", value=loss)
    folder.log({"kind": "test", "loss": loss, "accuracy": accuracy})
    kept = _without_kept(kit, folder)
    zeros, scope = _count(kit, program)
    files = _write_tensors(kit, folder)
    files[reference.FILE] = _write_outputs(kit, folder, images.facts.shape)
    measured = {
        "accuracy": 100 * score.accuracy,
        "loss": Fraction(loss),
        "sparsity": Fraction(100 * zeros, scope) if scope else Fraction(0),
    }
    result = Result(
        folder=folder.path,
        fingerprint=kit.plan.fingerprint,
        accuracy=accuracy,
        loss=loss,
        zeros=zeros,
        scope=scope,
        parameters=kit.certificate.plain.parameters,
        seconds=seconds,
        certified=kit.certificate.passed,
        rehearsal=program.rehearsal,
        misses=() if unreal else tuple(misses(kit.plan, measured)),
        failures=tuple(f"{check.name}: {check.detail}" for check in kit.certificate.failures),
        checks=len(kit.certificate.checks),
        unreal=unreal,
        seams=len(kit.seams),
        costs=() if unreal else tuple(seam.warning() for seam in kit.seams if seam.costs),
        facts={"data": images.origin},
        kept=kept,
        validation=kit.validation,
        watching=Watching.of(kit.watch, program, seconds) if kit.watch is not None else None,
        keeping=kit.keeper.cost() if kit.keeper is not None else None,
    )
    prove(kit, folder, unreal, kept, {"data": digest_of(images), **files})
    folder.write_json("result.json", _figures(result))
    folder.seal()
    return result


def prove(
    kit: Equipment,
    folder: RunFolder,
    unreal: str,
    kept: Kept | None = None,
    files: Mapping[str, str] | None = None,
) -> None:
    """Write the certificate; a run that did not come to its end has no `files`."""
    proof = {
        "fingerprint": kit.plan.fingerprint,
        "unreal": unreal,
        "kept": list(kept.names) if kept else [],
        "allow_ghosts": kit.may_keep,
        "sha256": dict(files or {}),
        "mask_digest": kit.masked.digest() if kit.masked is not None else None,
        **kit.certificate.to_json(),
    }
    folder.write_json("certificate.json", proof)


def _without_kept(kit: Equipment, folder: RunFolder) -> Kept | None:
    """Take out what the recipe leaves in, and measure without it."""
    parameters, weights, zeros = count(kit.kept)
    names = take_out(kit, folder, plan=kit.plan.fingerprint)
    if not names:
        return None
    loss, accuracy = evaluate(kit, "test").read()
    row = {"kind": "test_without_kept", "loss": number(loss), "accuracy": accuracy}
    folder.log(row)
    return Kept(names, parameters, weights, zeros, accuracy, loss)


def _count(kit: Equipment, program: Program) -> tuple[int, int]:
    """Pruned weights and weights in scope, checked against the plan."""
    if kit.masked is None:
        return 0, 0
    counts = kit.masked.counts()
    assert kit.plan.mask is not None
    if kit.plan.mask.method.counted:
        shapes = {name: tuple(mask.shape) for name, mask in kit.masked.masks.items()}
        planned = kit.plan.mask.method.kept(shapes, program.sparsity)
        kit.certificate.add(
            "the mask has the planned sparsity",
            counts.kept == planned,
            f"{counts.zero:,} of {counts.total:,} pruned, {counts.total - planned:,} planned",
        )
    return counts.zero, counts.total


def _write_tensors(kit: Equipment, folder: RunFolder) -> dict[str, str]:
    """Write network and masks; the digests of the files."""
    masks: Mapping[str, Tensor] = kit.masked.masks if kit.masked is not None else {}
    bits = {name: mask.to(torch.uint8) for name, mask in masks.items()}
    contents = {"model.safetensors": kit.model.state_dict(), "masks.safetensors": bits}
    notes = {"plan": kit.plan.fingerprint}
    return {
        name: folder.write_tensors(name, tensors, **notes) for name, tensors in contents.items()
    }


def _write_outputs(kit: Equipment, folder: RunFolder, shape: tuple[int, int, int]) -> str:
    """Write what the network itself computes; nothing uses it on its device after this."""
    found = reference.outputs(kit.model, shape, kit.plan.seed)
    notes = {"plan": kit.plan.fingerprint, **reference.machine(shape, kit.plan.seed)}
    return folder.write_tensors(reference.FILE, {reference.KEY: found}, **notes)


def _figures(result: Result) -> dict[str, Any]:
    return {
        "state": "finished" if result.certified else "failed",
        "unreal": result.unreal,
        "accuracy": result.accuracy,
        "loss": result.loss,
        "selection": "last step",
        "validation_accuracy": result.validation,
        "pruned_weights": result.zeros,
        "weights_in_scope": result.scope,
        "sparsity": result.sparsity,
        "parameters": result.parameters,
        "seconds": result.seconds,
        "certified": result.certified,
        "rehearsal": result.rehearsal,
        "missed_expectations": list(result.misses),
        "kept": _kept(result),
        "seams": result.seams,
        "watching": asdict(result.watching) if result.watching is not None else None,
        "costly_seams": [cost.message for cost in result.costs],
    }


def _kept(result: Result) -> dict[str, Any] | None:
    kept = result.kept
    if kept is None:
        return None
    return {
        "stages": list(kept.names),
        "parameters": kept.parameters,
        "weights": kept.weights,
        "zero_weights": kept.zeros,
        "sparsity_with": result.sparsity_kept,
        "accuracy_without": kept.accuracy,
        "loss_without": number(kept.loss),
    }


def misses(plan: Plan, measured: Mapping[str, Fraction]) -> list[str]:
    """Expectations that do not hold, in words. Compared exactly: 57 of 100 is 57%."""
    found = []
    for expect in plan.expect:
        wanted: Any = expect.value
        bound = Fraction(wanted.value) if isinstance(wanted, Percent) else Fraction(wanted)
        got = measured[expect.metric]
        met = {">=": got >= bound, "<=": got <= bound, ">": got > bound, "<": got < bound}
        if not met[expect.op]:
            unit = "%" if isinstance(wanted, Percent) else ""
            found.append(f"expected {expect}, got {float(got):.4g}{unit}")
    return found
