"""The words that start a statement, and the limits on a file's form."""

from __future__ import annotations

import re

KEYWORDS = (
    "tost",
    "recipe",
    "extends",
    "without",
    "param",
    "sweep",
    "train",
    "seed",
    "precision",
    "expect",
    "model",
    "data",
    "mask",
    "optimizer",
    "schedule",
)

SLOTS = ("model", "data", "mask", "optimizer", "schedule")

NEUTRAL = ("use", "with", "stage", "add", "technique", "apply", "enable", "techniques", "stages")
"""Words people put before a technique that say nothing beyond it."""

WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)

MAX_BYTES = 1 << 20
"""Size of one file."""
MAX_STATEMENTS = 32_768
MAX_NESTING = 64
MAX_NAME = 255
MAX_TOKEN = 65_536
"""Characters of a string, a comment or anything else that is one piece."""
MAX_ITEMS = 10_000
"""Values of one list, arguments of one call."""
MAX_VALUES = 100_000
"""Values in a file."""
MAX_REPORTS = 100
"""Mistakes after which a file is not searched for more."""
