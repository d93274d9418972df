"""What the field calls things: every name is answered with one that exists here."""

from __future__ import annotations

import re

import pytest
from pydantic import BaseModel

from tests.compile.test_offers import fixed, found
from tostdsl import api, registry
from tostdsl.compile import others
from tostdsl.compile.compiler import compile_source
from tostdsl.compile.lower import METRICS
from tostdsl.compile.others import merged
from tostdsl.plan.bases import OptimizerSpec
from tostdsl.plan.spec import Spec, arg
from tostdsl.source import Source
from tostdsl.syntax import nodes as n

SPAN = Source("r", "1").span(0, 1)
CLASSES = [cls for kind in registry.KINDS for cls in registry.loaded(kind)]
NAMES = [
    (cls.kind, name, call)
    for cls in CLASSES
    for name, call in cls.__dict__.get("other_names", {}).items()
]


@pytest.mark.parametrize(("kind", "name", "call"), NAMES)
def test_a_name_of_the_field_leads_to_one_that_is_known(kind: str, name: str, call: str) -> None:
    """It is not known itself, no other class claims it, and the call names a class."""
    head, _, inside = call.removesuffix(")").partition("(")
    cls = registry.find(kind, head)
    assert cls is not None
    assert set(re.findall(r"(\w+)=", inside)) <= set(cls.model_fields)
    assert registry.find(kind, name) is None
    assert name == name.lower()
    assert 1 == sum((kind, name) == each[:2] for each in NAMES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.kind}-{cls.name}")
def test_arguments_of_the_field_lead_to_ones_that_exist(cls: type[Spec]) -> None:
    """Each is an argument's name, whole arguments, or a sentence; and is no argument itself."""
    for name, said in merged(cls, "other_arguments").items():
        if name in cls.model_fields:
            continue  # a class further down has it after all
        whole = re.findall(r"(\w+)=", said) if re.match(r"\w+=", said) else []
        known = said in cls.model_fields or (whole and set(whole) <= set(cls.model_fields))
        inherited = not any(name in base.__dict__.get("other_arguments", {}) for base in (cls,))
        assert known or " " in said or inherited, (name, said)
    for field, table in merged(cls, "other_values").items():
        assert field in cls.model_fields
        choices = str(cls.model_fields[field].annotation)
        for name, said in table.items():
            assert f"'{name}'" not in choices
            assert f"'{said}'" in choices or " " in said


def test_words_of_the_language_lead_to_its_own() -> None:
    """Slots, metrics and the choices of settings; none of them is one of its own words."""
    slots = {"model", "data", "mask", "optimizer", "schedule"}
    assert set(others.SLOTS.values()) <= slots
    assert set(others.METRICS.values()) == set(METRICS)
    assert set(others.SLOTS).isdisjoint(slots)
    assert set(others.METRICS).isdisjoint(METRICS)
    assert {"fp32", "fp16", "bf16"} == set(others.SETTINGS["precision"].values())


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("schedule multistep(milestones=[epoch 5], gamma=0.1)",
         "schedule multistep(at=[epoch 5], factor=0.1)"),
        ("optimizer sgd(wd=1e-4)", "optimizer sgd(weight_decay=1e-4)"),
        ("data cifar10(augment=[flip(p=50%)])", "data cifar10(augment=[flip(probability=50%)])"),
        ("data cifar10(augment=[RandomCrop(32, padding=4), RandomHorizontalFlip(0.5)])",
         "data cifar10(augment=[crop(padding=4), flip(probability=50%)])"),
        ("data cifar10(augment=[flip(0.5)])", "data cifar10(augment=[flip(probability=50%)])"),
        ("schedule CosineAnnealingLR(T_max=20)", "schedule cosine"),
        ("schedule step(step_size=5, gamma=0.1)",
         "schedule multistep(at=[epoch 5, epoch 10, epoch 15], factor=0.1)"),
        ("schedule multistep(step_size=8)", "schedule multistep([epoch 8, epoch 16])"),
        ("schedule multistep(milestones=[10, 15])", "schedule multistep(at=[epoch 10, epoch 15])"),
        ("mask lottery_ticket(90%)", "mask lottery(sparsity=90%)"),
        ("mask nm(n=2, m=4)", "mask nm(2:4)"),
        ("mask nm(transposable=yes, n=2, m=4)", "mask nm(transposable=yes, pattern=2:4)"),
        ("mixup(alpha=0.2)", "labels(mixup=0.2)"),
        ("mixup until epoch 5", "labels(mixup=0.2) until epoch 5"),
        ("ghost(width=2x, start=0, end=10)", "ghost(width=2x) from epoch 0 until epoch 10"),
        ("ghost(width=2x, epochs=10) on conv", "ghost(width=2x) for 10 epochs on conv"),
        ("ghost(width=2x, exclude=[first, last]) until 25%",
         "ghost(width=2x) until 25% except first, last"),
        ("mask random(sparsity=90%, layers=[conv])", "mask random(sparsity=90%) on conv"),
        ("data cifar10(augment=[RandomCrop(padding=4), RandomHorizontalFlip])",
         "data cifar10(augment=[crop(padding=4), flip])"),
        ("ghost(activation=silu) until 25%", "ghost(activation=swish) until 25%"),
        ("schedule CosineAnnealingLR", "schedule cosine"),
        ("schedule cosine_annealing", "schedule cosine"),
        ("skip(anneal=cos) until 25%", "skip(anneal=cosine) until 25%"),
        ("mask random(density=10%)", "mask random(sparsity=90%)"),
        ("mask random(density=0.1)", "mask random(sparsity=90%)"),
        ("mask magnitude(sparsity=90%, global=True)",
         "mask magnitude(sparsity=90%, distribution=global)"),
        ("mask magnitude(sparsity=90%, local=True)",
         "mask magnitude(sparsity=90%, distribution=uniform)"),
        ("mask erk(sparsity=90%)", "mask random(distribution=erk, sparsity=90%)"),
        ("mask imp(sparsity=90%)", "mask lottery(sparsity=90%)"),
        ("prune random(sparsity=90%)", "mask random(sparsity=90%)"),
        ("expect acc >= 90%", "expect accuracy >= 90%"),
        ("expect top1 >= 90%", "expect accuracy >= 90%"),
        ("expect test_accuracy >= 90%", "expect accuracy >= 90%"),
        ("expect acuracy >= 90%", "expect accuracy >= 90%"),
        ("init(rescale=LRsI)", "init(rescale=learned)"),
        ("ghost(width=2x, until=epoch 10)", "ghost(width=2x) until epoch 10"),
        ("mask random(sparsity=90%, except=first)", "mask random(sparsity=90%) except first"),
        ('skip(on=["layer1.*", last], anneal=cosine) ', 'skip(anneal=cosine) on "layer1.*", last'),
        ('mask random(sparsity=90%) except conv1', 'mask random(sparsity=90%) except "conv1"'),
    ],
)  # fmt: skip
def test_a_word_of_the_field_is_answered_with_ours(line: str, after: str) -> None:
    """One report each; after a look it is written, and nothing is left to say."""
    assert len({d.span for d in found(line)}) == len(found(line)) <= 2
    assert after == fixed(line, look=True).rstrip()
    assert [] == [d.code for d in found(after) if d.severity == "error"]


