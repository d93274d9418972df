"""The console script: the command line, started and ended without waiting for Python.

The collector walks over the classes of every library as they are made, and at the end all of them
are taken apart one by one; both together take as long as checking a recipe.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from typing import NoReturn


def script() -> NoReturn:
    """Run the command line and end the process with its status; torch ends as it wishes."""
    gc.disable()  # `tost run` enables it
    try:
        from tostdsl.cli.main import entry

        entry()
    except SystemExit as stop:
        if "torch" in sys.modules or not isinstance(stop.code, int):
            raise
        code = stop.code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
