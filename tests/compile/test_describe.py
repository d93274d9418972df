"""What names are and take, told from their registration."""

from __future__ import annotations

import pytest

from tests.plans import plan_of
from tostdsl import registry
from tostdsl.compile.describe import described, find, first_sentence, kind_words
from tostdsl.compile.words import value_of
from tostdsl.diagnostics import CATALOGUE
from tostdsl.plan.spec import Spec

EVERYTHING = list(registry.everything())
HEAD = {"model": "model resnet20", "data": "data cifar10", "train": "train for 180 epochs"}


@pytest.mark.parametrize("cls", EVERYTHING, ids=lambda c: f"{c.kind}-{c.name}")
def test_a_description_is_complete(cls: type[Spec]) -> None:
    """Each argument is told with a type and a line; codes exist; nothing of the text is lost."""
    told = described(cls)
    assert set(cls.model_fields) == {argument.name for argument in told.arguments}
    assert all(argument.type and argument.doc for argument in told.arguments)
    assert set() == set(told.codes) - set(CATALOGUE)
    assert (cls.__doc__ or "").split() == f"{told.summary} {told.text}".split()


@pytest.mark.parametrize("cls", EVERYTHING, ids=lambda c: f"{c.kind}-{c.name}")
def test_defaults_are_told_as_a_recipe_writes_them(cls: type[Spec]) -> None:
    """A call that spells the told defaults out is the call that leaves them out."""
    told = described(cls)
    spelled = [f"{a.name}={a.default}" for a in told.arguments if a.default is not None]
    needed = ["width=2x"] if cls.name == "ghost" else []  # it does nothing without one of its two
    needed += [
        f"{name}={value_of(info)}" for name, info in cls.model_fields.items() if info.is_required()
    ]
    if not spelled:
        return
    plans = [
        plan_of(_recipe(cls, f"{cls.name}({', '.join(given)})"))
        for given in (needed, [*needed, *spelled])
    ]
    assert [] == [plan for plan in plans if plan is None]
    assert 1 == len({plan.fingerprint for plan in plans if plan is not None})


def _recipe(cls: type[Spec], call: str) -> str:
    lines = dict(HEAD)
    match cls.kind:
        case "technique":
            lines["mask"] = "mask random(sparsity=90%)"
            lines["stage"] = call
        case "anneal":
            lines["stage"] = f"skip(anneal={call}) until 25%"
        case "augmentation":
            lines["data"] = f"data cifar10(augment=[{call}])"
        case kind:
            lines[kind] = f"{kind} {call}"
    return "\n".join(lines.values())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("One. Two.", "One."),
        ("After He et al. 2016 (see p. 3), it\n    is so. Then not.",
         "After He et al. 2016 (see p. 3), it is so."),
        ("No stop at all\n\nMore.", "No stop at all"),
        ("w = 1.5 p. `x` follows.", "w = 1.5 p."),
        ("", ""),
    ],
)  # fmt: skip
def test_the_first_sentence(text: str, sentence: str) -> None:
    """It ends where the next one begins, not at any full stop."""
    assert sentence == first_sentence(text)


def test_ghost_is_described() -> None:
    """The facts of one technique, by hand."""
    (ghost,) = find("ghost")
    assert ("the activation function", "the width of layers") == ghost.claims
    assert ghost.window is not None
    assert ghost.targets is not None
    arguments = {argument.name: argument for argument in ghost.arguments}
    assert ("exponential", "1", None) == tuple(
        arguments[name].default for name in ("anneal", "beta", "width")
    )
    assert {"T404", "W002"} <= set(ghost.codes)


def test_bounds_and_units_are_in_words() -> None:
    """Pydantic's bounds and the declared unit of one argument, by hand."""
    (crop,) = find("crop")
    (padding,) = crop.arguments
    assert ("a whole number", "pixels", "at least 1, at most 1024", "4") == (
        padding.type,
        padding.unit,
        padding.bounds,
        padding.default,
    )


def test_the_argument_without_a_name_comes_first() -> None:
    """`cifar_resnet(8)`: the depth."""
    (model,) = find("cifar_resnet")
    assert ("depth", "depth") == (model.positional, model.arguments[0].name)


def test_a_name_of_two_kinds_is_found_twice() -> None:
    """`linear` is an anneal and a schedule."""
    assert ["anneal", "schedule"] == [found.kind for found in find("linear")]
    assert () == find("nothing")


def test_every_kind_has_a_word() -> None:
    """The words of commands cover the registry's kinds."""
    assert set(registry.KINDS) == set(kind_words().values())
