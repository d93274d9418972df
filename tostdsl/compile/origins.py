"""Where every value of a plan came from: `stages.ghost.width` to how it got there, step by step.

Paths are the plan's, dotted: `train`, `data.augment[0].padding`, `mask.on`, `stages.skip.until`.
A second stage of a name is `stages.ghost#2`; stages count as in the plan, whose order is not that
of the text, and as a run calls them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tostdsl.compile.lower import Lowered, StageSite
from tostdsl.compile.params import references
from tostdsl.compile.print import call_text, string_text, value_text
from tostdsl.compile.recipe import ParamValue, Recipe, one_line
from tostdsl.diagnostics import TostError, diagnose, nearest
from tostdsl.plan.plan import Targets, stage_key
from tostdsl.plan.spec import Spec
from tostdsl.source import Span
from tostdsl.syntax import nodes as n
from tostdsl.units import Duration, Percent

LANGUAGE = "default of the language"
MAX_MEANT = 3
"""Paths that are suggested for one that leads nowhere."""


@dataclass(frozen=True, slots=True)
class Link:
    """One step back from a value. `leads` when the next one tells more of where it was chosen."""

    words: str
    span: Span | None = None
    leads: bool = False

    def __str__(self) -> str:
        return self.words if self.span is None else f"{self.words} at {self.span}"


@dataclass(frozen=True, slots=True)
class Origin:
    """A value of the plan in words, and the way back to where it was said."""

    path: str
    value: str
    chain: tuple[Link, ...]

    @property
    def short(self) -> str:
        """Where it was chosen, on one line."""
        return str(next((link for link in self.chain if not link.leads), self.chain[-1]))


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins of one plan's values, by path, in the plan's order."""

    by_path: dict[str, Origin]

    def why(self, path: str) -> list[Origin]:
        """The value at a path and those below it, or those that a pattern with `*` matches.

        Where a path says no `#2`, it is about all stages of the name. `TostError` for a path that
        leads to nothing, with what is near it.
        """
        any_number = "" if "#" in path else r"(#\d+)?"
        exact = _first(path)
        pattern = re.escape(exact).replace(r"\*", ".*").replace(r"\.", any_number + r"\.")
        if "*" not in path:
            pattern += any_number + r"([.\[].*)?"
        found = [o for known, o in self.by_path.items() if re.fullmatch(pattern, known)]
        if not found:
            raise TostError([diagnose("T231", path=path, help=self._help(exact))])
        return found

    def at(self, path: str) -> Origin | None:
        """The value at exactly this path, where there is one."""
        return self.by_path.get(_first(path))

    def _help(self, path: str) -> str:
        ends: dict[str, list[str]] = {}  # a path may be near to the end of a known one
        for known in self.by_path:
            parts = known.split(".")
            for index in range(len(parts)):
                ends.setdefault(".".join(parts[index:]), []).append(known)
        near = nearest(path, [end for end in ends if _alike(path, end)])
        meant = ends.get(path) or ends.get(near or "") or ends.get(path.rpartition(".")[2])
        if meant:
            return f"did you mean {' or '.join(f'`{known}`' for known in meant[:MAX_MEANT])}?"
        head = path
        while head and not any(known.startswith(f"{head}.") for known in self.by_path):
            head = re.sub(r"(^|[.\[])[^.\[]*$", "", head)
        start = f"{head}." if head else ""
        below = [k.removeprefix(start) for k in self.by_path if k.startswith(start)]
        names = list(dict.fromkeys(re.split(r"[.\[]", name)[0] for name in below))
        listed = ", ".join(f"`{start}{name}`" for name in names)
        return f"there is {listed}"


def _first(path: str) -> str:
    """The path with `ghost#1` as plans call it, `ghost`."""
    return re.sub(r"#1(?!\d)", "", path)


def _alike(path: str, known: str) -> bool:
    """Whether each part of a path is near to the one of another."""
    ours, theirs = path.split("."), known.split(".")
    return len(ours) == len(theirs) and all(map(_near, ours, theirs))


def _near(ours: str, theirs: str) -> bool:
    return ours == theirs or nearest(ours, [theirs]) is not None


def trace(recipe: Recipe, lowered: Lowered) -> Origins:
    """The origins of the values that lowering a recipe gave."""
    return Origins({origin.path: origin for origin in _Tracer(recipe, lowered).everything()})


