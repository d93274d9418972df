"""`tost fmt`: the one layout."""

from __future__ import annotations

from pathlib import Path

import click

from tostdsl.cli.complete import recipes
from tostdsl.cli.files import STDIN, recipe_files, show_diff, source_of, write_text
from tostdsl.cli.report import Named, say, show, status
from tostdsl.diagnostics import Diagnostic, TostError


@click.command("fmt")
@click.argument(
    "paths",
    nargs=-1,
    type=Named(),
    shell_complete=recipes,
)
@click.option("--check", "only_check", is_flag=True, help="Only say which files would change.")
@click.option("--diff", is_flag=True, help="Print what would change, and write nothing.")
@click.option("--stdin", is_flag=True, help="Read standard input, write standard output.")
def command(paths: tuple[Path, ...], only_check: bool, diff: bool, stdin: bool) -> int:
    """Rewrite recipes in the one layout; a file with mistakes is left as it is.

    PATHS are recipes, folders of them, or `-`, which is the same as --stdin. Exits with 0 when
    all is laid out, 1 when --check or --diff found what would change or a file could not be
    written, 2 for mistakes, 3 when something could not be read; of several the highest.
    """
    if stdin and paths:
        raise click.UsageError("`--stdin` takes no paths")
    if not stdin and not paths:
        raise click.UsageError("name recipes or folders, or use `--stdin`")
    worst = 0
    for item in recipe_files([STDIN] if stdin else paths):
        try:
            code = _one(item, only_check, diff)
        except TostError as error:
            show(error.diagnostics)
            code = status(error.diagnostics)
            if all(d.code == "R202" for d in error.diagnostics):
                code = 1
        worst = max(worst, code)
    return worst


def _one(item: Path | Diagnostic, only_check: bool, diff: bool) -> int:
    """Lay out one file; gives its exit status."""
    from tostdsl.api import format_text

    if isinstance(item, Diagnostic):
        raise TostError([item])
    source = source_of(item)
    text, found = format_text(source)
    show(found)
    if text is None or any(d.severity == "error" for d in found):
        return 2
    piped = item == STDIN
    before = source.text if piped else _written(item)
    if diff:
        show_diff(before, text, source.name)
    elif piped and not only_check:
        click.echo(text, nl=False)
        return 0
    if before == text:
        return 0
    if only_check:
        say(f"{source.name}: would be laid out anew", err=diff or piped)
    if only_check or diff:
        return 1
    write_text(item, text)
    say(f"{item}: laid out")
    return 0


def _written(path: Path) -> str:
    """A file's text with its line ends as they are, a byte-order mark too."""
    return path.read_bytes().decode()
