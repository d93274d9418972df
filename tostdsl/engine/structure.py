"""What feeds what in a network, read off its `torch.fx` graph.

Modules of `torch.nn` and modules without submodules are single nodes; everything else is followed
into. The graph is traced once, in training mode, and never run or changed: a technique works with
the names found here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from typing import Any

from torch import Tensor, fx, nn

from tostdsl.diagnostics import TostError
from tostdsl.engine import joints, nodes
from tostdsl.engine.calls import Functions
from tostdsl.engine.places import Hidden, Joint, Relay, Stretch, Unwidened

Step = Callable[[Tensor], Tensor]
Given = dict[str, list[tuple[tuple[Any, ...], dict[str, Any]]]]


class Tied(Exception):
    """Why a layer cannot be widened, in words."""


class Structure:
    """The graph of one network. `name` is what messages call it.

    Raises `TostError` T503 for a network that cannot be traced.
    """

    def __init__(self, model: nn.Module, name: str) -> None:
        self._model = model
        self._names: dict[nn.Module, str] = {module: path for path, module in model.named_modules()}
        graph, self._given = _trace(model, name)
        self.graph = graph
        self._paths = dict(model.named_modules(remove_duplicate=False))
        self.calls = Counter(
            self._names[self._paths[str(n.target)]] for n in graph.nodes if n.op == "call_module"
        )
        self.upstream: dict[fx.Node, frozenset[str]] = {}
        for node in graph.nodes:
            above = [self.upstream[each] for each in node.all_input_nodes]
            here = [self.name(node)] if isinstance(self.module(node), nodes.LAYERS) else []
            self.upstream[node] = frozenset().union(*above, here)

    # -- questions

    def hidden(self) -> tuple[tuple[Hidden, ...], tuple[Unwidened, ...]]:
        """Layers that can be widened, in the network's order, and those that cannot."""
        found: list[Hidden] = []
        tied: list[Unwidened] = []
        for layer in self.layers():
            try:
                found.append(self._widen(layer))
            except Tied as reason:
                tied.append(Unwidened(layer, str(reason)))
        return tuple(found), tuple(tied)

    def joints(self) -> tuple[Joint, ...]:
        """Layers followed by an activation past at most a normalisation and a residual sum."""
        return tuple(joint for joint, _ in joints.find(self))

    def stretches(self) -> tuple[Stretch, ...]:
        """Blocks of several layers, each up to right before its last activation."""
        return joints.stretches(self)

    def behind_activations(self) -> list[tuple[str, frozenset[str]]]:
        """Each call of an activation, with the layers whose outputs it is applied to.

        Normalisation, pooling, dropout and one residual sum may lie between.
        """
        functions = dict[fx.Node, list[str]]()
        for node, call in self.functions.places:
            functions.setdefault(node, []).append(call.name)
        return [
            (name, self._behind(node.args[0], sums=1))
            for node in self.graph.nodes
            for name in functions.get(node, self._activation(node))
            if node.args
        ]

    def _activation(self, node: fx.Node) -> list[str]:
        return [self.name(node)] if isinstance(self.module(node), nodes.ACTIVATIONS) else []

    @cached_property
    def functions(self) -> Functions:
        """The activations that the network's code calls as functions."""
        places: dict[str, list[fx.Node]] = {}
        for node in self.graph.nodes:
            module = self.module(node)
            if module is not None and not module.__module__.startswith("torch.nn."):
                places.setdefault(self.name(node), []).append(node)
            elif nodes.is_rectifier_call(node):
                places.setdefault(nodes.owner(node), []).append(node)
        owners = {name: (self._paths[name], found) for name, found in places.items()}
        return Functions(owners, self._given)

    # -- nodes

    def module(self, node: fx.Node) -> nn.Module | None:
        """The module a node calls."""
        return self._paths[str(node.target)] if node.op == "call_module" else None

    def name(self, node: fx.Node) -> str:
        """A module's first name, or where a function is called."""
        module = self.module(node)
        if module is not None:
            return self._names[module]
        return nodes.place(node)

    def layers(self) -> Iterator[str]:
        """Names of the convolutions and linear layers, in the network's order."""
        for name, module in self._model.named_modules():
            if isinstance(module, nodes.LAYERS):
                yield name

    def node(self, layer: str) -> fx.Node | None:
        """The one node that calls a layer; None if there is none or more."""
        if self.calls[layer] != 1:
            return None
        wanted = self._model.get_submodule(layer)
        nodes_of = (node for node in self.graph.nodes if self.module(node) is wanted)
        return next(nodes_of, None)

    def _behind(self, node: Any, sums: int) -> frozenset[str]:
        if not isinstance(node, fx.Node):
            return frozenset()
        module = self.module(node)
        if isinstance(module, nodes.LAYERS):
            return frozenset({self.name(node)})
        terms = nodes.terms(node)
        if terms is not None and sums:
            return self._behind(terms[0], sums - 1) | self._behind(terms[1], sums - 1)
        if node.args and (isinstance(module, nodes.NORMS) or nodes.is_passive(node, module)):
            return self._behind(node.args[0], sums)
        return frozenset()

    # -- widening

    def _widen(self, layer: str) -> Hidden:
        start = self.node(layer)
        if start is None:
            times = "more than once" if self.calls[layer] else "only inside another module"
            raise Tied(f"it is called {times}")
        if not start.args:
            raise Tied("it is called by keyword")
        module = self._plain(start)
        if nodes.multiplier(module) is not None:
            raise Tied("it is a depthwise convolution, which ghosts of the layer before it pass")
        if getattr(module, "groups", 1) != 1:
            raise Tied("it is a grouped convolution")
        flat = isinstance(module, nn.Linear)
        width = nodes.width(module)
        norm, through, here, flat = self._follow(start, width, flat)
        relays: list[Relay] = []
        while (multiple := nodes.multiplier(self.module(here))) is not None:
            name = self.name(here)
            if self.calls[name] != 1:
                raise Tied(f"it feeds a layer that is called more than once ({name})")
            if nodes.inputs(self.module(here)) != width:
                raise Tied(f"it feeds a layer of another shape ({name})")
            width *= multiple
            relay_norm, relay_through, here, flat = self._follow(here, width, flat)
            relays.append(Relay(name, relay_norm, relay_through))
        self._accepts(here, module, width, flat)
        return Hidden(layer, norm, self.name(here), through, tuple(relays))

    def _follow(
        self, start: fx.Node, width: int, flat: bool
    ) -> tuple[str | None, Step, fx.Node, bool]:
        """From a layer to the next: its normalisation, what runs between, the next, if flat."""
        norm: str | None = None
        steps: list[Step] = []
        last, here = start, self._sole_user(start)
        while not isinstance(self.module(here), nodes.LAYERS):
            following = self.module(here)
            if last is start and type(following) in nodes.BATCH_NORMS:
                norm = self._norm(here, width)
            elif (step := nodes.step(here, last, following, self._model, flat)) is not None:
                steps.append(self.functions.at(here) or step)
                flat = flat or nodes.flattens(here, last, following)
            else:
                raise Tied(nodes.obstacle(here, following, self.name(here)))
            last, here = here, self._sole_user(here)
        return norm, _Through(tuple(steps)), here, flat

    def _plain(self, node: fx.Node) -> nn.Module:
        module = self.module(node)
        assert module is not None
        if type(module) not in nodes.WIDENED:
            raise Tied(f"it is a {type(module).__name__}, which is not widened")
        return module

    def _sole_user(self, node: fx.Node) -> fx.Node:
        users = [user for user in node.users if not nodes.only_measures(user, node)]
        if not users:
            raise Tied("nothing uses its output")
        if len(users) > 1:
            places = sorted({self.name(user) for user in users})
            raise Tied(f"its output is used more than once ({', '.join(places)})")
        if users[0].op == "output":
            raise Tied("it gives the network's output")
        return users[0]

    def _norm(self, node: fx.Node, width: int) -> str:
        if self.calls[self.name(node)] != 1:
            raise Tied(f"its normalisation is called more than once ({self.name(node)})")
        if getattr(self.module(node), "num_features", None) != width:
            raise Tied(f"it feeds something tied to its width ({self.name(node)})")
        return self.name(node)

    def _accepts(self, node: fx.Node, producer: nn.Module, width: int, flat: bool) -> None:
        """Refuse a consumer that ghosts of `producer` cannot feed."""
        name = self.name(node)
        consumer = self.module(node)
        if self.calls[name] != 1:
            raise Tied(f"it feeds a layer that is called more than once ({name})")
        if getattr(consumer, "groups", 1) != 1:
            raise Tied(f"it feeds a grouped convolution ({name})")
        if type(consumer) not in nodes.WIDENED:
            raise Tied(f"it feeds a layer that is not widened ({name})")
        fits = flat if isinstance(consumer, nn.Linear) else type(consumer) is type(producer)
        if not fits or nodes.inputs(consumer) % width:
            raise Tied(f"it feeds a layer of another shape ({name})")


