"""The page on the techniques shows recipes that are sound, and the figures it names are true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import tostdsl
from tostdsl import registry
from tostdsl.anneals import Step
from tostdsl.compile.compiler import compile_source
from tostdsl.plan.program import Curves
from tostdsl.source import Source
from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.init import LAWS
from tostdsl.techniques.labels import Labels
from tostdsl.units import Percent, Ramp

PAGE = Path(tostdsl.__file__).parent / "techniques" / "README.md"
HEAD = "model resnet18\ndata cifar10\ntrain for 180 epochs\nmask random(sparsity=90%)\n"


def test_its_recipes_are_sound() -> None:
    """Each compiles; those that keep something are warned of, the others are not."""
    texts = re.findall(r"^```tost\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert 6 == len(texts)
    for text in texts:
        found = compile_source(Source("README.md", HEAD + text)).diagnostics
        assert (["W026"] if "keep=yes" in text else []) == [each.code for each in found]


def rows(head: str, section: str = "") -> list[list[str]]:
    """The cells of the table under a line that starts so, within a section."""
    text = PAGE.read_text("utf-8")
    table = text[text.index(head, text.index(f"## {section}")) :].split("\n\n")[0]
    return [[c.strip() for c in line.strip("|").split("|")] for line in table.split("\n")[2:]]


def shown(value: Any) -> str:
    """A value as the page writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.10f}".rstrip("0").rstrip(".")
    return str(getattr(value, "name", "none" if value is None else value))


@pytest.mark.parametrize(
    ("technique", "section"),
    [("ghost", "ghost: soft"), ("skip", "skip"), ("labels", "labels")],
)
def test_the_tables_have_every_argument_with_its_default(technique: str, section: str) -> None:
    """Those of the registered class, in its order."""
    cls = registry.get("technique", technique)
    defaults = {name: info.default for name, info in cls.model_fields.items()}
    if technique == "labels":
        defaults["smoothing"] = Labels().smoothing
    expected = {f"`{name}`": shown(value) for name, value in defaults.items()}
    found = {row[0]: row[1] for row in rows("| argument |", section)}
    assert expected == found
    assert list(expected) == list(found)


def test_the_table_of_init_has_every_argument_of_every_law() -> None:
    """Each with the law it is of and that law's default."""
    cls = registry.get("technique", "init")
    own = {name for law in LAWS.values() for name in law}
    expected = {
        (f"`{name}`", "all", shown(info.default))
        for name, info in cls.model_fields.items()
        if name not in own
    } | {
        (f"`{name}`", law, shown(value)) for law, its in LAWS.items() for name, value in its.items()
    }
    found = [tuple(row[:3]) for row in rows("| argument |", "init")]
    assert expected == set(found)
    assert len(expected) == len(found)


def test_the_table_of_beta_is_what_runs_move_it_by() -> None:
    """Every figure, by the curves of a window of a thousand steps."""
    table = rows("| share of the window")
    shares = [0, 100, 250, 500, 750, 900, 1000]
    for name, *figures in table:
        law = name.strip("`").split("(")[0]
        half = Step(at=(Percent.from_json({"percent": 50}),))
        anneal = half if law == "step" else registry.get("anneal", law)()
        curves = Curves(0, 1000, anneal, {"beta": Ramp(1, 20)})
        for share, figure in zip(shares, figures, strict=True):
            assert float(figure) == pytest.approx(curves.at(share)[1], abs=0.051), (law, share)
    assert 4 == len(table)
    assert "exponential" == Ghost(activation="swish").anneal.name
