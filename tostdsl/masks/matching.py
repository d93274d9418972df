"""Which tensor of a file is the mask of which weight: by name, or where only one way fits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tostdsl.diagnostics import TostError
from tostdsl.masks.carriers import Entry

PREFIXES = ("module.", "model.", "_orig_mod.")
"""What wrappers put before names: parallel training, a class around a network, `torch.compile`."""
MOST = 4
"""How many names of a side a message lists."""
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """The weights of a network, by name, in its order."""

    scope: Mapping[str, Shape]
    """Those that the mask is to prune."""
    outside: Mapping[str, Shape]
    """The others of two dimensions or more."""
    order: tuple[str, ...]
    """Names of both, in the network's order."""
    plain: frozenset[str]
    """Names of all its other parameters and buffers."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Other names of weights that several layers share, with the first."""

    def shape(self, name: str) -> Shape:
        """A weight's shape."""
        return self.scope[name] if name in self.scope else self.outside[name]


@dataclass(frozen=True, slots=True)
class Match:
    """A tensor of the file and the weight that it is for."""

    weight: str
    entry: Entry
    how: str


@dataclass(slots=True)
class Matches:
    """What was found."""

    of: dict[str, Match] = field(default_factory=dict)
    """By weight."""
    again: list[Match] = field(default_factory=list)
    """Of shared weights that have a mask already."""
    plain: list[Entry] = field(default_factory=list)
    """Those for biases, normalisations and buffers, by their names."""
    left: list[Entry] = field(default_factory=list)
    """Those that the network has nothing for."""


def match(entries: Sequence[Entry], weights: Weights, ordered: bool) -> Matches:
    """Match a file's tensors with a network's weights.

    `TostError` T508 where shapes differ, two fit one weight, or a weight in scope has none.
    """
    found = Matches()
    if entries and entries[0].weight is None:
        _in_order(entries, weights, found)
        return found
    sized = [entry for entry in entries if entry.tensor.dim() > 0]
    found.plain = [each for each in sized if _stripped(each.weight or "") in weights.plain]
    found.left = [each for each in sized if each not in found.plain]
    for how, call in WAYS:
        _named(found, weights, how, call)
    _shaped(found, sized, weights, ordered and not _as_text(sized))
    if missing := [name for name in weights.scope if name not in found.of]:
        raise _unmatched(missing, found.left, weights, ordered)
    return found


def _as_text(entries: Sequence[Entry]) -> bool:
    """Whether numbered names stand in the order of their letters: 1, 10, 2."""
    names = [entry.weight or "" for entry in entries]
    return names == sorted(names) != sorted(names, key=_by_number)


def _by_number(name: str) -> list[tuple[int, str]]:
    """What sorts a name by its numbers, of which a stranger's may have thousands of digits."""
    parts: list[tuple[str, str]] = re.findall(r"0*([0-9]+)|([^0-9]+)", name)
    return [(len(digits), digits or text) for digits, text in parts]


def _stripped(name: str) -> str:
    while prefix := next((p for p in PREFIXES if name.startswith(p)), ""):
        name = name.removeprefix(prefix)
    return name


WAYS: tuple[tuple[str, Callable[[str], Iterable[str]]], ...] = (
    ("by its name", lambda name: (name,)),
    ("by its layer's name", lambda name: (f"{name}.weight",)),
    ("without its prefix", lambda name: (_stripped(name), f"{_stripped(name)}.weight")),
)
"""Ways to read a name, surest first: what each is called, and the weights that it may mean."""


def _named(
    found: Matches, weights: Weights, how: str, call: Callable[[str], Iterable[str]]
) -> None:
    known = {**weights.scope, **weights.outside}
    rest: list[Entry] = []
    for entry in found.left:
        names = [weights.aliases.get(name, name) for name in call(entry.weight or "")]
        name = next((name for name in names if name in known), None)
        if name is None:
            rest.append(entry)
            continue
        if entry.shape != known[name]:
            reason = f"`{name}` is {size(known[name])}, `{entry.source}` in the file is "
            raise TostError.of("T508", reason=reason + size(entry.shape))
        if name not in found.of:
            found.of[name] = Match(name, entry, how)
        elif weights.aliases:
            found.again.append(Match(name, entry, how))
        else:
            both = f"`{found.of[name].entry.source}` and `{entry.source}`"
            raise TostError.of("T508", reason=f"{both} of the file are both for `{name}`")
    found.left = rest