class _Through:
    """Runs the nodes between a producer and its consumer."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    def __call__(self, tensor: Tensor) -> Tensor:
        for step in self._steps:
            tensor = step(tensor)
        return tensor


class _Tracer(fx.Tracer):
    """Remembers where it stands, so that a failure can be placed."""

    def __init__(self) -> None:
        super().__init__()
        self.path: list[str] = []
        self.given: Given = {}
        """How each module is called, by its name."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, nn.Sequential):
            return False
        return m.__module__.startswith("torch.nn.") or not any(True for _ in m.children())

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        self.path.append(self.path_of_module(m))
        self.given.setdefault(self.path[-1], []).append((args, kwargs))
        result = super().call_module(m, forward, args, kwargs)
        self.path.pop()  # not on failure: then the path is where it happened
        return result


def _trace(model: nn.Module, name: str) -> tuple[fx.Graph, Given]:
    modes = {module: module.training for module in model.modules()}
    before = set(vars(model))
    tracer = _Tracer()
    try:
        for module in modes:
            module.training = True
        return tracer.trace(model, concrete_args=nodes.defaults(model)), tracer.given
    except Exception as error:  # a stranger's forward may fail on a proxy in any way
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        reason = f"in `{tracer.path[-1]}`, {said}" if tracer.path else said
        help = "a stage that needs the network's structure cannot be used with it; remove the stage"
        raise TostError.of("T503", model=name, reason=reason, help=help) from error
    finally:
        for module, mode in modes.items():
            module.training = mode
        for added in vars(model).keys() - before:
            if added.startswith("_tensor_constant"):  # the tracer's, made from tensors in the code
                delattr(model, added)


def activations_after(
    structure: Structure, layers: Collection[str]
) -> tuple[list[str], dict[str, list[str]]]:
    """Activation modules that follow any of these layers, and the other layers they follow too."""
    chosen: dict[str, set[str]] = {}
    for name, behind in structure.behind_activations():
        chosen.setdefault(name, set()).update(behind)
    wanted = set(layers)
    found = [name for name, behind in chosen.items() if behind & wanted]
    shared = {name: sorted(chosen[name] - wanted) for name in found if chosen[name] - wanted}
    return found, shared
