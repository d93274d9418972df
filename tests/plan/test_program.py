"""Plans lowered to phases and segments."""

from __future__ import annotations

import math
import re

import pytest

from tostdsl.compile.compiler import compile_source
from tostdsl.plan.program import Curves, Program, lower
from tostdsl.plan.timeline import timeline
from tostdsl.source import Source

HEAD = "model resnet20\ndata cifar10\ntrain for 10 epochs\n"


def program(text: str, steps_per_epoch: int = 7) -> Program:
    (plan,) = compile_source(Source("r.tost", HEAD + text)).plans
    return lower(plan, steps_per_epoch)


def test_windows_cut_training_into_segments() -> None:
    """Each window's ends are segment borders, and between them the attached set is constant."""
    made = program("ghost(width=2x) until epoch 4\nskip from epoch 2 until epoch 6\n")
    (phase,) = made.phases
    assert [(0, 14), (14, 28), (28, 42), (42, 70)] == [(s.start, s.stop) for s in phase.segments]
    names = [[made.plan.stages[i].technique.name for i in s.attached] for s in phase.segments]
    assert [["ghost"], ["ghost", "skip"], ["skip"], []] == names


def test_segments_cover_training_once() -> None:
    """Segments follow one another without gap or overlap."""
    made = program("skip until 33%\nghost(width=2x) from step 5 for 20 steps\nlabels\n")
    steps = [step for segment in made.phases[0].segments for step in segment.steps]
    assert list(range(70)) == steps


def test_lottery_makes_a_phase_of_each_round() -> None:
    """90 % at 20 % a round is eleven rounds and the final training; the last prune is exact."""
    made = program("mask lottery(sparsity=90%, rate=20%, rewind=epoch 2)\nskip until epoch 3\n")
    assert ["round"] * 11 + ["train"] == [phase.kind for phase in made.phases]
    assert [pytest.approx(1 - 0.8**n) for n in range(1, 11)] == [
        float(phase.sparsity or 0) for phase in made.phases[:10]
    ]
    assert 0.9 == float(made.phases[10].sparsity or 0)
    assert ("keep_rewind",) == tuple(name for name in made.phases[0].events[14] if name != "epoch")
    assert not any("keep_rewind" in e for p in made.phases[1:] for e in p.events.values())


def test_stages_belong_to_the_final_training() -> None:
    """A lottery's rounds train plainly, unless it says otherwise."""
    plain = program("mask lottery(sparsity=30%)\nskip until epoch 3\n")
    assert [1, 1, 2] == [len(phase.segments) for phase in plain.phases]
    staged = program("mask lottery(sparsity=30%, stages=yes)\nskip until epoch 3\n")
    assert [2, 2, 2] == [len(phase.segments) for phase in staged.phases]


def test_rehearsal_crosses_every_boundary() -> None:
    """A rehearsal keeps all phases, segments and events, and few steps of each."""
    full = program("mask lottery(sparsity=90%, rewind=epoch 2)\nskip until epoch 3\n", 400)
    short = full.rehearse()
    assert [len(p.segments) for p in full.phases] == [len(p.segments) for p in short.phases]
    for phase in short.phases:
        for segment in phase.segments:
            assert segment.start == segment.steps[0]
            assert segment.stop - 1 == segment.steps[-1]
            assert len(segment.steps) <= 3
    assert any("keep_rewind" in names for names in short.phases[0].events.values())
    assert all("epoch" in phase.occasions(phase.clock.total) for phase in short.phases)


@pytest.mark.parametrize(
    ("anneal", "expected"),
    [
        ("linear", lambda p: 1 - p),
        ("cosine", lambda p: (1 + math.cos(math.pi * p)) / 2),
        ("exponential", lambda p: (math.exp(-5 * p) - math.exp(-5)) / (1 - math.exp(-5))),
        ("step(at=[25%, 50%])", lambda p: 1.0 if p < 0.25 else 0.5 if p < 0.5 else 0.0),
        ("none", lambda p: 1.0),
    ],
)
def test_weights_follow_their_anneal(anneal: str, expected: object) -> None:
    """The weight at step t is w((t - start) / (stop - start))."""
    made = program(f"skip(anneal={anneal}) from epoch 1 until epoch 5\n")
    curves = Curves.of(made.plan.stages[0], made.phases[0].clock)
    for step in range(7, 35):
        assert curves.at(step)[0] == pytest.approx(expected((step - 7) / 28))  # type: ignore[operator]


