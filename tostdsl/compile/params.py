"""Params: the type each has from its default, values from outside, and who uses them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from typing import Any

from tostdsl.compile.load import held
from tostdsl.compile.recipe import Means, ParamValue, Recipe, one_line
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, TostError, diagnose, nearest
from tostdsl.source import Source, Span
from tostdsl.syntax import nodes as n
from tostdsl.syntax.assignments import parse_assignments
from tostdsl.syntax.words import KEYWORDS, MAX_REPORTS
from tostdsl.units import Duration, Factor, Moment, Percent, number_text


@dataclass(frozen=True, slots=True)
class Given:
    """Values from outside the recipe; `sets` wins over `file`."""

    sets: Mapping[str, str] = field(default_factory=dict)
    file: Source | None = None
    seed: int | None = None


def settle(recipe: Recipe, given: Given) -> list[Diagnostic]:
    """Put values from outside into the recipe, and refuse every value of another type."""
    found = _redeclared(recipe)
    if given.file is not None:
        values, mistakes = parse_assignments(given.file)
        found += [*_bare(mistakes), *_twice(values)]
        for param in values:
            found += _set(recipe, param, "--set-file", param.name.span)
    for name, text in given.sets.items():
        try:
            source = held(f"{name}={text}", "--set")
        except TostError as error:
            found += [replace(d, help="give it in UTF-8") for d in error.diagnostics]
            continue
        if name not in recipe.params:
            found.append(_unknown(recipe, name, None))
            continue
        values, mistakes = parse_assignments(source)
        found += _bare(mistakes)
        if not mistakes and len(values) != 1:
            whole = source.span(0, len(source.text))
            shown = f"`{one_line(whole)}`"
            found.append(diagnose("T301", whole, name=name, expected="one value", found=shown))
        elif not mistakes:
            found += _set(recipe, values[0], "--set", None)
    if given.seed is not None:
        recipe.put(seed_setting("--seed", given.seed))
    return found


def _bare(mistakes: list[Diagnostic]) -> list[Diagnostic]:
    """Mistakes of values from outside, where no `param` stands before a name."""
    return [replace(d, help=d.help.replace("`param ", "`") if d.help else None) for d in mistakes]


def seed_setting(source: str, seed: int) -> n.Setting:
    """The `seed` statement of a number given elsewhere."""
    span = (text := Source(source, str(seed))).span(0, len(text.text))
    return n.Setting(span, n.Ident(span, "seed"), n.Literal(span, seed))


def _set(recipe: Recipe, param: n.Param, by: Means, place: Span | None) -> list[Diagnostic]:
    name = param.name.text
    before = recipe.params.get(name)
    if before is None:
        return [_unknown(recipe, name, place)]
    wrong = mistyped(recipe.params, name, param.value, before)
    if wrong is None:
        span = param.value.span if by == "--set" else param.span
        recipe.params[name] = ParamValue(param.value, span, by, before)
    return [] if wrong is None else [wrong]


def _unknown(recipe: Recipe, name: str, place: Span | None) -> Diagnostic:
    help = "this recipe declares no params"
    if recipe.params:
        help = f"declared params: {', '.join(f'`{known}`' for known in recipe.params)}"
    meant = nearest(name, recipe.params)
    if meant:
        help = f"did you mean `{meant}`? {help}"
    if name == "seed":
        help = "write `--seed` to set the seed"
    elif "." in name or name in KEYWORDS:
        last = name.rpartition(".")[2]
        param = f"{last}_value" if last in KEYWORDS else last
        help = f"only params are set from outside: declare `param {param} = …` and use `${param}`"
    given = f"--set {name}" if place is None else name
    return diagnose("T212", place, given=given, help=help)


def _twice(values: list[n.Param]) -> Iterator[Diagnostic]:
    first: dict[str, n.Param] = {}
    for param in values:
        name = param.name.text
        if first.setdefault(name, param) is not param:
            label = Label(first[name].span, "first here")
            yield diagnose("T205", param.span, label, name=name)


# -- types


def _redeclared(recipe: Recipe) -> list[Diagnostic]:
    """Params that a recipe declares anew with another type than what it extends."""
    found = []
    for name, known in list(recipe.params.items()):
        first = known
        while first.over is not None:
            first = first.over
        right = None
        each: ParamValue | None = known
        while each is not None and each is not first:
            wrong = mistyped(recipe.params, name, each.value, first, anew=True)
            if wrong is not None:
                found.append(wrong)
            elif right is None:
                right = each
            each = each.over
        recipe.params[name] = right or first
    return found


def mistyped(
    params: Mapping[str, ParamValue],
    name: str,
    value: n.Value,
    before: ParamValue,
    anew: bool = False,
) -> Diagnostic | None:
    """The mistake of a value whose type is not that of the one it replaces.

    `anew` is whether the value stands in a `param` statement itself.
    """
    if _fits(_behind(value, params), _behind(before.value, params)):
        return None
    said = before.declaration
    shown = one_line(said.value.span)
    write = _meant(value, _behind(before.value, params))
    help = f"write `{write}`"
    if write is None:
        other = (
            f"`param {name} = {one_line(value.span)}`" if not anew else "a param of another name"
        )
        help = f"write a value like `{shown}`, or declare {other}"
    fix = Fix((Edit(value.span, write),), certain=False) if write else None
    return diagnose(
        "T301",
        value.span,
        Label(said.span, "its type is that of this value"),
        name=f"${name}",
        expected=f"a value like `{shown}`",
        found=f"`{one_line(value.span)}`",
        help=help,
        fix=fix,
    )


def _meant(value: n.Value, before: n.Value) -> str | None:
    """The value in the unit of the one it replaces, where its number can have that."""
    match value, before:
        case n.Literal(value=int() | Decimal() as number), n.Literal(value=Percent()):
            return str(Percent(Decimal(number).normalize())) if 1 < number <= 100 else None
        case n.Literal(value=int() | Decimal() as number), n.Literal(value=Factor()):
            return f"{number_text(number)}x" if number > 0 else None
        case n.Literal(value=int(count)), n.Literal(value=Moment(unit="epoch" | "step" as unit)):
            return f"{unit} {count}" if count >= 0 else None
        case n.Literal(value=int(count)), n.Literal(value=Duration(unit=units)):
            return f"{count} {units}" if count > 0 else None
        case (
            n.Literal(value=Moment(unit="epoch" | "step" as unit, value=at)),
            n.Literal(value=Duration()),
        ):
            return f"{number_text(at)} {unit}s" if at > 0 else None
        case n.Literal(value=Duration(unit=units, value=count)), n.Literal(value=Moment()):
            return f"{units.removesuffix('s')} {count}"
    return None


def as_percent(value: n.Value) -> n.Value:
    """A share between 0 and 1 as the percent that it is taken for; others as they are."""
    match value:
        case n.Literal(value=Decimal() as share) if 0 < share < 1:
            return n.Literal(value.span, Percent((share * 100).normalize()))
    return value


def _is_share(value: n.Value) -> bool:
    """Whether this is a number between 0 and 1, which is taken for a percent with a warning."""
    return isinstance(value, n.Literal) and isinstance(value.value, Decimal) and 0 < value.value < 1


def _behind(value: n.Value, params: Mapping[str, ParamValue]) -> n.Value:
    """The value a chain of references ends in; a reference where it ends nowhere."""
    for _ in range(len(params) + 1):
        if not isinstance(value, n.Reference) or value.name not in params:
            break
        value = params[value.name].value
    return value


def _fits(value: n.Value, before: n.Value) -> bool:
    if isinstance(value, n.Reference) or isinstance(before, n.Reference):
        return True
    if isinstance(value, n.ListValue) and isinstance(before, n.ListValue):
        return all(_fits(item, before.items[0]) for item in value.items) if before.items else True
    ours, theirs = _type(value), _type(before)
    if (ours is Percent and _is_share(before)) or (theirs is Percent and _is_share(value)):
        return True
    if theirs is Moment and ours is Percent:
        return True  # a percent of training is a moment
    return ours == theirs


def _type(value: n.Value) -> object:
    match value:
        case n.Literal(value=int() | Decimal()):
            return "number"
        case n.Literal(value=inner):
            return type(inner)
        case n.Call(name=n.Ident(text="yes" | "no"), arguments=()):
            return "yes or no"
        case n.Call(name=n.Ident(text="start" | "end"), arguments=()):
            return Moment
    return type(value)


def with_param(recipe: Recipe, name: str, value: n.Value) -> Recipe:
    """The recipe with a param's value replaced by one of a sweep's."""
    chosen = ParamValue(value, value.span, "sweep", recipe.params[name])
    return replace(recipe, params={**recipe.params, name: chosen})


# -- circles


def circles(params: Mapping[str, ParamValue]) -> list[tuple[str, ...]]:
    """Circles of params that lead back to themselves; each has one that no other before it has."""
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    inside: set[str] = set()
    for first in params:
        path: dict[str, None] = {}
        waiting = [(first, 0)]
        while waiting:
            name, depth = waiting.pop()
            while len(path) > depth:
                done.add(path.popitem()[0])
            if name in path:
                names = list(path)
                circle = tuple(names[names.index(name) :])
                if not inside.issuperset(circle):
                    inside.update(circle)
                    found.append(circle)
            elif name in params and name not in done:
                path[name] = None
                waiting += [(r.name, depth + 1) for r in references(params[name].value)]
        done.update(path)
    return found


def circular(params: Mapping[str, ParamValue]) -> Iterator[Diagnostic]:
    """A report for each circle, at the param of it that is declared first."""
    order = {name: place for place, name in enumerate(params)}
    for circle in circles(params)[:MAX_REPORTS]:
        start = circle.index(min(circle, key=lambda name: order[name]))
        names = circle[start:] + circle[:start]
        shown = [f"`${name}`" for name in names[:MAX_CIRCLE]]
        shown += ["…"] if len(names) > MAX_CIRCLE else []
        labels = [Label(params[name].span) for name in names[:MAX_CIRCLE]]
        yield diagnose("T308", *labels, chain=" -> ".join([*shown, shown[0]]))


MAX_CIRCLE = 8
"""Params of a circle that a message names."""


# -- uses


def references(node: Any) -> Iterator[n.Reference]:
    """Every `$name` in a node, or in nodes in lists and tuples."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, n.Reference):
            yield node
        elif isinstance(node, tuple | list):
            waiting += node
        elif isinstance(node, n.Node) and not isinstance(node, n.Literal | n.Ident):
            waiting += [getattr(node, each) for each in _parts(type(node))]


