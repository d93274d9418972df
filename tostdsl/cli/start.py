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
    if hasattr(signal, "SIGUSR1"):  # a run hears it later; until then it ends as by SIGTERM
        signal.signal(signal.SIGUSR1, lambda *_: os._exit(143))
    _skip_plugins()
    try:
        from tostdsl.cli.main import entry

        entry()
    except KeyboardInterrupt:  # while modules are loaded
        sys.stderr.write("interrupted\n")
        code = 130
    except SystemExit as stop:
        if "torch" in sys.modules or not isinstance(stop.code, int):
            raise
        code = stop.code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _skip_plugins() -> None:
    """Spare pydantic the search for plug-ins of its own where none are installed.

    It loads `importlib.metadata` for it with the first model, a tenth of the time of a check.
    """
    if _LOADER not in sys.modules and not declared("pydantic"):
        nothing = ModuleType(_LOADER)
        nothing.get_plugins = tuple  # type: ignore[attr-defined]
        sys.modules[_LOADER] = nothing
