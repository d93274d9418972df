"""What each part of a checkpoint is for: without it nothing goes on, or something else comes out.

This tests the step sweep: a field that could be dropped unnoticed would be one that it does not
look at.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import BaseModel
from safetensors.torch import load_file, save

from tests.engine.faults.runs import RECIPE, begun, checkpoints, cut, end, resumed
from tests.engine.faults.test_damage import only, signed
from tests.engine.faults.test_steps import GROWN
from tostdsl.diagnostics import TostError
from tostdsl.engine.record import Position, Proof, Record, Training

STEPS = (22, 12)
"""In training, where a stage has left and others are at work; and in the second round, where there
are masks, and something to go back to. What is dropped shows at one of them at least."""
PARTS: Mapping[str, type[BaseModel]] = {
    "": Record,
    "position": Position,
    "training": Training,
    "proof": Proof,
}
FIELDS = [f"{part}.{name}".lstrip(".") for part, cls in PARTS.items() for name in cls.model_fields]
FAMILIES = ("model:", "optimizer:", "stage:", "cells:", "meter:")
UNUSED_HERE = {
    "training.host": "names tensors that stay on the CPU beside a GPU",
    "training.scaler": "holds something with fp16 only; ELSEWHERE",
    "training.groups": "no optimizer that is registered changes its settings but the rate, "
    "which is a function of the step",
    "training.plain": "Adam's and SGD's state is all tensors, its keys say who has some",
    "training.acted": "this recipe has no stage of one moment; ELSEWHERE",
    "training.step": "set by the next step; in between it is for messages",
    "proof.moved": "a lottery's mask does not move in training; ELSEWHERE",
    "moments_plain": "Adam's state is all tensors",
    "seconds": "the time that a run took, which no bits depend on",
    "validation": "replaced at the next epoch's end",
    "watching": "the time that watching took, which no bits depend on",
}
"""Fields whose value at the start does not show at the end of this run, and why; that they may not
be missing holds for them, too."""
ELSEWHERE: Mapping[str, tuple[str, Callable[[Any], object]]] = {
    "training.scaler": (f"{RECIPE}precision fp16\n", lambda its: {**its, "scale": 2.0}),
    "training.acted": (GROWN, lambda _: []),
    "proof.moved": (GROWN, lambda _: {}),
}
"""Where some of them do show: a recipe, and what is put in the field's place."""


def parts(record: dict[str, Any], field: str) -> tuple[dict[str, Any], str]:
    """What holds a field, and its name in there."""
    *above, name = field.split(".")
    for each in above:
        record = record[each]
    return record, name


@pytest.fixture(scope="module")
def wanted(base: Path) -> dict[str, Any]:
    """How the run ends."""
    return end(base)


@pytest.fixture
def runs(base: Path, tmp_path: Path) -> Iterator[Path]:
    """Runs with one checkpoint, to change."""
    return (killed(base, tmp_path / f"run-{step}", step) for step in STEPS)


def killed(base: Path, to: Path, step: int) -> Path:
    """A run as if it had been killed, with the newest of its checkpoints."""
    run = cut(base, to, step)
    only(run, step)
    return run


def record_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((checkpoints(run)[-1] / "state.json").read_text())
    return found


def goes_on(run: Path, wanted: dict[str, Any]) -> bool:
    """Whether a run resumes, and to the same end."""
    try:
        resumed(run)
    except TostError:  # nothing else: it is said by name
        return False
    return wanted == end(run)


def test_untouched_it_goes_on(runs: Iterator[Path], wanted: dict[str, Any]) -> None:
    """What the tests below change is the only reason for what they see."""
    for run in runs:
        signed(checkpoints(run)[-1], "state.json", json.dumps(record_of(run)).encode())
        assert goes_on(run, wanted)


@pytest.mark.parametrize("field", FIELDS)
def test_without_a_field_the_load_is_refused(runs: Iterator[Path], field: str) -> None:
    """By its name."""
    run = next(runs)
    record = record_of(run)
    holder, name = parts(record, field)
    del holder[name]
    signed(checkpoints(run)[-1], "state.json", json.dumps(record).encode())
    with pytest.raises(TostError, match="none of its checkpoints can be used") as error:
        resumed(run)
    assert f"has no sound `{field}`" in error.value.diagnostics[0].message


