"""`tost`: finds the command, and turns whatever goes wrong into a message and an exit status.

0 done, 1 it ran and failed, 2 mistakes in a recipe or on the command line, 3 could not read,
4 an expectation was missed, 75 another process has
the run folder, 130 stopped by Ctrl-C, 143 by SIGTERM or SIGUSR1. `tost diff`: 1 they differ, 2 any
trouble.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import sys
from typing import NoReturn

import click

from tostdsl.cli.report import show, status, unexpected
from tostdsl.cli.start import interrupted
from tostdsl.diagnostics import TostError

COMMANDS = {
    "new": "Write a commented starter recipe.",
    "check": "Check recipes without training.",
    "fix": "Apply the fixes that messages offer.",
    "fmt": "Rewrite recipes in the one layout.",
    "plan": "Show what a recipe means: values, phases, timeline.",
    "diff": "Tell in what recipes, plans or runs differ, and what it means.",
    "mask": "Choose a mask without training and report its health.",
    "run": "Train a recipe and leave a run folder.",
    "resume": "Go on with a run that was stopped.",
    "verify-resume": "Kill a recipe's run at random steps, resume it, and compare.",
    "show": "Print the recipe that a run or a checkpoint is of.",
    "verify": "Repeat a run's certificate from its files.",
    "list": "List what there is: techniques, masks, models, codes.",
    "explain": "Explain a name or the code of a message.",
    "completion": "Print the completion script for a shell.",
}


FULL = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}
"""How writing to a file that a stream was redirected to fails."""


class Lazy(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tostdsl.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from tostdsl.diagnostics import nearest

        name = args[0]
        meant = None if name in COMMANDS else nearest(name, COMMANDS)
        if meant:
            ctx.fail(f"no such command `{name}`; did you mean `{meant}`?")
        return super().resolve_command(ctx, args)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tostdsl", prog_name="tost")
def tost() -> None:
    """Train sparse networks from recipes: what you wrote is what ran, and here is the proof."""


def entry() -> NoReturn:
    """Run the command line; ends by `SystemExit` with its status."""
    try:
        _called()
    except KeyboardInterrupt:  # once more, while it is still being told how it ended
        raise SystemExit(130) from None


def _called() -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # one that has no letter for `→` says `?`
            stream.reconfigure(errors="replace")
    try:
        code = tost.main(prog_name="tost", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort) as error:
        sys.exit(interrupted(error.__cause__ or error))
    except TostError as error:
        show(error.diagnostics)
        stopped = getattr(error, "status", None)  # of `engine.stops.StoppedRun`
        if stopped is not None:
            sys.exit(stopped)
        if any(d.code == "R204" for d in error.diagnostics):
            sys.exit(75)
        running = all(d.code.startswith("R") for d in error.diagnostics)
        sys.exit(1 if running else status(error.diagnostics))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # no traceback may reach a user
        if isinstance(error, OSError) and error.filename is None and error.errno in FULL:
            sys.exit(output_failed(error))
        show(unexpected(error))
        sys.exit(1)


def output_failed(error: OSError) -> int:
    """Say that what is printed cannot be written; gives the exit status."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    reason = (error.strerror or str(error)).lower()
    with contextlib.suppress(OSError):  # it may be the error stream
        show(TostError.of("R202", path="to the output", reason=reason).diagnostics)
    return 3
