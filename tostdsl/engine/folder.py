"""The run folder: what ran, what came out, and the proof.

recipe.tost          the recipe's text as it was; what it extends lies where it finds it
plan.tost            the plan as one recipe of its own: `tost run plan.tost` runs it again
plan.json            the canonical plan with its fingerprint, and what was `given` from outside of
                     the recipe, or as `plan_file` the saved plan that there was in its place
environment.json     versions, device, threads, data, files of the user's own functions,
                     `trace_every` (null for a run not traced), `options` that the run was started
                     with, and how the device computed, `in_force` (see `execution`)
metrics.jsonl        a line an epoch, an evaluation, a seam, a message
lives.jsonl          a line each time the run was started, resumed or stopped (see `lives`)
trace.jsonl          with `--trace gradients`: a line a phase and a traced step
trace.svg            the same as a picture
mask_file.json       with the mask `file`: the file's digest, how each weight's mask was found in it
masks.safetensors    the masks, one uint8 tensor a weight (1 is kept)
model.safetensors    the trained network, the plain architecture's keys
ghosts.safetensors   what stages added that the recipe leaves in (`keep=yes`)
outputs.safetensors  what that network computes on images drawn from the seed, see `reference`
certificate.json     the checks that what was written is what ran
result.json          the figures of the summary, and how the run ended
manifest.json        length and SHA-256 of each file above as it was written, and of itself

The manifest is written last: a folder without one holds a run that has not ended, or failed.
`tost verify` reads all of this again, see `verify`.

A `seam` of metrics.jsonl says where stages left the network: `phase`, `step`, `left` (their names,
with the weights of their last step), and `before`, `after` and `recalibrated` (null unless one of
them has `recalibrate=yes`), each with `loss`, `accuracy`, `dead` (share of dead units by layer) and
`norms` (by normalisation, how far its input lies from its running statistics; see `engine.shifts`).
`costs` says whether the network is worse for it by more than the thresholds in `engine.seams`.

`watching` of result.json tells what looking at what must hold cost (`engine.watch`): `every`,
`looks`, `seconds` and their `share` of the run's; null where nobody looked. A run that such a look
ended has a certificate.json, too, with the checks so far and the one that failed.

A `step` of trace.jsonl has `phase`, `step`, `stages` (weights and ramps of those at work), `with`
and `without` (by stage that adds to the network), each with `loss`, `gradients` (by layer, the norm
of its weight's gradient under the mask) and `dead`, over the batch of that step before it is
trained on. A `phase` before them has `steps`, `steps_per_epoch`, `layers`, and the `windows` of
those stages in steps. In both files null stands for what is no number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors.torch import save

from tostdsl.diagnostics import TostError, diagnose
from tostdsl.engine.lines import Lines
from tostdsl.engine.lives import rows, whole
from tostdsl.engine.lock import NAME as LOCK
from tostdsl.engine.lock import Lock
from tostdsl.engine.manifest import MANIFEST, Entry, away, entry_of, gap, manifest
from tostdsl.engine.provenance import is_text
from tostdsl.engine.storage import Disk
from tostdsl.plan.marker import MARKER, METRICS, RESULT
from tostdsl.plan.plan import Plan

TRACE, LIVES = "trace.jsonl", "lives.jsonl"
LINES = (METRICS, TRACE, LIVES)
"""The files that are written line by line."""
PART = ".part-"
"""Begins the name of a file that is being written."""
MAX_NAME = 64
"""Characters of a recipe's name in the name of its run folder."""


def file_stem(plan: Plan) -> str:
    """`<name>-<fingerprint>`, of plain letters whatever the plan is called."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", plan.name)[:MAX_NAME]
    return f"{name}-{plan.short}"


def default_path(plan: Plan, base: Path = Path("runs")) -> Path:
    """`runs/<name>-<fingerprint>-<time>`, not yet taken."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name = file_stem(plan)
    path = base / f"{name}-{stamp}"
    number = 2
    while path.exists():
        path = base / f"{name}-{stamp}-{number}"
        number += 1
    return path


