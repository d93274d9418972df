"""A run on the screen: bars in a terminal, plain lines elsewhere, a table at the end."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tostdsl.diagnostics import Diagnostic, diagnose
from tostdsl.diagnostics.screen import printable
from tostdsl.engine.observer import Glimpse, Observer, Result
from tostdsl.plan.program import Phase, Program


def screen() -> Screen:
    """Bars if standard output is a terminal, lines otherwise."""
    return Bars() if sys.stdout.isatty() else Lines()


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def _weights(weights: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {value:.2f}" for name, value in weights.items())


class Unhurried(Console):
    """A console whose reader may go away (`| head`) without ending the run."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Screen(Observer):
    """What both share: the head, messages, the summary."""

    def __init__(self) -> None:
        self.console = Unhurried(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Lines, never read as markup; what a stranger wrote in them controls no terminal."""
        self.console.print("\n".join(map(printable, text.split("\n"))), markup=False)

    def started(self, program: Program, folder: Path, origin: str, device: str) -> None:
        plan = program.plan
        self.say(f"{plan.name}  plan {plan.short}  on {device}  into {folder}")
        self.say(f"data: {origin}")
        if origin.startswith("random images"):
            self.say("WARNING: these are random images; the accuracy means nothing")
        if program.rehearsal:
            self.say(
                f"rehearsal: {_count(program.steps, 'step')} cross every boundary of "
                f"{_count(len(program.phases), 'phase')}; the accuracy means nothing"
            )

    def message(self, text: str) -> None:
        self.say(text)

    def stopping(self, signal: str) -> None:
        text = f"{signal}: the run stops at the end of its step; Ctrl-C again stops at once"
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), f"\n{text}\n".encode())

    def summary(self, result: Result) -> None:
        """The table that ends a run."""
        self.say("")
        for name, text in summary_rows(result):
            self.say(f"{name:<15}{text}")


def summary_rows(result: Result) -> list[tuple[str, str]]:
    """Names and figures of the summary."""
    rows = [("test accuracy", f"{result.accuracy:.2%}"), ("test loss", f"{result.loss:.4f}")]
    kept = result.kept
    if kept is not None:
        left = " and ".join(dict.fromkeys(kept.names))
        rows = [
            ("test accuracy", f"{result.accuracy:.2%} with {left}, {kept.accuracy:.2%} without"),
            ("test loss", f"{result.loss:.4f} with {left}, {kept.loss:.4f} without"),
        ]
    if result.validation is not None:
        rows.append(("validation", f"{result.validation:.2%}, of the images held out"))
    rows.append(("selected", "the network of the last step; test images were seen once, then"))
    if result.unreal:
        why = f"{result.unreal}: the figures mean nothing, expectations are not checked"
        rows.insert(0, ("NOT A RESULT", why))
    if result.scope:
        rows.append(
            (
                "sparsity",
                f"{result.sparsity:.2%} ({result.zeros:,} of the {result.scope:,} "
                "weights in the mask's scope)",
            )
        )
    unmasked = result.parameters - result.zeros
    rows.append(("parameters", f"{result.parameters:,}, {unmasked:,} of them not masked"))
    if kept is not None:
        share = f"; sparsity with them {result.sparsity_kept:.2%}" if result.scope else ""
        rows.append(("left in", f"{left}: {kept.parameters:,} parameters more{share}"))
    rows.append(("time", f"{result.seconds:.1f} s"))
    if result.seams:
        cost = len(result.costs)
        costs = f"{cost} of them cost{'s' if cost == 1 else ''}" if cost else "none costs"
        judged = "not judged" if result.unreal else costs
        rows.append(("seams", f"{result.seams}, {judged}"))
    if result.watching is not None:
        watching = result.watching
        took = f"{watching.seconds:.2f} s, {watching.share:.1%} of the time"
        rows.append(("watched", f"{_count(watching.looks, 'look')} at what must hold: {took}"))
    if result.keeping is not None and result.keeping.times:
        times, stood = _count(result.keeping.times, "time"), result.keeping.seconds
        rows.append(("kept", f"its state {times}; training stood still for {stood:.2f} s"))
    verdict = f"passed: {result.checks} checks, nothing left behind"
    if kept is not None:
        verdict = f"passed, with {', '.join(kept.names)} left in as the recipe says"
    if result.scope:
        verdict += ", every masked weight zero"
    rows.append(("certificate", verdict if result.certified else "FAILED"))
    rows.append(("run", str(result.folder)))
    return rows


def verdicts(result: Result) -> list[Diagnostic]:
    """What the run did not live up to: failed checks, costly seams and missed expectations."""
    failed = [diagnose("R401", reason=reason) for reason in result.failures]
    return [*failed, *result.costs] + [diagnose("R402", reason=reason) for reason in result.misses]


def sweep_lines(results: list[tuple[str, Result]]) -> list[str]:
    """A table over a sweep's runs: values, accuracy, sparsity, verdict, folder."""
    rows = [("values", "accuracy", "sparsity", "certificate", "run")]
    for values, result in results:
        verdict = "passed" if result.certified else "FAILED"
        verdict += ", missed" if result.misses else ""
        figures = (f"{result.accuracy:.2%}", f"{result.sparsity:.2%}")
        rows.append((values, *figures, verdict, str(result.folder)))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  ".join([*(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=False)), row[-1]])
        for row in rows
    ]


