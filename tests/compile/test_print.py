"""Plans as recipes: complete, so that they mean the same where defaults are other ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tostdsl import registry
from tostdsl.compile import lower
from tostdsl.compile.compiler import compile_source
from tostdsl.compile.print import print_plan
from tostdsl.plan.plan import Plan
from tostdsl.source import Source
from tostdsl.units import Factor, Percent

PLAIN = """
model resnet20
data cifar10(augment=[crop, flip])
mask random(sparsity=90%)
train for 8 epochs
"""
SHORT = f"""{PLAIN}
ghost(width=2x)
skip
init
labels
"""


def plan(text: str) -> Plan:
    made = compile_source(Source("r.tost", text))
    assert [] == [d.message for d in made.errors]
    return made.plans[0]


def other(value: Any, choices: tuple[str, ...]) -> Any:
    """Another value of the same type, if there is one at hand."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return type(value)(value + 1)
    if isinstance(value, Percent | Factor):
        return type(value)(value.value / 2 + 1)
    return next((choice for choice in choices if choice != value), value)


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Every default of every registered name, and every one of the language, is another one."""
    monkeypatch.setattr(lower, "DEFAULT_SEED", 7)
    monkeypatch.setattr(lower, "DEFAULT_PRECISION", "bf16")
    monkeypatch.setattr(lower, "MASK_SCOPE", lower.MASK_SCOPE[:1])
    monkeypatch.setattr(lower, "DEFAULTS", {"optimizer": "adam", "schedule": "constant"})
    before = []
    for kind in ("technique", "mask", "model", "data", "optimizer", "schedule", "augmentation"):
        for cls in map(registry.get, [kind] * len(registry.names(kind)), registry.names(kind)):
            for info in cls.model_fields.values():
                choices = getattr(info.annotation, "__args__", ())
                new = other(info.default, choices if isinstance(info.default, str) else ())
                if not info.is_required() and new is not info.default:
                    before.append((cls, info, info.default))
                    info.default = new
    classes = {cls for cls, _, _ in before}
    for cls in classes:
        cls.model_rebuild(force=True)
    yield len(before)
    for _, info, default in before:
        info.default = default
    for cls in classes:
        cls.model_rebuild(force=True)


def test_the_printed_plan_does_not_lean_on_defaults(request: pytest.FixtureRequest) -> None:
    """With every default changed a short recipe is another plan; the printed one is the same."""
    before, plain = plan(SHORT), plan(PLAIN)
    assert request.getfixturevalue("changed") > 50
    assert plain.fingerprint != plan(PLAIN).fingerprint
    after = plan(print_plan(before))
    assert (before.to_json(), before.fingerprint) == (after.to_json(), after.fingerprint)


@pytest.mark.parametrize("window", ["", "until end", "from epoch 1", "for 1 epoch", "until 50%"])
@pytest.mark.parametrize("mask", ["gradual(sparsity=90%)", "dynamic(sparsity=90%)"])
def test_the_window_of_a_moving_mask_is_printed(mask: str, window: str) -> None:
    """Also where it is the whole training, which is not what is left out here."""
    text = f"model resnet20\ndata cifar10\nmask {mask} {window}\ntrain for 2 epochs\n"
    before = plan(text)
    after = plan(print_plan(before).replace(f"recipe {before.name}\n", ""))
    assert (before.mask, before.fingerprint) == (after.mask, after.fingerprint)
