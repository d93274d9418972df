"""A saved plan is the plan that was saved, or it is refused."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.plans import sound_recipes
from tostdsl.compile.compiler import compile_file
from tostdsl.compile.load import MAX_TOTAL
from tostdsl.compile.saved import compile_saved, holds_plan, read_saved, saved_text
from tostdsl.diagnostics import Diagnostic
from tostdsl.plan.plan import Plan

ROOT = Path(__file__).parents[2]
RECIPE = """\
model cifar_resnet(8)
data digits
mask random(sparsity=90%)
train for 10 epochs
ghost(activation=swish) until epoch 5
labels(smoothing=0.1) until epoch 6
"""


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A saved plan."""
    (tmp_path / "r.tost").write_text(RECIPE)
    path = tmp_path / "plan.json"
    path.write_text(saved_text(compile_file(tmp_path / "r.tost").plans[0]))
    return path


def refused(path: Path) -> Diagnostic:
    """The one error that a file gives."""
    (found,) = compile_file(path).errors
    return found


def edit(path: Path, change: Callable[[Any], object], *, signed: bool = False) -> None:
    """Change what stands in a file; where it is not `signed`, its fingerprint goes."""
    content = json.loads(path.read_text())
    change(content)
    if not signed:
        del content["fingerprint"]
    path.write_text(json.dumps(content))


def no_labels(diagnostics: tuple[Diagnostic, ...]) -> list[tuple[str, str]]:
    return sorted((d.code, d.message) for d in diagnostics)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(recipe=sound_recipes())
def test_what_is_saved_is_read_back(recipe: tuple[list[str], Plan], tmp_path: Path) -> None:
    """Equal in every field, whatever is in the plan."""
    path = tmp_path / "plan.json"
    path.write_text(saved_text(recipe[1]))
    assert recipe[1] == read_saved(path)


@pytest.mark.parametrize("path", sorted((ROOT / "recipes").rglob("*.tost")), ids=lambda p: p.stem)
def test_the_plans_of_shipped_recipes(path: Path, tmp_path: Path) -> None:
    """They have the recipe's fingerprint, and give the warnings that the recipe gives."""
    made = compile_file(path)
    for plan in made.plans:
        saved = tmp_path / "plan.json"
        saved.write_text(saved_text(plan))
        again = compile_file(saved)
        assert [plan.fingerprint] == [each.fingerprint for each in again.plans]
        assert no_labels(made.diagnostics) == no_labels(again.diagnostics)


def test_the_plan_may_stand_alone(saved: Path) -> None:
    """As `Plan.to_json` gives it, and as a run writes it with what was given from outside."""
    whole = json.loads(saved.read_text())
    plan = read_saved(saved)
    saved.write_text(json.dumps(whole["plan"]))
    assert plan == read_saved(saved)
    saved.write_text(json.dumps({**whole, "given": {"params": {}, "seed": 3}}))
    assert plan == read_saved(saved)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "line 1, column 1"),
        (b"[]", "a list of 0"),
        (b'{"plan": []}', "its `plan` is no JSON object"),
        (b"3", "no JSON object"),
        (b"{}", "it has no `plan`"),
        (b'{"plan": {}, "plan": {}}', "`plan` stands there twice"),
        (b'{"plan": {"schema": NaN}}', "`NaN` is no number"),
        (b'{"plan": {"schema": -Infinity}}', "`-Infinity` is no number"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"schema": ' + b"9" * 5000 + b"}", "is no JSON"),
        (b"\xff\xff\xff\xff", "no UTF-8"),
        (b" " * (MAX_TOTAL + 1), f"more than {MAX_TOTAL} bytes"),
        (b'{"schema": 1, "name": "' + b"x" * 100_000 + b'"}', "`model` is missing"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_damaged_files(tmp_path: Path, content: bytes, words: str) -> None:
    """T270 says what is wrong with them, in a line."""
    path = tmp_path / "plan.json"
    path.write_bytes(content)
    found = refused(path)
    assert "T270" == found.code
    assert words in found.message.lower() or words in found.message
    assert len(found.message) < 500
    assert not holds_plan(path) or b'"schema"' in content


def test_what_cannot_be_read(tmp_path: Path) -> None:
    """T213 for what is not there, a folder, a pipe that nobody writes to."""
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("none.json", "folder.json", "pipe.json"):
        assert "T213" == refused(tmp_path / name).code


@pytest.mark.parametrize(
    ("change", "words", "help"),
    [
        (lambda c: c["plan"].update(schema=0), "schema 0, this version reads schema 1", "0.1.0"),
        (lambda c: c["plan"].update(schema=2), "schema 2, this version reads schema 1", "9.9"),
        (
            lambda c: c["plan"]["mask"]["method"].update(revision=9),
            "`random` has revision 1 here, the plan wants 9",
            "plug-in",
        ),
        (
            lambda c: c["plan"]["stages"][0]["technique"].update(name="freeze"),
            "names the technique `freeze`, which is not registered here",
            "plug-in",
        ),
    ],
)
def test_plans_of_other_installations(
    saved: Path, change: Callable[[Any], object], words: str, help: str
) -> None:
    """T271 says what is not here, and what could read it where that is known."""
    edit(saved, lambda c: c.update(tostdsl=help))
    content = json.loads(saved.read_text())
    change(content)
    saved.write_text(json.dumps(content))
    found = refused(saved)
    assert "T271" == found.code
    assert words in found.message
    assert help in (found.help or "")
    assert holds_plan(saved)


def test_a_changed_plan_says_so(saved: Path) -> None:
    """Its fingerprint is not the one that stands in it; without that it counts as it stands."""

    def longer(content: Any) -> None:
        content["plan"]["train"] = {"duration": {"epochs": 11}}

    before = read_saved(saved)
    edit(saved, longer, signed=True)
    found = refused(saved)
    assert ("T270", True) == (found.code, before.short in found.message)
    edit(saved, lambda content: None)
    assert 11 == read_saved(saved).train.value


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda p: p.update(train={"duration": {"epochs": 4}}), "T401"),
        (lambda p: p["stages"].insert(0, p["stages"][0]), "T424"),
        (lambda p: p["stages"].reverse(), "T270"),
        (lambda p: p["model"]["args"].update(depth=9), "T504"),
        (lambda p: p["mask"]["targets"].update(on=[{"modules": {"glob": "l9"}}]), "T501"),
        (lambda p: p.update(seed=10**15), "T303"),
        (lambda p: p.update(name="a\nsweep seed over [1, 2]\nexpect accuracy >= 1%"), "T270"),
        (lambda p: p.update(name='a\nextends "/etc/passwd"'), "T213"),
        (lambda p: p.update(title="\ud800"), "T270"),
        (lambda p: p.update(seed=True), "T270"),
        (lambda p: p.update(extra=1), "T270"),
        (lambda p: p["optimizer"]["args"].update(lr=-1), "T270"),
        (lambda p: p["stages"][0]["window"].update(stop={"moment": {"epoch": 1e308}}), "T270"),
    ],
)
def test_an_edited_plan_is_checked_as_hard_as_a_recipe(
    saved: Path, change: Callable[[Any], object], code: str
) -> None:
    """What no recipe may say, no plan may say either."""
    edit(saved, lambda content: change(content["plan"]))
    began = time.monotonic()
    assert code in {d.code for d in compile_file(saved).errors}
    assert time.monotonic() - began < 5


