"""What carries the masks in a file: told from the names and values, and named.

What comes out is one list of tensors, each with the name of the weight that it should be for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tostdsl.masks.reading import Content, Unreadable, plain

WRAPPERS = (
    *("masks", "mask", "state_dict", "model_state_dict", "model_state", "model", "net"),
    *("network", "module", "params", "weights"),
)
"""Under what names files put masks and networks; the first that holds tensors is looked into."""
OF_MASKS = WRAPPERS[:2]
DEPTH = 4
"""How deep such dicts may stand in one another."""
PARAMETRIZED = re.compile(r"^(?:(.*)\.)?parametrizations\.(\w+)\.(\d+)\.(?:\w+_)?mask$")
OWN_PART = re.compile(r"^((?:.*\.)?parametrizations\.\w+)\.\d+\.")
"""What a parametrization keeps beside the original weight."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A tensor of the file, not yet known to be a mask."""

    source: str
    """How the file calls it: its name or its place."""
    weight: str | None
    """The name of its weight by the file; None in a list."""
    tensor: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape."""
        return tuple(self.tensor.shape)


@dataclass(frozen=True, slots=True)
class Carried:
    """The masks of a file, not yet matched."""

    carrier: str
    """The argument that reads them so."""
    said: str
    """What they are, in words."""
    entries: tuple[Entry, ...]
    ordered: bool
    """Whether entries stand in the order of the network they were made for."""
    where: str = ""
    """Under what names they stand in the file; empty at its top."""
    beside: Carried | None = None
    """What stands next to the masks in the file and may tell others, such as a checkpoint."""

    @property
    def zeros(self) -> bool:
        """Whether what is not 0 is kept, whatever it is."""
        return self.carrier == "zeros"


def carried(content: Content, carrier: str) -> Carried:
    """The masks that a file carries; `Unreadable` where it has none of this carrier."""
    where, tree = _tensors_of(content.tree, "", carrier, DEPTH)
    under = f", under `{where}`" if where else ""
    if not isinstance(tree, Mapping) or _counted(tree):
        if carrier not in ("auto", "list"):
            raise Unreadable(f"its tensors have no names, so it has no `{carrier}`")
        values = list(tree.values() if isinstance(tree, Mapping) else tree)
        entries = [Entry(f"number {i}", None, each) for i, each in enumerate(values, 1)]
        beside = _beside(content, where) if carrier == "auto" else None
        return Carried("list", f"a list of masks{under}", _dense(entries), True, where, beside)
    if carrier == "list":
        raise Unreadable("its tensors have names, so it is no list")
    named = {str(name): each for name, each in tree.items() if isinstance(each, Tensor)}
    if not content.ordered:
        named = dict(sorted(named.items()))  # as good an order as any, the same every time
    kind = carrier if carrier != "auto" else _told(named)
    if carrier == "zeros" and (orig := next((n for n in named if n.endswith("_orig")), "")):
        raise Unreadable(
            f"`{orig}` in it is a weight before it is masked, whose zeros say nothing",
            "write `carrier=buffers` to read the masks beside such weights",
        )
    entries = list(KINDS[kind](named))
    if not entries:
        if kind == "parametrizations":
            _refuse_other_buffers(named)
        raise Unreadable(f"it has no {WORDS[kind]}", f"it has {_sample(named)}")
    said = WORDS[kind]
    if kind == "buffers" and any(name.endswith("_orig") for name in named):
        said += " of `torch.nn.utils.prune`"
    if kind == "masks" and "tostdsl" in content.notes:
        said += ", exported by `tost mask export`"
    beside = _beside(content, where) if carrier == "auto" else None
    return Carried(kind, said + under, _dense(entries), content.ordered, where, beside)


def _beside(content: Content, where: str) -> Carried | None:
    """What else in a file may say what is pruned, where its masks stand under a name of their own.

    Only asked of files whose carrier is told by what is in them.
    """
    taken = where.partition(".")[0]
    if taken not in OF_MASKS:
        return None
    rest = {name: each for name, each in content.tree.items() if name != taken}
    try:
        return carried(replace(content, tree=rest), "auto")
    except Unreadable:
        return None


WORDS = {
    "masks": "masks by the names of their weights",
    "buffers": "buffers `weight_mask`",
    "parametrizations": "masks of parametrizations",
    "zeros": "zeros of a checkpoint",
}


def _holds(tree: Any) -> bool:
    if isinstance(tree, Mapping):
        return any(isinstance(each, Tensor) for each in tree.values())
    return (
        isinstance(tree, list | tuple)
        and len(tree) > 0
        and all(isinstance(each, Tensor) for each in tree)
    )


def _tensors_of(tree: Any, where: str, carrier: str, depth: int) -> tuple[str, Any]:
    """The dict or list of tensors in a file, and under what names it stands."""
    if isinstance(tree, Mapping) and depth:
        for name in WRAPPERS:
            inner = tree.get(name)
            if carrier == "zeros" and name in OF_MASKS:
                continue
            if isinstance(inner, Mapping | list | tuple):
                try:
                    return _tensors_of(inner, f"{where}.{name}".strip("."), carrier, depth - 1)
                except Unreadable:
                    continue
    if _holds(tree):
        return where, tree
    what = type(tree).__name__
    if isinstance(tree, Mapping):
        what = f"a dict with {_sample(tree)}"
    raise Unreadable(f"no tensors by name stand in it, nor a list of them: it is {what}")


def _counted(tree: Mapping[Any, Any]) -> bool:
    """Whether names are but the places of a list: 0, 1, 2, or numpy's `arr_0`."""
    names = list(tree)
    return names in (list(range(len(names))), [f"arr_{i}" for i in range(len(names))])


