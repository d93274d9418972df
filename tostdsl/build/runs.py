"""Runs: started from Python, or opened from the folders they left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tostdsl import api
from tostdsl.asked import path_of
from tostdsl.build.frames import flat, frame
from tostdsl.build.recipe import Recipe
from tostdsl.compile.saved import read_saved
from tostdsl.diagnostics import TostError
from tostdsl.plan.html import table
from tostdsl.plan.marker import MARKER, METRICS, RESULT, end_of, holds_run, unended
from tostdsl.plan.plan import Plan

if TYPE_CHECKING:
    from tostdsl.engine.observer import Observer
    from tostdsl.engine.run import RunOptions

Device = Literal["auto", "cpu", "cuda", "mps"]
CERTIFICATE = "certificate.json"


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it; nothing of it is loaded before it is asked for.

    `summary`, what comes from it and the `certificate` need a run that came to its end (`TostError`
    R412 otherwise);
    `plan` and `metrics` can be read while it is still at work.
    """

    folder: Path

    @cached_property
    def plan(self) -> Plan:
        """What was trained; `TostError` where that can no longer be read."""
        return read_saved(self.folder / MARKER)

    @cached_property
    def summary(self) -> Mapping[str, Any]:
        """The figures of `result.json`, by their names there."""
        if not (self.folder / RESULT).is_file():
            raise self._unended()
        return self._json(RESULT)

    @cached_property
    def certificate(self) -> Mapping[str, Any]:
        """Every check that the run made of itself, and checksums of what it wrote."""
        if self.state != "finished" and not (self.folder / CERTIFICATE).is_file():
            raise self._unended()
        return self._json(CERTIFICATE)

    @property
    def state(self) -> str:
        """How it ended: `finished`, `failed`, `interrupted`, `stopped`, or `not finished`."""
        return end_of(self.folder)

    @property
    def fingerprint(self) -> str:
        """The plan's, 64 hex digits."""
        return self.plan.fingerprint

    @property
    def accuracy(self) -> float:
        """Share of test images classified rightly, in [0, 1]."""
        return float(self._figure("accuracy"))

    @property
    def loss(self) -> float:
        """The test loss."""
        return float(self._figure("loss"))

    @property
    def sparsity(self) -> float:
        """Share of the weights in the mask's scope that are pruned, in [0, 1]; 0 without a mask."""
        return float(self._figure("sparsity"))

    @property
    def certified(self) -> bool:
        """Whether every check of the certificate passed."""
        return bool(self._figure("certified"))

    @property
    def unreal(self) -> str:
        """Why the figures mean nothing, in words: a rehearsal, random images; empty otherwise."""
        return str(self._figure("unreal"))

    @property
    def misses(self) -> tuple[str, ...]:
        """Expectations that were not met, in words."""
        return tuple(self._figure("missed_expectations"))

    def metrics(self, kind: str = "epoch") -> list[dict[str, Any]]:
        """The rows of `metrics.jsonl` of one kind, in order: `epoch`, `seam`, `test`, `mask`, …."""
        lines = (self.folder / METRICS).read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines[:-1]]  # a run at work may be writing the last
        return [row for row in rows if row["kind"] == kind]

    def to_frame(self, kind: str = "epoch") -> Any:
        """Those rows as a pandas frame, what they nest as `weights.ghost`; R830 without pandas."""
        return frame(map(flat, self.metrics(kind)))

    def _figure(self, name: str) -> Any:
        if name not in self.summary:  # it ended before it was measured
            raise self._unended()
        return self.summary[name]

    def _unended(self) -> TostError:
        """The error of what only a run that came to its end has, with why it did not."""
        said = self.summary if (self.folder / RESULT).is_file() else {}
        reason = str(said.get("reason", f"it is {self.state}"))
        return unended(self.folder, reason)

    def _json(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or str(error)
            raise TostError.of("R411", path=self.folder, reason=f"{name}: {said.lower()}") from None
        return dict(content)

    def __str__(self) -> str:
        return f"{self.folder}: {self.state}, plan {self.plan.short}"

    def _repr_html_(self) -> str:
        """The figures for a notebook."""
        rows: list[tuple[str, object]] = [("run", self.folder), ("state", self.state)]
        rows += [("recipe", self.plan.name), ("plan", self.fingerprint)]
        said = self.summary if (self.folder / RESULT).is_file() else {}
        rows += [
            (name, value) for name, value in said.items() if isinstance(value, str | int | float)
        ]
        return table(dict(rows).items())


def open_run(folder: str | Path) -> Run:
    """The run in a folder; `TostError` R411 where there is none."""
    folder = path_of(folder, "a run's folder")
    if not holds_run(folder):
        raise TostError.of("R411", path=folder, reason=f"there is no {MARKER} and {METRICS}")
    return Run(folder)


def run(
    recipe: Recipe | Plan | str | Path,
    out: str | Path | None = None,
    *,
    smoke: bool = False,
    device: Device = "auto",
    data_root: str | Path | None = None,
    download: bool = False,
    fake_data: bool = False,
    allow_code: bool = False,
    allow_ghosts: bool = False,
    begin_from: str | Path | None = None,
    options: RunOptions | None = None,
    observer: Observer | None = None,
) -> Run:
    """Train a recipe, a plan or the file at a path, and give the run in its folder.

    Args:
        recipe: What to train; one that stands for several plans is refused (R831).
        out: The run folder, new or empty; None for one below `runs/`.
        smoke: Rehearse: cross every phase and segment in seconds.
        device: Where to compute.
        data_root: Where data sets lie.
        download: Fetch the data set if it is not there.
        fake_data: Random images of the data set's shape instead.
        allow_code: Whether Python code that the recipe names may be imported and called.
        allow_ghosts: Certify a run whose recipe keeps ghosts to the end.
        begin_from: The folder of a run. Training begins at the newest checkpoint there at which its
            plan and this one are still the same, and ends with the bits of a run from the start.
        options: All there are besides, instead of the ones above.
        observer: Who hears how it goes; nobody unless given.

    Raises:
        TostError: For mistakes in the recipe, and for whatever stops the run; R710 where it cannot
            begin at a checkpoint of `begin_from`.
        ValueError: Where `options` and any of those above are given.
    """
    from tostdsl.engine.run import RunOptions

    asked: dict[str, Any] = {
        "smoke": smoke,
        "device": device,
        "data_root": None if data_root is None else path_of(data_root, "`data_root`"),
        "download": download,
        "fake_data": fake_data,
        "allow_code": allow_code,
        "allow_ghosts": allow_ghosts,
    }
    plain = RunOptions()
    said = {name: value for name, value in asked.items() if value != getattr(plain, name)}
    if options is not None and said:
        raise ValueError(f"`options` says all of it; leave out {', '.join(said)}")
    chosen = replace(options or plain, **said)
    chosen = chosen if out is None else replace(chosen, out=path_of(out, "`out`"))
    plan, sources, given = _what(recipe)
    return open_run(api.run(plan, chosen, observer, sources, given, begin_from).folder)


def _what(recipe: Recipe | Plan | str | Path) -> tuple[Plan, list[Any], Mapping[str, Any] | None]:
    """The plan to train, the texts it came from, and what they were given from outside."""
    if isinstance(recipe, Plan):
        return recipe, [], None
    if isinstance(recipe, Recipe):
        return recipe.plan(), [recipe.source], {"params": {}, "seed": None}
    wanted = "a Recipe, a Plan, or the path of one as text or Path"
    made = api.compile_file(path_of(recipe, "what is trained", wanted))
    plan = made.only(recipe)
    assert made.recipe is not None
    sources = made.recipe.sources if made.plan_file is None else []
    return plan, sources, api.given(made.recipe, plan_file=made.plan_file)
