"""Settings for all tests: one compute thread a process, so that parallel tests do not fight."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
