"""lives.jsonl: a run was started once, and each time it went on it had been stopped before."""

from __future__ import annotations

from pathlib import Path

from tostdsl.engine.folder import LIVES
from tostdsl.engine.verify.records import Unfit, read_lines

ENDS = ("stopped", "interrupted", "failed")


def gap(folder: Path, steps: int) -> str:
    """What is wrong with the file of a run of so many steps, in words; empty if nothing."""
    try:
        rows = read_lines(folder / LIVES)
    except Unfit as why:
        return str(why)
    kinds = [row.get("kind") for row in rows]
    if kinds[:1] != ["started"] or "started" in kinds[1:]:
        return "does not begin with the one start of the run"
    if kinds[-1] in ENDS:
        return f"says that the run {kinds[-1]} last, not that it went on"
    for number, row in enumerate(rows, 1):
        if row["kind"] == "resumed":
            done = row.get("done")
            if type(done) is not int or not 0 <= done <= steps:
                return f"has a line {number} that went on from no step of the run"
        elif row["kind"] not in ("started", *ENDS):
            return f"has a line {number} of no kind that a run writes"
    return ""
