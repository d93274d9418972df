"""`tost resume`: go on with a run that was stopped."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import click

from tostdsl.cli.every import checkpoint_option, interval
from tostdsl.cli.files import compiled
from tostdsl.cli.how import how_options
from tostdsl.cli.progress import screen, verdicts
from tostdsl.cli.report import Named, code_option, set_option, show, status


@click.command("resume")
@click.argument("run", type=click.Path(readable=False, path_type=Path), metavar="RUN")
@click.option(
    "--recipe",
    type=Named(),
    metavar="FILE",
    help="A recipe that must mean the same as the run's plan; the differences are shown.",
)
@set_option
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    help="Where to compute.  [default: where the run began]",
)
@click.option("--data-root", type=Named(), help="Where data sets lie.")
@click.option("--download", is_flag=True, help="Fetch the data set if it is not there.")
@code_option
@checkpoint_option
@how_options
def command(
    run: Path,
    recipe: Path | None,
    sets: dict[str, str],
    device: str | None,
    data_root: Path | None,
    download: bool,
    allow_code: bool,
    checkpoint: tuple[float, str] | None,
    how: dict[str, bool],
) -> int:
    """Go on with the run in the folder RUN from its newest sound checkpoint.

    It ends with the bits that it would have had without the stop. Checkpoints that are damaged are
    named and passed over; without a sound one nothing is started. How many stay, and how often it
    is looked at what must hold, is as the run was started.
    """
    edited = None
    if recipe is not None:
        made = compiled(recipe, sets, None, None)
        show(made.diagnostics)
        if code := status(made.diagnostics):
            return code
        edited = made.plans
    elif sets:
        raise click.UsageError("`--set` belongs to `--recipe`")
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `tost run` does
    from tostdsl.api import resume

    gc.enable()
    from tostdsl.engine.resume import ResumeOptions

    every: Any = interval(checkpoint) or "none" if checkpoint else None
    options = ResumeOptions(device, data_root, download, allow_code, every, how)
    observer = screen()
    result = resume(run, options, observer, edited)
    observer.summary(result)
    show(verdicts(result))
    return 1 if not result.certified else 4 if result.misses else 0