_known_parts: dict[type, tuple[str, ...]] = {}


def _parts(node: type[n.Node]) -> tuple[str, ...]:
    if node not in _known_parts:
        _known_parts[node] = tuple(each.name for each in fields(node) if each.name != "span")
    return _known_parts[node]


def uses(recipe: Recipe) -> Iterator[n.Reference]:
    """Every `$name` in what a recipe says."""
    said = [*recipe.slots.values(), *recipe.settings.values(), *recipe.stages, *recipe.expects]
    said += [taking.node for taking in recipe.removals]
    said += [known.value for known in recipe.params.values()]
    return references(said)


def unused(recipe: Recipe, read: Collection[str] = ()) -> list[Diagnostic]:
    """A warning for each param of the top file that nothing refers to and no sweep moves.

    `read` are those whose values were looked up; some are meant where the `$` was forgotten.
    What is inherited may serve other recipes, and where a statement could not be read, so may
    what it refers to.
    """
    if recipe.broken:
        return []
    used = {reference.name for reference in uses(recipe)}
    used |= {nearest(name, recipe.params) or name for name in used - set(recipe.params)}
    used |= set(read)
    used |= {sweep.name.text for sweep in recipe.sweeps}
    return [
        diagnose("W003", known.declaration.span, name=name)
        for name, known in recipe.params.items()
        if name not in used and known.declaration.span.source is recipe.source
    ]
