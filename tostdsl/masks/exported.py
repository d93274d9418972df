"""The manifest in a file of masks that `tost mask export` writes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

KEY = "tostdsl"
"""The one entry of the file's metadata; several would be written in no certain order."""
FORMAT = "masks 1"


def digest_of(mask: Tensor) -> str:
    """SHA-256 over the bytes of a mask (0 and 1, row by row)."""
    array = mask.detach().cpu().contiguous().numpy()
    return hashlib.sha256(np.ascontiguousarray(array).astype(np.uint8).tobytes()).hexdigest()


def manifest(masks: Mapping[str, Tensor], recipe: str, plan: str, unreal: str) -> dict[str, Any]:
    """What the masks are of, and the shape, count and digest of each.

    `plan` is the fingerprint; `unreal` says why the run was no real one, if it was none.
    """
    layers = {
        name: {
            "shape": list(mask.shape),
            "kept": int(mask.sum()),
            "weights": mask.numel(),
            "sha256": digest_of(mask),
        }
        for name, mask in masks.items()
    }
    kept = sum(int(mask.sum()) for mask in masks.values())
    total = sum(mask.numel() for mask in masks.values())
    return {
        "format": FORMAT,
        "recipe": recipe,
        "plan": plan,
        "unreal": unreal,
        "kept": kept,
        "weights": total,
        "sparsity": (total - kept) / total if total else 0.0,
        "layers": layers,
    }


def gap(text: str, tensors: Mapping[str, Tensor]) -> str:
    """What in a file does not fit its own manifest, in words; empty where all does."""
    try:
        content = json.loads(text)
        layers = content["layers"] if content["format"] == FORMAT else None
        told = {name: layer["sha256"] for name, layer in layers.items()} if layers else {}
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return "its manifest is damaged"
    if layers is None:
        return ""  # of another version, whose manifest says nothing here
    if strays := sorted(set(told) ^ set(tensors)):
        return f"`{strays[0]}` is in its manifest or in the file, but not in both"
    wrong = next((name for name, each in tensors.items() if digest_of(each) != told[name]), None)
    return f"the mask of `{wrong}` is not the one that its manifest names" if wrong else ""
