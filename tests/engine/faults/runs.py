"""Short runs with everything in them, stopped, damaged and compared."""

from __future__ import annotations

import json
import pkgutil
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tostdsl.compile.compiler import compile_source
from tostdsl.engine.keeper import Every, Keeper
from tostdsl.engine.loop import Loop
from tostdsl.engine.observer import Observer, Result
from tostdsl.engine.resume import ResumeOptions, resume
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.storage import Disk
from tostdsl.plan.marker import CHECKPOINTS
from tostdsl.plan.plan import Plan
from tostdsl.source import Source

RECIPE = """\
model cifar_resnet(8, width=0.5x)
data digits(batch=256, validation=10%, augment=[crop(padding=1), flip])
mask lottery(sparsity=36%, rate=20%, rewind=step 2, optimizer=rewind)
optimizer adam
schedule cosine
ghost(width=2x) from step 1 until step 6
ghost(activation=swish) until step 5
skip(anneal=cosine) from step 2 until step 7
labels(smoothing=0.2 -> 0) until step 6
train for 8 steps
seed 3
"""
MEASURED = "images_per_second", "seconds", "watching", "files"
"""What depends on the clock, and digests of what holds such."""
LAST = (
    "manifest.json", "result.json", "certificate.json", "model.safetensors", "masks.safetensors",
    "outputs.safetensors", "trace.svg",
)  # fmt: skip
"""What is written when training has ended."""


class Died(BaseException):
    """The process was killed, as far as it can tell."""


class FaultyDisk(Disk):
    """Does `act` in place of a call, or after half of a writing, from the call `at` on (from 0).

    With `once` only that call fails.
    """

    def __init__(self, at: int, act: Callable[[], BaseException], *, once: bool = False) -> None:
        self.calls: list[str] = []
        self.at, self._act, self._once = at, act, once

    def _failing(self, name: str) -> bool:
        self.calls.append(name)
        place = len(self.calls) - 1
        return place == self.at or (place > self.at and not self._once)

    def make(self, folder: Path) -> None:
        if self._failing("make"):
            raise self._act()
        super().make(folder)

    def write(self, path: Path, content: bytes) -> None:
        if self._failing("write"):
            path.write_bytes(content[: len(content) // 2])
            raise self._act()
        super().write(path, content)

    def sync(self, path: Path) -> None:
        if self._failing("sync"):
            raise self._act()
        super().sync(path)

    def rename(self, old: Path, new: Path) -> None:
        if self._failing("rename"):
            raise self._act()
        super().rename(old, new)

    def remove(self, path: Path) -> None:
        if self._failing("remove"):
            if path.is_dir():
                next(path.iterdir()).unlink()  # half of it
            raise self._act()
        super().remove(path)

    def reserve(self, path: Path, size: int) -> None:
        if self._failing("reserve"):
            raise self._act()
        super().reserve(path, size)


class FaultyFolder(FaultyDisk):
    """Fails from the first writing in a folder of that name on, whatever was written before.

    Which of all calls that is depends on how far the thread that writes has come.
    """

    def __init__(
        self, folder: str, act: Callable[[], BaseException], *, once: bool = False
    ) -> None:
        super().__init__(sys.maxsize, act, once=once)
        self._folder = folder

    def write(self, path: Path, content: bytes) -> None:
        if self._folder in path.parent.name:
            self.at = min(self.at, len(self.calls))
        super().write(path, content)


def plan_of(text: str = RECIPE) -> Plan:
    """The one plan of a recipe."""
    (one,) = compile_source(Source("r.tost", text)).plans
    return one


def begun(
    out: Path,
    steps: int = 1,
    *,
    text: str = RECIPE,
    observer: Observer | None = None,
    **options: Any,
) -> Result:
    """A run that keeps its state every so many steps."""
    every = Every(steps, "steps")
    chosen = RunOptions(out=out, device="cpu", checkpoint=every, **options)
    return run(plan_of(text), chosen, observer)


def resumed(path: Path, observer: Observer | None = None, **options: Any) -> Result:
    """A run that goes on."""
    return resume(path, ResumeOptions(**options), observer)


def cut(base: Path, to: Path, step: int) -> Path:
    """A copy of a run as if it had been killed after so many steps."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(base, to)
    for path in (to / CHECKPOINTS).iterdir():
        if path.name > f"step-{step:07d}":
            shutil.rmtree(path)
    for name in LAST:
        (to / name).unlink(missing_ok=True)
    return to


def checkpoints(path: Path) -> list[Path]:
    """Those of a run, oldest first."""
    return sorted((path / CHECKPOINTS).glob("step-*"))


def with_disk(patch: pytest.MonkeyPatch, disk: Disk) -> None:
    """Runs and resumed runs write their checkpoints to this disk from now on."""
    patch.setattr("tostdsl.engine.run.Disk", lambda: disk)
    patch.setattr("tostdsl.engine.resume.Disk", lambda: disk)


def at_step(patch: pytest.MonkeyPatch, step: int, act: Callable[[], object]) -> None:
    """Something happens when so many steps have run, before the run looks for a stop."""
    stepped = Keeper.stepped

    def also(self: Keeper, *place: Any) -> None:
        if self.done + 1 == step:
            act()
        stepped(self, *place)

    patch.setattr(Keeper, "stepped", also)


def nth(patch: pytest.MonkeyPatch, where: str, number: int, act: Callable[[], object]) -> None:
    """Something happens before the nth call of a function, or after it if the number is below 0."""
    module, _, name = where.rpartition(".")
    owner = pkgutil.resolve_name(module)
    plain, count = getattr(owner, name), [0]

    def also(*args: Any, **named: Any) -> Any:
        count[0] += 1
        if count[0] == number:
            act()
        found = plain(*args, **named)
        if count[0] == -number:
            act()
        return found

    patch.setattr(owner, name, also)


def advances(patch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each step that has run from now on."""
    advance, ran = Loop._advance, []

    def also(self: Loop) -> None:
        advance(self)
        ran.append(len(ran))

    patch.setattr(Loop, "_advance", also)
    return ran


def rows(path: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without what the clock says."""
    lines = (path / "metrics.jsonl").read_text("utf-8").splitlines()
    return [_without(json.loads(line)) for line in lines]


def _without(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in MEASURED}


def end(path: Path) -> dict[str, Any]:
    """All that a run ends with: bytes of tensors and of the proof, figures, rows, last state."""
    last = checkpoints(path)[-1]
    exact = ["model", "masks", "outputs"]
    return {
        **{name: (path / f"{name}.safetensors").read_bytes() for name in exact},
        "certificate": (path / "certificate.json").read_bytes(),
        "metrics": rows(path),
        "trace": trace.read_bytes() if (trace := path / "trace.jsonl").exists() else None,
        "result": _without(json.loads((path / "result.json").read_text())),
        "last": last.name,
        "state": (last / "state.safetensors").read_bytes(),
        "record": _without(json.loads((last / "state.json").read_text())),
    }


def unequal(one: Path, other: Path) -> list[str]:
    """In what two ended runs differ."""
    a, b = end(one), end(other)
    return [name for name in a if a[name] != b[name]]
