"""Recipes as values: the same plans as by text, and others made from them."""

from __future__ import annotations

import copy
import html
import io
import pickle
import pprint
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from rich.console import Console

import tostdsl as tost
from tests.plans import plan_of, sound_recipes
from tostdsl import build
from tostdsl.build import data, masks, models
from tostdsl.compile.compiler import compile_source
from tostdsl.plan.plan import Plan
from tostdsl.source import Source
from tostdsl.syntax.format import format_text

LAW = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
MODULES = {
    name: __import__(f"tostdsl.build.{name}", fromlist=["x"])
    for name in build.__all__
    if name.islower()
}
SLOTS = ("model", "data", "mask", "optimizer", "schedule")
TEXT = """\
tost 1

recipe first "ghosts, \\"early\\""

model cifar_resnet(8)
data  digits
mask  random(sparsity=90%) except first
train for 5 epochs
seed  2

ghost(activation=swish) until epoch 2
skip until 60%

expect accuracy >= 90%
"""


def first() -> tost.Recipe:
    return tost.Recipe(
        "first",
        title='ghosts, "early"',
        model=models.CifarResnet(8),
        data=data.Digits(),
        mask=masks.Random(sparsity=tost.percent(90)).without("first"),
        train=tost.epochs(5),
        seed=2,
        stages=[tost.Ghost(activation="swish").until(tost.epoch(2)), "skip until 60%"],
        expect="accuracy >= 90%",
    )


def from_lines(lines: list[str]) -> tost.Recipe:
    """The recipe of some statements, each given to the part it is of."""
    parts: dict[str, Any] = {"stages": [], "expect": []}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word in SLOTS or word == "precision":
            parts[word] = rest
        elif word == "train":
            parts["train"] = rest.removeprefix("for ")
        elif word == "seed":
            parts["seed"] = int(rest)
        elif word == "expect":
            parts["expect"].append(rest)
        else:
            parts["stages"].append(line)
    return tost.Recipe("r", **parts)


@LAW
@given(sound_recipes())
def test_text_and_python_mean_the_same(made: tuple[list[str], Plan]) -> None:
    """Given by parts, from its plan or by what `repr` writes, a recipe's plan is its text's."""
    lines, plan = made
    recipe = from_lines(lines)
    assert (plan, plan.fingerprint) == (recipe.plan(), recipe.plan().fingerprint)
    again = eval(repr(recipe), {**MODULES, "Recipe": tost.Recipe})
    assert (recipe, recipe.text) == (again, again.text)
    assert plan == tost.Recipe.of(plan).plan()
    text = "\n".join(["recipe r", *lines])
    assert (recipe, plan) == (tost.Recipe.from_text(text), tost.Recipe.from_text(text).plan())
    assert (recipe.text, []) == format_text(Source("r.tost", recipe.text))


def test_a_recipe_of_classes_is_the_text() -> None:
    """Written in the one layout, with nothing that was not said."""
    recipe = first()
    plan = plan_of(TEXT)
    assert plan is not None
    assert TEXT == recipe.text == str(recipe)
    assert plan.fingerprint == recipe.plan().fingerprint
    assert () == recipe.check()
    assert recipe == pickle.loads(pickle.dumps(recipe)) == copy.deepcopy(recipe)
    again = tost.Recipe.from_text(TEXT)
    assert (recipe, hash(recipe)) == (again, hash(again))


def test_methods_make_others() -> None:
    """And leave the recipe as it is."""
    recipe = first()
    other = recipe.without("ghost").seeded(3).add(tost.Labels(smoothing=0.1)).renamed("b", "")
    assert ["skip until 60%", "labels(smoothing=0.1)"] == list(map(str, other.stages))
    assert (3, "b", "") == (other.seed, other.name, other.title)
    assert (TEXT, 2) == (recipe.text, len(recipe.stages))
    assert recipe.without(recipe.stages[1]) == recipe.without("skip")
    assert recipe.without("ghost", "skip").stages == ()
    assert recipe.replace(mask=None).plan().mask is None
    with pytest.raises(FrozenInstanceError):
        recipe.seed = 3  # type: ignore[misc]


