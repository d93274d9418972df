"""What feeds what in a network, read off its `torch.fx` graph.

Modules of `torch.nn` and modules without submodules are single nodes; everything else is followed
into. The graph is traced once, in training mode, and never run or changed: a technique works with
the names found here.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from torch import Tensor, fx, nn

from tostdsl.diagnostics import TostError
from tostdsl.engine import nodes
from tostdsl.engine.hooks import Hidden, Joint, Unwidened

Step = Callable[[Tensor], Tensor]


class Tied(Exception):
    """Why a layer cannot be widened, in words."""


class Structure:
    """The graph of one network. `name` is what messages call it.

    Raises `TostError` T503 for a network that cannot be traced.
    """

    def __init__(self, model: nn.Module, name: str) -> None:
        self._model = model
        self._names: dict[nn.Module, str] = {module: path for path, module in model.named_modules()}
        graph = _trace(model, name)
        self._graph = graph
        self._paths = dict(model.named_modules(remove_duplicate=False))
        self._calls = Counter(
            self._names[self._paths[str(n.target)]] for n in graph.nodes if n.op == "call_module"
        )
        self._upstream: dict[fx.Node, frozenset[str]] = {}
        for node in graph.nodes:
            above = [self._upstream[each] for each in node.all_input_nodes]
            here = [self._name(node)] if isinstance(self._module(node), nodes.LAYERS) else []
            self._upstream[node] = frozenset().union(*above, here)

    # -- questions

    def hidden(self) -> tuple[tuple[Hidden, ...], tuple[Unwidened, ...]]:
        """Layers that can be widened, in the network's order, and those that cannot."""
        found: list[Hidden] = []
        tied: list[Unwidened] = []
        for layer in self._layers():
            try:
                found.append(self._widen(layer))
            except Tied as reason:
                tied.append(Unwidened(layer, str(reason)))
        return tuple(found), tuple(tied)

    def joints(self) -> tuple[Joint, ...]:
        """Layers followed by an activation past at most a normalisation and a residual sum."""
        return tuple(filter(None, map(self._joint, self._layers())))

    def behind_activations(self) -> list[tuple[str, frozenset[str]]]:
        """Each call of an activation module, with the layers whose outputs it is applied to.

        Normalisation, pooling, dropout and one residual sum may lie between.
        """
        return [
            (self._name(node), self._behind(node.args[0], sums=1))
            for node in self._graph.nodes
            if isinstance(self._module(node), nodes.ACTIVATIONS) and node.args
        ]

    def activation_functions(self) -> int:
        """How many activations are called as functions, which no hook can reach."""
        return sum(
            node.op != "call_module" and nodes.is_activation(node, None)
            for node in self._graph.nodes
        )

    # -- nodes

    def _module(self, node: fx.Node) -> nn.Module | None:
        return self._paths[str(node.target)] if node.op == "call_module" else None

    def _name(self, node: fx.Node) -> str:
        """A module's first name, or where a function is called."""
        module = self._module(node)
        if module is not None:
            return self._names[module]
        return nodes.place(node)

    def _layers(self) -> Iterator[str]:
        for name, module in self._model.named_modules():
            if isinstance(module, nodes.LAYERS):
                yield name

    def _node(self, layer: str) -> fx.Node | None:
        """The one call of a layer; None if there is none or more."""
        if self._calls[layer] != 1:
            return None
        wanted = self._model.get_submodule(layer)
        nodes_of = (node for node in self._graph.nodes if self._module(node) is wanted)
        return next(nodes_of, None)

    def _behind(self, node: Any, sums: int) -> frozenset[str]:
        if not isinstance(node, fx.Node):
            return frozenset()
        module = self._module(node)
        if isinstance(module, nodes.LAYERS):
            return frozenset({self._name(node)})
        terms = nodes.terms(node)
        if terms is not None and sums:
            return self._behind(terms[0], sums - 1) | self._behind(terms[1], sums - 1)
        if node.args and (isinstance(module, nodes.NORMS) or nodes.is_passive(node, module)):
            return self._behind(node.args[0], sums)
        return frozenset()

    # -- joints

    def _joint(self, layer: str) -> Joint | None:
        start = self._node(layer)
        if start is None:
            return None
        end, here = start, _only(start)
        if here is not None and isinstance(self._module(here), nodes.NORMS):
            if self._calls[self._name(here)] != 1:
                return None
            end, here = here, _only(here)
        terms = nodes.terms(here) if here is not None else None
        if here is not None and terms is not None:
            other = terms[1] if terms[0] is end else terms[0]
            if self._is_shortcut(start, other):
                return None
            here = _only(here)
        if here is None or not nodes.is_activation(here, self._module(here)):
            return None
        return Joint(layer, self._name(end))

    def _is_shortcut(self, node: fx.Node, other: fx.Node) -> bool:
        """Whether a layer is the 1x1 convolution beside a longer path that ends in a layer."""
        module = self._module(node)
        if isinstance(module, nn.Linear) or set(getattr(module, "kernel_size", ())) != {1}:
            return False
        if isinstance(self._module(other), nodes.NORMS):
            other = other.all_input_nodes[0]
        if not isinstance(self._module(other), nodes.LAYERS):
            return False
        mine = self._upstream[node] - {self._name(node)}
        return mine < self._upstream[other] - {self._name(other)}

    # -- widening

    def _widen(self, layer: str) -> Hidden:
        start = self._node(layer)
        if start is None:
            times = "more than once" if self._calls[layer] else "only inside another module"
            raise Tied(f"it is called {times}")
        module = self._plain(start)
        if getattr(module, "groups", 1) != 1:
            raise Tied("it is a grouped convolution")
        flat = isinstance(module, nn.Linear)
        norm: fx.Node | None = None
        steps: list[Step] = []
        last, here = start, self._sole_user(start)
        while not isinstance(self._module(here), nodes.LAYERS):
            following = self._module(here)
            if last is start and type(following) in nodes.BATCH_NORMS:
                norm = self._norm(here, module)
            elif (step := nodes.step(here, last, following, self._model, flat)) is not None:
                steps.append(step)
                flat = flat or nodes.flattens(here, last, following)
            else:
                raise Tied(nodes.obstacle(here, following, self._name(here)))
            last, here = here, self._sole_user(here)
        self._accepts(here, module, flat)
        return Hidden(
            layer, self._name(norm) if norm else None, self._name(here), _Through(tuple(steps))
        )

    def _plain(self, node: fx.Node) -> nn.Module:
        module = self._module(node)
        assert module is not None
        if type(module) not in nodes.WIDENED:
            raise Tied(f"it is a {type(module).__name__}, which is not widened")
        return module

    def _sole_user(self, node: fx.Node) -> fx.Node:
        users = [user for user in node.users if not nodes.only_measures(user, node)]
        if not users:
            raise Tied("nothing uses its output")
        if len(users) > 1:
            places = sorted({self._name(user) for user in users})
            raise Tied(f"its output is used more than once ({', '.join(places)})")
        if users[0].op == "output":
            raise Tied("it gives the network's output")
        return users[0]

    def _norm(self, node: fx.Node, producer: nn.Module) -> fx.Node:
        if self._calls[self._name(node)] != 1:
            raise Tied(f"its normalisation is called more than once ({self._name(node)})")
        if getattr(self._module(node), "num_features", None) != nodes.width(producer):
            raise Tied(f"it feeds something tied to its width ({self._name(node)})")
        return node

    def _accepts(self, node: fx.Node, producer: nn.Module, flat: bool) -> None:
        """Refuse a consumer that ghosts of `producer` cannot feed."""
        name = self._name(node)
        consumer = self._module(node)
        if self._calls[name] != 1:
            raise Tied(f"it feeds a layer that is called more than once ({name})")
        if getattr(consumer, "groups", 1) != 1:
            raise Tied(f"it feeds a grouped convolution ({name})")
        if type(consumer) not in nodes.WIDENED:
            raise Tied(f"it feeds a layer that is not widened ({name})")
        fits = flat if isinstance(consumer, nn.Linear) else type(consumer) is type(producer)
        inputs = nodes.inputs(consumer)
        if not fits or inputs % nodes.width(producer):
            raise Tied(f"it feeds a layer of another shape ({name})")


