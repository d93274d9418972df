"""`tost mask`: a recipe's mask without the training, or that of a run, and its health."""

from __future__ import annotations

import gc
import importlib
import json
import os
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tostdsl.cli.files import STDIN, compiled, write_text
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
from tostdsl.diagnostics import TostError

if TYPE_CHECKING:
    from tostdsl.engine.checkup import Checkup

SUBCOMMANDS: dict[str, str] = {
    "export": "Write the masks of a run to a file of their own.",
}
"""What each does, by the word that calls for it: the `command` of the module of that name here.

Any other first word is a recipe.
"""


class Mask(click.Command):
    """The command itself, unless its first word is one of the subcommands."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: object,
    ) -> click.Context:
        """The context of this command, or of the subcommand that is meant."""
        if args and args[0] in SUBCOMMANDS:
            meant: click.Command = importlib.import_module(f"tostdsl.cli.{args[0]}").command
            return meant.make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The subcommands, below the options."""
        if SUBCOMMANDS:
            with formatter.section("Commands"):
                formatter.write_dl(list(SUBCOMMANDS.items()))


@click.command("mask", cls=Mask)
@recipe_argument
@set_option
@set_file_option
@seed_option
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
@code_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the report.",
)
@click.option("--picture", type=Named(), metavar="FILE", help="Draw the densities, as SVG.")
def command(
    recipe: Path,
    sets: dict[str, str],
    set_file: Path | None,
    seed: int | None,
    device: str,
    data_root: Path | None,
    download: bool,
    fake_data: bool,
    allow_code: bool,
    form: str,
    picture: Path | None,
) -> int:
    """Choose the mask of a recipe without training, and report its health.

    RECIPE may be `-` for standard input, or the folder of a finished run, whose mask and weights
    are then looked at. Images are loaded only for methods that look at some. Layer collapse is an
    error (T507) unless the mask has `allow=collapse`; the report is printed all the same.
    """
    if recipe.is_dir():
        given = (sets, set_file, data_root, download, fake_data, device != "auto")
        if any(given) or seed is not None:
            raise click.UsageError(
                "a run is looked at as it is: only `--format`, `--picture` and `--allow-code`"
            )
        return _told([("", _run(recipe, allow_code))], form, picture)
    made = compiled(recipe, sets, seed, set_file)
    show(made.diagnostics)
    code = status(made.diagnostics)
    if code:
        return code
    if picture is not None and len(made.variants) > 1:
        raise click.UsageError(_of_several(recipe, len(made.variants)))
    from tostdsl.plan.code import refuse_code

    refuse_code(made.plans, allow_code, data=not fake_data)
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as `tost run`, on a busy machine
    from tostdsl.api import checkup

    gc.enable()
    from tostdsl.engine.start import DataOptions

    at_once = partial(say, err=True)  # some scores take minutes
    data = DataOptions(data_root, download, fake_data)
    found = []
    for variant in made.variants:
        assert variant.plan is not None
        values = ", ".join(f"{name} = {text}" for name, text in variant.values.items())
        found.append(
            (values, checkup(variant.plan, data, device, allow_code=allow_code, say=at_once))
        )
    return _told(found, form, picture)


def _run(folder: Path, allow_code: bool) -> Checkup:
    from tostdsl.api import checkup_run

    try:
        return checkup_run(folder, allow_code=allow_code)
    except TostError as error:
        if not all(d.code in ("R411", "R413") for d in error.diagnostics):
            raise
        show(error.diagnostics)
        raise click.exceptions.Exit(status(error.diagnostics)) from None


def _of_several(recipe: Path, count: int) -> str:
    """Why a sweep is not drawn, and how one of its runs is."""
    stem = "plan" if recipe == STDIN else recipe.stem
    save = shlex.join(["tost", "plan", str(recipe), "-o", f"{stem}.json"])
    return (
        f"`--picture` draws one mask, and this sweep has {count} runs: `{save}` saves a plan for "
        f"each, and `tost mask` takes one, such as `{stem}-001.json`"
    )


def _told(found: Sequence[tuple[str, Checkup]], form: str, picture: Path | None) -> int:
    """Print what was found, a report a run of a sweep; gives the exit status."""
    if picture is not None and not found[0][1].found:
        raise click.UsageError("`--picture` has nothing to draw: training finds this mask")
    if form == "json":
        content = [each.to_json() | ({"sweep": v} if v else {}) for v, each in found]
        shown = content[0] if len(content) == 1 else content
        click.echo(json.dumps(shown, indent=2, sort_keys=True))
    else:
        _print(found)
    if picture is not None:
        _draw(found, picture)
    for _, each in found:
        show(each.findings)
    return max(status(each.findings) for _, each in found)


def _print(found: Sequence[tuple[str, Checkup]]) -> None:
    from tostdsl.cli.health import health_lines
    from tostdsl.diagnostics.render import terminal_width

    for index, (values, each) in enumerate(found, 1):
        if values:
            say(f"-- {index} of {len(found)}: {values}")
        click.echo("\n".join(health_lines(each, min(110, terminal_width()))))
        if index < len(found):
            click.echo()


def _draw(found: Sequence[tuple[str, Checkup]], path: Path) -> None:
    from tostdsl.engine.bars import density_bars

    rows = [
        (layer.name, float(layer.density), f"{layer.kept:,} of {layer.total:,}")
        for layer in found[0][1].report.layers
    ]
    title = f"{found[0][1].plan.name}: density of each layer"
    write_text(path, density_bars(title, rows))
