"""`tost mask export`: the masks of a run as a file for other recipes and other programs."""

from __future__ import annotations

from pathlib import Path

import click

from tostdsl.cli.report import Named, say


@click.command("export")
@click.argument("run", type=Named(), metavar="RUN")
@click.option(
    "-o",
    "--out",
    type=Named(),
    metavar="FILE",
    help="Where to write them; NAME-PLAN.safetensors when left out. Nothing is overwritten.",
)
def command(run: Path, out: Path | None) -> int:
    """Write the masks of the run folder RUN to a safetensors file.

    It holds a tensor of 0 and 1 (1 is kept) for each weight in the mask's scope, by the weight's
    name, and a manifest: recipe, plan, counts, and the digest of each mask. The last line printed
    is the statement that uses it in a recipe. Masks alone are exported, no weights.
    """
    from tostdsl.api import export_masks

    done, line = export_masks(run, out)
    share = done.pruned / done.weights if done.weights else 0.0
    counts = f"{done.pruned:,} of {done.weights:,} weights pruned ({share:.2%})"
    say(f"{done.path}: {done.masks} masks, {counts}, of plan {done.plan.short}")
    if done.unreal:
        say(f"note: they are of no real run: {done.unreal}")
    say(line)
    return 0
