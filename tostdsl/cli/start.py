"""The console script: the command line, started and ended without waiting for Python.

The collector walks over the classes of every library as they are made, and at the end all of them
are taken apart one by one; both together take as long as checking a recipe.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from types import ModuleType
from typing import NoReturn

from tostdsl.installed import declared

_LOADER = "pydantic.plugin._loader"


def script() -> NoReturn:
    """Run the command line and end the process with its status; torch ends as it wishes."""
    gc.disable()  # `tost run` enables it
    for name in ("SIGTERM", "SIGUSR1"):  # a run that has begun hears them itself
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _end)
    _skip_plugins()
    try:
        from tostdsl.cli.main import entry

        entry()
    except KeyboardInterrupt as error:  # while modules are loaded
        code = interrupted(error)
    except SystemExit as stop:
        if "torch" in sys.modules or not isinstance(stop.code, int):
            raise
        code = stop.code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


class Ended(KeyboardInterrupt):
    """A signal other than Ctrl-C's ended the command; holds its name."""


def interrupted(error: BaseException) -> int:
    """Say that a command was ended from outside; gives the exit status."""
    by = f" by {error}" if isinstance(error, Ended) else ""
    with contextlib.suppress(OSError):  # the terminal may be gone
        sys.stderr.write(f"interrupted{by}; what was running is not finished\n")
    return 143 if by else 130


def _end(number: int, _frame: object) -> NoReturn:
    raise Ended(signal.Signals(number).name)


def _skip_plugins() -> None:
    """Spare pydantic the search for plug-ins of its own where none are installed.

    It loads `importlib.metadata` for it with the first model, a tenth of the time of a check.
    """
    if _LOADER not in sys.modules and not declared("pydantic"):
        nothing = ModuleType(_LOADER)
        nothing.get_plugins = tuple  # type: ignore[attr-defined]
        sys.modules[_LOADER] = nothing