def _shaped(found: Matches, entries: Sequence[Entry], weights: Weights, ordered: bool) -> None:
    """What no name told: all of it in one order, or shapes that stand once on either side.

    An order counts where every shape fits in it, and nothing that a name told stands elsewhere.
    """
    left = [entry for entry in found.left if len(entry.shape) > 1]
    matrices = [entry for entry in entries if len(entry.shape) > 1]
    pairs: list[tuple[str, Entry]] = []
    for names in (tuple(weights.scope), weights.order) if ordered and left else ():
        if [each.shape for each in matrices] != [weights.shape(name) for name in names]:
            continue
        places = dict(zip(names, matrices, strict=True))
        if all(places.get(name) is each.entry for name, each in found.of.items()):
            pairs = [(name, entry) for name, entry in places.items() if name not in found.of]
            how = "by shape and order"
            break
    else:
        free = [name for name in weights.order if name not in found.of]
        mine = Counter(map(weights.shape, free))
        theirs = Counter(entry.shape for entry in left)
        alone = {shape for shape in theirs if mine[shape] == theirs[shape] == 1}
        where = {weights.shape(name): name for name in free}
        pairs = [(where[entry.shape], entry) for entry in left if entry.shape in alone]
        how = "by its shape alone"
    for name, entry in pairs:
        found.of[name] = Match(name, entry, how)
    taken = {id(entry) for _, entry in pairs}
    found.left = [entry for entry in found.left if id(entry) not in taken]


def _in_order(entries: Sequence[Entry], weights: Weights, found: Matches) -> None:
    """A list: one tensor for each weight in scope, or for each weight there is."""
    shapes = [entry.shape for entry in entries]
    every = list(weights.order)
    for names in (list(weights.scope), every):
        if [weights.shape(name) for name in names] == shapes:
            for name, entry in zip(names, entries, strict=True):
                found.of[name] = Match(name, entry, "by its place in the list")
            return
    scope = list(weights.scope)
    if len(shapes) not in (len(scope), len(every)):
        counts = f"{len(scope)} weights in scope and {len(every)} in all"
        mine = _listed([f"`{name}` ({size(weights.shape(name))})" for name in every])
        reason = f"the list has {len(shapes)} tensors, the network {counts}; in the list: "
        reason += f"{_listed([size(shape) for shape in shapes])}; in the network: {mine}"
        help = "choose with `on` or `except` the layers that the list is of"
        raise TostError.of("T508", reason=reason, help=help)
    names = scope if len(shapes) == len(scope) else every
    place = next(i for i, name in enumerate(names) if weights.shape(name) != shapes[i])
    name = names[place]
    reason = f"number {place + 1} of the list is {size(shapes[place])}, "
    reason += f"and `{name}` in its place {size(weights.shape(name))}"
    raise TostError.of("T508", reason=reason)


def _unmatched(
    missing: Sequence[str], left: Sequence[Entry], weights: Weights, ordered: bool
) -> TostError:
    mine = _listed([f"`{name}` ({size(weights.scope[name])})" for name in missing])
    matrices = [entry for entry in left if len(entry.shape) > 1]
    help = (
        "rename what is in the file after the network's weights"
        if matrices
        else "leave these layers out of the mask's scope, with `except` or `on`"
    )
    reason = f"the file has no mask for {mine}; left over in it: {told(matrices) or 'nothing'}"
    if {entry.shape for entry in matrices} & {weights.scope[name] for name in missing}:
        names = [entry.weight or "" for entry in matrices]
        if not ordered:
            reason += "; shapes fit, but stand more than once, and this file keeps no order"
        elif _as_text(matrices):
            first, then = next((a, b) for a, b in pairwise(names) if _by_number(b) < _by_number(a))
            reason += f"; shapes fit, but their order is one of letters: `{first}` before `{then}`"
        else:
            reason += "; shapes fit, but more than one way"
    return TostError.of("T508", reason=reason, help=help)


def told(entries: Sequence[Entry]) -> str:
    """Tensors of a file by name and shape, as many as a message lists."""
    return _listed([f"`{entry.source}` ({size(entry.shape)})" for entry in entries])


def unknown(entries: Sequence[Entry], weights: Weights) -> TostError:
    """The error that masks are of nothing in the network, both sides listed."""
    mine = _listed([f"`{name}` ({size(weights.shape(name))})" for name in weights.order])
    reason = f"the network has nothing for {told(entries)} of the file; its weights are {mine}"
    help = "take these out of the file, or leave them aside with `outside=ignore`"
    return TostError.of("T508", reason=reason, help=help)


def _listed(words: Sequence[str]) -> str:
    more = f" and {len(words) - MOST} more" if len(words) > MOST else ""
    return ", ".join(words[:MOST]) + more


def size(shape: Shape) -> str:
    """A shape in words."""
    return " x ".join(map(str, shape)) or "a single number"
