"""The changes that make one plan another, each in a recipe's words.

Three laws: a plan has no change against itself; a change of one field is one change; the changes
from A to B, applied to A, give B.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from tostdsl.compare.told import calls, told, windows
from tostdsl.compile.expects import expect_text
from tostdsl.compile.print import mask_line, stage_line, string_text
from tostdsl.plan.plan import Expectation, MaskPlan, Plan, StagePlan, stage_names
from tostdsl.plan.spec import Lookup, Spec
from tostdsl.units import Duration

Kind = Literal["computed", "length", "cost", "labels"]
KINDS: Mapping[Kind, str] = {
    "computed": "what is computed",
    "length": "how long it trains",
    "cost": "what a step costs",
    "labels": "labels only",
}
SLOTS = ("model", "data", "optimizer", "schedule")
PLAIN = ("name", "title", "train", "seed", "precision")


@dataclass(frozen=True, slots=True)
class Change:
    """One field, or one statement, that is another, new or gone."""

    path: str
    """In a recipe's words: `mask.sparsity`, `stages.ghost#2.window`."""
    old: str | None
    """As a recipe writes it; None where it is new."""
    new: str | None
    """None where it is gone."""
    kind: Kind
    place: tuple[str | int | None, ...]
    """Where in the JSON of the first plan; None as its last part adds to a list."""
    value: Any
    """The JSON that stands there in the second plan; None where nothing does."""

    def __str__(self) -> str:
        """In one line: values may hold an arrow of their own."""
        if self.old is None:
            return f"{self.path} is new: {self.new}"
        if self.new is None:
            return f"{self.path} is gone: {self.old}"
        return f"{self.path}: {self.old} becomes {self.new}"

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs."""
        return {
            "path": self.path,
            "old": self.old,
            "new": self.new,
            "kind": self.kind,
            "place": list(self.place),
            "value": self.value,
        }


def changes(a: Plan, b: Plan) -> list[Change]:
    """All changes from `a` to `b`, in the order of a recipe."""
    found = [*_plain(a, b, PLAIN[:2])]
    for slot in SLOTS[:2]:
        found += _spec(slot, (slot,), getattr(a, slot), getattr(b, slot))
    found += _mask(a.mask, b.mask, (a.train, b.train))
    for slot in SLOTS[2:]:
        found += _spec(slot, (slot,), getattr(a, slot), getattr(b, slot))
    found += _plain(a, b, PLAIN[2:])
    found += _stages(a, b)
    found += _expects(a.expect, b.expect)
    return found


def applied(plan: Plan, found: Iterable[Change], lookup: Lookup) -> Plan:
    """The plan with changes that were found from it."""
    content: dict[str, Any] = deepcopy(plan.to_json())
    gone: list[tuple[list[Any], int]] = []
    new: list[tuple[list[Any], Any]] = []
    for change in found:
        *above, last = change.place
        holder: Any = content
        for part in above:
            holder = holder[part]
        if last is None:
            new.append((holder, change.value))
        elif isinstance(last, int) and change.new is None:
            gone.append((holder, last))
        else:
            holder[last] = change.value
    for holder, index in sorted(gone, key=lambda item: -item[1]):
        del holder[index]
    for holder, value in new:
        holder.append(value)
    return Plan.from_json(content, lookup)


# -- the parts of a plan


def _plain(a: Plan, b: Plan, names: Sequence[str]) -> Iterator[Change]:
    kinds: dict[str, Kind] = {
        "name": "labels", "title": "labels", "train": "length", "precision": "cost",
    }  # fmt: skip
    json = b.to_json()
    for name in names:
        old, new = getattr(a, name), getattr(b, name)
        if old != new:
            before, after = (string_text(e) if name == "title" else str(e) for e in (old, new))
            path = {"name": "recipe", "title": "recipe.title"}.get(name, name)
            yield Change(path, before, after, kinds.get(name, "computed"), (name,), json[name])


def _json(value: Any) -> Any:
    """A field's value as a plan's JSON has it."""
    return value.model_dump(mode="json", by_alias=True)


def _spec(path: str, place: tuple[str | int, ...], a: Spec, b: Spec) -> Iterator[Change]:
    """Of two calls: the whole call where the names differ, else argument by argument."""
    if (a.name, a.revision) != (b.name, b.revision):
        yield Change(path, *calls(a, b), "computed", place, _json(b))
        return
    json, labels = _json(b)["args"], a.unidentified() & b.unidentified()
    olds, news = a.arguments(), b.arguments()
    for name, new in news.items():
        old = olds[name]
        if old != new:
            kind: Kind = "labels" if name in labels else "computed"
            where = (*place, "args", name)
            yield Change(f"{path}.{name}", *told(old, new), kind, where, json[name])


def _mask(
    a: MaskPlan | None, b: MaskPlan | None, trains: tuple[Duration, Duration]
) -> Iterator[Change]:
    if a is None and b is None:
        return
    if a is None or b is None:
        old, new = (
            None if each is None else mask_line(each).removeprefix("mask ") for each in (a, b)
        )
        yield Change("mask", old, new, "computed", ("mask",), None if b is None else _json(b))
        return
    yield from _spec("mask", ("mask", "method"), a.method, b.method)
    yield from _where("mask", ("mask",), a, b, trains)


def _where(
    path: str,
    place: tuple[str | int, ...],
    a: MaskPlan | StagePlan,
    b: MaskPlan | StagePlan,
    trains: tuple[Duration, Duration],
) -> Iterator[Change]:
    """Window and targets; a window that moves with the length of training is a change of that."""
    json = _json(b)
    if a.window != b.window:
        moved = windows(a.window, b.window, trains)
        before, after = moved or (str(each.window) or "until end" for each in (a, b))
        kind: Kind = "length" if moved else "computed"
        yield Change(f"{path}.window", before, after, kind, (*place, "window"), json["window"])
    for field, word in (("on", "on"), ("exclude", "except")):
        old, new = (getattr(each.targets, field) for each in (a, b))
        if old != new:
            was, now = (", ".join(map(str, each)) or None for each in (old, new))
            value = json["targets"][field]
            yield Change(f"{path}.{word}", was, now, "computed", (*place, "targets", field), value)


def _stages(a: Plan, b: Plan) -> Iterator[Change]:
    names, others = stage_names(a), stage_names(b)
    pairs = dict(_paired(a, b))
    for index, stage in enumerate(a.stages):
        path = f"stages.{names[index]}"
        if index not in pairs:
            yield Change(path, stage_line(stage), None, "computed", ("stages", index), None)
            continue
        other = b.stages[pairs[index]]
        place = ("stages", index)
        yield from _spec(path, (*place, "technique"), stage.technique, other.technique)
        yield from _where(path, place, stage, other, (a.train, b.train))
    for index, stage in enumerate(b.stages):
        if index not in pairs.values():
            path, json = f"stages.{others[index]}", _json(stage)
            yield Change(path, None, stage_line(stage), "computed", ("stages", None), json)


def _paired(a: Plan, b: Plan) -> Iterator[tuple[int, int]]:
    """Which stage of one plan became which of the other: of one technique, the most alike first."""
    trains = (a.train, b.train)
    costs = sorted(
        (_apart(x, y, trains), i, j)
        for i, x in enumerate(a.stages)
        for j, y in enumerate(b.stages)
        if x.technique.name == y.technique.name
    )
    left, right = set(range(len(a.stages))), set(range(len(b.stages)))
    for _, i, j in costs:
        if i in left and j in right:
            left.remove(i)
            right.remove(j)
            yield i, j


def _apart(x: StagePlan, y: StagePlan, trains: tuple[Duration, Duration]) -> tuple[int, int]:
    """In how many fields two stages differ, and in how many for more than the length alone."""
    found = [*_spec("", (), x.technique, y.technique), *_where("", (), x, y, trains)]
    return len(found), sum(each.kind != "length" for each in found)


def _expects(a: Sequence[Expectation], b: Sequence[Expectation]) -> Iterator[Change]:
    gone = [(i, each) for i, each in enumerate(a) if each not in b]
    new = [each for each in b if each not in a]
    for index, old in gone:
        path = f"expect.{old.metric}"
        same = next((e for e in new if (e.metric, e.op) == (old.metric, old.op)), None)
        same = same or next((each for each in new if each.metric == old.metric), None)
        if same is None:
            yield Change(path, expect_text(old), None, "labels", ("expect", index), None)
            continue
        new.remove(same)
        texts = expect_text(old), expect_text(same)
        yield Change(path, texts[0], texts[1], "labels", ("expect", index), _json(same))
    for each in new:
        path, json = f"expect.{each.metric}", _json(each)
        yield Change(path, None, expect_text(each), "labels", ("expect", None), json)