def put(path: str, value: Any) -> Callable[[Any], None]:
    """An edit that puts a value at a place of a plan, or takes out what stands there (`...`)."""

    def change(plan: Any) -> None:
        *above, last = [int(p) if p.isdigit() else p for p in path.split(".")]
        for part in above:
            plan = plan[part]
        if value is ...:
            del plan[last]
        else:
            plan[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put("mask", ...), "`mask` is missing; its default is written null"),
        (put("data.args.batch", ...), "`data.args.batch` is missing; its default is written 64"),
        (put("expect", ...), "`expect` is missing; its default is written []"),
        (put("stages.0.window", ...), "`stages[0].window` is missing; its default is "),
        (put("model", ...), "`model` is missing"),
        (put("mask.method.args.sparsity", ...), "`mask.method.args.sparsity` is missing"),
        (put("model.revision", ...), "`model.revision` is missing"),
        (put("data.args", ...), "`data.args` is missing"),
        (put("stages.1.technique.name", ...), "`stages[1].technique.name` is missing"),
        (put("data.args.more", 1), "`data.args.more` is no part of a plan"),
        (put("stages.0.more", {"a": 1}), "`stages[0].more` is no part of a plan"),
        (put("seed", 1.0), "`seed` is not as it would be written: it is 1.0, and would be 1"),
        (put("optimizer.args.lr", 1),
         "`optimizer.args.lr` is not as it would be written: it is 1, and would be 1.0"),
        (lambda p: p["stages"].append(p["stages"][0]),
         "`stages[2]` stands twice: it is the same as `stages[0]`"),
        (lambda p: p["stages"].reverse(), "`stages[1]` comes before `stages[0]`"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_edited_plan_is_said(
    saved: Path, change: Callable[[Any], object], words: str
) -> None:
    """Its place, and what is missing there, stands twice, or would be written otherwise."""
    edit(saved, lambda content: change(content["plan"]))
    found = refused(saved)
    assert ("T270", True) == (found.code, words in found.message), found.message


def test_a_plan_that_is_nested_deeply(saved: Path) -> None:
    """Whatever depth the reader of JSON still takes."""
    text = json.dumps(json.loads(saved.read_text())["plan"])
    for depth in (100, 300, 450, 900, 5000):
        title = '{"a": ' * depth + "1" + "}" * depth
        saved.write_text(text.replace('"title": ""', f'"title": {title}'))
        assert "T270" == refused(saved).code


def test_options_change_no_plan(saved: Path) -> None:
    """Each that was given is refused by name."""
    made = compile_file(saved, {"sparsity": "80%"}, 0)
    assert ["T272", "T272"] == [d.code for d in made.errors]
    assert ["`--set`" in made.errors[0].message, "`--seed`" in made.errors[1].message] == [True] * 2
    assert () == compile_saved(saved).errors