WRONG: list[tuple[Any, str]] = [
    (lambda: first().without("labels"), "T210"),
    (lambda: first().without(tost.Skip()), "T210"),
    (lambda: first().replace(train=180), "T305"),  # type: ignore[arg-type]
    (lambda: first().replace(name="a b"), "T140"),
    (lambda: first().replace(name='a "b"'), "T103"),
    (lambda: first().replace(precision="fp64"), "T304"),  # type: ignore[arg-type]
    (lambda: first().replace(model=masks.Snip(sparsity="90%")), "T201"),  # type: ignore[arg-type]
    (lambda: first().replace(expect="accuracy >= 90%\nskip"), "T101"),
    (lambda: first().replace(mask="random(sparsity=90%)\nseed 3"), "T101"),
    (lambda: first().replace(seed=1.5), "T301"),  # type: ignore[arg-type]
    (lambda: first().add("ghost(activation=swish) until epoch 9").plan(), "T401"),
    (lambda: first().replace(title="a\nb").text, "T104"),
    (lambda: first().seeded(-1), "T303"),
    (lambda: first().seeded(10**15), "T303"),
    (lambda: first().replace(train="0 epochs"), "T303"),
    (lambda: first().replace(expect=["accuracy >= 90%", "accuracy > 90"]), "T302"),
    (lambda: first().replace(expect="accuracy > 190%"), "T303"),
    (lambda: first().replace(expect="accuracy > 100%"), "T425"),
    (lambda: first().replace(expect="acuracy > 90%"), "T312"),
    (lambda: tost.Recipe.from_text("model resnet20\nghots"), "T208"),
    (lambda: tost.Recipe.load("nowhere.tost"), "T213"),
    (lambda: tost.format("model resnet20("), "T102"),
]


@pytest.mark.parametrize(("make", "code"), WRONG, ids=[code for _, code in WRONG])
def test_mistakes_are_the_compilers(make: Any, code: str) -> None:
    """Each with the code that a recipe's text would get."""
    with pytest.raises(tost.TostError) as error:
        make()
    assert code in [each.code for each in error.value.diagnostics]


@pytest.mark.parametrize(
    ("statement", "part", "value"),
    [
        ("seed -1", "seed", -1),
        ("train for 0 epochs", "train", "0 epochs"),
        ("expect accuracy > 90", "expect", "accuracy > 90"),
        ("expect loss < -1", "expect", "loss < -1"),
    ],
)
def test_a_value_is_refused_as_in_a_text(statement: str, part: Any, value: Any) -> None:
    """When the recipe is made, with the message and the help that its line would get."""
    with pytest.raises(tost.TostError) as error:
        first().replace(**{part: value})
    head = [line for line in TEXT.splitlines() if line.split(" ")[0] not in (part, "expect")]
    text = "\n".join([*head, statement]) + "\n"
    wanted = [(d.code, d.message, d.help) for d in compile_source(Source("r.tost", text)).errors]
    assert wanted == [(d.code, d.message, d.help) for d in error.value.diagnostics]


def test_a_mistake_of_the_whole_shows_its_line() -> None:
    """Where it stands in the text that `recipe.text` is, and with what it disagrees."""
    (found,) = [d for d in first().add("skip until epoch 9").check() if d.code == "T401"]
    assert found.span is not None
    assert ("first.tost", "epoch 9") == (found.span.source.name, found.span.text)
    assert "train for 5 epochs" == found.labels[1].span.text


def test_files_and_texts(tmp_path: Path) -> None:
    """A saved recipe loads again; what it extends and its params are resolved."""
    path = first().save(tmp_path / "first.tost")
    assert TEXT == path.read_text(encoding="utf-8")
    assert first().plan() == tost.load(path) == tost.Recipe.load(path).plan()
    assert () == tost.check(path) == tost.check(str(path)) == tost.check(first())
    child = tmp_path / "child.tost"
    child.write_text('extends "first.tost"\nparam n = 7 epochs\ntrain for $n\n', encoding="utf-8")
    assert "9 epochs" == str(tost.Recipe.load(child, {"n": "9 epochs"}).train)
    assert tost.load(child).fingerprint == tost.Recipe.load(child).plan().fingerprint
    assert tost.Recipe.from_text(TEXT.replace("sparsity=90%", "sparsity=0.9")) == first()


def test_what_was_written_stays_written(tmp_path: Path) -> None:
    """Arguments that are the default as well, also of calls in calls, and what a param gives."""
    said = "cifar10(batch=128, augment=[crop(padding=4), flip])"
    text = TEXT.replace("digits", said).replace("cifar_resnet(8)", "resnet20")
    assert tost.Recipe.from_text(text).text == text
    path = tost.Recipe.from_text(text).save(tmp_path / "r.tost")
    assert said == str(tost.Recipe.load(path).data)
    param = "param n = 4\n" + text.replace("tost 1\n", "").replace("padding=4", "padding=$n")
    assert said == str(tost.Recipe.from_text(param).data)
    bare = tost.Recipe.from_text(text.replace("(padding=4)", "")).plan()
    assert bare.fingerprint == tost.load(path).fingerprint


