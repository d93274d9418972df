"""The laws of changes, over plans generated from everything registered."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.plans import plan_of, sound_recipes
from tostdsl import registry
from tostdsl.compare.changes import KINDS, applied, changes
from tostdsl.plan.plan import Plan

LAW = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
BASE = """
recipe base
model resnet20
data cifar10(batch=128)
mask random(sparsity=90%)
optimizer sgd(lr=0.1, momentum=0.9)
train for 160 epochs
seed 1
ghost(width=2x) until epoch 40
ghost(activation=swish) until epoch 30
skip until epoch 60
expect accuracy >= 90%
"""


def made(text: str) -> Plan:
    """The plan of a sound text."""
    plan = plan_of(text)
    assert plan is not None
    return plan


@LAW
@given(sound_recipes())
def test_a_plan_has_no_change_against_itself(one: tuple[list[str], Plan]) -> None:
    """Nor against what its JSON gives."""
    plan = one[1]
    assert [] == changes(plan, Plan.from_json(plan.to_json(), registry.get))


@LAW
@given(sound_recipes(), sound_recipes())
def test_changes_make_one_plan_the_other(
    one: tuple[list[str], Plan], other: tuple[list[str], Plan]
) -> None:
    """Applied to the first they give the second, whatever the two are."""
    a, b = one[1], other[1]
    found = changes(a, b)
    assert b == applied(a, found, registry.get)
    assert (a == b) == (not found)
    assert all(change.kind in KINDS and change.old != change.new for change in found)
    same = all(change.kind == "labels" for change in found)
    assert same == (a.fingerprint == b.fingerprint)


def fields(content: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Places of the values that a plan's JSON holds."""
    if isinstance(content, dict) and place and place[-1] == "args":
        return [(*place, name) for name in content]
    if isinstance(content, dict):
        return [each for name, value in content.items() for each in fields(value, (*place, name))]
    if isinstance(content, list) and place[-1] == "stages":
        return [each for i, value in enumerate(content) for each in fields(value, (*place, i))]
    return [] if place[-1] in ("name", "revision", "schema", "expect") else [place]


def at(content: Any, place: tuple[Any, ...]) -> Any:
    """What stands at a place."""
    for part in place:
        content = content[part]
    return content


@LAW
@given(sound_recipes(), sound_recipes(), st.randoms(use_true_random=False))
def test_one_field_is_one_change(
    one: tuple[list[str], Plan], other: tuple[list[str], Plan], random: Any
) -> None:
    """A field of a plan that gets the value it has in another plan, where that is a plan."""
    a, b = one[1].to_json(), other[1].to_json()
    there = [place for place in fields(a) if place in fields(b)]
    there = [p for p in there if at(a, p) != at(b, p) and same_calls(a, b, p)]
    assume(there)
    place = random.choice(there)
    at(a, place[:-1])[place[-1]] = at(b, place)
    try:
        changed = Plan.from_json(a, registry.get)
    except ValueError:
        assume(False)
    assume(changed != one[1])
    found = changes(one[1], changed)
    assert 1 == len(found), [(c.path, c.old, c.new) for c in found]
    assert changed == applied(one[1], found, registry.get)


def same_calls(a: Any, b: Any, place: tuple[Any, ...]) -> bool:
    """Whether the calls around a place are of one name in both."""
    for end in range(len(place)):
        x, y = at(a, place[:end]), at(b, place[:end])
        if isinstance(x, dict) and x.get("name") != y.get("name") and end:
            return False
    return True


@st.composite
def named_alike(draw: st.DrawFn) -> list[str]:
    """Up to five stages, most of one name, over windows of their own; the order is the draw's."""
    slots = draw(st.lists(st.integers(0, 7), max_size=5, unique=True))
    return [labels(slot, draw(st.sampled_from(SMOOTHINGS)), draw(LENGTHS)) for slot in slots]


SMOOTHINGS = ["0.1", "0.2", "0.3"]
LENGTHS = st.integers(5, 15)


def labels(slot: int, smoothing: str, length: int) -> str:
    """A stage in one of the stretches of 20 epochs that training has."""
    return f"labels(smoothing={smoothing}) from epoch {slot * 20} until epoch {slot * 20 + length}"


def staged(stages: list[str]) -> Plan:
    """The base with these stages after its own."""
    return made("\n".join([BASE, *stages]))