class _Through:
    """Runs the nodes between a producer and its consumer."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    def __call__(self, tensor: Tensor) -> Tensor:
        for step in self._steps:
            tensor = step(tensor)
        return tensor


def _only(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


class _Tracer(fx.Tracer):
    """Remembers where it stands, so that a failure can be placed."""

    def __init__(self) -> None:
        super().__init__()
        self.path: list[str] = []

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
        result = super().call_module(m, forward, args, kwargs)
        self.path.pop()  # not on failure: then the path is where it happened
        return result


def _trace(model: nn.Module, name: str) -> fx.Graph:
    modes = {module: module.training for module in model.modules()}
    tracer = _Tracer()
    try:
        for module in modes:
            module.training = True
        given = inspect.signature(model.forward).parameters.values()
        defaults = {each.name: each.default for each in given if each.default is not each.empty}
        return tracer.trace(model, concrete_args=defaults or None)
    except Exception as error:  # a stranger's forward may fail on a proxy in any way
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        reason = f"in `{tracer.path[-1]}`, {said}" if tracer.path else said
        help = "a stage that needs the network's structure cannot be used with it; remove the stage"
        raise TostError.of("T503", model=name, reason=reason, help=help) from error
    finally:
        for module, mode in modes.items():
            module.training = mode


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
