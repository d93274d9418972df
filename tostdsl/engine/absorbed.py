"""Which layers' scale a normalisation takes out again, by running the network once.

Every value of a layer's output gets a label, its layer and channel, and the labels go with the
values through what passes a scale on. A layer counts if all its values end in normalisations that
take its scale out; a label that meets anything else leaves its layer out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree

from tostdsl.engine.nodes import LAYERS, NORMS
from tostdsl.engine.shapes import send_zeros
from tostdsl.plan.bases import DataFacts

_COPIES = ("contiguous", "clone", "to")
_MOVES = frozenset(
    {
        *("permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis"),
        *("flatten", "unflatten", "reshape", "view", "squeeze", "unsqueeze"),
        *("cat", "concat", "concatenate", "chunk", "split", "narrow", "__getitem__"),
        *_COPIES,
    }
)
"""What only moves values about, or leaves some out."""
_POOLS = frozenset(
    f"{kind}_pool{n}d" for kind in ("max", "avg", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)
)
_DROPOUTS = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d"})
_READS = frozenset({"__get__", "size", "dim", "numel", "__len__", "is_floating_point", "stride"})
"""What tells of a tensor without its values."""
NOTHING = -1
"""The label of values that come from no layer."""


def normalised(
    model: nn.Module,
    beside: Sequence[nn.Module],
    facts: DataFacts,
    device: torch.device,
    name: str,
) -> frozenset[str]:
    """Convolutions and linear layers whose weights' scale no output of the network depends on.

    Their outputs go to normalisations and nowhere else, past moved axes, concatenation, pooling
    and dropout at most. A batch or instance normalisation must get each channel from one channel
    of one layer, any other normalisation what it normalises over from one layer without a bias;
    dropout, too, wants a layer whose bias is zero, which would not grow with the weights.
    """
    if not any(isinstance(module, NORMS) for module in model.modules()):
        return frozenset()
    layers = [(path, m) for path, m in model.named_modules() if isinstance(m, LAYERS)]
    watch = _Watch()

    def label(index: int, module: Any) -> Callable[[nn.Module, Any, Any], None]:
        places = 0 if isinstance(module, nn.Linear) else len(module.kernel_size)

        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                watch.start(output, index, -1 - places)

        return hook

    # ahead of other hooks, which may change the output
    handles = [
        module.register_forward_hook(label(index, module), prepend=True)
        for index, (_, module) in enumerate(layers)
    ]
    with watch:
        outputs = send_zeros(model, beside, facts, device, name, handles)
    watch.lose(outputs)
    found = watch.absorbed - watch.lost
    return frozenset(
        path
        for index, (path, module) in enumerate(layers)
        if index in found and not (index in watch.unbiased and _biased(module))
    )


def _biased(layer: Any) -> bool:
    return layer.bias is not None and bool(layer.bias.detach().any())


class _Watch(TorchFunctionMode):
    """Labels that go with values: the layer's index and the channel, int32, of a value's shape."""

    def __init__(self) -> None:
        super().__init__()
        self.absorbed: set[int] = set()
        self.lost: set[int] = set()
        self.unbiased: set[int] = set()
        """Layers that count only without a bias."""
        self._firsts: list[int] = []
        """The first label of each layer, by its index."""
        self._owners: list[int] = []
        self._labels: dict[int, tuple[Tensor, Tensor]] = {}
        """By `id`, the tensor itself (so that no other takes its place) and its labels."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = [self._labels[id(t)][1] for t in _tensors((args, kwargs)) if id(t) in self._labels]
        result = func(*args, **kwargs)
        called = getattr(func, "__name__", "")
        if given and not (called in _READS and not any(True for _ in _tensors(result))):
            self._follow(called, func, args, kwargs, result)
        return result

    # -- labels

    def start(self, output: Tensor, layer: int, axis: int) -> None:
        """Label a layer's output, whose channels or features are along an axis."""
        count = output.shape[axis]
        first = len(self._owners)
        self._owners += [layer] * count
        shape = [1] * output.dim()
        shape[axis] = count
        labels = torch.arange(first, first + count, dtype=torch.int32).view(shape)
        self._labels[id(output)] = output, labels.expand(output.shape)

    def lose(self, value: Any) -> None:
        """Leave out the layers of all values here."""
        for tensor in _tensors(value):
            if id(tensor) in self._labels:
                self.lost |= self._layers(self._labels[id(tensor)][1])

    def _layers(self, labels: Tensor) -> set[int]:
        found: list[int] = torch.unique(labels).tolist()
        return {self._owners[each] for each in found if each != NOTHING}

    # -- functions

    def _follow(self, called: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        source = args[0] if args else None
        if self._known((args[1:], kwargs)):
            self.lose((args, kwargs))
            return
        if called in _MOVES:
            self._move(called, func, args, kwargs, result)
            return
        labels = self._labels[id(source)][1] if isinstance(source, Tensor) else None
        if labels is None:
            self.lose(source)
        elif called in _DROPOUTS:
            if _given("p", 1, args, kwargs, 0.5):
                self.unbiased |= self._layers(labels)
            self._labels[id(result)] = result, labels
        elif called in _POOLS and isinstance(result, Tensor):
            self._pool(called, args, kwargs, result)
        elif (runs := _runs(called, labels, args, kwargs)) is not None:
            self._absorb(runs, channels=called in ("batch_norm", "instance_norm"))
        else:
            self.lose(source)

    def _known(self, value: Any) -> bool:
        return any(id(tensor) in self._labels for tensor in _tensors(value))

    def _move(self, called: str, func: Any, args: Any, kwargs: Any, result: Any) -> None:
        def labelled(leaf: Any) -> Any:
            if not isinstance(leaf, Tensor):
                return leaf
            if id(leaf) not in self._labels:
                return torch.full((1,), NOTHING, dtype=torch.int32).expand(leaf.shape)
            labels = self._labels[id(leaf)][1]
            return labels.contiguous() if called == "view" else labels

        source = _pytree.tree_map(labelled, args[0])
        moved = source if called in _COPIES else func(source, *args[1:], **kwargs)
        for tensor, labels in zip(_tensors(result), _tensors(moved), strict=True):
            self._labels[id(tensor)] = tensor, labels

    def _pool(self, called: str, args: Any, kwargs: Any, result: Tensor) -> None:
        """Each place of a channel is made of that channel, if all its values have one label."""
        labels = self._labels[id(args[0])][1]
        places = int(called[-2])
        ends = labels.flatten(-places)
        first = ends[..., :1]
        mixed = (ends != first).any(-1)
        self.lost |= self._layers(ends[mixed])
        if called.startswith("avg") and _given("padding", 3, args, kwargs, 0) not in (0, (0, 0)):
            # zeros at the border do not have the bias that values have
            self.unbiased |= self._layers(ends)
        kept = first.reshape(*first.shape[:-1], *([1] * places))
        self._labels[id(result)] = result, kept.expand(result.shape)

    def _absorb(self, runs: Tensor, channels: bool) -> None:
        """What each row of labels is of is normalised together: the scale of one layer goes."""
        owners = torch.tensor([*self._owners, NOTHING])  # the last is that of `NOTHING`
        mine = owners[runs.long()]
        mixed = (mine != mine[:, :1]).any(1)
        self.lost |= self._layers(runs[mixed])
        whole = runs[~mixed]
        self.absorbed |= self._layers(whole)
        shifted = (whole != whole[:, :1]).any(1) if channels else torch.ones(len(whole)).bool()
        self.unbiased |= self._layers(whole[shifted])


def _runs(called: str, labels: Tensor, args: Any, kwargs: Any) -> Tensor | None:
    """Labels as rows of what a normalisation normalises together; None for other functions."""
    if called == "batch_norm":
        return labels.transpose(0, 1).flatten(1)
    if called == "instance_norm":
        return labels.flatten(0, 1).flatten(1)
    if called == "group_norm":
        groups = int(_given("num_groups", 1, args, kwargs, 1))
        return labels.reshape(labels.shape[0] * groups, -1)
    if called in ("layer_norm", "rms_norm"):
        return labels.reshape(-1, math.prod(_given("normalized_shape", 1, args, kwargs, ())))
    return None


def _given(name: str, place: int, args: Any, kwargs: Any, default: Any) -> Any:
    """An argument of a call, by its name or its place."""
    return args[place] if len(args) > place else kwargs.get(name, default)


def _tensors(value: Any) -> Iterator[Tensor]:
    return (leaf for leaf in _pytree.tree_leaves(value) if isinstance(leaf, Tensor))
