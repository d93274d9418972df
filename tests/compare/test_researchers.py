"""Changes that a researcher makes, each with its kind and the three verdicts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compare.test_changes import made
from tostdsl.compare.comparison import Comparison
from tostdsl.compare.side import Side
from tostdsl.compare.sides import of_source
from tostdsl.source import Source

BASE = """\
recipe base
model resnet20
data cifar10(batch=128)
mask random(sparsity=90%)
optimizer sgd(lr=0.1, momentum=0.9)
schedule multistep(at=[epoch 80, epoch 120])
train for 160 epochs
seed 1

ghost(width=2x) until epoch 40
skip until epoch 60
"""
UP_TO = "those up to epoch {} (step {}) of training: from there on they differ"
FIRST = "their states differ from the first step on"
SAME_MASK = ("yes", "b finds the same, to the bit")
SAME_SEED = ("yes", "of one seed: the same first weights, images in the same order")
ALL = ("yes", "any of them: the same is computed")


def compared(old: str, new: str) -> Comparison:
    """The base, and the base with a change."""
    assert old in BASE
    return Comparison(Side("a", made(BASE)), Side("b", made(BASE.replace(old, new))))


@pytest.mark.parametrize(
    ("old", "new", "kinds", "mask", "checkpoints", "runs"),
    [
        pytest.param(
            "ghost(width=2x) until epoch 40",
            "ghost(width=2x) until epoch 50",
            ["computed"],
            SAME_MASK,
            ("partly", "those up to step 1 of training: from there on they differ"),
            SAME_SEED,
            id="a longer ghost, which fades more slowly from its second step on",
        ),
        pytest.param(
            "seed 1",
            "seed 2",
            ["computed"],
            ("partly", "it fits, but b may find another itself (`seed`): give it one by `file`"),
            ("no", f"{FIRST}: `seed`"),
            (
                "partly",
                "as averages over seeds: these two have different ones; `--seed` makes them equal",
            ),
            id="another seed",
        ),
        pytest.param(
            "mask random(sparsity=90%)",
            "mask magnitude(sparsity=90%)",
            ["computed"],
            ("partly", "it fits, but b may find another itself (`mask`): give it one by `file`"),
            ("no", f"{FIRST}: `mask`"),
            SAME_SEED,
            id="another mask",
        ),
        pytest.param(
            "recipe base",
            'recipe other "A title"',
            ["labels", "labels"],
            SAME_MASK,
            ALL,
            SAME_SEED,
            id="another name",
        ),
        pytest.param(
            "batch=128",
            "batch=256",
            ["computed"],
            SAME_MASK,
            ("no", f"{FIRST}: `data.batch`"),
            (
                "partly",
                "as averages over seeds: first weights or batches are others (`data.batch`)",
            ),
            id="twice the batch",
        ),
        pytest.param(
            "160 epochs",
            "200 epochs",
            ["length"],
            SAME_MASK,
            ("partly", UP_TO.format(160, "62,400")),
            SAME_SEED,
            id="a longer training",
        ),
        pytest.param(
            "seed 1",
            "seed 1\nprecision bf16",
            ["cost"],
            SAME_MASK,
            ("no", f"{FIRST}: `precision`"),
            SAME_SEED,
            id="another precision",
        ),
        pytest.param(
            "seed 1",
            "seed 1\n# a note\nexpect accuracy >= 90%",
            ["labels"],
            SAME_MASK,
            ALL,
            SAME_SEED,
            id="a note and an expectation",
        ),
        pytest.param(
            "model resnet20",
            "model resnet32",
            ["computed"],
            ("no", "it is of other weights: `model`"),
            ("no", f"{FIRST}: `model`"),
            ("partly", "as averages over seeds: first weights or batches are others (`model`)"),
            id="another network",
        ),
        pytest.param(
            "at=[epoch 80, epoch 120]",
            "at=[epoch 80, epoch 140]",
            ["computed"],
            SAME_MASK,
            ("partly", UP_TO.format(120, "46,800")),
            SAME_SEED,
            id="a later fall of the learning rate",
        ),
        pytest.param(
            "skip until epoch 60",
            "",
            ["computed"],
            SAME_MASK,
            ("no", f"{FIRST}: `stages.skip`"),
            SAME_SEED,
            id="no skip",
        ),
        pytest.param(
            "skip until epoch 60",
            "skip until epoch 60\nlabels(smoothing=0.1) from epoch 90",
            ["computed"],
            SAME_MASK,
            ("partly", UP_TO.format(90, "35,100")),
            SAME_SEED,
            id="smoothed labels late",
        ),
        pytest.param(
            "data cifar10(batch=128)",
            "data cifar100(batch=128)",
            ["computed"],
            ("no", "the network has other shapes, for other images or classes: `data`"),
            ("no", f"{FIRST}: `data`"),
            ("no", "they train or test on other images: `data`"),
            id="other data of more classes",
        ),
    ],
)
def test_a_change_has_its_kind_and_its_verdicts(
    old: str,
    new: str,
    kinds: list[str],
    mask: tuple[str, str],
    checkpoints: tuple[str, str],
    runs: tuple[str, str],
) -> None:
    """Of mask, checkpoints and runs."""
    found = compared(old, new)
    assert kinds == [change.kind for change in found.changes]
    assert found.differs == ("labels" if set(kinds) == {"labels"} else "computed")
    assert [mask, checkpoints, runs] == [(each.answer, each.why) for each in found.verdicts]


@pytest.mark.parametrize(
    ("old", "new", "answer", "why"),
    [
        (
            "magnitude(sparsity=90%)",
            "magnitude(sparsity=95%)",
            "no",
            "its sparsity is 90%, and b's sparsity is 95%",
        ),
        (
            "random(sparsity=92.5%)",
            "lottery(sparsity=90%)",
            "no",
            "its sparsity is 92.5%, and b's sparsity is 90%",
        ),
        (
            "gradual(sparsity=90%)",
            "dynamic(sparsity=80%)",
            "no",
            "its sparsity is 90%, and b's sparsity is 80%",
        ),
        (
            "shuffle(random(sparsity=90%))",
            "shuffle(random(sparsity=91%))",
            "no",
            "its sparsity is 90%, and b's sparsity is 91%",
        ),
        ("nm(2:4)", "nm(1:4)", "no", "its pattern is 2:4, and b's pattern is 1:4"),
        ("nm(2:4)", "vnm(64:2:5)", "no", "its pattern is 2:4, and b's pattern is 64:2:5"),
        ("magnitude(sparsity=50%)", "nm(2:4)", "no", "its sparsity is 50%, and b's pattern is 2:4"),
        (
            "magnitude(sparsity=90%)",
            "dynamic(sparsity=90%)",
            "partly",
            "it fits, but b moves its own while it trains, and comes to another "
            "(`mask`, `mask.window`)",
        ),
        (
            "dynamic(sparsity=90%)",
            "magnitude(sparsity=90%)",
            "partly",
            "it fits, but b may find another itself (`mask`, `mask.window`): give it one by `file`",
        ),
    ],
)
def test_a_mask_of_another_sparsity_is_none_for_it(
    old: str, new: str, answer: str, why: str
) -> None:
    """Nor one of another pattern; and one that moves stays that: it is not given a file."""
    sides = [Side("", made(BASE.replace("random(sparsity=90%)", text))) for text in (old, new)]
    found = Comparison(sides[0], sides[1]).verdicts[0]
    assert (answer, why) == (found.answer, found.why)


def test_lines_in_another_order_are_layout() -> None:
    """So are comments, spaces and defaults that are spelled out."""
    lines = BASE.splitlines()
    other = "\n".join([*lines[6:8], "# a note", *lines[:6], "precision   fp32", *lines[:7:-1]])
    (a,), (b,) = (of_source("r", Source("r", text), Path("r.tost")) for text in (BASE, other))
    found = Comparison(a, b)
    assert (True, "layout") == (found.same, found.differs)
    assert "layout only: the texts differ, the plans are the same" == found.summary
    assert "nothing" == Comparison(a, a).differs


def test_steps_are_no_fractions_of_epochs() -> None:
    """A parting within an epoch is told as its step alone."""
    found = compared("at=[epoch 80, epoch 120]", "at=[step 101, epoch 120]")
    expected = "those up to step 101 of training: from there on they differ"
    assert expected == found.verdicts[1].why


def test_data_of_a_size_not_known_leaves_checkpoints_open() -> None:
    """Nothing is loaded to tell; and of other images nobody knows the shapes."""
    a = BASE.replace("cifar10(batch=128)", 'imagefolder("a")')
    sides = [
        Side("", made(text))
        for text in (
            a,
            a.replace("multistep(at=[epoch 80, epoch 120])", "constant"),
            a.replace('"a"', '"b"'),
        )
    ]
    assert "unknown" == Comparison(sides[0], sides[1]).verdicts[1].answer
    assert "partly" == Comparison(sides[0], sides[2]).verdicts[0].answer


def test_verdicts_of_a_long_search_are_quick() -> None:
    """Stages that are the same in both are not looked at in each of a million steps."""
    import time

    text = BASE.replace("random(sparsity=90%)", "lottery(sparsity=98%)").replace("128", "32")
    text += "labels(smoothing=0.2 -> {}) from epoch 100\n"
    a, b = (Side("", made(text.replace("{}", end))) for end in ("0", "0.1"))
    begin = time.process_time()
    verdict = Comparison(a, b).verdicts[1]
    assert time.process_time() - begin < 2
    assert "those up to step 156,201 of training: from there on they differ" == verdict.why
