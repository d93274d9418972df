"""Where values came from: every value of a plan has a path, and its chain tells the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.plans import sound_recipes
from tostdsl.compile.compiler import compile_file, compile_source
from tostdsl.compile.origins import Origins, trace
from tostdsl.diagnostics import TostError
from tostdsl.plan.plan import Plan
from tostdsl.plan.spec import Spec
from tostdsl.source import Source

BASE = """\
recipe base "The base"
param w = 3x
param s = 90%
param tail = [epoch 90, $late]
param late = epoch 135
model resnet18(stem=cifar)
data cifar10(batch=128, augment=[crop(padding=4), flip])
mask lottery(sparsity=$s, rewind=epoch 2) except first, last
schedule multistep(at=$tail, factor=0.1)
train for 180 epochs
ghost(activation=swish) until 25%
skip(anneal=step(at=[50%])) from 40% for 30 epochs on "layer3.*"
init(rescale=fanin_masked)
expect accuracy >= 94%
"""
TOP = """\
extends "base.tost"
param w = 2x
model resnet34(stem=cifar)
seed 3

ghost(width=$w, anneal=cosine) until epoch 40
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the two recipes, in which the test runs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.tost").write_text(BASE)
    (tmp_path / "top.tost").write_text(TOP)
    return tmp_path


def origins(text: str = "", **options: Any) -> Origins:
    if text:
        Path("top.tost").write_text(TOP + text)
    compiled = compile_file(Path("top.tost"), **options)
    assert () == compiled.errors
    return trace(compiled.variants[0].recipe, compiled.variants[0].lowered)


def chain(found: Origins, path: str) -> list[str]:
    """A value and its links, as lines."""
    origin = found.by_path[path]
    return [origin.value, *map(str, origin.chain)]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("name", ["top", "the file's name"]),
        (
            "model",
            [
                "resnet34",
                "written at top.tost:3:1",
                "replaces `model resnet18(stem=cifar)` at base.tost:6:1",
            ],
        ),
        ("model.stem", ["cifar", "written at top.tost:3:21"]),
        ("data.batch", ["128", "written at base.tost:7:20"]),
        ("data.augment[0].padding", ["4", "written at base.tost:7:47"]),
        ("data.augment[1].probability", ["50%", "default of `flip`"]),
        (
            "mask.sparsity",
            [
                "90%",
                "written as `$s` at base.tost:8:23",
                "declared `param s = 90%` at base.tost:3:1",
            ],
        ),
        ("mask.on", ["conv, linear", "default of the language"]),
        ("mask.except", ["first, last", "written at base.tost:8:50"]),
        ("optimizer", ["sgd", "default of the language"]),
        ("optimizer.lr", ["0.1", "default of `sgd`"]),
        (
            "schedule.at[1]",
            [
                "epoch 135",
                "written as `$late` at base.tost:4:25",
                "declared `param late = epoch 135` at base.tost:5:1",
                "in `$tail`, used at base.tost:9:23",
            ],
        ),
        ("train", ["180 epochs", "written at base.tost:10:11"]),
        ("seed", ["3", "written at top.tost:4:6"]),
        ("precision", ["fp32", "default of the language"]),
        ("stages.ghost.activation", ["swish", "written at base.tost:11:18"]),
        ("stages.ghost.width", ["not set", "default of `ghost`"]),
        (
            "stages.ghost.until",
            [
                "epoch 45",
                "written as `25%` at base.tost:11:31",
                "a share of `train for 180 epochs` at base.tost:10:1",
            ],
        ),
        ("stages.ghost.from", ["start", "default of the language"]),
        ("stages.ghost.on", ["every layer it can work on", "default of the language"]),
        ("stages.skip.anneal.at[0]", ["50%", "written at base.tost:12:22"]),
        ("stages.skip.until", ["epoch 102", "written as `for 30 epochs` at base.tost:12:38"]),
        ("stages.skip.for", ["30 epochs", "written at base.tost:12:42"]),
        ("stages.skip.on", ['"layer3.*"', "written at base.tost:12:55"]),
        ("stages.init.at", ["start", "default of `init`"]),
        (
            "stages.ghost#2.width",
            [
                "2x",
                "written as `$w` at top.tost:6:13",
                "declared `param w = 2x` at top.tost:2:1",
                "replaces `param w = 3x` at base.tost:2:1",
            ],
        ),
        ("expect.accuracy", [">= 94%", "written at base.tost:14:1"]),
        ("params.s", ["90%", "declared `param s = 90%` at base.tost:3:1"]),
    ],
)
def test_a_value_knows_where_it_came_from(path: str, expected: list[str]) -> None:
    """The value in force, how it was written, and what that took the place of."""
    assert expected == chain(origins(), path)


@pytest.mark.usefixtures("folder")
def test_values_from_outside_are_named() -> None:
    """`--set`, `--set-file` and `--seed` stand before what they took the place of."""
    Path("v.set").write_text("# values\ns = 80%\nw = 5x\n")
    found = origins(sets={"w": "4x"}, set_file=Path("v.set"), seed=7)
    assert [
        "4x",
        "written as `$w` at top.tost:6:13",
        "`$w` = 4x from `--set w=4x`",
        "in place of `w = 5x` at v.set:3:1",
        "declared `param w = 2x` at top.tost:2:1",
        "replaces `param w = 3x` at base.tost:2:1",
    ] == chain(found, "stages.ghost#2.width")
    assert "`$s` = 80% from `--set-file` at v.set:2:1" == found.by_path["mask.sparsity"].short
    assert ["7", "from `--seed 7`", "replaces `seed 3` at top.tost:4:1"] == chain(found, "seed")


