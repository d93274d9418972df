"""Checks, plans, formats and fixes one input in this process: seconds and megabytes as JSON."""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from pathlib import Path

from tests.fuzz.nasty import NASTY
from tostdsl.api import fix
from tostdsl.cli.screen import plan_lines
from tostdsl.compile.compiler import compile_source
from tostdsl.diagnostics.render import render_all
from tostdsl.source import Source
from tostdsl.syntax.format import format_text


def peak() -> float:
    """The most memory this process had, in MiB.

    Linux counts into `ru_maxrss` what the process was forked from: a test runner with torch.
    """
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text()) if status.exists() else None
    used = int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1024


def main(name: str) -> None:
    """Measure an input by its name."""
    text = NASTY[name]()
    before = time.process_time()
    compiled = compile_source(Source("nasty.tost", text))
    checked = time.process_time()
    shown = len(render_all(compiled.diagnostics))
    rendered = time.process_time()
    format_text(Source("nasty.tost", text))
    formatted = time.process_time()
    if not compiled.errors:
        for variant in compiled.variants[:1]:
            assert variant.plan is not None
            plan_lines(variant.plan, variant.recipe)
    planned = time.process_time()
    codes = sorted({diagnostic.code for diagnostic in compiled.diagnostics})
    del compiled  # each command is a process of its own
    fix(Source("nasty.tost", text))
    fixed = time.process_time()
    megabytes = peak()
    sys.stdout.write(
        json.dumps(
            {
                "name": name,
                "check": round(checked - before, 2),
                "show": round(rendered - checked, 2),
                "format": round(formatted - rendered, 2),
                "plan": round(planned - formatted, 2),
                "fix": round(fixed - planned, 2),
                "megabytes": round(megabytes),
                "size": len(text),
                "shown": shown,
                "codes": codes,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
