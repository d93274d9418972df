"""`tost run`: train a recipe."""

from __future__ import annotations

from pathlib import Path

import click

from tostdsl.cli.progress import screen, verdicts
from tostdsl.cli.report import recipe_argument, seed_option, set_option, show, status


@click.command("run")
@recipe_argument
@set_option
@seed_option
@click.option(
    "--out", type=click.Path(path_type=Path), help="The run folder; must be new or empty."
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "mps"]),
    default="auto",
    show_default=True,
    help="Where to compute.",
)
@click.option("--data-root", type=click.Path(path_type=Path), help="Where data sets lie.")
@click.option("--download", is_flag=True, help="Fetch the data set if it is not there.")
@click.option("--fake-data", is_flag=True, help="Random images of the data set's shape instead.")
@click.option(
    "--allow-ghosts", is_flag=True, help="Certify a run whose recipe keeps ghosts to the end."
)
@click.option("--smoke", is_flag=True, help="Rehearse: cross every phase and segment in seconds.")
def command(
    recipe: Path,
    sets: dict[str, str],
    seed: int | None,
    out: Path | None,
    device: str,
    data_root: Path | None,
    download: bool,
    fake_data: bool,
    allow_ghosts: bool,
    smoke: bool,
) -> int:
    """Train a recipe and leave a run folder that proves what happened."""
    from tostdsl.compile.compiler import compile_file

    compiled = compile_file(recipe, sets, seed)
    show(compiled.diagnostics)
    code = status(compiled.diagnostics)
    if code:
        return code
    assert compiled.recipe is not None
    if len(compiled.variants) > 1 and out is not None:
        raise click.UsageError("a recipe with sweeps makes several runs; leave `--out` out")
    from tostdsl.engine.run import RunOptions, run

    options = RunOptions(out, device, data_root, download, fake_data, smoke, allow_ghosts)
    worst = 0
    for variant in compiled.variants:
        if variant.plan is None:
            continue
        observer = screen()
        result = run(variant.plan, options, observer, compiled.recipe.sources)
        observer.summary(result)
        show(verdicts(result))
        worst = max(worst, 1 if not result.certified else 4 if result.misses else 0)
    return worst
