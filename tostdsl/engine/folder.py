"""The run folder: what ran, what came out, and the proof.

recipe.tost          the recipe's text as it was; what it extends lies where it finds it
plan.tost            the plan as one recipe of its own: `tost run plan.tost` runs it again
plan.json            the canonical plan with its fingerprint
environment.json     versions, device, threads
metrics.jsonl        a line an epoch, an evaluation, a message
masks.safetensors    the masks, one uint8 tensor a weight (1 is kept)
model.safetensors    the trained network, the plain architecture's keys
ghosts.safetensors   what stages added that the recipe leaves in (`keep=yes`)
certificate.json     the checks that what was written is what ran
result.json          the figures of the summary, and how the run ended
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import torch
from safetensors.torch import save

from tostdsl.diagnostics import TostError
from tostdsl.plan.marker import MARKER, METRICS
from tostdsl.plan.plan import Plan

MAX_NAME = 64
"""Characters of a recipe's name in the name of its run folder."""


def default_path(plan: Plan, base: Path = Path("runs")) -> Path:
    """`runs/<name>-<fingerprint>-<time>`, not yet taken."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", plan.name)[:MAX_NAME]
    path = base / f"{name}-{plan.short}-{stamp}"
    number = 2
    while path.exists():
        path = base / f"{name}-{plan.short}-{stamp}-{number}"
        number += 1
    return path


class RunFolder:
    """Writes one run's files. Making it claims the folder; a taken one is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if (path / MARKER).exists():
                raise TostError.of("R201", path=path)
            if path.is_symlink() and not path.exists():
                raise NotADirectoryError(None, "it is a link to nowhere")
            if path.exists() and not path.is_dir():
                raise NotADirectoryError(None, "it is a file")
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise TostError.of("R203", path=path)
            self._metrics: IO[str] = (path / METRICS).open("x", encoding="utf-8")
        except FileExistsError:
            raise TostError.of("R203", path=path) from None
        except (OSError, ValueError) as error:  # a path may hold a null character
            raise _unwritable(path, error) from None

    def write_recipe(self, plan: Plan, texts: Mapping[str, str]) -> None:
        """The plan, and the texts it came from by file name."""
        content = {"fingerprint": plan.fingerprint, "plan": plan.to_json()}
        self.write_json(MARKER, content)
        for name, text in texts.items():
            self._write(name, text)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """A JSON file, readable and sorted."""
        self._write(name, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")

    def log(self, row: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl, on disk at once."""
        try:
            self._metrics.write(json.dumps(row, allow_nan=False) + "\n")
            self._metrics.flush()
        except OSError as error:
            raise _unwritable(self.path / "metrics.jsonl", error) from None

    def write_tensors(self, name: str, tensors: Mapping[str, torch.Tensor], **notes: str) -> str:
        """A safetensors file; tensors that share memory are copied. Returns its SHA-256."""
        plain = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        try:
            content = save(plain, metadata=notes)
            (self.path / name).write_bytes(content)
        except OSError as error:
            raise _unwritable(self.path / name, error) from None
        return hashlib.sha256(content).hexdigest()

    def close(self) -> None:
        """Close the metrics."""
        self._metrics.close()

    def _write(self, name: str, text: str) -> None:
        target = self.path / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        except OSError as error:
            raise _unwritable(target, error) from None


def _unwritable(path: Path, error: OSError | ValueError) -> TostError:
    reason = getattr(error, "strerror", None) or str(error)
    return TostError.of("R202", path=path, reason=reason.lower())