def _told(named: Mapping[str, Tensor]) -> str:
    """Which carrier a file is, by its names, then by its values."""
    kinds = ("buffers", "parametrizations")
    found = [kind for kind in kinds if list(KINDS[kind](named))]
    if len(found) == 1:
        return found[0]
    if found:
        words = " and ".join(WORDS[kind] for kind in found)
        raise Unreadable(f"it has {words}", "say which ones count, with `carrier`")
    _refuse_other_buffers(named)
    _dense([Entry(name, name, each) for name, each in named.items()])
    matrices = {name: each for name, each in named.items() if each.dim() > 1}
    if not matrices:
        raise Unreadable("it has no tensor of a weight's shape", f"it has {_sample(named)}")
    binary = [name for name, each in matrices.items() if _binary(each)]
    other = [name for name, each in matrices.items() if name not in set(binary) and each.any()]
    if binary and other:
        raise Unreadable(
            f"`{binary[0]}` is made of 0 and 1 like a mask, `{other[0]}` is not",
            "say what it is: `carrier=masks`, or `carrier=zeros` for a checkpoint",
        )
    return "zeros" if other else "masks"


def _binary(tensor: Tensor) -> bool:
    """Whether a tensor looks like a mask: of whole numbers, or of 0 and 1 with a 1 in it."""
    if not tensor.is_floating_point():
        return True
    return bool(((tensor == 0) | (tensor == 1)).all()) and bool(tensor.any())


def _masks(named: Mapping[str, Tensor]) -> Iterator[Entry]:
    for name, tensor in named.items():
        yield Entry(name, name, tensor)


def _zeros(named: Mapping[str, Tensor]) -> Iterator[Entry]:
    masks = {entry.source for entry in _buffers(named)}
    for name, tensor in named.items():
        if name not in masks and tensor.dim() > 1 and tensor.is_floating_point():
            yield Entry(name, name, tensor)


def _buffers(named: Mapping[str, Tensor]) -> Iterator[Entry]:
    for name, tensor in named.items():
        weight = name.removesuffix("_mask")
        beside = weight in named or f"{weight}_orig" in named or weight.endswith("weight")
        if weight != name and beside and PARAMETRIZED.match(name) is None:
            yield Entry(name, weight, tensor)


def _parametrizations(named: Mapping[str, Tensor]) -> Iterator[Entry]:
    seen: dict[str, str] = {}
    for name, tensor in named.items():
        if found := PARAMETRIZED.match(name):
            weight = f"{found[1]}.{found[2]}" if found[1] else found[2]
            if weight in seen:
                raise Unreadable(f"`{seen[weight]}` and `{name}` are both masks of `{weight}`")
            seen[weight] = name
            yield Entry(name, weight, tensor)


def _refuse_other_buffers(named: Mapping[str, Tensor]) -> None:
    """`Unreadable` where parametrizations keep something of the weight's shape, but no `mask`."""
    strange = [
        name
        for name, tensor in named.items()
        if (part := OWN_PART.match(name))
        and tensor.dim() > 1
        and (original := named.get(f"{part[1]}.original")) is not None
        and original.shape == tensor.shape
    ]
    if strange:
        raise Unreadable(
            f"no buffer of its parametrizations is called `mask` or `…_mask`: {_sample(strange)}",
            "rename the buffers, or save each mask by the name of its weight "
            "(`conv1.weight`), and nothing else",
        )


KINDS: dict[str, Callable[[Mapping[str, Tensor]], Iterator[Entry]]] = {
    "masks": _masks,
    "buffers": _buffers,
    "parametrizations": _parametrizations,
    "zeros": _zeros,
}


def _dense(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries, of which none is larger than the file that it stands in."""
    for entry in entries:
        if not plain(entry.tensor):
            raise Unreadable(f"`{entry.source}` is no plain dense tensor of real numbers")
    return tuple(entries)


def _sample(names: Collection[Any]) -> str:
    shown = ", ".join(f"`{name}`" for name in list(names)[:3])
    return (shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")) or "nothing"


def as_mask(entry: Entry, zeros: bool, ones: str) -> Tensor | tuple[str, tuple[int, ...]]:
    """The mask of an entry (bool, True is kept), or its first value that makes none, and where.

    With `zeros` every number but 0 is kept, and only what is no finite number makes no mask; else
    all but 0 and 1, and `ones` says what a 1 means: `kept`, `pruned`.
    """
    tensor = entry.tensor.detach()
    if tensor.dtype == torch.bool:  # its bytes may be of any value
        tensor = tensor.contiguous().view(torch.uint8)
    if tensor.is_floating_point() and tensor.element_size() == 1:
        tensor = tensor.float()  # torch does little with eight bits
    wrong = ~tensor.isfinite() if zeros else (tensor != 0) & (tensor != 1)
    if bool(wrong.any()):
        flat = int(wrong.reshape(-1).to(torch.uint8).argmax())
        place = tuple(int(each) for each in torch.unravel_index(torch.tensor(flat), wrong.shape))
        return f"{tensor[place].item():g}", place
    if zeros:
        return tensor != 0
    return tensor == (1 if ones == "kept" else 0)
