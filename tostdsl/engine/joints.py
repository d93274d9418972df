"""Where skips may run: around single layers, and around blocks of several."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import fx, nn

from tostdsl.engine import nodes
from tostdsl.engine.places import Joint, Stretch

if TYPE_CHECKING:
    from tostdsl.engine.structure import Structure


def find(graph: Structure) -> Iterator[tuple[Joint, tuple[fx.Node, fx.Node, bool]]]:
    """Joints, each with its layer's node, its activation's, and whether a sum lies between."""
    for layer in graph.layers():
        start = graph.node(layer)
        if start is None or not start.args:  # by keyword, where a hook does not see it
            continue
        end, here = start, _only(start)
        if here is not None and isinstance(graph.module(here), nodes.NORMS):
            if graph.calls[graph.name(here)] != 1:
                continue
            end, here = here, _only(here)
        terms = nodes.terms(here) if here is not None else None
        if here is not None and terms is not None:
            other = terms[1] if terms[0] is end else terms[0]
            if _is_shortcut(graph, start, other):
                continue
            here = _only(here)
        if here is not None and nodes.is_activation(here, graph.module(here)):
            yield Joint(layer, graph.name(end)), (start, here, terms is not None)


def stretches(graph: Structure) -> tuple[Stretch, ...]:
    """Runs of joints: residual branches whole, what is plain in twos, the last maybe three."""
    found: list[Stretch] = []
    for run, residual in _runs(graph):
        cuts = [0, len(run)] if residual else [*range(0, max(1, len(run) - 1), 2), len(run)]
        for first, last in pairwise(cuts):
            part = run[first:last]
            if len(part) > 1:
                found.append(Stretch(tuple(joint.layer for joint in part), part[-1].end))
    return tuple(found)


def _runs(graph: Structure) -> Iterator[tuple[list[Joint], bool]]:
    """Joints that each feed nothing but the next, and whether a residual sum ends them."""
    joints = list(find(graph))
    by_start: dict[fx.Node | None, int] = {
        start: index for index, (_, (start, _, _)) in enumerate(joints)
    }
    following: dict[int, int] = {}
    for index, (_, (_, activation, summed)) in enumerate(joints):
        heir = by_start.get(_next_layer(graph, activation)) if not summed else None
        if heir is not None:
            following[index] = heir
    for index in range(len(joints)):
        if index in following.values():
            continue
        run = [index]
        while run[-1] in following:
            run.append(following[run[-1]])
        yield [joints[i][0] for i in run], joints[run[-1]][1][2]


def _next_layer(graph: Structure, activation: fx.Node) -> fx.Node | None:
    """The layer that an activation feeds and nothing else, past dropout at most."""
    here = _only(activation)
    while here is not None and not isinstance(graph.module(here), nodes.LAYERS):
        module = graph.module(here)
        passes = nodes.is_passive(here, module) and not nodes.is_pooling(here, module)
        here = _only(here) if passes else None
    return here


def _is_shortcut(graph: Structure, node: fx.Node, other: fx.Node) -> bool:
    """Whether a layer is the 1x1 convolution beside a longer path that ends in a layer."""
    module = graph.module(node)
    if isinstance(module, nn.Linear) or set(getattr(module, "kernel_size", ())) != {1}:
        return False
    if isinstance(graph.module(other), nodes.NORMS):
        other = other.all_input_nodes[0]
    if not isinstance(graph.module(other), nodes.LAYERS):
        return False
    mine = graph.upstream[node] - {graph.name(node)}
    return mine < graph.upstream[other] - {graph.name(other)}


def _only(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None
