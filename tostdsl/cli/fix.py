"""`tost fix`: what messages offer, done."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tostdsl.cli.files import (
    PIPED,
    STDIN,
    paths_argument,
    recipe_files,
    show_diff,
    source_of,
    write_text,
)
from tostdsl.cli.report import say, seed_option, set_file_option, set_option, show, status
from tostdsl.diagnostics import Diagnostic, TostError, diagnose

if TYPE_CHECKING:
    from tostdsl.compile.fix import Fixed
    from tostdsl.source import Source


@click.command("fix")
@paths_argument
@set_option
@set_file_option
@seed_option
@click.option("--diff", is_flag=True, help="Print what would change, and write nothing.")
@click.option("--all", "look", is_flag=True, help="Also the fixes that need a look.")
def command(
    paths: tuple[Path, ...],
    sets: dict[str, str],
    set_file: Path | None,
    seed: int | None,
    diff: bool,
    look: bool,
) -> int:
    """Apply the certain fixes of every mistake and warning, then say what is left.

    PATHS are recipes, folders of them, or `-` to fix standard input onto standard output. Only
    the files named are changed, never what they extend, and none is left with more mistakes than
    it had. Exits with 0 when no mistake is left, 1 when --diff found what would change or a file
    could not be written, 2 for mistakes that are left, 3 when something could not be read; of
    several the highest.
    """
    from tostdsl.api import fix

    params = source_of(set_file) if set_file is not None else None
    worst = 0
    for item in recipe_files(paths):
        try:
            code = _one(
                item, diff, lambda source, path: fix(source, path, sets, look, params, seed)
            )
        except TostError as error:
            show(error.diagnostics)
            code = status(error.diagnostics)
            if all(d.code == "R202" for d in error.diagnostics):
                code = 1
        worst = max(worst, code)
    return worst


def _one(item: Path | Diagnostic, diff: bool, fix: Callable[[Source, Path | None], Fixed]) -> int:
    """Fix one file; gives its exit status."""
    if isinstance(item, Diagnostic):
        raise TostError([item])
    piped = item == STDIN
    source = source_of(item)
    fixed = fix(source, PIPED if piped else item)
    code = status(fixed.found)
    changed = fixed.source.text != source.text
    if diff:
        show_diff(source.text, fixed.source.text, source.name)
        code = max(code, int(changed))
    elif piped:
        click.echo(fixed.source.text, nl=False)
    elif changed:
        write_text(item, _as_before(item, fixed.source.text))
    show([*fixed.found, *fixed.refused])
    if changed and not piped and not diff:
        say(f"{item}: {_count(fixed.applied)} applied")
    if fixed.unfinished:
        show([diagnose("R604", path=source.name, applied=_count(fixed.applied))])
    if fixed.offered:
        one = fixed.offered == 1
        click.echo(
            f"{source.name}: {_count(fixed.offered)} {'needs' if one else 'need'} a look; "
            f"`--all` applies {'it' if one else 'them'}",
            err=True,
        )
    return code


def _as_before(path: Path, text: str) -> str:
    """The text with the line ends and the byte-order mark that the file has."""
    data = path.read_bytes()
    if b"\r\n" in data:
        text = text.replace("\n", "\r\n")
    return "\ufeff" + text if data.startswith(codecs.BOM_UTF8) else text


def _count(fixes: int) -> str:
    return f"{fixes} {'fix' if fixes == 1 else 'fixes'}"
