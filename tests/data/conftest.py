"""Small images as they are kept on disk, a server, and a cache of the test's own."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

Maker = Callable[..., Path]


def idx(array: np.ndarray) -> bytes:
    """The idx format: two zeros, the type, the number of dimensions, the sizes, the bytes."""
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a server of this machine's own that hands out a folder's files."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TOST_DATA", raising=False)
    return tmp_path / "cache" / "tostdsl"


@pytest.fixture
def make_folder(tmp_path: Path) -> Maker:
    """Writes PNG files `<name>/<part>/<class>/<n>.png` of random pixels that the path decides."""

    def make(
        counts: Mapping[str, Mapping[str, int]],
        size: tuple[int, int] = (32, 32),
        name: str = "pictures",
    ) -> Path:
        for part, classes in counts.items():
            for each, count in classes.items():
                folder = tmp_path / name / part / each
                folder.mkdir(parents=True)
                for number in range(count):
                    path = folder / f"{number:02}.png"
                    random = np.random.default_rng(zlib.crc32(f"{part}/{each}/{number}".encode()))
                    pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(path)
        return tmp_path / name

    return make
