"""`tost verify`: a run's certificate once more, from its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tostdsl.cli.report import code_option, say, show, status
from tostdsl.diagnostics import TostError, diagnose

if TYPE_CHECKING:
    from tostdsl.engine.verify import Verdict
    from tostdsl.engine.verify.evidence import Group


@click.command("verify")
@click.argument("run", type=click.Path(readable=False, path_type=Path), metavar="RUN")
@click.option(
    "--allow-ghosts", is_flag=True, help="Let pass what the recipe keeps to the end (`keep=yes`)."
)
@code_option
@click.option("--evaluate", is_flag=True, help="Measure the test accuracy again, too.")
@click.option(
    "--data-root",
    type=click.Path(path_type=Path),
    help="Where data sets lie; measures the test accuracy again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print every check as JSON.")
def command(
    run: Path,
    allow_ghosts: bool,
    allow_code: bool,
    evaluate: bool,
    data_root: Path | None,
    as_json: bool,
) -> int:
    """Repeat the certificate of the run folder RUN from its files.

    Nothing of the training is needed, nothing is written, and nothing in the folder is trusted or
    run; Python code that its plan names is only with `--allow-code`. Exits with 0 when all of it
    holds, 1 when something does not or the run never came to its end, 3 when there is no run or its
    plan needs another version, a plug-in, or code that is not here.
    """
    from tostdsl.api import verify
    from tostdsl.engine.verify import VerifyOptions

    try:
        verdict = verify(run, VerifyOptions(allow_ghosts, evaluate, data_root, allow_code))
    except TostError as error:
        show(error.diagnostics)
        return status(error.diagnostics) if _unreadable(error) else 1
    if as_json:
        click.echo(json.dumps(verdict.to_json(), indent=2, sort_keys=True))
    else:
        for line in lines(verdict):
            say(line)
    show([diagnose("R403", group=group, reason=reason) for group, reason in verdict.failures])
    show(verdict.refused)
    if verdict.failures:
        return 1
    return status(verdict.refused)


def _unreadable(error: TostError) -> bool:
    return all(d.code == "R411" for d in error.diagnostics)


def lines(verdict: Verdict) -> list[str]:
    """A line a group, its notes below it, and the verdict."""
    found = [f"{'run':<13}{verdict.folder}"]
    for group in verdict.groups:
        found.append(f"{group.name:<13}{_said(group)}")
        found += [f"{'':<13}note: {note}" for note in group.notes]
    if verdict.passed:
        word = f"verified, plan {verdict.fingerprint[:8]}"
    else:
        word = "NOT VERIFIED" if verdict.failures else "not verified here"
    return [*found, f"{'verdict':<13}{word}"]


def _said(group: Group) -> str:
    failed = len(group.failures)
    if not failed:
        return group.said or ("as it should be" if group.checks else "not looked at")
    return f"FAILED: {failed} of {len(group.checks)} checks"
