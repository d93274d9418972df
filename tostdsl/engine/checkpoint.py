"""Checkpoints: one folder each, written whole or not at all, and believed only when proven.

`ckpt/step-0000120/` holds the state after 120 steps of the whole run::

    state.safetensors   weights, buffers, the optimizer's moments, what stages added
    state.json          all that is no tensor (`record.Record`), among it the recipe's texts
    manifest.json       length and SHA-256 of both, and of itself

Written: into a folder with a name of its own, each file flushed to disk, the manifest last; then
the folder is renamed, which is one step for a file system. Read: newest first; one whose manifest,
files, schema or blobs are not as written is passed over with its reason and stays where it is. No
name is believed without its manifest, and nothing is unpickled.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from tostdsl.diagnostics import TostError
from tostdsl.engine.blobs import Blobs
from tostdsl.engine.manifest import MANIFEST, Entry, body_digest, entry_of, manifest
from tostdsl.engine.provenance import RECORD
from tostdsl.engine.record import OtherSchema, Record
from tostdsl.engine.storage import Disk
from tostdsl.plan.marker import CHECKPOINTS

STATE = "state.safetensors"
KEEP = 2
"""How many of the newest are kept, besides the best."""
NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
"""How looking into a folder fails that is not there, or is none."""
_NAME = re.compile(r"step-(\d{7,})")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state, copied off the device: nothing that trains on changes it."""

    record: Record
    tensors: Mapping[str, Tensor]
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    """Contents of blobs that may not be on disk yet, by digest."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"step-{self.record.position.done:07d}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A checkpoint that cannot be used, and why, in words."""

    name: str
    reason: str


class Unusable(Exception):
    """Why a checkpoint cannot be used."""


