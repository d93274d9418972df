"""The run folder: what ran, what came out, and the proof.

recipe.tost          the recipe's text        (extended files lie in recipe/)
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

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import torch
from safetensors.torch import save

from tostdsl.diagnostics import TostError
from tostdsl.plan.plan import Plan
from tostdsl.source import Source

MARKER = "plan.json"


def default_path(plan: Plan, base: Path = Path("runs")) -> Path:
    """`runs/<name>-<fingerprint>-<time>`, not yet taken."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    path = base / f"{plan.name}-{plan.short}-{stamp}"
    number = 2
    while path.exists():
        path = base / f"{plan.name}-{plan.short}-{stamp}-{number}"
        number += 1
    return path


class RunFolder:
    """Writes one run's files. Making it claims the folder; a taken one is refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if (path / MARKER).exists():
            raise TostError.of("R201", path=path)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise TostError.of("R203", path=path)
            self._metrics: IO[str] = (path / "metrics.jsonl").open("x", encoding="utf-8")
        except FileExistsError:
            raise TostError.of("R203", path=path) from None
        except OSError as error:
            raise _unwritable(path, error) from None

    def write_recipe(self, plan: Plan, sources: Sequence[Source]) -> None:
        """The plan, and the texts it came from."""
        content = {"fingerprint": plan.fingerprint, "plan": plan.to_json()}
        self.write_json(MARKER, content)
        for index, source in enumerate(sources):
            name = "recipe.tost" if index == 0 else f"recipe/{index}-{Path(source.name).name}"
            self._write(name, source.text)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """A JSON file, readable and sorted."""
        self._write(name, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")

    def log(self, row: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl, on disk at once."""
        try:
            self._metrics.write(json.dumps(row) + "\n")
            self._metrics.flush()
        except OSError as error:
            raise _unwritable(self.path / "metrics.jsonl", error) from None

    def write_tensors(self, name: str, tensors: Mapping[str, torch.Tensor], **notes: str) -> None:
        """A safetensors file; tensors that share memory are copied."""
        plain = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        try:
            (self.path / name).write_bytes(save(plain, metadata=notes))
        except OSError as error:
            raise _unwritable(self.path / name, error) from None

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


def _unwritable(path: Path, error: OSError) -> TostError:
    return TostError.of("R202", path=path, reason=(error.strerror or str(error)).lower())
