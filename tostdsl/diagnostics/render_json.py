"""Diagnostics as one JSON document, for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tostdsl.diagnostics.model import Diagnostic
from tostdsl.diagnostics.render import counts


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """One JSON document, without a line end after it: the diagnostics and their counts.

    Each diagnostic has the keys of `Diagnostic.to_json`. Control characters, line ends among
    them, are escaped, so the text can go to any terminal or log.
    """
    found = list(diagnostics)
    content = {"diagnostics": [d.to_json() for d in found], "counts": counts(found)}
    return json.dumps(content, indent=2)
