"""A file of tensors from a stranger: bounded, and never unpickled but as plain data.

What comes out are tensors in dicts and lists, whatever wrote the file. No value is looked at here;
a tensor that would be larger than what stands in the file for it is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import pickle
import re
import stat
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

MOST_HEADER = 1 << 16
"""Bytes of the header of one numpy array; real ones have about 100."""
ZIPPED, PICKLED = b"PK\x03\x04", b"\x80"
"""How the files of `torch.save` begin: today's, and the old ones."""
OTHER_FORMAT = "it is in no format that holds tensors"
FORMATS = "masks come in safetensors, in what `torch.save` wrote, or in an `.npz`"
SAVE_AGAIN = (
    'where it was made, save its tensors alone: `torch.save(model.state_dict(), "masks.pth")`'
)


class Unreadable(Exception):
    """Why a file cannot be read, and what to do about it."""

    def __init__(self, reason: str, help: str | None = None) -> None:
        super().__init__(reason)
        self.help = help


@dataclass(frozen=True, slots=True)
class Content:
    """What stood in a file."""

    form: Literal["safetensors", "torch", "npz"]
    tree: Any
    """Tensors in dicts and lists, beside plain values."""
    ordered: bool
    """Whether tensors stand in the order they were written in."""
    sha256: str
    size: int
    notes: Mapping[str, str] = field(default_factory=dict)
    """The metadata of a safetensors file."""


def read(path: Path, most: int) -> Content:
    """The content of a file of at most `most` bytes; `Unreadable` where it is not known."""
    data = _bytes(path, most)
    digest, size = hashlib.sha256(data).hexdigest(), len(data)
    if data[:4] == ZIPPED:
        return _zipped(data, most, digest)
    if data[:6] == b"\x93NUMPY":
        raise Unreadable(
            "it is one array of numpy, which names no weight",
            'save all masks by name: `numpy.savez("masks.npz", **masks)`',
        )
    if data[8:9] == b"{":
        tree, notes = _safetensors(data)
        return Content("safetensors", tree, False, digest, size, notes)
    return Content("torch", _torch(data), True, digest, size)


def _bytes(path: Path, most: int) -> bytes:
    try:
        # a pipe that nobody writes to would keep a plain open waiting
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise Unreadable("it is not a regular file")
            data = file.read(most + 1)
    except FileNotFoundError:
        here = "" if path.is_absolute() else f" in {Path.cwd()}"
        help = "a relative path starts at the folder that `tost run` is called in"
        raise Unreadable(f"there is no such file{here}", help) from None
    except (OSError, ValueError) as error:  # a path may hold a null character
        raise Unreadable((getattr(error, "strerror", None) or str(error)).lower()) from None
    if len(data) > most:
        raise Unreadable(f"it is larger than {most:,} bytes, many times what the network takes")
    if not data:
        raise Unreadable("it is empty")
    return data


def _safetensors(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):  # the reader of safetensors takes one of the two
            raise ValueError("a name stands in its header twice")
        return found

    try:
        tensors = load(data)
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length], object_pairs_hook=once)
        notes = {str(key): str(value) for key, value in header.get("__metadata__", {}).items()}
    except (SafetensorError, ValueError, KeyError, RuntimeError, RecursionError) as error:
        raise Unreadable(f"it is a damaged safetensors file: {_first(error)}") from None
    return tensors, notes


def _zipped(data: bytes, most: int, digest: str) -> Content:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if total > most:
                raise Unreadable(f"unpacked it has {total:,} bytes, more than {most:,}")
            if members and all(member.filename.endswith(".npy") for member in members):
                arrays = {each.filename[:-4]: _array(archive.read(each)) for each in members}
                if len(arrays) < len(members):
                    raise Unreadable("an array stands in it twice")
                return Content("npz", arrays, True, digest, len(data))
            names = {member.filename.rpartition("/")[2] for member in members}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as error:
        raise Unreadable(f"it is a damaged archive: {_first(error)}") from None
    except Exception as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"it is a damaged archive: {_first(error)}") from None
    if "data.pkl" not in names:
        raise Unreadable("it is an archive of neither torch nor numpy")
    if "constants.pkl" in names:
        raise Unreadable("it is a TorchScript program, which would have to be run", SAVE_AGAIN)
    return Content("torch", _torch(data), True, digest, len(data))


def _array(data: bytes) -> Tensor:
    """A numpy array in its own format, its size told by its header before room is made for it."""
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        headers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, fortran, dtype = headers[version](file, MOST_HEADER)
    except (ValueError, KeyError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise Unreadable(f"it holds a damaged array: {_first(error)}") from None
    if dtype.hasobject:
        raise Unreadable(
            "it holds Python objects, which would have to be unpickled",
            'save each mask as an array of its own: `numpy.savez("masks.npz", **masks)`',
        )
    if dtype.kind not in "biuf":
        raise Unreadable(f"it holds an array of {dtype}")
    body = data[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(body):
        raise Unreadable("it holds an array that is cut off")
    array = np.frombuffer(body, dtype).reshape(shape, order="F" if fortran else "C")
    if dtype.kind == "f":
        return torch.from_numpy(array.astype(np.float64, order="C"))
    if dtype.kind == "b":
        return torch.from_numpy(array.view(np.uint8).astype(np.int64, order="C"))
    return torch.from_numpy(array.astype(np.int64, order="C"))


def _torch(data: bytes) -> Any:
    if data[:1] != PICKLED and data[:4] != ZIPPED:
        raise Unreadable(OTHER_FORMAT, FORMATS)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the reader's own past
            return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        if found is not None:
            what = f"it holds Python objects (`{found[1]}`), and loading those runs their code"
            raise Unreadable(what, SAVE_AGAIN) from None
        raise Unreadable(OTHER_FORMAT, FORMATS) from None
    except Exception as error:  # the reader's errors are of many classes
        if isinstance(error, LookupError):  # says but a byte or a place
            raise Unreadable("it is a damaged file of torch") from None
        raise Unreadable(f"it is a damaged file of torch: {_first(error)}") from None


def plain(tensor: Tensor) -> bool:
    """Whether a tensor is as large in memory as its shape says: dense, no view that repeats."""
    return (
        tensor.layout == torch.strided
        and tensor.device.type == "cpu"
        and not tensor.is_quantized
        and not tensor.is_complex()
        and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
    )


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].lower()
