"""Activations that a network calls as functions, and how a stage reaches them.

No hook runs around `functional.relu(x)` in a module's code. That module, the owner of the call,
therefore gets a `forward` of its own while a stage changes the call: the same steps, written out
by `torch.fx` for training and for evaluation, where the calls of activations go through `Call`.
It is an attribute of the one module, put there and taken out again; its class stays as it is.
Whether the written-out steps compute what the code computes is tried before they are used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MethodType
from typing import Any

import torch
from torch import Tensor, fx, nn

from tostdsl.engine import nodes

CLOSE = 1e-4
"""How far, relative to the largest output, the written-out steps may be off the code's."""


class Call:
    """One place in an owner's code where an activation is called as a function.

    Calling it runs the activation on its input, which is left alone, and then the hooks that a
    stage put here (`hook(owner, (input,), output)`, like a forward hook).
    """

    def __init__(self, owner: Owner, name: str, kind: str, run: Callable[[Tensor], Tensor]) -> None:
        self.owner = owner
        self.name = name
        """`layer1.0.relu()`, or `layer1.0.relu()#2` for the second one there."""
        self.kind = kind
        """The function's name."""
        self._run = run
        self._hooks: list[Callable[[nn.Module, Any, Any], Any]] = []

    def __call__(self, tensor: Tensor) -> Tensor:
        output = self._run(tensor)
        for hook in self._hooks:
            output = hook(self.owner.module, (tensor,), output)
        return output

    def plain(self, tensor: Tensor) -> Tensor:
        """What the activation gives, without the hooks."""
        return self._run(tensor)

    def put(self, hook: Callable[[nn.Module, Any, Any], Any]) -> None:
        """Run a hook after the activation from now on."""
        self._hooks.append(hook)
        self.owner.hold()

    def take(self, hook: Callable[[nn.Module, Any, Any], Any]) -> None:
        """Run it no more; with the owner's last one its own code is back."""
        self._hooks.remove(hook)
        self.owner.release()


@dataclass(eq=False)
class Owner:
    """A module whose code calls activations as functions."""

    name: str
    module: nn.Module
    calls: list[Call] = field(default_factory=list)
    _forwards: dict[bool, Callable[..., Any]] = field(default_factory=dict)
    written: MethodType | None = None
    """What the module runs while it is held."""
    _held: int = 0

    def hold(self) -> None:
        """Run the written-out steps instead of the module's code until released as often."""
        self._held += 1
        if self._held > 1:
            return
        training, evaluating = self._forwards[True], self._forwards[False]

        def forward(self: nn.Module, *args: Any) -> Any:
            return (training if self.training else evaluating)(self, *args)

        # a method, so that a copy of the module runs the copy's layers
        self.written = self.module.__dict__["forward"] = MethodType(forward, self.module)

    def release(self) -> None:
        """Undo one `hold`."""
        self._held -= 1
        if not self._held:
            del self.module.__dict__["forward"]
            self.written = None


class Missed(Exception):
    """Why calls cannot be reached, in words."""


class Functions:
    """The activations one network calls as functions.

    `owners` are the modules that may hold calls, by name, with the nodes of the network's graph
    that are such calls or the module itself; `given` tells how the network calls each module.
    """

    def __init__(
        self,
        owners: Mapping[str, tuple[nn.Module, Sequence[fx.Node]]],
        given: Mapping[str, Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]]],
    ) -> None:
        self.calls: dict[str, Call] = {}
        """Those that can be reached, by name."""
        self.places: list[tuple[fx.Node, Call]] = []
        """Where they are in the network's graph; a module that is one node may hold several."""
        self.missed: dict[str, str] = {}
        """Owners whose calls cannot be reached, and why."""
        for name, (module, places) in owners.items():
            try:
                owner = _owner(name, module, given.get(name, ()))
                self._match(owner, places)
            except Missed as reason:
                if any(nodes.is_rectifier_call(place) for place in places):
                    self.missed[name] = str(reason)

    def _match(self, owner: Owner, places: Sequence[fx.Node]) -> None:
        calls = owner.calls
        if not calls:
            return
        own = [place for place in places if place.op != "call_module"]
        if len(own) % len(calls):
            raise Missed("its code calls other activations at other times")
        for place in places:
            here = [calls[own.index(place) % len(calls)]] if place in own else calls
            self.places += [(place, call) for call in here]
        self.calls |= {call.name: call for call in calls}

    def at(self, node: fx.Node) -> Call | None:
        """The call that a node of the network's graph is."""
        found = (call for place, call in self.places if place is node)
        return next(found, None) if node.op != "call_module" else None

    def drop(self, owner: Owner, reason: str) -> None:
        """Leave an owner's calls alone after all."""
        self.missed[owner.name] = reason
        for call in owner.calls:
            self.calls.pop(call.name, None)
        self.places = [(node, call) for node, call in self.places if call.owner is not owner]

    def prove(self, model: nn.Module, beside: Iterable[nn.Module], images: Tensor) -> None:
        """Drop the owners whose written-out steps do not compute what their code computes.

        `images` go through the network in training and in evaluation mode, with the code and with
        the steps; modes, buffers and random numbers are put back.
        """
        owners = list(dict.fromkeys(call.owner for call in self.calls.values()))
        if not owners:
            return
        roots = [model, *beside]
        plain = _outputs(roots, images)
        if _same(plain, _with(owners, roots, images)):
            return
        steady = _same(plain, _outputs(roots, images))
        for owner in owners:
            if not steady:
                self.drop(owner, "the network does not compute the same twice")
            elif not _same(plain, _with([owner], roots, images)):
                self.drop(owner, "its code does more than its traced steps")