@LAW
@given(named_alike(), named_alike())
def test_changes_of_stages_of_one_name_make_one_plan_the_other(
    one: list[str], other: list[str]
) -> None:
    """However many are new, gone and others; in whatever order the recipes have them."""
    a, b = staged(one), staged(other)
    found = changes(a, b)
    assert b == applied(a, found, registry.get)
    assert [] == changes(a, staged(one[::-1]))
    assert (sorted(one) == sorted(other)) == (not found)
    gone, new = (
        [c for c in found if side(c) is None] for side in (lambda c: c.new, lambda c: c.old)
    )
    assert abs(len(one) - len(other)) == len(gone) + len(new)


@LAW
@given(named_alike(), st.data())
def test_one_field_of_one_of_them_is_one_change(stages: list[str], data: st.DataObject) -> None:
    """Also where that gives them another order in the plan, and the recipe has another, too."""
    assume(stages)
    index = data.draw(st.integers(0, len(stages) - 1))
    old = stages[index]
    if data.draw(st.booleans()):
        field, pattern = "smoothing", r"0\.\d"
        value = data.draw(st.sampled_from(SMOOTHINGS))
    else:  # to a stretch that none of them has
        field, pattern, slot = "window", r"from .*", data.draw(st.integers(8, 10)) - 8
        taken = {int(each.split()[3]) // 20 for each in stages}
        free = [each for each in range(8) if each not in taken]
        value = labels(free[slot % len(free)], "0.1", 7).split(" ", 1)[1]
    new = re.sub(pattern, value, old)
    assume(new != old)
    others = data.draw(st.permutations([*stages[:index], new, *stages[index + 1 :]]))
    a, b = staged(stages), staged(others)
    (found,) = changes(a, b)
    assert field == found.path.split(".")[-1]
    assert b == applied(a, [found], registry.get)


def test_three_of_one_name_are_gone_at_once() -> None:
    """Each by its place before any is."""
    a = staged([labels(slot, "0.1", 10) for slot in (0, 1, 4, 6)])
    b = staged([labels(4, "0.1", 10)])
    found = changes(a, b)
    assert ([None] * 3, 3) == ([c.new for c in found], len({c.old for c in found}))
    assert b == applied(a, found, registry.get)


FILES = [
    'file("a")',
    'file("b")',
    f'file("a", sha256="{"a" * 64}")',
    f'file("b", sha256="{"b" * 64}")',
]


@pytest.mark.parametrize("old", FILES)
@pytest.mark.parametrize("new", [*FILES, f'file("b", sha256="{"a" * 64}")'])
def test_changes_that_are_labels_leave_the_fingerprint(old: str, new: str) -> None:
    """Made alone, on either side: a path only where both say what is in the file."""
    a, b = (made(BASE.replace("random(sparsity=90%)", each)) for each in (old, new))
    found, back = changes(a, b), changes(b, a)
    assert b == applied(a, found, registry.get)
    leaves = [
        {c.path: applied(plan, [c], registry.get).fingerprint == plan.fingerprint for c in made_of}
        for plan, made_of in ((a, found), (b, back))
    ]
    assert leaves[0].keys() == leaves[1].keys()
    for change in found:
        assert (change.kind == "labels") == all(each[change.path] for each in leaves), str(change)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("recipe base", "recipe other", [("recipe", "base", "other", "labels")]),
        ("seed 1", "seed 2", [("seed", "1", "2", "computed")]),
        ("160 epochs", "200 epochs", [("train", "160 epochs", "200 epochs", "length")]),
        ("batch=128", "batch=256", [("data.batch", "128", "256", "computed")]),
        (
            "random(sparsity=90%)",
            "random(sparsity=95%)",
            [("mask.sparsity", "90%", "95%", "computed")],
        ),
        (
            "random(sparsity=90%)",
            "magnitude(sparsity=90%)",
            [("mask", "random(sparsity=90%)", "magnitude(sparsity=90%)", "computed")],
        ),
        (
            "ghost(width=2x) until epoch 40",
            "ghost(width=2x) until epoch 50",
            [("stages.ghost#2.window", "until epoch 40", "until epoch 50", "computed")],
        ),
        ("skip until epoch 60", "", [("stages.skip", "skip until epoch 60", None, "computed")]),
        (
            "seed 1",
            "seed 1\nlabels(smoothing=0.1)",
            [("stages.labels", None, "labels(smoothing=0.1)", "computed")],
        ),
        (
            "accuracy >= 90%",
            "accuracy >= 91%",
            [("expect.accuracy", "accuracy >= 90%", "accuracy >= 91%", "labels")],
        ),
    ],
)
def test_changes_that_people_make(old: str, new: str, expected: list[Any]) -> None:
    """In their words, with their kind."""
    assert old in BASE
    found = changes(made(BASE), made(BASE.replace(old, new)))
    assert expected == [(c.path, c.old, c.new, c.kind) for c in found]


