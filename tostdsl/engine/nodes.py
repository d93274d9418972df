"""Kinds of nodes of a traced network: which are layers, which work channel by channel.

A node works channel by channel when channel c of its output depends on channel c of its input
only, by a rule that is the same for every channel. Such a node runs on any number of channels.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

LAYERS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
WIDENED = (nn.Conv2d, nn.Linear)
"""Layers of exactly these classes can be widened; a subclass may compute something else."""
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.LocalResponseNorm)
RECTIFIERS = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU,
    nn.SiLU, nn.Mish, nn.Hardswish, nn.Softplus,
)  # fmt: skip
"""Activations a soft one can stand in for. Sigmoids are left out: in networks of convolutions
they are gates."""
_KINDS: dict[type[nn.Module], str] = {nn.LeakyReLU: "leaky_relu"}
ACTIVATIONS = (*RECTIFIERS, nn.Tanh, nn.Hardtanh, nn.Softsign)
_GATES = (nn.Sigmoid, nn.Hardsigmoid, nn.LogSigmoid)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
_POOLS = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip

_IN_PLACE = frozenset({"relu_", "leaky_relu_", "elu_", "selu_", "celu_"})
_RECTIFIER_FUNCTIONS = _IN_PLACE | {
    *("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish"),
    *("hardswish", "softplus"),
}
"""`RECTIFIERS` as functions and tensor methods; those that learn or draw numbers are left out."""
_ACTIVATION_FUNCTIONS = _RECTIFIER_FUNCTIONS | {"tanh", "tanh_"}
_GATE_FUNCTIONS = frozenset({"sigmoid", "hardsigmoid", "logsigmoid"})
_DROPOUT_FUNCTIONS = frozenset({"dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"})
_POOL_FUNCTIONS = frozenset(
    f"{kind}_pool{n}d" for kind in ("max", "avg", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)
)
_SUMS = (operator.add, operator.iadd)


def width(layer: nn.Module) -> int:
    """How many neurons (output channels or features) a layer has."""
    return int(getattr(layer, "out_channels", 0) or getattr(layer, "out_features", 0))


def inputs(layer: nn.Module | None) -> int:
    """How many input channels or features a layer has."""
    return int(getattr(layer, "in_channels", 0) or getattr(layer, "in_features", 0))


def defaults(module: nn.Module) -> dict[str, Any] | None:
    """Arguments of a module's `forward` that have a default, which is what they are traced with."""
    given = inspect.signature(module.forward).parameters.values()
    return {each.name: each.default for each in given if each.default is not each.empty} or None


def function(node: fx.Node) -> str | None:
    """The name of the torch function or tensor method a node calls."""
    if node.op == "call_method":
        return str(node.target)
    if node.op != "call_function":
        return None
    home = getattr(node.target, "__module__", None) or ""
    if home.split(".")[0] not in ("torch", "_operator", "builtins"):
        return None
    return getattr(node.target, "__name__", None)


def owner(node: fx.Node) -> str:
    """The name of the module whose code calls a function; empty for the network itself."""
    stack = list(node.meta.get("nn_module_stack", {}).values())
    return str(stack[-1][0]) if stack else ""


def place(node: fx.Node) -> str:
    """Where a function is called, as the calling module's name and its own."""
    called = function(node) or node.name
    return f"{owner(node)}.{called}" if owner(node) else called


def terms(node: fx.Node) -> tuple[fx.Node, fx.Node] | None:
    """The two tensors a node adds, if it is a sum of two."""
    is_sum = node.target in _SUMS or function(node) in ("add", "add_")
    if not is_sum or len(node.args) != 2 or node.kwargs:
        return None
    first, second = node.args
    return (first, second) if isinstance(first, fx.Node) and isinstance(second, fx.Node) else None


def multiplier(layer: nn.Module | None) -> int | None:
    """How many channels a depthwise convolution makes of each of its own; None for others."""
    if type(layer) not in WIDENED or not isinstance(layer, nn.Conv2d):
        return None
    if layer.groups == 1 or layer.groups != layer.in_channels:
        return None
    return layer.out_channels // layer.in_channels


