"""Which layers a recipe's `on` and `except` select. Works on module facts, so it loads no torch.

Layers are convolutions and linear layers. A glob is matched, case counting, against a layer's
dotted name and against those of the modules it lies in: `"layer3"` and `"layer3.*"` both select
every layer below `layer3`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import translate
from functools import cached_property

from tostdsl.diagnostics import nearest
from tostdsl.plan.bases import ModuleFact
from tostdsl.units import Selector

SHOWN = 4
"""How many existing layers a message lists."""


class NoMatch(Exception):
    """A selector that matches no layer, and in `help` what would match."""

    def __init__(self, selector: Selector, help: Callable[[], str]) -> None:
        super().__init__(f"{selector} matches no layer")
        self.selector = selector
        self._help = help

    @cached_property
    def help(self) -> str:
        """What would match; found out when it is asked for, as few misses are shown."""
        return self._help()


def layers(modules: Iterable[ModuleFact]) -> list[ModuleFact]:
    """The convolutions and linear layers, in the network's order."""
    return [fact for fact in modules if fact.form != "other"]


def matches(modules: Sequence[ModuleFact], selector: Selector) -> list[str]:
    """Names of the layers a selector matches, in the network's order; `NoMatch` for none."""
    return Selection(modules).matches(selector)


def select(
    modules: Sequence[ModuleFact], on: Sequence[Selector], exclude: Sequence[Selector]
) -> list[str]:
    """Names of the layers that `on` matches (all when empty) and `exclude` does not.

    In the network's order, each once. May be empty when `exclude` matches all that `on` does.
    `NoMatch` for a selector that matches nothing.
    """
    known = Selection(modules)
    if _everything(on):
        on = ()
    for each in (*on, *exclude):
        known.matches(each)
    return list(known.select(on, exclude))


def _everything(on: Sequence[Selector]) -> bool:
    """Whether every layer is one of what is asked for; a network need not have both classes."""
    return {("class", "conv"), ("class", "linear")} <= {(each.form, each.text) for each in on}


class Selection:
    """What selectors select of one network, each looked up once."""

    def __init__(self, modules: Sequence[ModuleFact]) -> None:
        self.modules = modules
        self.layers = layers(modules)
        self.names = tuple(fact.name for fact in self.layers)
        self._matches: dict[Selector, frozenset[str] | NoMatch] = {}
        self._selected: dict[object, tuple[str, ...]] = {}

    def matches(self, selector: Selector) -> list[str]:
        """Names of the layers a selector matches, in the network's order; `NoMatch` for none."""
        found = self._match(selector)
        if isinstance(found, NoMatch):
            raise found
        return [name for name in self.names if name in found]

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
        known = self._matches.get(selector)
        if known is None:
            found = frozenset(self._found(selector))
            known = found or NoMatch(selector, lambda: _help(self.modules, selector))
            self._matches[selector] = known
        return known

    def _found(self, selector: Selector) -> Iterable[str]:
        match selector.form, selector.text:
            case "glob", pattern:
                return self._globbed(pattern)
            case _, "first":
                return self.names[:1]
            case _, "last":
                return self.names[-1:]
            case _, form:
                return (fact.name for fact in self.layers if fact.form == form)

    @cached_property
    def _below(self) -> dict[str, list[str]]:
        """The layers below each module that has some, and each layer itself."""
        below: dict[str, list[str]] = {}
        for name in self.names:
            for path in (name, *_parents(name)):
                below.setdefault(path, []).append(name)
        return below

    @cached_property
    def _paths(self) -> str:
        """All names that a glob is matched against."""
        return "\n".join(self._below)

    def _globbed(self, pattern: str) -> Iterator[str]:
        """The layers of a glob. Most that match nothing are told by their letters alone."""
        if not re.search(r"[*?[]", pattern):
            yield from self._below.get(pattern, ())
        elif _could_match(pattern, self._paths):
            matched = re.compile(translate(re.sub(r"\*+", "*", pattern))).match
            for path, names in self._below.items():
                if matched(path):
                    yield from names


_CLASS = re.compile(r"\[!?\]?[^\]]*\]")


def _could_match(pattern: str, paths: str) -> bool:
    """Whether a glob is short enough for one of the names, and each of its words in one."""
    least = _CLASS.sub("?", pattern) if "]" in pattern else pattern
    if len(least) - least.count("*") > max(map(len, paths.split("\n"))):
        return False
    return "[" in pattern or all(word in paths for word in re.split(r"[*?]", pattern))


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
