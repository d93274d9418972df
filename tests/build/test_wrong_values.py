"""What is no value of anything is refused where it is given, in words of ours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tostdsl as tost
from tostdsl.build import Stage, masks

RECIPE = tost.Recipe("r", model="cifar_resnet(8)", data="digits", train="5 epochs", stages="skip")
VALUES: tuple[Any, ...] = (
    *(None, 3, True, object(), "", "\ud800", 10**400, 10**5000, [], {}, b"x", float("nan")),
    *("a\nb", "a\x00"),
)
PYTHONS = ("object has no", "object is not", "expected str, bytes", "argument should be", "bytes-")
"""What Python itself says of wrong types."""


def whole(recipe: tost.Recipe) -> str:
    """All that a recipe can be made into; what was taken must be sayable."""
    text = recipe.text.encode("utf-8").decode("utf-8")
    assert tost.Recipe.from_text(text) == recipe
    return text


SLOTS = [part for part in tost.Recipe.__slots__ if part != "seed"]
WINDOW = ("until", "since", "lasting", "at", "on", "without")
UNITS = ("percent", "times", "epoch", "epochs", "step", "steps")
CALLS: dict[str, Callable[[Any], Any]] = {
    **{s: lambda v, s=s: whole(RECIPE.replace(**{s: v})) for s in (*SLOTS, "seed")},
    **{f"Skip.{m}": lambda v, m=m: getattr(tost.Skip(), m)(v) for m in WINDOW},
    **{u: getattr(tost, u) for u in UNITS},
    "ramp": lambda v: tost.ramp(v, 1),
    "Skip.between": lambda v: tost.Skip().between("start", v),
    "Skip.replace": lambda v: tost.Skip().replace(anneal=v),
    "Ghost.width": lambda v: tost.Ghost(width=v),
    "Ghost.activation": lambda v: tost.Ghost(activation=v),
    "File": lambda v: masks.File(v),
    "Stage.named": Stage.named,
    "Stage.read": Stage.read,
    "Stage.of": lambda v: Stage.of("technique", v),
    "Stage.of kind": lambda v: Stage.of(v, "ghost"),
    "from_text": tost.Recipe.from_text,
    "from_text sets": lambda v: tost.Recipe.from_text(RECIPE.text, v),
    "from_text set": lambda v: tost.Recipe.from_text(RECIPE.text, {"a": v}),
    "from_text seed": lambda v: tost.Recipe.from_text(RECIPE.text, None, v),
    **{f"Recipe.{n}": getattr(tost.Recipe, n) for n in ("load", "of")},
    **{f"recipe.{n}": getattr(RECIPE, n) for n in ("add", "without", "seeded", "renamed", "diff")},
    "recipe.save": RECIPE.save,
    **{n: getattr(tost, n) for n in ("load", "format", "check", "open_run", "run", "plans")},
    "plan_from_json": tost.plan_from_json,
    "plan_from_json seed": lambda v: tost.plan_from_json({**RECIPE.plan().to_json(), "seed": v}),
    **{n: getattr(tost, n) for n in ("verify", "resume")},
}


def refusal(name: str, value: Any) -> str | None:
    """The message with which a value is refused; None where it is taken."""
    try:
        CALLS[name](value)
    except (tost.TostError, TypeError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", CALLS)
def test_it_is_refused_in_our_words(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `TostError`, whose message can be shown, or a `TypeError` that says what is taken."""
    monkeypatch.chdir(tmp_path)
    said = [refusal(name, value) for value in VALUES]
    assert 5 <= sum(each is not None for each in said)
    for text in filter(None, said):
        assert not any(each in text for each in PYTHONS)
    assert "" not in said


@pytest.mark.parametrize(
    ("part", "value", "code"),
    [
        *(("title", 5, "T301"), ("title", None, "T301"), ("title", [], "T301")),
        *(("title", "a\nb", "T104"), ("title", "\ud800", "T106"), ("name", None, "T301")),
        *(("name", True, "T301"), ("seed", 10**400, "T306"), ("train", 10**400, "T306")),
        ("precision", 10**5000, "T306"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_part_is_refused_as_the_recipe_is_made(part: Any, value: Any, code: str) -> None:
    """With the compiler's code."""
    with pytest.raises(tost.TostError) as error:
        RECIPE.replace(**{part: value})
    assert code in [each.code for each in error.value.diagnostics]


def test_the_types_that_are_taken_are_named() -> None:
    """Beside the one that was given."""
    for ask, wanted in ((tost.run, "a Recipe, a Plan, or"), (tost.load, "a path as text or Path")):
        with pytest.raises(TypeError, match=f"{wanted}.* not int"):
            ask(3)  # type: ignore[operator]