def is_pooling(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether a node is pooling, as a module or as a function."""
    return isinstance(module, _POOLS) or (
        node.op != "call_module" and function(node) in _POOL_FUNCTIONS
    )


def is_activation(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether a node is an activation, as a module or as a function."""
    if module is not None:
        return isinstance(module, ACTIVATIONS)
    return function(node) in _ACTIVATION_FUNCTIONS


def kind(module: nn.Module) -> str:
    """What an activation module computes, by PyTorch's name of the function."""
    return _KINDS.get(type(module), type(module).__name__.lower())


def is_rectifier_call(node: fx.Node) -> bool:
    """Whether a node calls one of `RECTIFIERS` as a function or as a tensor's method."""
    return node.op != "call_module" and function(node) in _RECTIFIER_FUNCTIONS


def works_in_place(node: fx.Node) -> bool:
    """Whether a rectifier called as a function writes into its input."""
    if function(node) in _IN_PLACE:
        return True
    place = _inplace_argument(node)
    given = node.args[place : place + 1] if place is not None else ()
    return bool(node.kwargs.get("inplace", given[0] if given else False))


def rectifier(node: fx.Node) -> Callable[[Tensor], Tensor]:
    """The function of one tensor that a rectifier called as a function is, its input left alone.

    `ValueError` in words where its settings are no constants.
    """
    target, rest, named = node.target, node.args[1:], dict(node.kwargs)
    if not node.args or not isinstance(node.args[0], fx.Node):
        raise ValueError("its input is given by keyword")
    if len(node.all_input_nodes) > 1:
        raise ValueError("its settings are computed")
    name = str(function(node)).rstrip("_")
    if not callable(target):

        def method(tensor: Tensor) -> Tensor:
            result: Tensor = getattr(tensor, name)(*rest, **named)
            return result

        return method
    place = _inplace_argument(node)
    if place is not None:
        rest = rest[: place - 1]
        named.pop("inplace", None)
    if function(node) in _IN_PLACE:
        target = getattr(torch, name, None) or getattr(functional, name)

    def call(tensor: Tensor) -> Tensor:
        result: Tensor = target(tensor, *rest, **named)
        return result

    return call


def _inplace_argument(node: fx.Node) -> int | None:
    """Where `inplace` stands among a called function's arguments."""
    try:
        parameters = list(inspect.signature(node.target).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):  # a method's name, or a function not written in Python
        return None
    return parameters.index("inplace") if "inplace" in parameters else None


def is_passive(node: fx.Node, module: nn.Module | None) -> bool:
    """Whether a node is pooling, dropout or the identity."""
    if module is not None:
        return isinstance(module, (*_POOLS, *_DROPOUTS, nn.Identity))
    return function(node) in _POOL_FUNCTIONS | _DROPOUT_FUNCTIONS


def only_measures(node: fx.Node, source: fx.Node) -> bool:
    """Whether a node reads only the batch's size off a tensor, for a reshape of that tensor."""
    users = list(node.users)
    if function(node) in ("size", "getattr") and node.args[1:] in ((), ("shape",)):
        return all(function(each) == "getitem" and only_measures(each, source) for each in users)
    return _is_batch_size(node, source) and all(_is_view(each, source) for each in users)


def _is_batch_size(node: Any, source: fx.Node) -> bool:
    if not isinstance(node, fx.Node):
        return False
    if function(node) == "size":
        return bool(node.args == (source, 0))
    if function(node) != "getitem" or node.args[1] != 0:
        return False
    shape = node.args[0]
    if not isinstance(shape, fx.Node) or not shape.args or shape.args[0] is not source:
        return False
    return (function(shape), shape.args[1:]) in (("size", ()), ("getattr", ("shape",)))


def _is_view(node: fx.Node, source: fx.Node) -> bool:
    """Whether a node is `x.view(batch, -1)` of the source."""
    return (
        function(node) in ("view", "reshape")
        and len(node.args) == 3
        and node.args[0] is source
        and _is_batch_size(node.args[1], source)
        and bool(node.args[2] == -1)
    )


def flattens(node: fx.Node, source: fx.Node, module: nn.Module | None) -> bool:
    """Whether a node leaves batch x features of batch x channels x places."""
    if module is not None:
        return isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1)
    if _is_view(node, source):
        return True
    if function(node) == "flatten":
        given = {**dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)), **node.kwargs}
        return (given.get("start_dim", 0), given.get("end_dim", -1)) == (1, -1)
    return _is_global_mean(node)


def _is_global_mean(node: fx.Node) -> bool:
    if function(node) != "mean":
        return False
    dims = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    if node.kwargs.get("keepdim") or len(node.args) > 2 or not isinstance(dims, list | tuple):
        return False
    return sorted(map(str, dims)) in (["2", "3"], ["-1", "-2"])


def step(
    node: fx.Node, source: fx.Node, module: nn.Module | None, model: nn.Module, flat: bool
) -> Callable[[Tensor], Tensor] | None:
    """A node that works channel by channel, as a function of any number of channels.

    It calls the network's own modules and functions. None for other nodes; `flat` says that
    channels are features, which pooling would mix.
    """
    if not node.args or node.args[0] is not source:
        return None
    if module is not None:
        return module if len(node.args) == 1 and not node.kwargs and _any(module, flat) else None
    if flattens(node, source, None) and not (flat and _is_global_mean(node)):
        return _flatten if _is_view(node, source) else _call(node, model)
    known = _ACTIVATION_FUNCTIONS | _GATE_FUNCTIONS | _DROPOUT_FUNCTIONS
    called = function(node)
    if called in known or (called in _POOL_FUNCTIONS and not flat):
        others = [each for each in node.all_input_nodes if each is not source]
        return None if others else _call(node, model)
    return None


def _any(module: nn.Module, flat: bool) -> bool:
    """Whether a module runs on any number of channels."""
    if isinstance(module, nn.PReLU):
        return module.num_parameters == 1
    if isinstance(module, nn.Flatten):
        return (module.start_dim, module.end_dim) == (1, -1)
    if isinstance(module, _POOLS):
        return not flat and not getattr(module, "return_indices", False)
    return isinstance(module, (*ACTIVATIONS, *_GATES, *_DROPOUTS, nn.Identity))


def _flatten(tensor: Tensor) -> Tensor:
    return tensor.flatten(1)


def _call(node: fx.Node, model: nn.Module) -> Callable[[Tensor], Tensor]:
    target, rest, named = node.target, node.args[1:], dict(node.kwargs)
    follows_mode = function(node) in _DROPOUT_FUNCTIONS and named.get("training") is True

    def call(tensor: Tensor) -> Tensor:
        # traced in training mode, so the graph holds True where it says `self.training`
        mode = {"training": model.training} if follows_mode else {}
        run = target if callable(target) else getattr(tensor, target)
        given = (tensor, *rest) if callable(target) else rest
        result: Tensor = run(*given, **{**named, **mode})
        return result

    return call


def obstacle(node: fx.Node, module: nn.Module | None, name: str) -> str:
    """Why a layer that feeds this node cannot be widened."""
    if terms(node) is not None:
        return f"it feeds a residual sum ({name})"
    if module is not None:
        return f"it feeds something tied to its width ({name}, a {type(module).__name__})"
    return f"it feeds something tied to its width ({name})"
