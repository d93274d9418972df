"""Starter recipes are sound, laid out, and say what was wished."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest

from tostdsl import registry
from tostdsl.api import compile_source, format_text
from tostdsl.compile.starter import Wishes, fitting, starter
from tostdsl.diagnostics import Diagnostic
from tostdsl.plan.plan import Plan
from tostdsl.source import Source

PLAIN = Wishes("first", "cifar_resnet(8)", "digits", "random", "sgd", "cosine", "90%", 10)
ALL = ("init", "ghost", "skip", "labels")


def check(source: Source) -> tuple[Diagnostic, ...]:
    return compile_source(source).diagnostics


def clean(wishes: Wishes) -> Plan:
    """The plan of a starter that has nothing against it, and is in the one layout."""
    source, wrong = starter(wishes, check)
    assert [] == wrong
    assert () == check(source)
    assert source.text == format_text(source)[0]
    (plan,) = compile_source(source).plans
    return plan


MATRIX = list(
    product(
        ["cifar_resnet(8)", "resnet18", "vgg11_bn"],
        ["digits", "cifar10", "imagefolder"],
        [None, *registry.names("mask")],
        [1, 30],
        [(), ALL],
    )
)


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: "-".join(map(str, row)))
def test_a_matrix_of_wishes_is_clean(
    row: tuple[str, str, str | None, int, tuple[str, ...]],
) -> None:
    """Models by data by masks by lengths by techniques: each is sound and means the wish."""
    model, data, mask, epochs, wanted = row
    techniques = tuple(name for name in wanted if mask or name != "init")
    plan = clean(replace(PLAIN, model=model, data=data, mask=mask, epochs=epochs,
                         techniques=techniques, sparsity="80%"))  # fmt: skip
    assert model.partition("(")[0] == plan.model.name
    assert data == plan.data.name
    assert mask == (plan.mask.method.name if plan.mask else None)
    if plan.mask is not None and mask not in ("nm", "vnm", "file"):  # which have their own
        assert Fraction(4, 5) == plan.mask.method.target()
    assert epochs == plan.train.value
    assert sorted(techniques) == sorted(stage.technique.name for stage in plan.stages)


@pytest.mark.parametrize("kind", ["model", "data", "mask", "optimizer", "schedule"])
def test_every_registered_name_may_be_wished(kind: str) -> None:
    """The bare name of everything registered makes a sound starter."""
    for name in registry.names(kind):
        clean(replace(PLAIN, **{kind: name}))


def test_every_technique_may_be_wished() -> None:
    """Each alone, with a short and a long training, on a model without the examples' layers."""
    for name, epochs in product(registry.names("technique"), (1, 200)):
        plan = clean(replace(PLAIN, model="alexnet", techniques=(name,), epochs=epochs))
        assert [name] == [stage.technique.name for stage in plan.stages]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("skip", "skip until 25%"),
        ("init", "init"),
        ("labels", "labels"),
        ("ghost", "ghost(activation=swish) until 25%"),  # which must be told what to put in
    ],
)
def test_a_technique_starts_at_its_defaults(name: str, line: str) -> None:
    """Its stage says no more than it must, and the comment above it names every argument."""
    source, _ = starter(replace(PLAIN, techniques=(name,)), check)
    comment, _, stage = source.text.rstrip().split("\n\n")[-1].rpartition("\n")
    assert line == stage
    named = " ".join(comment.split()).replace(" # ", " ").rpartition("Its arguments: ")[2]
    assert named == ", ".join(registry.get("technique", name).model_fields) + "."


def test_whole_calls_and_stages_are_kept() -> None:
    """What is more than a name stands in the recipe as it was wished."""
    wishes = replace(
        PLAIN,
        mask="magnitude(sparsity=70%, distribution=uniform)",
        techniques=("ghost(width=3x) until epoch 3",),
        seed=7,
    )
    source, wrong = starter(wishes, check)
    assert [] == wrong
    for text in (wishes.mask, wishes.techniques[0], "seed      7"):
        assert str(text) in source.text
    assert "param" not in source.text


def test_wrong_wishes_come_back_with_the_compilers_messages() -> None:
    """An unknown name and a wrong unit are told, as in any recipe."""
    _, wrong = starter(replace(PLAIN, model="rsnet18", sparsity="90"), check)
    assert ["T201", "T302"] == [d.code for d in wrong]
    _, wrong = starter(replace(PLAIN, sparsity="0.9"), check)
    assert ["W001"] == [d.code for d in wrong]


def test_techniques_that_do_not_fit_are_known() -> None:
    """Without a mask `init` takes a law that needs none; without a model nothing fits."""
    assert ALL == fitting(PLAIN, ALL, check)
    assert ALL == fitting(replace(PLAIN, mask=None), ALL, check)
    assert () == fitting(replace(PLAIN, model="nothing"), ALL, check)


def test_it_is_commented() -> None:
    """Each stage stands below what it does; slots name the list of what else there is."""
    source, _ = starter(replace(PLAIN, techniques=ALL), check)
    for words in ("# Ghost neurons", "# Label smoothing", "tost list models", "tost explain"):
        assert words in source.text