@pytest.mark.usefixtures("folder")
def test_swept_values_are_named() -> None:
    """A value of a sweep shows the sweep and what it took the place of."""
    found = origins("sweep s over [70%, 80%]\nsweep seed over [4, 5]\n")
    assert [
        "70%",
        "written as `$s` at base.tost:8:23",
        "`$s` = 70% from `sweep s over [70%, 80%]` at top.tost:7:15",
        "declared `param s = 90%` at base.tost:3:1",
    ] == chain(found, "mask.sparsity")
    assert [
        "4",
        "from `sweep seed over [4, 5]` at top.tost:8:18",
        "replaces `seed 3` at top.tost:4:1",
    ] == chain(found, "seed")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("train", {"train"}),
        ("model", {"model", "model.stem"}),
        ("data.augment[0]", {"data.augment[0]", "data.augment[0].padding"}),
        ("stages.ghost.width", {"stages.ghost.width", "stages.ghost#2.width"}),
        ("stages.ghost#2.width", {"stages.ghost#2.width"}),
        ("stages.*.width", {"stages.ghost.width", "stages.ghost#2.width"}),
        ("params.*", {"params.w", "params.s", "params.tail", "params.late"}),
    ],
)
def test_a_path_leads_to_values(path: str, expected: set[str]) -> None:
    """A path is a value, with those below it and in stages of the same name, or a pattern."""
    assert expected == {origin.path for origin in origins().why(path)}


@pytest.mark.usefixtures("folder")
def test_a_path_may_be_the_start_of_others() -> None:
    """`stages` has no value of its own; all stages lie below it."""
    heads = {o.path.split(".")[1] for o in origins().why("stages")}
    assert {"ghost", "skip", "init", "ghost#2"} == heads
    assert "stages.ghost#2.until" in {o.path for o in origins().why("stages.ghost")}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("path", "help"),
    [
        ("stages.ghost.widht", "did you mean `stages.ghost.width`?"),
        ("ghost.width", "did you mean `stages.ghost.width`?"),
        ("ghost.widht", "did you mean `stages.ghost.width`?"),
        ("sparsity", "did you mean `mask.sparsity`?"),
        ("tarin", "did you mean `train`?"),
        ("model.quality", "there is `model.stem`"),
        ("weather", "there is `name`, `model`, `data`, `mask`, `optimizer`, `schedule`, `train`"),
        ("model[0]", "there is `model.stem`"),
    ],
)
def test_a_path_that_leads_nowhere_is_answered_with_what_is_near(path: str, help: str) -> None:
    """A near path is suggested, whatever its start; else what there is at that place."""
    with pytest.raises(TostError) as caught:
        origins().why(path)
    (found,) = caught.value.diagnostics
    assert "T231" == found.code
    assert found.help is not None
    assert found.help.startswith(help)


def leaves(path: str, spec: Spec) -> dict[str, bool]:
    """Every argument of a spec and of those inside it, and whether it was given."""
    found = {}
    for name, value in spec.arguments().items():
        found[f"{path}.{name}"] = name in spec.model_fields_set
        items = value if isinstance(value, tuple) else (value,)
        for index, item in enumerate(items):
            inside = f"{path}.{name}[{index}]" if isinstance(value, tuple) else f"{path}.{name}"
            if isinstance(item, Spec):
                found |= leaves(inside, item)
    return found


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(sound_recipes())
def test_every_argument_has_an_origin(made: tuple[list[str], Plan]) -> None:
    """Each value is either a default or written, as the specs themselves remember it."""
    lines, _ = made
    compiled = compile_source(Source("r.tost", "\n".join(lines)))
    (variant,) = compiled.variants
    found = trace(variant.recipe, variant.lowered).by_path
    plan = compiled.plans[0]
    specs = {word: getattr(plan, word) for word in ("model", "data", "optimizer", "schedule")}
    if plan.mask is not None:
        specs["mask"] = plan.mask.method
    counts: dict[str, int] = {}
    for stage in plan.stages:  # the plan's order numbers them
        name = stage.technique.name
        counts[name] = counts.get(name, 0) + 1
        number = f"#{counts[name]}" if counts[name] > 1 else ""
        specs[f"stages.{name}{number}"] = stage.technique
    for head, spec in specs.items():
        for path, written in leaves(head, spec).items():
            links = [str(link) for link in found[path].chain]
            assert written == (not links[0].startswith("default of")), (path, links)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(sound_recipes())
def test_written_means_written_there(made: tuple[list[str], Plan]) -> None:
    """Where the chain only says `written`, the value stands in the file, letter by letter."""
    lines, _ = made
    (variant,) = compile_source(Source("r.tost", "\n".join(lines))).variants
    for origin in trace(variant.recipe, variant.lowered).by_path.values():
        first = origin.chain[0]
        if first.words == "written" and "." in origin.path and "expect" not in origin.path:
            assert first.span is not None
            bare = origin.path.rpartition(".")[0] == "stages"
            assert bare or origin.value == first.span.text, origin.path
