"""Sweeps: the recipes that one recipe stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from tostdsl.compile.params import Given, as_percent, mistyped, uses, with_param
from tostdsl.compile.recipe import Recipe, one_line
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest
from tostdsl.syntax import nodes as n

MAX_SWEEP = 1000
MAX_WORK = 50_000
"""Statements, and values that params stand for, in all runs of a recipe's sweeps together."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A name and the values it takes."""

    name: str
    values: tuple[n.Value, ...]


def axes(recipe: Recipe, given: Given, found: list[Diagnostic]) -> list[Axis]:
    """The sweeps in force, less the values that are wrong; none when they are too many."""
    axes = []
    for sweep in recipe.sweeps:
        mistakes = list(_mistakes(recipe, given, sweep))
        found += mistakes
        if isinstance(sweep.values, n.ListValue):
            wrong = {d.span for d in mistakes}
            values = tuple(item for item in sweep.values.items if item.span not in wrong)
            if values and sweep.name.span not in wrong:
                axes.append(Axis(sweep.name.text, values))
    count = prod(len(axis.values) for axis in axes)
    if count > MAX_SWEEP:
        shown = count if count < 10**12 else "more than a million million"
        found.append(diagnose("T310", recipe.sweeps[0].span, count=shown, limit=MAX_SWEEP))
        return []
    return axes


def too_much(recipe: Recipe, axes: Sequence[Axis], values: int, found: list[Diagnostic]) -> bool:
    """Whether checking every run would take too long, as one run has shown; then it is reported."""
    count = prod(len(axis.values) for axis in axes)
    statements = len(recipe.slots) + len(recipe.settings) + len(recipe.stages)
    statements += len(recipe.params) + len(recipe.expects)
    if count == 1 or count * (statements + values) <= MAX_WORK:
        return False
    span = recipe.sweeps[0].span
    found.append(diagnose("T351", span, count=count, statements=statements, limit=MAX_WORK))
    return True


def combinations(axes: Sequence[Axis]) -> Iterator[dict[str, n.Value]]:
    """One value for each name, in every way; without sweeps there is one way."""
    names = [axis.name for axis in axes]
    for values in product(*(axis.values for axis in axes)):
        yield dict(zip(names, values, strict=True))


def chosen(recipe: Recipe, values: Mapping[str, n.Value]) -> Recipe:
    """The recipe in which the swept names have these values."""
    for name, value in values.items():
        if name == "seed":
            recipe = replace(recipe, settings=dict(recipe.settings), replaced=dict(recipe.replaced))
            recipe.put(n.Setting(value.span, n.Ident(value.span, "seed"), value))
        else:
            recipe = with_param(recipe, name, value)
    return recipe


def idle(recipe: Recipe, used: set[str]) -> list[Diagnostic]:
    """A warning for each sweep over a param that no value in force uses."""
    return [
        diagnose("W020", sweep.span, name=sweep.name.text)
        for sweep in recipe.sweeps
        if sweep.name.text != "seed" and sweep.name.text not in used
    ]


def _mistakes(recipe: Recipe, given: Given, sweep: n.Sweep) -> Iterator[Diagnostic]:
    name, known = sweep.name.text, recipe.params.get(sweep.name.text)
    if name != "seed" and known is None:
        yield _unknown(recipe, sweep)
        recipe.broken.add(f"${name}")  # where it is used, it is no mistake of its own
        return
    if not isinstance(sweep.values, n.ListValue) or not sweep.values.items:
        write = _listed(sweep.values, name == "seed")
        wants = "a list of values such as `[1, 2]`"
        help = "write its values: `[90%, 95%]`" if name != "seed" else "for example `[1, 2, 3]`"
        yield _wants(f"sweep {name}", wants, sweep.values, write, help)
        return
    if name == "seed" and given.seed is not None:
        yield diagnose("T320", sweep.name.span, name=name, how="--seed")
    elif known is not None and known.by != "param":
        label = Label(known.span, f"set here, by `{known.by}`")
        yield diagnose("T320", sweep.name.span, label, name=name, how=known.by)
    before: dict[n.Value, n.Value] = {}
    for item in sweep.values.items:
        first = before.setdefault(as_percent(item), item)
        if first is not item:
            label = Label(first.span, "first here")
            yield diagnose("T321", item.span, label, value=one_line(item.span), name=name)
        elif known is not None and name != "seed":
            wrong = mistyped(recipe.params, name, item, known)
            if wrong is not None:
                yield wrong
        elif not isinstance(item, n.Literal) or type(item.value) is not int or item.value < 0:
            yield _wants("seed", "a whole number from 0", item)


def _wants(
    name: str,
    expected: str,
    value: n.Value,
    write: str | None = None,
    help: str = "for example `sweep seed over [1, 2, 3]`",
) -> Diagnostic:
    fix = Fix((Edit(value.span, write),), certain=False) if write else None
    help = f"write `{write}`" if write else help
    found = f"`{one_line(value.span)}`"
    values = {"name": name, "expected": expected, "found": found}
    return diagnose("T301", value.span, help=help, fix=fix, **values)


def _listed(value: n.Value, counted: bool) -> str | None:
    """The list that `range(3)`, or one value, is meant to be, where it can be written out.

    Where values are `counted`, as seeds are, `3` are three of them.
    """
    match value:
        case n.Call(name=n.Ident(text="range"), arguments=(n.Argument(name=None, value=inner),)):
            match inner:
                case n.Literal(value=int(count)) if 0 < count <= MAX_WRITTEN:
                    return f"[{', '.join(map(str, range(count)))}]"
        case n.Literal(value=int(count)) if counted and 0 < count <= MAX_WRITTEN:
            return f"[{', '.join(map(str, range(1, count + 1)))}]"
        case n.Literal() if len(value.span.text) <= MAX_WIDTH:
            return f"[{value.span.text}]"
    return None


MAX_WRITTEN = 20
"""Values that a fix writes out."""
MAX_WIDTH = 40
"""Characters of a value that a fix writes out."""


def _unknown(recipe: Recipe, sweep: n.Sweep) -> Diagnostic:
    """The report of a sweep over what is no param: what can be swept, and how."""
    name, span = sweep.name.text, sweep.name.span
    meant = nearest(name, ["seed", *recipe.params])
    items = sweep.values.items if isinstance(sweep.values, n.ListValue) else ()
    first = one_line(items[0].span) if items else "…"
    fix = None
    if meant:
        help = f"did you mean `{meant}`?"
        fix = Fix((Edit(span, meant),), certain=False)
    elif name in WHOLE:
        help = (
            f"a sweep moves a param, not the whole `{name}`: write a recipe for each, with "
            "`extends`, or sweep a param that stands in its arguments as `$NAME`"
        )
    elif any(reference.name == name for reference in uses(recipe)):
        help = f"declare it: `param {name} = {first}`"
    else:
        argument = _argument(recipe, name)
        help = (
            f"a sweep moves a param: write `param {argument} = {first}`, "
            f"`{argument}=${argument}` where it is meant, and `sweep {argument} over …`"
        )
    return diagnose("T204", span, name=one_line(span), help=help, fix=fix)


WHOLE = ("model", "data", "mask", "optimizer", "schedule", "train", "precision")
"""Statements, which are no values."""


def _argument(recipe: Recipe, name: str) -> str:
    """The argument in `mask_sparsity`, or `mask.sparsity`, if the mask is meant to have it."""
    slot, _, argument = name.partition("_")
    return argument if slot in recipe.slots and argument else name
