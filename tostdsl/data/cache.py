"""Image folders are decoded once: one `.npy` file a split under the user's cache folder.

A file's name holds the hash of what it was made from and the checksum of what it holds. It
appears under that name only when it is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from tostdsl.data.decode import Form, blocks, whole
from tostdsl.data.folder import Listing
from tostdsl.data.place import cache_home
from tostdsl.plan.bases import Split

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LAYOUT = 1
"""Raised when the same listing would be decoded to something else."""
CHECKED = 1 << 31
"""Files up to so many bytes are read whole and checked; larger ones by their form only."""
_STEP = 1 << 24


def decoded(listing: Listing, form: Form, limit: int | None) -> Split:
    """The images of a listing, from the cache when they are there.

    With a limit only a balanced slice is decoded, and the cache is left alone.
    """
    if limit is not None:
        part = listing.part(limit)
        return Split(whole(part, form), part.labels)
    return Split(_images(listing, form), listing.labels)


def key(listing: Listing, form: Form) -> str:
    """What tells one decoding from another: names, sizes and times of files, form, decoder."""
    import PIL

    content = [
        LAYOUT,
        PIL.__version__,
        repr(form),
        [(file.name, file.size, file.modified) for file in listing.files],
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def folder() -> Path:
    """Where decoded images are kept."""
    return cache_home() / "images"


def _images(listing: Listing, form: Form) -> NDArray[np.uint8]:
    place, name = folder(), key(listing, form)
    shape = (len(listing.files), *form.shape)
    for path in sorted(place.glob(f"{name}-*.npy")):
        images = _load(path, shape)
        if images is not None:
            return images
        with contextlib.suppress(OSError):
            path.unlink()
    stored = _store(place, name, listing, form)
    images = _load(stored, shape) if stored is not None else None
    return whole(listing, form) if images is None else images


def _load(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
    """The images of a cache file without reading them into memory; None if it is damaged."""
    import numpy as np

    try:
        images = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError):
        return None
    if images.shape != shape or images.dtype != np.uint8 or not images.flags.c_contiguous:
        return None
    if images.nbytes <= CHECKED:
        flat, checksum = images.reshape(-1), 0
        for start in range(0, len(flat), _STEP):
            checksum = zlib.crc32(flat[start : start + _STEP].data, checksum)
        if path.stem.rpartition("-")[2] != f"{checksum:08x}":
            return None
    return images


def _store(place: Path, name: str, listing: Listing, form: Form) -> Path | None:
    """Decode into a new cache file; None when the cache cannot be written."""
    import numpy as np

    header = {
        "descr": "|u1",
        "fortran_order": False,
        "shape": (len(listing.files), *form.shape),
    }
    temporary: str | None = None
    try:
        place.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{name}-", suffix=".part", dir=place)
        checksum = 0
        with os.fdopen(handle, "wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            for block in blocks(listing, form):
                checksum = zlib.crc32(block.data, checksum)
                file.write(block.data)
            file.flush()
            os.fsync(file.fileno())
        path = place / f"{name}-{checksum:08x}.npy"
        os.replace(temporary, path)
        temporary = None
        return path
    except OSError:  # read only, full, or no folder at all: the images can do without a cache
        return None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