@pytest.mark.parametrize(
    ("window", "train", "expected"),
    [
        ("until 60%", "10 epochs", ("until 60% (epoch 3)", "until 60% (epoch 6)", "length")),
        ("until 60%", "6 epochs", ("until 60% (epoch 3)", "until 60% (epoch 3.6)", "length")),
        ("until 60%", "1000 steps", ("until 60% (epoch 3)", "until 60% (step 600)", "length")),
        (
            "from 20% until 60%",
            "6 epochs",
            (
                "from 20% (epoch 1) until 60% (epoch 3)",
                "from 20% (epoch 1.2) until 60% (epoch 3.6)",
                "length",
            ),
        ),
        (
            "from 20% for 1 epochs",
            "10 epochs",
            ("from epoch 1 until epoch 2", "from epoch 2 until epoch 3", "computed"),
        ),
        ("until 65%", "10 epochs", None),
        ("until epoch 3", "10 epochs", None),
        ("", "10 epochs", None),
    ],
)
def test_windows_that_move_with_the_length(
    window: str, train: str, expected: tuple[str, str, str] | None
) -> None:
    """They are of how long it trains, in one unit on both sides; a moved one is computed anew."""
    text = BASE.replace("160 epochs", "5 epochs").replace("until epoch 40", "")
    text = text.replace("until epoch 30", "").replace("until epoch 60", window)
    found = changes(made(text), made(text.replace("5 epochs", train)))
    told = {c.path: (c.old, c.new, c.kind) for c in found}
    assert ("5 epochs", train, "length") == told.pop("train")
    assert ({} if expected is None else {"stages.skip.window": expected}) == told


def test_a_rewritten_window_is_computed_anew_whatever_the_length() -> None:
    """Also one that was a share of training before, or has the length of the other training."""
    text = (
        BASE.replace("160 epochs", "5 epochs").replace("epoch 40", "end").replace("epoch 30", "end")
    )
    old = text.replace("until epoch 60", "until 60%")
    new = text.replace("5 epochs", "10 epochs").replace("until epoch 60", "until epoch 5")
    told = {c.path: (c.old, c.new, c.kind) for c in changes(made(old), made(new))}
    assert ("until epoch 3", "until epoch 5", "computed") == told["stages.skip.window"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "data cifar10(batch=128, augment=[crop(padding=4), flip])",
            "data cifar10(batch=128, augment=[crop(padding=2), flip])",
            ("data.augment", "[crop(padding=4), flip]", "[crop(padding=2), flip]"),
        ),
        (
            "data cifar10(batch=128, augment=[crop(padding=4), flip])",
            "data cifar10(batch=128, augment=[flip])",
            ("data.augment", "[crop, flip]", "[flip]"),
        ),
        (
            "mask shuffle(random(sparsity=90%, distribution=uniform))",
            "mask shuffle(random(sparsity=90%, distribution=erk))",
            (
                "mask.of",
                "random(sparsity=90%, distribution=uniform)",
                "random(sparsity=90%, distribution=erk)",
            ),
        ),
        (
            "model cifar_resnet(20)",
            "model vgg16",
            ("model", "cifar_resnet(20)", "vgg16"),
        ),
        (
            "mask random(sparsity=90%)",
            "",
            ("mask", "random(sparsity=90%)", None),
        ),
    ],
)
def test_both_sides_show_in_what_they_differ(
    old: str, new: str, expected: tuple[str, str, str | None]
) -> None:
    """Items of lists their arguments, defaults too; calls of other names what they are of."""
    word = old.split()[0]
    texts = [re.sub(rf"^{word} .*$", each, BASE, flags=re.M) for each in (old, new)]
    (found,) = changes(made(texts[0]), made(texts[1]))
    assert expected == (found.path, found.old, found.new)