class RunFolder:
    """Writes one run's files. Making it claims the folder; a taken one is refused.

    With `begun` it is a run's that goes on: the files as they were at a checkpoint; R706 where one
    is not as it was written. Nothing is changed before `go_on`.
    """

    def __init__(
        self, path: Path, begun: Mapping[str, Entry] | None = None, lock: Lock | None = None
    ) -> None:
        self.path = path
        self.warned: Callable[[str], None] = lambda _: None
        """Hears of what cannot be written yet."""
        self._lines: dict[str, Lines] = {}
        self._written: dict[str, Entry] = {}
        self.texts: dict[str, str] = {}
        """plan.json and the texts of the recipe, by name."""
        if begun is not None:
            self._lock = lock or Lock(path)
            self._check(begun)
            for lines in self._lines.values():
                lines.lost = self.lost
            return
        try:
            if (path / MARKER).exists():
                raise TostError.of("R201", path=path)
            if path.is_symlink() and not path.exists():
                raise NotADirectoryError(None, "it is a link to nowhere")
            if path.exists() and not path.is_dir():
                raise NotADirectoryError(None, "it is a file")
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                _refuse_filled(path)
            self._lock = Lock(path)
            self._lines[METRICS] = self._metrics = self._new_lines(METRICS)
        except FileExistsError:
            raise TostError.of("R203", path=path) from None
        except (OSError, ValueError) as error:  # a path may hold a null character
            raise _unwritable(path, error) from None

    def _check(self, begun: Mapping[str, Entry]) -> None:
        for name, entry in {**begun, LIVES: begun.get(LIVES)}.items():
            try:
                if name in LINES:
                    given = entry if name != LIVES else self._lives(entry)
                    self._lines[name] = Lines(self.path / name, given, self._owing)
                    continue
                assert entry is not None
                reason = gap(self.path, name, entry)
            except ValueError as error:
                reason = str(error).removeprefix(f"{name} ")
            except FileNotFoundError:
                reason = "is missing"
            except OSError as error:
                reason = f"cannot be read: {(error.strerror or str(error)).lower()}"
            if reason:
                self.shut()
                raise TostError.of("R706", path=self.path / name, reason=reason)
            assert entry is not None
            self._written[name] = entry
            if is_text(name) or name == MARKER:
                self.texts[name] = (self.path / name).read_bytes().decode("utf-8", "replace")
        self._metrics = self._lines[METRICS]

    def go_on(self) -> None:
        """Take away what was written after the checkpoint, of files of lines and of broken ones."""
        for name, lines in self._lines.items():
            try:
                lines.cut()
            except OSError as error:
                raise _unwritable(self.path / name, error) from None
        for left in self.path.glob(f"{PART}*"):  # of a file that was never whole
            with suppress(OSError):
                left.unlink()

    def _lives(self, then: Entry | None) -> Entry:
        """All of lives.jsonl, which no checkpoint takes back; `ValueError` for a changed line."""
        content = whole(Disk().read(self.path / LIVES))
        kinds = [row.get("kind") for row in rows(content)]
        if kinds[:1] != ["started"] or (then and entry_of(content[: then.bytes]) != then):
            raise ValueError("has lost lines that were written")
        return entry_of(content)

    def _owing(self, path: Path, error: OSError) -> None:
        if self.lost():  # which ends the run at its next checkpoint or file
            return
        found = diagnose("R207", path=path, reason=(error.strerror or str(error)).lower())
        self.warned(f"{found.severity}[{found.code}]: {found.message}")

    def _new_lines(self, name: str) -> Lines:
        lines = Lines(self.path / name, owing=self._owing)
        lines.lost = self.lost
        return lines

    @property
    def entries(self) -> dict[str, Entry]:
        """All files written so far, as they are."""
        return {**self._written, **{name: lines.entry for name, lines in self._lines.items()}}

    def sync(self) -> None:
        """Return when all lines are on disk; `OSError` where they cannot be."""
        if reason := self.lost():
            raise OSError(None, reason)
        for lines in self._lines.values():
            lines.sync()

    def write_recipe(
        self, plan: Plan, texts: Mapping[str, str], given: Mapping[str, Any] | None = None
    ) -> None:
        """The plan, the texts it came from by file name, and what was set from outside of them.

        `given` is None where nobody said, else `params` by name and the `seed`, null when unset,
        and `plan_file` (name and SHA-256) where there was a saved plan in place of the texts.
        """
        content = {"fingerprint": plan.fingerprint, "plan": plan.to_json(), "given": given}
        self.write_json(MARKER, content)
        for name, text in texts.items():
            self.write_text(name, text)
        self.texts = {MARKER: json_text(content), **texts}

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """A JSON file, readable and sorted."""
        self.write_text(name, json_text(content))

    def log(self, row: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl, on disk at once."""
        self._metrics.write(row)

    def lines(self, name: str) -> Lines:
        """Another file of JSON lines, or the one that a run that goes on has begun."""
        if name in self._lines:
            return self._lines[name]
        self._refuse_lost(self.path / name)
        try:
            made = self._lines[name] = self._new_lines(name)
        except OSError as error:
            raise _unwritable(self.path / name, error) from None
        return made

    def write_text(self, name: str, text: str) -> None:
        """A file of text."""
        self._write(name, text.encode())

    def write_tensors(self, name: str, tensors: Mapping[str, torch.Tensor], **notes: str) -> str:
        """A safetensors file; tensors that share memory are copied. Returns its SHA-256."""
        plain = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
        content = _ordered(save(plain, metadata=notes))
        self._write(name, content)
        return self._written[name].sha256

    def forget(self, *names: str) -> None:
        """Remove what an earlier life wrote at its end."""
        for name in names:
            self._refuse_lost(self.path / name)
            try:
                (self.path / name).unlink(missing_ok=True)
            except OSError as error:
                raise _unwritable(self.path / name, error) from None

    def lost(self) -> str:
        """Why the folder is no longer the one that this run began in, in words; empty if it is."""
        return self._lock.lost()

    def seal(self) -> None:
        """Write the manifest over everything written so far; nothing comes after it.

        Raises:
            TostError: R202 where it cannot be written, or a file is no longer there as it was.

        """
        for name, lines in self._lines.items():
            try:
                lines.sync()
            except OSError as error:
                raise _unwritable(self.path / name, error) from None
        for name, entry in self.entries.items():
            try:
                changed = away(self.path, name, entry)
            except OSError as error:
                raise _unwritable(self.path / name, error) from None
            if changed:
                reason = "it was taken away or cut while the run was at work"
                raise _unwritable(self.path / name, OSError(None, reason))
        content = json.dumps(manifest(self.entries), indent=2, sort_keys=True) + "\n"
        self._write(MANIFEST, content.encode())
        del self._written[MANIFEST]

    def close(self) -> None:
        """Close what is open, and let others into the folder."""
        self.shut()
        self._lock.release()

    def shut(self) -> None:
        """Close what is open; others stay outside."""
        for lines in self._lines.values():
            lines.close()

    def _write(self, name: str, content: bytes) -> None:
        """A file that is whole, and on disk, or not there: checkpoints and the end count on it."""
        target, disk = self.path / name, Disk()
        part = target.with_name(PART + target.name)
        self._refuse_lost(target)
        try:
            for above in reversed(Path(name).parents[:-1]):
                disk.make(self.path / above)
            part.unlink(missing_ok=True)
            disk.write(part, content)
            self._refuse_lost(target)
            disk.rename(part, target)
            disk.sync(target.parent)
        except OSError as error:
            self._refuse_lost(target)
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise _unwritable(target, error) from None
        self._written[name] = entry_of(content)

    def _refuse_lost(self, target: Path) -> None:
        if reason := self.lost():
            raise _unwritable(target, OSError(None, reason))


def json_text(content: Mapping[str, Any]) -> str:
    """A JSON file's text."""
    return json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n"


def _ordered(content: bytes) -> bytes:
    """A safetensors file with its notes sorted: the library writes them in any order."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    padded = text.ljust(-(-len(text) // 8) * 8)
    return len(padded).to_bytes(8, "little") + padded + content[8 + size :]


def _refuse_filled(path: Path) -> NoReturn:
    """Refuse a folder with something in it; R204 where that is a run that is just beginning."""
    names = {each.name for each in path.iterdir()}
    begun = {LOCK, METRICS, LIVES, RESULT}  # the last two where it failed before its plan stood
    others = {name for name in names - begun if not name.startswith(PART)}
    if LOCK not in names or others or _filled(path / METRICS):
        raise TostError.of("R203", path=path)
    Lock(path).release()
    help = (
        "it holds nothing of a run yet, one was ended before it wrote its plan: remove the folder, "
        "or choose another with `--out`"
    )
    raise TostError.of("R203", path=path, help=help)


def _filled(path: Path) -> bool:
    """Whether there is a file with something in it."""
    return path.exists() and path.stat().st_size > 0


def _unwritable(path: Path, error: OSError | ValueError) -> TostError:
    reason = getattr(error, "strerror", None) or str(error)
    return TostError.of("R202", path=path, reason=reason.lower())