@pytest.mark.parametrize(
    ("lines", "after"),
    [
        ("net resnet20\ndata cifar10", "model resnet20\ndata cifar10"),
        ("arch resnet20\ndata cifar10", "model resnet20\ndata cifar10"),
        ("model resnet20\ndataset cifar10", "model resnet20\ndata cifar10"),
    ],
)
def test_a_slot_by_another_name_is_read_as_the_slot(lines: str, after: str) -> None:
    """So the slot is not missing as well, and what it says is checked."""
    source = Source("r.tost", f"{lines}\ntrain for 20 epochs\n")
    assert ["T103"] == [d.code for d in compile_source(source).diagnostics]
    assert f"{after}\ntrain for 20 epochs\n" == api.fix(source, look=True).source.text


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ('model("cifar_resnet", depth=8)', "model cifar_resnet(depth=8)"),
        ("model(resnet20)", "model resnet20"),
        ("model cifar_resnet8", "model cifar_resnet(8)"),
        ("model cifar_resnet_20", "model cifar_resnet(20)"),
    ],
)
def test_a_model_as_a_call_or_in_one_word(line: str, after: str) -> None:
    """It is one report, and after a look the model is there as it was meant."""
    source = Source("r.tost", f"{line}\ndata cifar10\ntrain for 20 epochs\n")
    (mistake,) = compile_source(source).diagnostics
    assert f"`{after.removeprefix('model ')}`" in str(mistake.help) or after in str(mistake.help)
    assert after == api.fix(source, look=True).source.text.split("\n")[0]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("init(recalibrate=yes)", "no end to recalibrate at"),
        ("schedule cosine(T_max=20)", "the fall ends where training does"),
        ("schedule cosine(min_lr=0.1)", "`floor`"),
        ("mask lottery(sparsity=90%, rounds=10)", "`rate`"),
        ("ghost(activation=relu) until 25%", "relu is what a ghost softens"),
        ("data cifar1000", "`cifar10`"),
        ("model resnet19", "`resnet18`"),
        ("schedule multistep(at=[50%], step_size=30)", "`at=[50%, 75%]`"),
        ("prune(sparsity=90%)", "mask NAME(sparsity=90%)"),
        ("schedule multistep(milestones=[80, 120])", "`at`"),
        ("data cifar10(augment=[crop(32, padding=4)])", "an image keeps its size"),
        ("mask nm(n=2)", "write `nm(2:4)`"),
        ("mask nm(sparsity=50%)", "`pattern=2:4`"),
        ("mask shuffle(sparsity=90%)", "`of=random(sparsity=90%)`"),
        ("model resnet20(num_classes=10)", "the data set says"),
        ("model resnet20(pretrained=True)", "fresh weights"),
        ('data cifar10(root="here")', "`--data-root`"),
        ("data cifar10(normalize=True)", "always normalised"),
        ("optimizer sgd(lr=0.1, schedule=cosine)", "`schedule cosine`"),
        ("schedule constant(lr=0.1)", "`optimizer sgd(lr=0.1)`"),
        ("ghost(width=2x, start=0) from epoch 5", "write `from epoch 0` behind the brackets"),
    ],
)
def test_what_has_no_one_answer_is_told_in_words(line: str, says: str) -> None:
    """No edit is offered: a data set of another number is another data set."""
    (mistake,) = found(line)
    assert mistake.fix is None
    assert says in (mistake.help or "")


def test_a_plug_in_declares_its_own() -> None:
    """Its tables are read like those of the built-in classes, a base's below them."""

    class Lion(OptimizerSpec):
        """An optimizer of a plug-in."""

        name = "lion"
        other_arguments = {"momentum": "beta"}  # noqa: RUF012
        beta: float = arg(0.9, "decay")

    assert issubclass(Lion, BaseModel)
    assert "beta" == merged(Lion, "other_arguments")["momentum"]
    assert "lr" == merged(Lion, "other_arguments")["learning_rate"]
    wd = n.Argument(SPAN, n.Ident(SPAN, "wd"), n.Literal(SPAN, 1))
    assert others.argument_meant(Lion, wd) is None  # it has no weight decay
