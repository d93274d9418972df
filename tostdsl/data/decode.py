"""Image files to bytes, on all cores."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tostdsl.data.folder import Listing
from tostdsl.diagnostics import TostError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

_BLOCK = 1 << 26
"""Bytes of decoded images made in one go."""
_RUN = 64
"""Files a thread takes at a time."""


class Form(Protocol):
    """The shape that files are brought to; its `repr` tells one form from another."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""

    def fit(self, image: Image) -> Image:
        """The image in this form; `ValueError` in words when it cannot be."""


@dataclass(frozen=True, slots=True)
class Exact:
    """RGB images that must have the size already."""

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, self.height, self.width

    def fit(self, image: Image) -> Image:
        if image.size != (self.width, self.height) or image.mode != "RGB":
            found = f"{image.width}x{image.height} {image.mode}"
            raise ValueError(f"a {self.width}x{self.height} RGB image is wanted, this is {found}")
        return image


@dataclass(frozen=True, slots=True)
class Coloured(Exact):
    """Images that must have the size already; gray ones become RGB."""

    def fit(self, image: Image) -> Image:
        return Exact.fit(self, image.convert("RGB"))


@dataclass(frozen=True, slots=True)
class Cropped:
    """Any image, scaled so that its shorter side fits, and the middle square of it."""

    size: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return 3, self.size, self.size

    def fit(self, image: Image) -> Image:
        from PIL.Image import Resampling

        image = image.convert("RGB")
        short = min(image.size)
        width, height = (int(self.size * side / short) for side in image.size)
        if (width, height) != image.size:
            image = image.resize((width, height), Resampling.BILINEAR)
        left, top = round((width - self.size) / 2), round((height - self.size) / 2)
        return image.crop((left, top, left + self.size, top + self.size))


def blocks(listing: Listing, form: Form) -> Iterator[NDArray[np.uint8]]:
    """The images of a listing in order, N x C x H x W, a block at a time."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    count, size = len(listing.files), _BLOCK // int(np.prod(form.shape))
    size = max(1, size)
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for start in range(0, count, size):
            stop = min(count, start + size)
            block = np.empty((stop - start, *form.shape), dtype=np.uint8)

            def fill(first: int, block: NDArray[np.uint8] = block, start: int = start) -> None:
                for index in range(first, min(first + _RUN, len(block))):
                    path = listing.folder / listing.files[start + index].name
                    block[index] = read(path, form)

            for _ in pool.map(fill, range(0, len(block), _RUN)):
                pass
            yield block


def whole(listing: Listing, form: Form) -> NDArray[np.uint8]:
    """All images of a listing at once."""
    import numpy as np

    images = np.empty((len(listing.files), *form.shape), dtype=np.uint8)
    start = 0
    for block in blocks(listing, form):
        images[start : start + len(block)] = block
        start += len(block)
    return images


def read(path: Path, form: Form) -> NDArray[np.uint8]:
    """One file as C x H x W bytes; `TostError` R103 names it when it is no such image."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            pixels = np.asarray(form.fit(image), dtype=np.uint8)
    except UnidentifiedImageError as error:
        reason = "it is not an image"
        raise TostError.of("R103", path=f"`{path}`", reason=reason) from error
    except Exception as error:  # damaged files make pillow's readers fail in many ways
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise TostError.of("R103", path=f"`{path}`", reason=reason) from error
    return pixels.transpose(2, 0, 1)
