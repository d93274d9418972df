"""The one place that imports torchvision: its networks, data set downloads and transforms."""

from __future__ import annotations

import importlib
import warnings
from functools import lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""Operators that torchvision describes to torch on import, whether or not they are there."""

_placeholders: list[Any] = []


@lru_cache(maxsize=1)
def torchvision() -> ModuleType:
    """Import torchvision.

    Beside a torch that its compiled operators were not built for it would fail to import, for
    the sake of two operators of object detection; then those get a placeholder without a body.
    """
    _load_operators()
    _fill_in()
    with warnings.catch_warnings():
        # its readers of JPEG files are compiled too; images are read with pillow here
        warnings.filterwarnings("ignore", message="Failed to load image Python extension")
        return importlib.import_module("torchvision")


def transforms() -> ModuleType:
    """Import torchvision's transforms in their second edition."""
    torchvision()
    return importlib.import_module("torchvision.transforms.v2")


def _load_operators() -> None:
    """Load the compiled operators as torchvision would, to see whether they load."""
    import torch

    package = find_spec("torchvision")
    folders = list(package.submodule_search_locations or ()) if package else []
    library = PathFinder.find_spec("_C", folders)
    if library is None or library.origin is None:
        return
    try:
        torch.ops.load_library(library.origin)  # type: ignore[no-untyped-call]
    except (ImportError, OSError):
        return


def _fill_in() -> None:
    """Declare the operators that are missing."""
    import torch

    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
            library.define(name + schema)  # type: ignore[no-untyped-call]
            _placeholders.append(library)  # it takes its operators along when collected