@pytest.mark.parametrize("field", [each for each in FIELDS if each not in UNUSED_HERE])
def test_a_field_of_the_start_is_noticed(
    base: Path, runs: Iterator[Path], wanted: dict[str, Any], field: str
) -> None:
    """With the value that it had before the first step: refused, or another end."""
    start = json.loads((checkpoints(base)[0] / "state.json").read_text())
    start["training"] = json.loads((checkpoints(base)[1] / "state.json").read_text())["training"]
    others = {"plan": "0" * 64, "schema_version": 4, "texts": {}, "unreal": "a rehearsal"}
    noticed = False
    for run in runs:
        record = record_of(run)
        holder, name = parts(record, field)
        holder[name] = others.get(field, parts(start, field)[0][name])
        if record == record_of(run):
            continue  # nothing has moved it yet
        signed(checkpoints(run)[-1], "state.json", json.dumps(record).encode())
        noticed = noticed or not goes_on(run, wanted)
    assert noticed


@pytest.mark.parametrize("field", ELSEWHERE)
def test_a_field_is_noticed_where_it_is_used(tmp_path: Path, field: str) -> None:
    """In another recipe's run, with another value: refused, or another end."""
    assert field in UNUSED_HERE
    text, changed = ELSEWHERE[field]
    whole = tmp_path / "whole"
    begun(whole, text=text, keep=1000)
    run = killed(whole, tmp_path / "run", 5)
    record = record_of(run)
    signed(checkpoints(run)[-1], "state.json", json.dumps(record).encode())
    assert goes_on(run, end(whole))
    run = killed(whole, tmp_path / "run", 5)
    holder, name = parts(record, field)
    assert holder[name] != changed(holder[name])
    holder[name] = changed(holder[name])
    signed(checkpoints(run)[-1], "state.json", json.dumps(record).encode())
    assert not goes_on(run, end(whole))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("how", ["dropped", "unnamed", "zeroed"])
def test_a_family_of_tensors_is_noticed(
    runs: Iterator[Path], wanted: dict[str, Any], family: str, how: str
) -> None:
    """Left out, left out with its names, or zeros in its place: refused, or another end."""
    run = next(runs)
    newest, record = checkpoints(run)[-1], record_of(run)
    tensors = load_file(newest / "state.safetensors")
    here = [name for name in tensors if name.startswith(family)]
    assert here
    for name in here:
        if how == "zeroed":
            tensors[name] = torch.zeros_like(tensors[name])
        else:
            del tensors[name]
    if how == "unnamed":
        record["tensors"] = sorted(tensors)
    signed(newest, "state.safetensors", save(tensors))
    signed(newest, "state.json", json.dumps(record).encode())
    assert not goes_on(run, wanted)


def test_each_kind_of_tensor_is_noticed_when_one_is_left_out(
    base: Path, tmp_path: Path, wanted: dict[str, Any]
) -> None:
    """A weight, a buffer, a moment, a count, what a stage has added: the first of each name."""
    run = killed(base, tmp_path / "run", STEPS[0])
    tensors, record = load_file(checkpoints(run)[-1] / "state.safetensors"), record_of(run)
    kinds = {(name.split(":")[0], re.split("[.:]", name)[-1]): name for name in tensors}
    assert len(kinds) > 8
    for name in kinds.values():
        killed(base, run, STEPS[0])
        left = {each: tensor for each, tensor in tensors.items() if each != name}
        signed(checkpoints(run)[-1], "state.safetensors", save(left))
        said = {**record, "tensors": sorted(left)}
        signed(checkpoints(run)[-1], "state.json", json.dumps(said).encode())
        with contextlib.suppress(TostError):  # and nothing else: it is the tensor that is named
            resumed(run)
            assert wanted != end(run), name


def test_the_files_of_the_run_are_held_against_the_checkpoint(
    runs: Iterator[Path], wanted: dict[str, Any]
) -> None:
    """A length or a digest that is not that of the file is named; a log's rules the one out."""
    run = next(runs)
    record = record_of(run)
    for name, change, codes in [
        ("metrics.jsonl", {"bytes": 7}, ["R707", "R704"]),
        ("plan.json", {"sha256": "0" * 64}, ["R706"]),
    ]:
        files = {**record["files"], name: {**record["files"][name], **change}}
        changed = json.dumps({**record, "files": files}).encode()
        signed(checkpoints(run)[-1], "state.json", changed)
        with pytest.raises(TostError, match=name) as error:
            resumed(run)
        assert codes == [each.code for each in error.value.diagnostics]
