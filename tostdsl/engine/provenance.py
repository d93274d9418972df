"""The recipe that a run or a checkpoint is of, read back from it. Loads no torch.

A checkpoint holds it too (`record.Record.texts`), so that it tells what it is of wherever it was
copied to; one of schema 1 does not, and needs the run folder that it lies in. Since schema 3 it
also tells whether the run's figures mean anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from tostdsl.diagnostics import TostError
from tostdsl.engine.manifest import MANIFEST, Entry, body_digest, entry_of
from tostdsl.engine.storage import Disk
from tostdsl.plan.marker import FAKE, MARKER, PRINTED, RECIPE, REHEARSAL, holds_run, unreal_of

SCHEMAS = (1, 2, 3)
"""Of checkpoints that are read (`record.SCHEMA`)."""
RECORD = "state.json"
"""All of a checkpoint that is no tensor."""
OWN = (".json", ".jsonl", ".safetensors", ".svg")
"""How the names of a run's files end that are no texts of the recipe."""
MAX_BYTES = 64 << 20


def is_text(name: str) -> bool:
    """Whether a file of a run folder is a text of the recipe, which may be edited."""
    return not name.endswith(OWN)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a recipe, its files byte by byte."""

    texts: Mapping[str, bytes]
    """The top recipe first, then what it extends by name; where a run was started without a recipe,
    the plan as one."""
    printed: bytes
    """The plan as one recipe."""
    plan: Mapping[str, Any]
    """What stands in plan.json: `fingerprint`, `plan`, and what was `given` from outside."""
    changed: tuple[str, ...] = ()
    """Names of texts that are not as the run wrote them."""
    unreal: str | None = None
    """Why the run's figures mean nothing (`marker.unreal_of`); empty for a real run, None where
    that is not told."""

    @property
    def top(self) -> str:
        """The name of the top recipe."""
        return next(iter(self.texts))


def kept(path: Path) -> Kept:
    """The recipe of a run folder or of a checkpoint; `TostError` R605 where none is to be had."""
    try:
        if not path.is_dir():
            _refuse(path, "it is no folder" if path.exists() else "there is no such folder")
        if holds_run(path):
            return _of_run(path)
        if not (path / RECORD).exists():
            _refuse(path, "it is neither a run nor a checkpoint")
        return _of_checkpoint(path)
    except OSError as error:
        _refuse(path, (error.strerror or str(error)).lower())
    except ValueError:  # a NUL in the name
        _refuse(path, "this cannot be the name of a folder")


def _of_run(path: Path) -> Kept:
    entries = _entries(path)
    names = [name for name in entries if is_text(name) and _inside(name)]
    contents = {}
    for name in [*names, MARKER] if names else [RECIPE, PRINTED, MARKER]:
        with suppress(FileNotFoundError):
            if (path / name).resolve().is_relative_to(path.resolve()):  # no link leads out of it
                contents[name] = _read(path / name)
    changed = [
        name for name, content in contents.items()
        if name in entries and entry_of(content) != entries[name]
    ]  # fmt: skip
    gone = (name for name in names if name not in contents)
    return replace(_kept(path, contents, [*changed, *gone]), unreal=unreal_of(path))


def _entries(path: Path) -> dict[str, Entry]:
    """The files of a run by its manifest, or by its newest checkpoint; empty without either."""
    for record in (path / MANIFEST, *sorted(path.glob(f"ckpt/step-*/{RECORD}"), reverse=True)):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            files = json.loads(_read(record))["files"]
            return {name: Entry(**entry) for name, entry in files.items()}
    return {}


def _inside(name: str) -> bool:
    """Whether a name is one of a file in the folder that it is of."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts


def _of_checkpoint(path: Path) -> Kept:
    content = _read(path / RECORD)
    try:
        manifest, said = json.loads(_read(path / MANIFEST)), json.loads(content)
        sound = manifest["sha256"] == body_digest(manifest)
        sound = sound and Entry(**manifest["files"][RECORD]) == entry_of(content)
        schema, texts, files = said["schema_version"], said.get("texts"), said["files"]
        marker = files[MARKER]["sha256"] if schema == 1 else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        _refuse(path, f"its {RECORD} or its {MANIFEST} is damaged")
    if not sound:
        _refuse(path, f"its {RECORD} is not as it was written (other SHA-256)")
    if type(schema) is not int or schema not in SCHEMAS:
        _refuse(
            path, f"it is of schema {schema!r}, this version reads {SCHEMAS[0]} to {SCHEMAS[-1]}"
        )
    if schema != 1:
        try:
            found = _kept(path, {name: text.encode() for name, text in texts.items()}, ())
            unreal = said.get("unreal")
            return replace(found, unreal=unreal if unreal in (REHEARSAL, FAKE, "") else None)
        except (AttributeError, UnicodeEncodeError):
            _refuse(path, f"the texts in its {RECORD} are damaged")
    run = path.resolve().parents[1]
    if not holds_run(run):
        _refuse(path, "it is of schema 1, and has none in it; the run that wrote it has")
    if marker != entry_of(_read(run / MARKER)).sha256:
        _refuse(path, "it is of schema 1, has none in it, and lies in the folder of another run")
    return _of_run(run)


def _kept(path: Path, contents: Mapping[str, bytes], changed: Sequence[str]) -> Kept:
    """What was found, in order."""
    try:
        plan = json.loads(contents[MARKER])
        whole = isinstance(plan["fingerprint"], str) and isinstance(plan["plan"], dict)
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        _refuse(path, f"its {MARKER} is damaged")
    top = RECIPE if RECIPE in contents else PRINTED
    if top not in contents:
        _refuse(path, "its run was started from Python, and its plan.json is all there is")
    extended = sorted(set(contents) - {RECIPE, PRINTED, MARKER})
    texts = {name: contents[name] for name in (top, *extended)}
    return Kept(texts, contents.get(PRINTED, b""), plan, tuple(changed))


def _read(path: Path) -> bytes:
    """A regular file of a size that a run writes."""
    if path.stat().st_size > MAX_BYTES:
        raise OSError(0, f"{path.name} has more than {MAX_BYTES} bytes")
    return Disk().read(path)


def _refuse(path: Path, reason: str) -> NoReturn:
    raise TostError.of("R605", path=path, reason=reason)