def _owner(
    name: str, module: nn.Module, given: Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]]
) -> Owner:
    owner = Owner(name, module)
    if "forward" in vars(module):
        raise Missed("its `forward` was replaced")
    for args, kwargs in given:
        if kwargs or not all(isinstance(arg, fx.Proxy) for arg in args):
            raise Missed("it is called with more than tensors")
    graphs = {mode: _written_out(module, mode) for mode in (True, False)}
    found = {
        mode: [node for node in graph.nodes if nodes.is_rectifier_call(node)]
        for mode, graph in graphs.items()
    }
    kinds: Counter[str] = Counter()
    if len(found[True]) != len(found[False]):
        raise Missed("its code differs between training and evaluation")
    for node, twin in zip(found[True], found[False], strict=True):
        if (node.target, node.args[1:], node.kwargs) != (twin.target, twin.args[1:], twin.kwargs):
            raise Missed("its code differs between training and evaluation")
        kind = str(nodes.function(node)).rstrip("_")
        kinds[kind] += 1
        number = f"#{kinds[kind]}" if kinds[kind] > 1 else ""
        place = f"{name}.{kind}(){number}" if name else f"{kind}(){number}"
        try:
            owner.calls.append(Call(owner, place, kind, nodes.rectifier(node)))
        except ValueError as reason:
            raise Missed(str(reason)) from None
    if owner.calls:
        for mode, graph in graphs.items():
            owner._forwards[mode] = _compiled(graph, found[mode], owner.calls)
    return owner


class _OwnSteps(fx.Tracer):
    """Follows one module's own code: every module it calls is a single node."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def _written_out(module: nn.Module, training: bool) -> fx.Graph:
    modes, before = {each: each.training for each in module.modules()}, set(vars(module))
    try:
        for each in modes:
            each.training = training
        graph = _OwnSteps().trace(module, concrete_args=nodes.defaults(module))
    except Exception as error:  # a stranger's code may fail on a proxy in any way
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise Missed(f"it cannot be traced: {said}") from None
    finally:
        for each, mode in modes.items():
            each.training = mode
    added = [name for name in vars(module).keys() - before if name.startswith("_tensor_constant")]
    for name in added:  # there the tracer keeps tensors made in the code
        del module.__dict__[name]
    if added:
        raise Missed("it makes tensors of its own")
    return graph


def _compiled(
    graph: fx.Graph, found: Sequence[fx.Node], calls: Sequence[Call]
) -> Callable[..., Any]:
    """The function of (self, *args) that runs the graph's steps with these calls."""
    for index, (node, call) in enumerate(zip(found, calls, strict=True)):
        source = node.args[0]
        assert isinstance(source, fx.Node)
        with graph.inserting_after(node):
            put = graph.call_function(_named(call, index), (source,))
        if nodes.works_in_place(node):
            # whoever reads the input later reads what was written into it
            order = {each: place for place, each in enumerate(graph.nodes)}
            later = order[node]
            source.replace_all_uses_with(put, lambda user, o=order, at=later: o[user] > at + 1)  # type: ignore[misc]
        node.replace_all_uses_with(put)
        graph.erase_node(node)
    code = graph.python_code("self")
    scope = dict(code.globals)
    exec(code.src, scope)  # what torch.fx wrote, as in its own GraphModule
    made: Callable[..., Any] = scope["forward"]
    return made


def _named(call: Call, index: int) -> Callable[[Tensor], Tensor]:
    """A plain function, which is what generated code can name."""

    def run(tensor: Tensor) -> Tensor:
        return call(tensor)

    run.__name__ = f"call_{index}"
    return run


def _with(owners: Iterable[Owner], roots: Sequence[nn.Module], images: Tensor) -> list[Tensor]:
    held = list(owners)
    for owner in held:
        owner.hold()
    try:
        return _outputs(roots, images)
    except Exception:  # whatever it is, the code itself did not raise it
        return []
    finally:
        for owner in held:
            owner.release()


@torch.no_grad()
def _outputs(roots: Sequence[nn.Module], images: Tensor) -> list[Tensor]:
    """What the first root gives in training and in evaluation mode, with no trace left."""
    modes = {module: module.training for root in roots for module in root.modules()}
    buffers = [buffer for root in roots for buffer in root.buffers()]
    kept = [buffer.clone() for buffer in buffers]
    devices = [images.device] if images.device.type == "cuda" else []
    try:
        found = []
        for mode in (True, False):
            for module in modes:
                module.training = mode
            with torch.random.fork_rng(devices=devices):
                torch.manual_seed(0)
                found.append(roots[0](images).clone())
        return found
    finally:
        for module, mode in modes.items():
            module.training = mode
        for buffer, value in zip(buffers, kept, strict=True):
            buffer.copy_(value)


def _same(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return len(one) == len(other) and all(
        torch.allclose(a, b, rtol=0, atol=CLOSE * max(1.0, float(a.abs().max())), equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )
