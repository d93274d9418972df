"""lives.jsonl: a line each time a run was started, resumed or stopped, bound to those before it.

Each line ends with `sha256`, over all that stands before the line and the rest of it: a line that
is changed, put in or taken out is noticed wherever another follows, and in the last one, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tostdsl.plan.plan import canonical_text

SEAL = "sha256"


def sealed(row: Mapping[str, Any], before: str) -> dict[str, Any]:
    """A row with its seal; `before` is the SHA-256 of the file so far, in hex."""
    bound = hashlib.sha256((before + canonical_text(dict(row))).encode()).hexdigest()
    return {**row, SEAL: bound}


def whole(content: bytes) -> bytes:
    """What a file holds, without its last line where a kill left only a part of that."""
    return content[: content.rfind(b"\n") + 1]


def rows(content: bytes) -> Iterator[dict[str, Any]]:
    """The rows of a file as they were written; `ValueError` says of a line what is wrong."""
    before = hashlib.sha256()
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        try:
            row = json.loads(line)
            seal = row.pop(SEAL)
            written = sealed(row, before.hexdigest())
            sound = seal == written[SEAL] and line == (json.dumps(written) + "\n").encode()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            sound = False
        if not sound:
            raise ValueError(f"has a line {number} that is not as it was written")
        before.update(line)
        yield row