def test_plans_of_a_sweep(tmp_path: Path) -> None:
    """All of them, each with its values and the plan of its recipe; in their order."""
    text = "param s = 90%\nsweep s over [80%, 95%]\nsweep seed over [1, 2]\n"
    text += TEXT.replace("sparsity=90%", "sparsity=$s").replace("seed  2\n", "")
    text = "tost 1\n" + text.replace("tost 1\n", "")
    path = tmp_path / "sweep.tost"
    path.write_text(text, encoding="utf-8")
    found = tost.plans(path)
    wanted = [{"s": s, "seed": n} for s in ("80%", "95%") for n in ("1", "2")]
    assert wanted == [values for values, _ in found]
    for values, plan in found:
        mask = first().mask
        assert mask is not None
        one = first().replace(mask=mask.replace(sparsity=values["s"]), seed=int(values["seed"]))
        assert one.plan().fingerprint == plan.fingerprint == tost.Recipe.of(plan).plan().fingerprint
    assert [({}, first().plan())] == [tuple(each) for each in tost.plans(first().save(path))]
    path.write_text(text.replace("over [1, 2]", "over [1, 1.5]"), encoding="utf-8")
    with pytest.raises(tost.TostError, match="T301"):
        tost.plans(path)


def test_several_plans_where_one_is_wanted(tmp_path: Path) -> None:
    """Are refused with what to call instead, whatever asks for one."""
    text = f"{TEXT.replace('seed  2', '')}sweep seed over [1, 2, 3]\n"
    path = tmp_path / "sweep.tost"
    path.write_text(text, encoding="utf-8")
    asked: list[Any] = [tost.load, tost.Recipe.load, tost.run]
    for ask in (*(lambda ask=ask: ask(path) for ask in asked), lambda: tost.Recipe.from_text(text)):
        with pytest.raises(tost.TostError, match=r"(?s)3 plans.*tost\.plans") as error:
            ask()
        assert ["R831"] == [each.code for each in error.value.diagnostics]
    with pytest.raises(tost.TostError, match=r"(?s)R803.*tost\.plans\(") as error:
        tost.diff(path, path)
    assert "both sides" not in str(error.value)
    (_, one), (_, two), _ = tost.plans(path)
    assert ["seed"] == [change.path for change in tost.diff(one, two).changes]


def test_format_lays_out_texts_recipes_and_plans() -> None:
    """A text keeps its comments, a plan has everything spelled out."""
    crowded = TEXT.replace("data  digits", "data digits   # small").replace("\n\n", "\n\n\n")
    assert TEXT.replace("data  digits", "data  digits  # small") == tost.format(crowded)
    assert TEXT == tost.format(first())
    whole = tost.format(first().plan())
    assert "nesterov=no" in whole
    assert plan_of(whole) == first().plan()


def test_a_plan_shows_what_a_recipe_says() -> None:
    """In a line at a prompt; printed and in a notebook by statements, with their arguments."""
    plan = first().replace(mask="gradual(sparsity=90%) from 10% until 50% on conv").plan()
    shown = f"<Plan first {plan.fingerprint[:8]}: cifar_resnet(8) on digits, gradual(sparsity=90%)"
    assert f"{shown}, 5 epochs, seed 2, ghost, skip>" == repr(plan)
    rows = {
        "model": "cifar_resnet(8)",
        "data": "digits",
        "mask": "gradual(sparsity=90%) from 10% until 50% on conv",
        "train": "for 5 epochs",
        "expect": "accuracy >= 90%",
    }
    lines = [line.split(maxsplit=1) for line in str(plan).splitlines()]
    assert set(rows.items()) < set(map(tuple, lines))
    stages = ["ghost(activation=swish) until epoch 2", "skip until epoch 3"]
    assert stages == [text for word, text in lines if word == "stage"]
    page = html.unescape(plan._repr_html_())
    for word, text in (*rows.items(), *(("stage", stage) for stage in stages)):
        assert f'<th>{word}</th><td style="text-align:left">{text}</td>' in page
    assert repr(plan) == repr(plan.model_copy(update={"title": "x" * 999}))
    assert plan != plan.model_copy(update={"title": "x"})


def test_html_is_escaped() -> None:
    """A title or a glob of somebody else's puts no element into a notebook."""
    evil = first().replace(title="<script>&", stages=tost.Skip().without('<b onclick="x">'))
    shown = evil._repr_html_()
    assert "&lt;script&gt;&amp;" in shown
    assert "&lt;b onclick=" in shown
    plan = first().plan().model_copy(update={"title": "<script>&"})
    for page in (shown, plan._repr_html_()):
        assert "&lt;script&gt;&amp;" in page
        assert "<script" not in page
        assert "<b " not in page


def test_a_plan_is_short_wherever_it_is_printed() -> None:
    """By `rich` and `pprint`, alone or inside of something, it is its `repr`."""
    plan = first().plan()
    console = Console(width=1000, file=io.StringIO(), color_system=None)
    with console.capture() as said:
        console.print(plan)
        console.print({"a": [plan]})
    assert f"{plan!r}\n{{'a': [{plan!r}]}}\n" == said.get()
    assert repr(plan) == pprint.pformat(plan, width=1000)