def test_ramps_run_from_the_first_value_to_the_last() -> None:
    """A ramp stands at its first value where the weight is 1, at its last where it is 0."""
    made = program("labels(smoothing=0.2 -> 0.1) until epoch 2\n")
    curves = Curves.of(made.plan.stages[0], made.phases[0].clock)
    assert ("weight", "smoothing") == curves.names
    assert [0.2, pytest.approx(0.15), pytest.approx(0.1)] == [
        curves.at(step)[1] for step in (0, 7, 14)
    ]


@pytest.mark.parametrize(
    ("stage", "label"),
    [
        ("skip", "skip"),
        ("skip(keep=yes, anneal=none)", "skip(keep=yes)"),
        ("ghost(width=2x, keep=no, recalibrate=yes)", "ghost(width=2x, recalibrate=yes)"),
        ("ghost(width=2x, density=50%, recalibrate=yes)", "ghost(width=2x, density=50%, …)"),
        ("labels(smoothing=0.2 -> 0, mixup=0.2)", "labels(smoothing=0.2 -> 0, …)"),
        ("init(rescale=learned)", "init(rescale=learned)"),
        ("init(rescale=learned, lr=0.1, eta=0.1)", "init(rescale=learned, lr=0.1)"),
    ],
)
def test_a_label_says_what_is_not_so_anyway(stage: str, label: str) -> None:
    """In the language's words and in whole ones, without defaults and what they bring."""
    lines = timeline(program(f"mask random(sparsity=90%)\n{stage}\n", 100), 88)
    assert re.split(r"  +", lines[2])[0] == label


def test_timeline_draws_each_stage_over_its_window() -> None:
    """A stage's row is filled exactly over its window."""
    made = program("labels from epoch 5\n", 100)
    row = next(line for line in timeline(made, 88) if line.startswith("labels"))
    start = next(line for line in timeline(made, 88) if line.startswith("segments")).index("├")
    columns = row[start:].ljust(88 - start)
    half = len(columns) // 2
    assert " " * half == columns[:half]
    assert "█" * (half - 1) == columns[half + 1 :][: half - 1]


@pytest.mark.parametrize("share", [1.0, 0.625, 0.01])
@pytest.mark.parametrize(
    ("length", "steps_per_epoch"),
    [("5 epochs", 7), ("160 epochs", 391), ("175 epochs", 391), ("13180 epochs", 1),
     ("180 epochs", 390), ("1 steps", 7), ("999999 epochs", 3)],
)  # fmt: skip
def test_labels_of_the_scale_are_apart(length: str, steps_per_epoch: int, share: float) -> None:
    """At every width: each is that of a quarter, the ends are there, and each begins in its place.

    The last one ends there.
    """
    text = HEAD.replace("10 epochs", length) + "mask random(sparsity=90%)\n"
    (plan,) = compile_source(Source("r.tost", text)).plans
    made = lower(plan, steps_per_epoch)
    clock = made.phases[-1].clock
    quarters = [f"{clock.total / clock.steps_per_epoch * mark / 4:g}" for mark in range(5)]
    for width in range(20, 121):
        head, segments = timeline(made, width, share=share)[:2]
        margin = segments.index("├")
        labels = {match.start() - margin: match[0] for match in re.finditer(r"[^ ]+", head)}
        assert "epoch" == labels.pop(-margin)
        assert [label for label in quarters if label in labels.values()] == list(labels.values())
        assert quarters[0] == labels.pop(0)
        assert quarters[4] == labels.pop(len(segments) - margin - len(quarters[4]))
        for at, label in labels.items():
            place = quarters.index(label) * (len(segments) - margin) / 4
            assert at == pytest.approx(place, abs=0.5)
        if width == 120 and share == 1.0:
            assert 3 == len(labels)
