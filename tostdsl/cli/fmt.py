"""`tost fmt`: the one layout."""

from __future__ import annotations

from pathlib import Path

import click

from tostdsl.cli.report import show, status
from tostdsl.diagnostics import TostError


@click.command("fmt")
@click.argument("recipes", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", "only_check", is_flag=True, help="Only say which files would change.")
def command(recipes: tuple[Path, ...], only_check: bool) -> int:
    """Rewrite recipes in the one layout; a file with mistakes is left as it is."""
    from tostdsl.api import format_file

    worst = 0
    for path in recipes:
        try:
            source, text, found = format_file(path)
        except TostError as error:
            show(error.diagnostics)
            worst = max(worst, status(error.diagnostics))
            continue
        show(found)
        if text is None:
            worst = max(worst, 2)
        elif path.read_bytes() == text.encode():
            continue
        elif only_check:
            click.echo(f"{path}: would be laid out anew")
            worst = max(worst, 1)
        else:
            try:
                path.write_bytes(text.encode())
            except OSError as error:
                raise TostError.of("R202", path=path, reason=error.strerror) from None
            click.echo(f"{path}: laid out")
        del source
    return worst
