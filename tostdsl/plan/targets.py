"""Which layers a recipe's `on` and `except` select. Works on module facts, so it loads no torch.

Layers are convolutions and linear layers. A glob is matched, case counting, against a layer's
dotted name and against those of the modules it lies in: `"layer3"` and `"layer3.*"` both select
every layer below `layer3`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from tostdsl.diagnostics import nearest
from tostdsl.plan.bases import ModuleFact
from tostdsl.units import Selector

SHOWN = 4
"""How many existing layers a message lists."""


class NoMatch(Exception):
    """A selector that matches no layer, and in `help` what would match."""

    def __init__(self, selector: Selector, help: str) -> None:
        super().__init__(f"{selector} matches no layer")
        self.selector = selector
        self.help = help


def layers(modules: Iterable[ModuleFact]) -> list[ModuleFact]:
    """The convolutions and linear layers, in the network's order."""
    return [fact for fact in modules if fact.form != "other"]


def matches(modules: Sequence[ModuleFact], selector: Selector) -> list[str]:
    """Names of the layers a selector matches, in the network's order; `NoMatch` for none."""
    known = layers(modules)
    if selector.form == "glob":
        found = [fact.name for fact in known if _within(fact.name, selector.text)]
    elif selector.text == "first":
        found = [fact.name for fact in known[:1]]
    elif selector.text == "last":
        found = [fact.name for fact in known[-1:]]
    else:
        found = [fact.name for fact in known if fact.form == selector.text]
    if not found:
        raise NoMatch(selector, _help(modules, selector))
    return found


def select(
    modules: Sequence[ModuleFact], on: Sequence[Selector], exclude: Sequence[Selector]
) -> list[str]:
    """Names of the layers that `on` matches (all when empty) and `exclude` does not.

    In the network's order, each once. May be empty when `exclude` matches all that `on` does.
    """
    known = [fact.name for fact in layers(modules)]
    if {("class", "conv"), ("class", "linear")} <= {(each.form, each.text) for each in on}:
        on = ()  # every layer is one of the two; a network need not have both
    wanted = {name for each in on for name in matches(modules, each)} if on else set(known)
    unwanted = {name for each in exclude for name in matches(modules, each)}
    return [name for name in known if name in wanted and name not in unwanted]


class Selection:
    """What selectors select of one network, each looked up once."""

    def __init__(self, modules: Sequence[ModuleFact]) -> None:
        self.modules = modules
        self.names = tuple(fact.name for fact in layers(modules))
        self._matches: dict[Selector, frozenset[str] | NoMatch] = {}
        self._selected: dict[object, tuple[str, ...]] = {}

    def miss(self, selector: Selector) -> NoMatch | None:
        """Why a selector matches nothing, if it does."""
        found = self._match(selector)
        return found if isinstance(found, NoMatch) else None

    def select(self, on: Sequence[Selector], exclude: Sequence[Selector]) -> tuple[str, ...]:
        """As the function `select`; what matches nothing selects nothing."""
        key = (tuple(on), tuple(exclude))
        if key not in self._selected:
            wanted, unwanted = self._union(on), self._union(exclude)
            self._selected[key] = tuple(
                name for name in self.names if (not on or name in wanted) and name not in unwanted
            )
        return self._selected[key]

    def _union(self, selectors: Sequence[Selector]) -> set[str]:
        names: set[str] = set()
        for selector in selectors:
            found = self._match(selector)
            if not isinstance(found, NoMatch):
                names |= found
        return names

    def _match(self, selector: Selector) -> frozenset[str] | NoMatch:
        if selector not in self._matches:
            try:
                self._matches[selector] = frozenset(matches(self.modules, selector))
            except NoMatch as miss:
                self._matches[selector] = miss
        return self._matches[selector]


def _within(name: str, pattern: str) -> bool:
    return any(fnmatchcase(each, pattern) for each in (name, *_parents(name)))


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _help(modules: Sequence[ModuleFact], selector: Selector) -> str:
    names = [fact.name for fact in layers(modules)]
    if not names:
        return "it has no convolution and no linear layer"
    parts = []
    if selector.form == "glob":
        if any(fact.name == selector.text for fact in modules):
            parts.append(f"`{selector.text}` is no convolution or linear layer and holds none")
        folders = {parent for name in names for parent in _parents(name)}
        meant = nearest(selector.text, {*names, *folders, *(f"{each}.*" for each in folders)})
        if meant is not None:
            parts.append(f'did you mean `"{meant}"`?')
    shown = [f"`{name}`" for name in names]
    if len(shown) > SHOWN:
        shown = [*shown[: SHOWN - 1], "…", shown[-1]]
    parts.append(f"its layers are {', '.join(shown)}")
    return "; ".join(parts).replace("?;", "?")