class Lines(Screen):
    """A line an epoch, for logs and pipes."""

    def phase(self, phase: Phase) -> None:
        self.say(
            f"{phase.name}: {_count(phase.steps, 'step')} in "
            f"{_count(len(phase.segments), 'segment')}"
        )

    def epoch(self, row: Mapping[str, Any]) -> None:
        parts = [
            f"{row['phase']} epoch {row['epoch']}",
            f"loss {row['loss']:.4f}",
            f"accuracy {row['accuracy']:.2%}",
        ]
        if "validation_accuracy" in row:
            parts.append(f"validation {row['validation_accuracy']:.2%}")
        if "sparsity" in row:
            parts.append(f"sparsity {row['sparsity']:.2%}")
        parts += [f"{row['images_per_second']:,.0f} images/s", _weights(row["weights"])]
        self.say("  ".join(filter(None, parts)))


class Bars(Screen):
    """One bar for epochs, one for steps, with loss, accuracy, images/s and stage weights."""

    def __init__(self) -> None:
        super().__init__()
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[facts]}", markup=False),
            console=self.console,
            transient=True,
        )
        self.epochs: TaskID | None = None
        self.steps: TaskID | None = None

    def started(self, program: Program, folder: Path, origin: str, device: str) -> None:
        super().started(program, folder, origin, device)
        self.bars.start()

    def phase(self, phase: Phase) -> None:
        for task in self.bars.task_ids:
            self.bars.remove_task(task)
        per_epoch = phase.clock.steps_per_epoch
        self.epochs = self.bars.add_task(f"{phase.name} epochs", total=phase.epochs, facts="")
        self.steps = self.bars.add_task("steps", total=min(per_epoch, phase.steps), facts="")

    def step(self, glimpse: Glimpse) -> None:
        if self.steps is None:
            return
        done = glimpse.step % glimpse.phase.clock.steps_per_epoch + 1
        facts = (
            f"loss {glimpse.loss:.4f}  {glimpse.rate:,.0f} images/s  {_weights(glimpse.weights)}"
        )
        self.bars.update(self.steps, completed=done, facts=facts)

    def epoch(self, row: Mapping[str, Any]) -> None:
        if self.epochs is None:
            return
        facts = f"loss {row['loss']:.4f}  accuracy {row['accuracy']:.2%}"
        if "validation_accuracy" in row:
            facts += f"  validation {row['validation_accuracy']:.2%}"
        if "sparsity" in row:
            facts += f"  sparsity {row['sparsity']:.2%}"
        self.bars.update(self.epochs, advance=1, facts=facts)

    def finished(self) -> None:
        self.bars.stop()