class _Tracer:
    """Walks specs beside the calls they were built from."""

    def __init__(self, recipe: Recipe, lowered: Lowered) -> None:
        self.recipe = recipe
        self.lowered = lowered

    def everything(self) -> Iterator[Origin]:
        """All origins, in the order in which a plan is shown."""
        recipe, lowered = self.recipe, self.lowered
        named = recipe.named
        yield _origin("name", recipe.name, *_written(named, "the file's name"))
        if named is not None and named.title is not None:
            yield _origin("title", string_text(recipe.title), Link("written", named.title.span))
        for word in ("model", "data", "mask", "optimizer", "schedule"):
            yield from self.slot(word)
        for word in ("train", "seed", "precision"):
            yield self.setting(word)
        counts: dict[str, int] = {}
        for site in sorted(lowered.stages, key=lambda site: stage_key(site.plan)):
            yield from self.stage(_numbered(f"stages.{site.built.spec.name}", counts), site)
        for expect, node in lowered.expects:
            path = _numbered(f"expect.{expect.metric}", counts)
            text = f"{expect.op} {value_text(expect.value)}"
            yield _origin(path, text, Link("written", node.span), *self.behind(node.value))
        for name, known in recipe.params.items():
            yield _origin(f"params.{name}", one_line(known.value.span), *self.param(name))

    # -- statements

    def slot(self, word: str) -> Iterator[Origin]:
        """A slot, its arguments and, of a mask, its targets."""
        statement, built = self.recipe.slots.get(word), self.lowered.built.get(word)
        if built is None:
            yield _origin(word, "none: dense training", Link(LANGUAGE), *self.replaced(word))
            return
        links = [*_written(statement, LANGUAGE), *self.replaced(word)]
        yield _origin(word, call_text(built.spec), *links)
        yield from self.arguments(word, built.spec, built.call if statement else None)
        if statement is not None and word == "mask" and self.lowered.scope is not None:
            yield from self.targets(word, self.lowered.scope, statement.targets)

    def setting(self, word: str) -> Origin:
        """`train`, `seed` or `precision`."""
        statement, plan = self.recipe.settings.get(word), self.lowered.plan
        value = getattr(plan, word) if plan is not None else None
        if statement is None:
            return _origin(word, value_text(value), Link(LANGUAGE), *self.replaced(word))
        node = statement.value
        sweep = next((s for s in self.recipe.sweeps if s.name.text == word), None)
        if sweep is not None:
            links = [Link(f"from `{one_line(sweep.span)}`", node.span)]
        elif node.span.source.name == "--seed":
            links = [Link(f"from `--seed {node.span.text}`")]
        else:
            links = self.written(node, value_text(value))
        return _origin(word, value_text(value), *links, *self.replaced(word))

    def stage(self, path: str, site: StageSite) -> Iterator[Origin]:
        """A stage, its arguments, its window and its targets."""
        technique = site.plan.technique
        where = " ".join(filter(None, [str(site.plan.window), str(site.plan.targets)]))
        text = f"{call_text(technique)} {where}".rstrip()
        yield _origin(path, text, Link("written", site.node.span))
        yield from self.arguments(path, technique, site.built.call)
        yield from self.window(path, site)
        if technique.targeted:
            yield from self.targets(path, site.plan.targets, site.node.targets)

    def window(self, path: str, site: StageSite) -> Iterator[Origin]:
        """The ends of a stage's window, whichever words gave them."""
        window = site.plan.window
        bounds = {bound.word.text: bound for bound in site.node.window}
        if window.instant:
            yield self.bound(f"{path}.at", window.start, bounds.get("at"), site)
            return
        yield self.bound(f"{path}.from", window.start, bounds.get("from"), site)
        length = bounds.get("for")
        if length is not None:
            text = one_line(self.end(length.value).span)
            yield _origin(f"{path}.for", text, *self.written(length.value, text))
        if not isinstance(window.stop, Duration):
            yield self.bound(f"{path}.until", window.stop, bounds.get("until", length), site)

    def bound(self, path: str, value: Any, bound: n.Bound | None, site: StageSite) -> Origin:
        """One end of a window."""
        text = str(value)
        if bound is None:
            owner = f"default of `{site.built.spec.name}`" if path.endswith(".at") else LANGUAGE
            return _origin(path, text, Link(owner))
        links = self.written(bound.value, text)
        if bound.word.text == "for":
            links[0] = Link(f"written as `{one_line(bound.span)}`", bound.span, links[0].leads)
        end, length = self.end(bound.value), self.lowered.length
        share = isinstance(end, n.Literal) and isinstance(end.value, Percent)
        if share and not text.endswith("%") and length is not None and length.span is not None:
            links.append(Link(f"a share of `{one_line(length.span)}`", length.span))
        return _origin(path, text, *links)

    def targets(self, path: str, targets: Targets, node: n.Targets) -> Iterator[Origin]:
        """The selectors of `on` and `except`."""
        parts = (
            ("on", targets.on, node.on, "every layer it can work on"),
            ("except", targets.exclude, node.exclude, "no layer"),
        )
        for word, selectors, nodes, otherwise in parts:
            text = ", ".join(map(str, selectors)) or otherwise
            if nodes:
                whole = nodes[0].span.to(nodes[-1].span)
                links = [_as(text, whole), *self.behind(nodes)]
            else:
                links = [Link(LANGUAGE)]
            yield _origin(f"{path}.{word}", text, *links)

    # -- values

    def arguments(
        self, path: str, spec: Spec, call: n.Call | None, lead: tuple[Link, ...] = ()
    ) -> Iterator[Origin]:
        """Every argument of a spec; `call` is None for one that is itself a default."""
        given = {
            argument.name.text if argument.name else spec.positional: argument.value
            for argument in (call.arguments if call is not None else ())
        }
        for name, info in type(spec).model_fields.items():
            value, node = getattr(spec, name), given.get(name)
            quoted = isinstance(value, str) and info.annotation in (str, str | None)
            text = string_text(value) if quoted else _text(value)
            yield from self.value(f"{path}.{name}", value, text, node, spec.name, lead)

    def value(
        self,
        path: str,
        value: Any,
        text: str,
        node: n.Value | None,
        owner: str,
        lead: tuple[Link, ...],
    ) -> Iterator[Origin]:
        """A value and what is inside it."""
        links = [Link(f"default of `{owner}`")] if node is None else self.written(node, text)
        yield _origin(path, text, *links, *lead)
        end = None if node is None else self.end(node)
        if isinstance(node, n.Reference):
            lead = (Link(f"in `${node.name}`, used", node.span), *lead)
        if isinstance(value, Spec):
            yield from self.arguments(path, value, end if isinstance(end, n.Call) else None, lead)
        elif isinstance(value, tuple):
            items = end.items if isinstance(end, n.ListValue) else (None,) * len(value)
            for index, (item, inner) in enumerate(zip(value, items, strict=True)):
                yield from self.value(f"{path}[{index}]", item, _text(item), inner, owner, lead)

    def end(self, node: n.Value) -> n.Value:
        """The value that references lead to."""
        while isinstance(node, n.Reference) and node.name in self.recipe.params:
            node = self.recipe.params[node.name].value
        return node

    def written(self, node: n.Value, text: str) -> list[Link]:
        """A written value, and the params it refers to."""
        leads = isinstance(node, n.Reference)
        return [_as(text, node.span, leads), *self.behind(node)]

    def behind(self, node: Any) -> Iterator[Link]:
        """The links of every param in a value, however deep."""
        for name in dict.fromkeys(reference.name for reference in references(node)):
            yield from self.param(name)

    def param(self, name: str) -> Iterator[Link]:
        """Where a param's value comes from, and what it took the place of."""
        known = self.recipe.params[name]
        yield from self.said(name, known)
        yield from self.behind(known.value)
        declared = known.by == "param"
        while known.over is not None:
            known = known.over
            if known.by == "param":
                word, declared = "replaces" if declared else "declared", True
            else:
                word = "in place of"
            yield Link(f"{word} `{one_line(known.span)}`", known.span)

    def said(self, name: str, known: ParamValue) -> Iterator[Link]:
        """What gave a param the value in force."""
        shown = f"`${name}` = {one_line(known.value.span)}"
        match known.by:
            case "param":
                yield Link(f"declared `{one_line(known.span)}`", known.span)
            case "--set":
                yield Link(f"{shown} from `--set {known.span.source.text}`")
            case "--set-file":
                yield Link(f"{shown} from `--set-file`", known.span)
            case "sweep":
                sweep = next(s for s in self.recipe.sweeps if s.name.text == name)
                yield Link(f"{shown} from `{one_line(sweep.span)}`", known.span)

    def replaced(self, word: str) -> Iterator[Link]:
        """What a slot or setting took the place of."""
        for statement in self.recipe.replaced.get(word, ()):
            if isinstance(statement, n.Removal):
                yield Link(f"after `without {word}`", statement.span)
            else:
                yield Link(f"replaces `{one_line(statement.span)}`", statement.span)


def _origin(path: str, value: str, *chain: Link) -> Origin:
    return Origin(path, value, chain)


def _written(statement: n.Node | None, otherwise: str) -> list[Link]:
    return [Link(otherwise) if statement is None else Link("written", statement.span)]


def _as(text: str, span: Span, leads: bool = False) -> Link:
    shown = one_line(span)
    return Link("written" if shown == text else f"written as `{shown}`", span, leads)


def _text(value: Any) -> str:
    return "not set" if value is None else value_text(value, complete=True)


def _numbered(path: str, counts: dict[str, int]) -> str:
    counts[path] = counts.get(path, 0) + 1
    return path if counts[path] == 1 else f"{path}#{counts[path]}"
