"""Every independent mistake of a statement is reported, whatever else is wrong with it."""

from __future__ import annotations

import pytest

from tests.compile.test_offers import found


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("mask random(sparsity=190%, foo=3)", ["T203", "T303"]),
        ("optimizer sgd(lr=-1, momentum=banana)", ["T301", "T303"]),
        ("optimizer sgd(lr=-1, momentum=7, nesterov=true)", ["T303", "T303", "T305"]),
        ('ghost(width=0.5x) until epoch 400 on "nope"', ["T303", "T401", "T501"]),
        ('skip(alpha=-1, form=banana) on "nope", banana',
         ["T201", "T303", "T304", "T501"]),
        ("labels(smoothing=5, mixup=-3, foo=1) from epoch 30 until epoch 5 for 3 steps",
         ["T203", "T303", "T303", "T401", "T406"]),
        ("data cifar10(augment=[crop(padding=-1, foo=2)], batch=0)", ["T203", "T303", "T303"]),
        ("mask lottery(sparsity=100%, rate=banana) except banana", ["T201", "T301", "T303"]),
        ("ghost(width=2x) from epoch 900 until banana", ["T401", "T403"]),
        ("skip from epoch 4 from epoch 900", ["T411"]),
    ],
)  # fmt: skip
def test_each_mistake_is_reported(line: str, codes: list[str]) -> None:
    """The codes are those of the mistakes counted by hand."""
    assert codes == sorted(d.code for d in found(line))


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("skip(alpha=3, form=banana)", ["T304"]),  # at most 2 only with `convex`
        ("ghost(activation=banana, beta=2)", ["T304"]),  # a beta only with `swish`
        ("ghost(width=banana, density=50%)", ["T301"]),  # a density only with `width`
        ("ghost(widht=2x, density=50%)", ["T203"]),
        ("ghost(activation=banana)", ["T304"]),  # not also that nothing is given
        ("skip(keep=yes, anneal=banana)", ["T201"]),
        ("mask lottery(sparsiyt=90%)", ["T203"]),
        ("mask lottery(share=90%)", ["T203"]),
        ("optimizer sgd(lr=0,1)", ["T107"]),
        ("ghost(width=2x)\nghost(width=2x)", ["T424"]),
        ("mask (sparsity=90%)\ninit", ["T131"]),
    ],
)
def test_one_mistake_is_one_report(line: str, codes: list[str]) -> None:
    """What follows from a mistake, or may be right once it is mended, is not reported."""
    assert codes == sorted(d.code for d in found(line))


def test_a_value_without_its_name_gets_the_one_that_must_be_given() -> None:
    """It counts as given, however it is written."""
    assert ["write `sparsity=0.9`"] == [
        d.help for d in found("mask random(0.9)") if d.code == "T211"
    ]
    assert ["T211", "T302"] == [d.code for d in found("mask random(90)")]


def test_what_an_unknown_name_was_meant_for_is_not_missing() -> None:
    """The one argument that must be given is suggested where the value suits it."""
    (mistake,) = found("mask lottery(share=90%)")
    assert "did you mean `sparsity`?" == mistake.help


@pytest.mark.parametrize(
    ("line", "verb", "code"),
    [
        ("skip from epoch 25 until 50%", "starts at epoch 25", "T401"),
        ("skip from epoch 50", "starts at epoch 50", "T401"),
        ("skip from epoch 30 for 5 epochs", "starts at epoch 30", "T401"),
        ("skip from step 90000", "starts at step 90000", "T401"),
        ("skip from epoch 20 until epoch 400", "ends at epoch 400", "T401"),
        ("mask random(sparsity=90%)\ninit at epoch 50", "is at epoch 50", "T401"),
    ],
)
def test_a_start_past_the_end_says_so(line: str, verb: str, code: str) -> None:
    """It names the start, and offers no end that would leave the window empty."""
    (mistake,) = found(line)
    assert (code, f"this window {verb}, after training ends") == (mistake.code, mistake.message)
    assert mistake.fix is None
    assert mistake.help


def test_a_circle_of_params_is_shown_where_it_is_declared() -> None:
    """Used or not, once a circle."""
    circle = "param a = $b\nparam b = [$c, $a]\nparam c = 3"
    for lines in (circle, f"{circle}\nseed $a", f"{circle}\nseed $a\nlabels(smoothing=$b)"):
        mistakes = [d for d in found(lines) if d.code != "W003"]
        assert ["T308"] == [d.code for d in mistakes]
        assert ["param a = $b", "param b = [$c, $a]"] == [x.span.text for x in mistakes[0].labels]
    assert ["T308"] == [d.code for d in found("param a = $a")]
    two = found("param a = $a\nparam b = $a\nparam c = $c\nseed $b")
    assert ["T308", "T308"] == [d.code for d in two]
    assert [] == found("param b = $a\nparam a = 90%\nmask random(sparsity=$b)")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("seeds", "did you mean `seed`?"),
        ("mask.sparsity", "`param sparsity = 80%`"),
        ("lr", "`lr=$lr`"),
        ("model", "with `extends`"),
    ],
)
def test_what_cannot_be_swept_says_what_can(name: str, says: str) -> None:
    """One report, which tells of params."""
    (mistake,) = found(f"mask random(sparsity=90%)\nsweep {name} over [80%, 90%]")
    assert "T204" == mistake.code
    assert says in (mistake.help or "")


@pytest.mark.parametrize(
    ("lines", "second"),
    [
        ("mask random(sparsity=90%)\nexpect sparsity >= 99%", "90%"),
        ("param s = 90%\nmask random(sparsity=$s)\nexpect sparsity >= 99%", "$s"),
        ("schedule multistep(at=[epoch 40])", "train for 20 epochs"),
    ],
)
def test_two_places_that_disagree_are_both_shown(lines: str, second: str) -> None:
    """The second label is at the other one, and the help says what to write."""
    (mistake,) = found(lines)
    assert second in [label.span.text for label in mistake.labels[1:]]
    assert "write" in (mistake.help or "")


@pytest.mark.parametrize(
    "line",
    ["seed -1", "train for 1.5 epochs", "train for 0 epochs", "skip for -1 epochs",
     "skip from epoch 1.5", "expect loss <= -1", "optimizer sgd(momentum=7)",
     "labels(smoothing=2)", "labels(mixup=True)", "skip until [50%, 75%]", "train for banana",
     "expect accuracy >= banana", "seed banana"],
)  # fmt: skip
def test_a_value_out_of_range_comes_with_one_in_it(line: str) -> None:
    """Each help line has an example."""
    (mistake,) = found(line)
    assert "`" in (mistake.help or "")
