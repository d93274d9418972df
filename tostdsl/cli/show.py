"""`tost show`: the recipe that a run or a checkpoint is of."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tostdsl.cli.report import Named, say, show, status
from tostdsl.diagnostics import TostError, diagnose

if TYPE_CHECKING:
    from tostdsl.engine.provenance import Kept


@click.command("show")
@click.argument("path", type=Named(), metavar="RUN|CHECKPOINT")
@click.option(
    "--all", "everything", is_flag=True, help="What it extends, too, each under its name."
)
@click.option("--plan", "printed", is_flag=True, help="The plan as one recipe, all of it settled.")
@click.option("--json", "as_json", is_flag=True, help="The texts, the plan, what was set, as JSON.")
def command(path: Path, everything: bool, printed: bool, as_json: bool) -> int:
    """Print the recipe of a run folder, or of a checkpoint (RUN/ckpt/step-…), as it was written.

    Of a checkpoint that was copied elsewhere, too. What was set from outside of the recipe is told
    on the error stream; `--json` also tells why the run's figures mean nothing (`unreal`), if so.
    Exits with 3 when there is no recipe to show.
    """
    if sum((everything, printed, as_json)) > 1:
        raise click.UsageError("`--all`, `--plan` and `--json` are three ways to show it: give one")
    from tostdsl.engine.provenance import kept

    try:
        found = kept(path)
    except TostError as error:
        show(error.diagnostics)
        return status(error.diagnostics)
    show(diagnose("R606", path=path / name, what=_state(found, name)) for name in found.changed)
    if as_json:
        click.echo(json.dumps(_json(found), indent=2, sort_keys=True))
        return 0
    if printed:
        _put(found.printed)
        return 0
    if said := _given(found):
        say(f"set from outside: {said}", err=True)
    if not everything:
        _put(found.texts[found.top])
        return 0
    for name, text in found.texts.items():
        if name != found.top:
            click.echo()
        say(f"-- {name}")
        _put(text)
    return 0


def _state(found: Kept, name: str) -> str:
    return "is not as the run wrote it" if name in found.texts else "is not there any more"


def _put(content: bytes) -> None:
    """Print a text byte for byte; on a terminal, without what controls it."""
    if sys.stdout.isatty():
        say(content.decode("utf-8", "replace").removesuffix("\n"))
    else:
        click.echo(content, nl=False)


def _json(found: Kept) -> dict[str, object]:
    texts = {name: text.decode("utf-8", "replace") for name, text in found.texts.items()}
    known = {name: found.plan.get(name) for name in ("fingerprint", "given", "plan")}
    more = {"changed": list(found.changed), "unreal": found.unreal}
    return {**known, "recipe": found.top, "texts": texts, **more}


def _given(found: Kept) -> str:
    """What was set from outside of the recipe, in words."""
    given = found.plan.get("given")
    if not isinstance(given, dict):
        return ""
    params = given.get("params")
    words = [f"{k} = {v}" for k, v in params.items()] if isinstance(params, dict) else []
    if given.get("seed") is not None:
        words.append(f"seed {given['seed']}")
    return ", ".join(words)
