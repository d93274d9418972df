"""What `tost plan` and the start of `tost run` show of a plan."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from tostdsl.compile.print import call_text
from tostdsl.diagnostics.screen import printable
from tostdsl.plan.plan import stage_names
from tostdsl.plan.program import Program, lower
from tostdsl.plan.timeline import phase_table, timeline

if TYPE_CHECKING:
    from tostdsl.compile.recipe import Recipe
    from tostdsl.plan.plan import Plan


MIN_TEXT = 60
"""Columns that a plan's values may take on the narrowest terminal."""


def plan_lines(plan: Plan, recipe: Recipe | None, width: int = 88) -> list[str]:
    """The plan's values (defaults marked), its phases and its timeline."""
    title = f" — {plan.title}" if plan.title else ""
    lines = [printable(f"{plan.name}{title}"), f"plan {plan.fingerprint}", ""]
    for word, text in _values(plan):
        given = not word or recipe is None or word in recipe.slots or word in recipe.settings
        lines += _row(word, text + ("" if given else "   (default)"), width)
    for name, stage in zip(stage_names(plan), plan.stages, strict=True):
        where = " ".join(filter(None, [str(stage.window), str(stage.targets)]))
        text = f"{call_text(stage.technique, complete=True)} {where}"
        lines += _row("stage", text if name == stage.technique.name else f"{name}: {text}", width)
    lines += [f"  {'expect':<10} {expect}" for expect in plan.expect]
    facts = plan.data.facts()
    if facts is None:
        lines += ["", "  The timeline needs the data's size, which is known once it is loaded."]
        return lines
    return [*lines, *program_lines(lower(plan, plan.data.steps_per_epoch(facts.train_size)), width)]


def _row(word: str, text: str, width: int) -> list[str]:
    """A word and what is said of it, on as many lines as that takes."""
    return textwrap.wrap(
        text.rstrip(),
        max(MIN_TEXT, width),
        initial_indent=f"  {word:<10} ",
        subsequent_indent=" " * 13,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _values(plan: Plan) -> list[tuple[str, str]]:
    rows = [
        ("model", call_text(plan.model, complete=True)),
        ("data", call_text(plan.data, complete=True)),
    ]
    if plan.mask is not None:
        scope = str(plan.mask.targets)
        rows.append(("mask", f"{call_text(plan.mask.method, complete=True)} {scope}"))
        rows.append(
            (
                "",
                "sparsity is a share of these layers' weights; biases and normalisation "
                "are never masked",
            )
        )
    else:
        rows.append(("mask", "none: dense training"))
    return [
        *rows,
        ("optimizer", call_text(plan.optimizer, complete=True)),
        ("schedule", call_text(plan.schedule, complete=True)),
        ("train", f"for {plan.train}"),
        ("seed", str(plan.seed)),
        ("precision", plan.precision),
    ]


def program_lines(program: Program, width: int = 88) -> list[str]:
    """Phases with their cost, then the final training's timeline."""
    table = phase_table(program)
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    shown = table if len(table) <= 6 else [*table[:2], ("…", "", "", ""), *table[-2:]]
    lines = ["", "phases"]
    for name, length, steps, words in shown:
        line = f"  {name:<{widths[0]}}  {length:>{widths[1]}}  {steps:>{widths[2]}}  {words}"
        lines.append(line.rstrip())
    if len(table) > 1:
        last = program.phases[-1].steps
        lines.append(
            f"  in all {program.steps:,} steps, {program.steps / last:.1f} times the final training"
        )
    return [*lines, "", "timeline of the final training", *timeline(program, width)]