@dataclass(slots=True)
class Checkpoints:
    """The checkpoints of one run folder; only one process may write them (`lock`)."""

    run: Path
    keep: int = KEEP
    disk: Disk = field(default_factory=Disk)
    valid: dict[str, Record] = field(default_factory=dict)
    """Those that this process wrote or has proven, by name."""
    lost: Callable[[], str] = lambda: ""
    """Says why the run folder is no longer this run's, in words; empty while it is."""

    @property
    def root(self) -> Path:
        """The folder of all of them."""
        return self.run / CHECKPOINTS

    @property
    def blobs(self) -> Blobs:
        """What several of them share."""
        return Blobs(self.run, self.disk)

    # -- writing

    def write(self, snapshot: Snapshot) -> Path:
        """Write a checkpoint and remove those that are no longer kept.

        Raises:
            OSError: it could not be written; all others are as they were. Nothing is written, nor
                removed, once the folder is no longer this run's.

        """
        name, disk = snapshot.name, self.disk
        target = self.root / name
        self._refuse_lost()
        self._forget_taken()
        if name in self.valid:  # the same step of the same run: the same state
            return target
        disk.make(self.root)
        for digest, content in snapshot.blobs.items():
            self.blobs.put(digest, content)
        self._refuse_altered(snapshot.record.blobs - snapshot.blobs.keys())
        if target.exists():  # proven to be none, else it would be known
            self._discard(target)
        temporary = self.root / f".tmp-{name}-{os.getpid()}"
        if temporary.exists():
            disk.remove(temporary)
        disk.make(temporary)
        try:
            self._fill(temporary, snapshot)
            disk.sync(temporary)
            self._refuse_lost()
            disk.rename(temporary, target)
        except OSError:
            self._forget(temporary)
            raise
        disk.sync(self.root)
        self.valid[name] = snapshot.record
        self._refuse_lost()
        self._rotate()
        return target

    def _refuse_lost(self) -> None:
        if reason := self.lost():
            raise OSError(None, reason)

    def _refuse_altered(self, digests: set[str]) -> None:
        """Blobs that lie there must be sound; one that is not goes, and the next writes it anew."""
        for digest in sorted(digests):
            if gap := self.blobs.gap(digest):
                self.blobs.drop(digest)
                raise OSError(errno.EIO, gap)

    def _fill(self, folder: Path, snapshot: Snapshot) -> None:
        record = snapshot.record.model_dump()
        contents = {
            STATE: save(dict(snapshot.tensors)),
            RECORD: json.dumps(record, sort_keys=True, indent=1).encode(),
        }
        for name, content in contents.items():
            self.disk.write(folder / name, content)
        entries = {name: entry_of(content) for name, content in contents.items()}
        self.disk.write(folder / MANIFEST, _manifest(entries))

    def _rotate(self) -> None:
        """Remove what is not kept: neither the newest few nor the best. Broken ones stay.

        The new one stands; what cannot be removed now goes with a later one.
        """
        self._forget_taken()
        names = sorted(self.valid, key=_age)
        best = best_of(self.valid)
        with suppress(OSError):
            self.clear()
        for name in names[: -self.keep]:
            if name != best:
                with suppress(OSError):
                    self._discard(self.root / name)
        with suppress(OSError, TostError):
            if self.names() <= self.valid.keys():  # a broken one may want its blobs when mended
                self.blobs.sweep({each for record in self.valid.values() for each in record.blobs})

    def _forget_taken(self) -> None:
        """Know no longer those that somebody has removed."""
        with suppress(OSError, TostError):  # not to be listed now
            for name in self.valid.keys() - self.names():
                del self.valid[name]

    def _discard(self, path: Path) -> None:
        """Rename, then remove: a kill in between leaves nothing that looks like a checkpoint."""
        trash = self.root / f".trash-{path.name}-{os.getpid()}"
        self.disk.rename(path, trash)
        self.valid.pop(path.name, None)
        self.disk.remove(trash)

    def _forget(self, path: Path) -> None:
        try:
            self.disk.remove(path)
        except OSError:
            return  # the next to hold the lock clears it away

    # -- reading

    def clear(self) -> None:
        """Remove what was left half written or half removed; only for who holds the lock."""
        if self.root.is_dir():
            for path in self.root.iterdir():
                if path.name.startswith((".tmp-", ".trash-")):
                    self.disk.remove(path)

    def newest(
        self, fits: Callable[[Record], str] = lambda _: ""
    ) -> tuple[Snapshot | None, list[Skipped]]:
        """The newest that can be used, and those newer that cannot.

        `fits` says of a sound one why the run's other files do not go with it, if they do not.
        Older ones are looked at too, so that what is removed later is only what is known.
        """
        found: Snapshot | None = None
        skipped = []
        for name in sorted(self.names(), key=_age, reverse=True):
            try:
                snapshot = self._read(self.root / name, found is None)
                if found is None and (reason := fits(snapshot.record)):
                    raise Unusable(reason)
            except Unusable as error:
                skipped.append(Skipped(name, str(error)))
                continue
            self.valid[name] = snapshot.record
            found = found or snapshot
        return found, skipped

    def names(self) -> set[str]:
        """Those that are there, sound or not; `TostError` R706 where nobody may look."""
        try:
            return {name for name in os.listdir(self.root) if _NAME.fullmatch(name)}
        except OSError as error:
            if error.errno in NOWHERE:
                return set()
            reason = f"cannot be read: {(error.strerror or str(error)).lower()}"
            raise TostError.of("R706", path=self.root, reason=reason) from None

    def _read(self, path: Path, tensors: bool = True) -> Snapshot:
        contents = self._proven(path)
        try:
            record = Record.read(json.loads(contents[RECORD]))
            state = load(contents[STATE]) if tensors else {}
        except OtherSchema as error:
            raise Unusable(str(error)) from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise Unusable(f"{RECORD} has no sound `{where}`: {first['msg'].lower()}") from None
        except (ValueError, RecursionError):
            raise Unusable(f"{RECORD} is no record of a state") from None
        except SafetensorError as error:
            raise Unusable(f"{STATE} cannot be read: {error}") from None
        snapshot = Snapshot(record, state)
        if snapshot.name != path.name:
            raise Unusable(f"it is the one of {snapshot.name}")
        if tensors and sorted(state) != record.tensors:
            raise Unusable(f"{STATE} has other tensors than {RECORD} names")
        gaps = [gap for each in sorted(record.blobs) if (gap := self.blobs.gap(each))]
        if gaps:
            raise Unusable(gaps[0])
        return snapshot

    def _proven(self, path: Path) -> dict[str, bytes]:
        """The files of a checkpoint, each as its manifest says."""
        contents = {}
        try:
            for name in (MANIFEST, RECORD, STATE):
                contents[name] = self.disk.read(path / name)
        except FileNotFoundError as error:
            raise Unusable(f"{Path(str(error.filename)).name} is missing") from None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise Unusable(f"it cannot be read: {reason}") from None
        said = contents.pop(MANIFEST)
        entries = {name: entry_of(content) for name, content in contents.items()}
        if said != _manifest(entries):
            raise Unusable(f"{_changed(said, entries)} is not as it was written (other SHA-256)")
        return contents


def _age(name: str) -> tuple[int, str]:
    """What sorts names by their steps, of however many digits."""
    return len(name), name


def _manifest(entries: Mapping[str, Entry]) -> bytes:
    return json.dumps(manifest(entries), indent=1).encode()


def _changed(said: bytes, entries: Mapping[str, Entry]) -> str:
    """Which file does not fit a manifest; the manifest itself where it is not sound."""
    try:
        content = json.loads(said)
        sound = content["sha256"] == body_digest(content)
        named = {name: Entry(**content["files"][name]) for name in entries}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return MANIFEST
    others = [name for name, entry in entries.items() if named[name] != entry]
    return others[0] if sound and others else MANIFEST


def best_of(records: Mapping[str, Record]) -> str | None:
    """The one with the best accuracy on the images held out, the latest of equals."""
    measured = [
        (record.validation, _age(name))
        for name, record in records.items()
        if record.validation is not None
    ]
    return max(measured)[1][1] if measured else None
