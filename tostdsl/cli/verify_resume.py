"""`tost verify-resume`: kill a recipe's run again and again, and see whether it ends the same."""

from __future__ import annotations

import os
import tempfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import click

from tostdsl.cli.every import NONE, checkpoint_option, interval
from tostdsl.cli.files import compiled
from tostdsl.cli.how import how_options
from tostdsl.cli.report import (
    Named,
    code_option,
    recipe_argument,
    say,
    set_file_option,
    set_option,
    show,
    status,
)
from tostdsl.diagnostics import TostError, diagnose


class Steps(click.ParamType[tuple[int, ...]]):
    """`3,17`."""

    name = "steps"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in str(value).split(",")]
        if not all(word.isascii() and word.isdigit() and int(word) for word in words):
            self.fail(f"`{value}` is no list of steps such as `3,17`", param, ctx)
        return tuple(map(int, words))


@click.command("verify-resume")
@recipe_argument
@set_option
@set_file_option
@click.option("--kills", type=click.IntRange(min=1), metavar="N", help="How many.  [default: 5]")
@click.option(
    "--seed",
    "draw",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Draws where they land; the recipe's own seed stays.",
)
@click.option(
    "--steps",
    type=Steps(),
    metavar="N,…",
    help="Kill after these steps of the whole program instead.",
)
@click.option("--full", is_flag=True, help="The whole training; else its rehearsal.")
@checkpoint_option
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="cpu",
    show_default=True,
    help="Where to compute.",
)
@how_options
@click.option("--data-root", type=Named(), help="Where data sets lie.")
@click.option("--download", is_flag=True, help="Fetch the data set if it is not there.")
@click.option("--fake-data", is_flag=True, help="Random images of the data set's shape instead.")
@code_option
@click.option("--keep-folders", is_flag=True, help="Leave both runs where they are, and say where.")
def command(
    recipe: Path,
    sets: dict[str, str],
    set_file: Path | None,
    kills: int | None,
    draw: int,
    steps: tuple[int, ...] | None,
    full: bool,
    checkpoint: tuple[float, str] | None,
    device: str,
    how: dict[str, bool],
    data_root: Path | None,
    download: bool,
    fake_data: bool,
    allow_code: bool,
    keep_folders: bool,
) -> int:
    """Kill RECIPE's run at random steps, resume it each time, and compare it with one unstopped.

    Both train in processes of their own, in scratch folders; every kill is a `kill -9`, half of
    them while a checkpoint is written. Compared are network, masks, the optimizer's state, outputs,
    certificate, rows and figures. Without `--checkpoint` a rehearsal keeps its state every 3 steps,
    a whole training every epoch. Exits with 0 when all is the same to the bit, else with 1.
    """
    if kills is not None and steps is not None:
        raise click.UsageError("`--steps` says where to kill; leave `--kills` out")
    if checkpoint == NONE:
        raise click.UsageError("a run that keeps no state cannot be resumed")
    made = compiled(recipe, sets, None, set_file)
    show(made.diagnostics)
    if code := status(made.diagnostics):
        return code
    if len(made.variants) > 1:
        raise click.UsageError(
            f"the recipe is a sweep of {len(made.variants)} runs; one is verified at a time"
        )
    from tostdsl.plan.code import refuse_code

    refuse_code(made.plans, allow_code, data=not fake_data)
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `tost run` does
    from tostdsl.engine.execution import Execution
    from tostdsl.engine.run import RunOptions
    from tostdsl.engine.trial import EPOCH, KILLS, REHEARSED, Trial, listening

    (variant,) = made.variants
    assert variant.plan is not None
    every = interval(checkpoint) if checkpoint else EPOCH if full else REHEARSED
    options = RunOptions(
        device=device,
        data_root=data_root,
        download=download,
        fake_data=fake_data,
        smoke=not full,
        allow_ghosts=True,
        allow_code=allow_code,
        checkpoint=every,
        execution=Execution(**how),
    )
    with listening(), _scratch(keep_folders) as scratch:
        trial = Trial(variant.plan, Path(scratch), options, kills or KILLS, draw, steps or (), say)
        try:
            found = trial.run()
        except TostError as error:
            if hasattr(error, "status"):  # it was stopped from outside
                raise
            raise TostError(variant.placed(error).diagnostics) from None
        finally:
            if keep_folders:
                say(f"kept: {trial.unstopped} and {trial.killed}")
    count = f"{len(found.kills)} kills" if len(found.kills) != 1 else "1 kill"
    if found.differences:
        more = len(found.differences) - 1
        also = f", and {more} more differences" if more > 1 else ", and one more" if more else ""
        show([diagnose("R720", what=f"{found.differences[0]}{also}")])
        return 1
    what = f"a {'training' if full else 'rehearsal'} of {found.steps} steps"
    say(f"the same to the bit after {count}: {what}, plan {variant.plan.short}")
    return 0


def _scratch(keep: bool) -> AbstractContextManager[str]:
    """A folder of its own, which goes again unless it is to be kept."""
    prefix = "tost-verify-resume-"
    if keep:
        return nullcontext(tempfile.mkdtemp(prefix=prefix))
    return tempfile.TemporaryDirectory(prefix=prefix)
