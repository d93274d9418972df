"""`tost run`: train a recipe."""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tostdsl.cli.every import checkpoint_option, interval
from tostdsl.cli.files import compiled
from tostdsl.cli.how import how_options
from tostdsl.cli.progress import screen, sweep_lines, verdicts
from tostdsl.cli.report import (
    Named,
    code_option,
    recipe_argument,
    say,
    seed_option,
    set_file_option,
    set_option,
    show,
    status,
)
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.marker import end_of

if TYPE_CHECKING:
    from tostdsl.engine.observer import Result


@click.command("run")
@recipe_argument
@set_option
@set_file_option
@seed_option
@click.option(
    "--out",
    type=Named(),
    help="The run folder; must be new or empty. A sweep's runs go into numbered folders below it.",
)
@click.option(
    "--from",
    "begin_from",
    type=Named(),
    metavar="RUN",
    help="Begin at the newest checkpoint of that run up to which the plans are the same.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where to compute.",
)
@click.option("--data-root", type=Named(), help="Where data sets lie.")
@click.option("--download", is_flag=True, help="Fetch the data set if it is not there.")
@click.option("--fake-data", is_flag=True, help="Random images of the data set's shape instead.")
@click.option(
    "--allow-ghosts", is_flag=True, help="Certify a run whose recipe keeps ghosts to the end."
)
@code_option
@click.option(
    "--trace",
    type=click.Choice(["gradients"]),
    help="Write gradient norms and dead units, with and without each ghost or skip, and draw them.",
)
@click.option(
    "--trace-every",
    type=click.IntRange(min=1),
    metavar="N",
    help="Trace every N steps, and where stages come and go.  [default: 50, fewer in a short run]",
)
@checkpoint_option
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="How many checkpoints stay, besides the best on held-out images.",
)
@click.option(
    "--paranoid",
    is_flag=True,
    help="Look at masks, gradients, moments and weights of stages after every step, not every 100.",
)
@how_options
@click.option("--smoke", is_flag=True, help="Rehearse: cross every phase and segment in seconds.")
def command(
    recipe: Path,
    sets: dict[str, str],
    set_file: Path | None,
    seed: int | None,
    out: Path | None,
    begin_from: Path | None,
    device: str,
    data_root: Path | None,
    download: bool,
    fake_data: bool,
    allow_ghosts: bool,
    allow_code: bool,
    trace: str | None,
    trace_every: int | None,
    checkpoint: tuple[float, str] | None,
    keep: int,
    paranoid: bool,
    how: dict[str, bool],
    smoke: bool,
) -> int:
    """Train a recipe and leave a run folder that proves what happened.

    RECIPE may be `-` for standard input, or a plan saved by `tost plan RECIPE -o FILE.json`.
    """
    if trace_every is not None and trace is None:
        raise click.UsageError("`--trace-every` says how often to trace; add `--trace gradients`")
    made = compiled(recipe, sets, seed, set_file)
    # leave to keep ghosts is given, so that nothing fails for it
    show(d for d in made.diagnostics if not (allow_ghosts and d.code == "W026"))
    code = status(made.diagnostics)
    if code:
        return code
    assert made.recipe is not None
    from tostdsl.plan.code import refuse_code

    refuse_code(made.plans, allow_code, data=not fake_data)
    # threads that wait for one another give their core up soon: on a busy machine the default
    # burns it for minutes, while not spinning at all doubles the time on an idle one
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    from tostdsl.api import given, refuse_apart, run

    gc.enable()  # from here on there is enough to collect
    from tostdsl.engine.execution import Execution
    from tostdsl.engine.run import RunOptions
    from tostdsl.engine.watch import EVERY

    if begin_from is not None and len(made.plans) > 1:  # before the first of them is trained
        for plan in made.plans:
            refuse_apart(plan, begin_from)
    results: list[tuple[str, Result]] = []
    for index, variant in enumerate(made.variants, 1):
        assert variant.plan is not None
        values = ", ".join(f"{name} = {text}" for name, text in variant.values.items())
        if values:
            say(f"-- {index} of {len(made.variants)}: {values}")
        where = out / f"{index:03d}" if out is not None and values else out
        options = RunOptions(
            where, device, data_root, download, fake_data, smoke, allow_ghosts,
            (trace_every or 0) if trace else None, allow_code, interval(checkpoint), keep,
            1 if paranoid else EVERY,
            Execution(**how),
        )  # fmt: skip
        observer = screen()
        said = given(made.recipe, seed, made.plan_file)
        sources = made.recipe.sources if made.plan_file is None else ()
        try:
            result = run(variant.plan, options, observer, sources, said, begin_from)
        except TostError as error:
            if hasattr(error, "status"):  # it was stopped from outside
                raise
            found = variant.placed(error).diagnostics
            raise TostError(_taken(d, where) for d in found) from None
        observer.summary(result)
        show(verdicts(result))
        results.append((values, result))
    if len(results) > 1:
        click.echo("\n" + "\n".join(sweep_lines(results)))
    return max(1 if not r.certified else 4 if r.misses else 0 for _, r in results)


def _taken(diagnostic: Diagnostic, folder: Path | None) -> Diagnostic:
    """The report of a folder that holds a run, with how that one ended and so what to do."""
    if diagnostic.code != "R201" or folder is None:
        return diagnostic
    end = end_of(folder)
    if end == "finished":
        help = "that run is finished: choose another folder with `--out`"
    else:
        said = _ENDED.get(end, "has not come to its end: it is still at work, or was killed")
        help = (
            f"that run {said}; go on with it by `tost resume {folder}`, or choose another folder "
            "with `--out`"
        )
    return replace(diagnostic, help=help)


_ENDED = {"failed": "failed", "interrupted": "was interrupted", "stopped": "was stopped"}
