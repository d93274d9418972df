"""The picture of a trace: well formed, the right colours in the right places, of bounded size."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tostdsl.engine.picture import COLUMNS, picture
from tostdsl.engine.svg import LEVELS, SEQUENTIAL, Scale, heat, steps_of, text


def scale(low: float = 0.0, high: float = 1.0) -> Scale:
    return Scale(SEQUENTIAL, low, high, str, [low, high])


def trace(steps: int, layers: list[str], every: int = 1) -> list[dict[str, Any]]:
    window = {"skip": [0, steps // 2]}
    head = {"kind": "phase", "phase": "training", "steps": steps, "steps_per_epoch": 10,
            "layers": layers, "windows": window}  # fmt: skip
    rows: list[dict[str, Any]] = [head]
    for step in range(0, steps, every):
        measured = {
            "loss": 1.0,
            "gradients": {name: 10.0 ** -(i % 4) for i, name in enumerate(layers)},
            "dead": dict.fromkeys(layers, 0.25),
        }
        at_work = step < steps // 2
        stages = {"skip": {"weight": 1 - 2 * step / steps}} if at_work else {}
        rows.append(
            {"kind": "step", "phase": "training", "step": step, "stages": stages, "with": measured,
             "without": {"skip": measured} if at_work else {}}
        )  # fmt: skip
    return rows


def words(drawn: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(drawn).iter() if each.tag.endswith("text")]


def test_it_names_layers_stages_axes_and_scales() -> None:
    """Everything needed to read it stands in it."""
    shown = words(picture("first", trace(40, ["conv1", "fc"])))
    assert {"first: what reaches each layer", "conv1", "fc", "skip", "epoch", "weight"} <= set(
        shown
    )
    assert {"share of dead units", "gradient norm: with skip / without"} <= set(shown)
    assert {"0.1", "1", "2x", "1x", "1/2x", "0%", "30%"} <= set(shown)


def test_levels_are_even_and_clamped() -> None:
    """A value's level grows with it, and what lies beyond the ends gets the ends' colours."""
    made = scale(0, 2)
    assert [0, 0, LEVELS // 2, LEVELS - 1, LEVELS - 1] == [
        made.level(v) for v in (-math.inf, 0, 1, 2, math.inf)
    ]
    assert (SEQUENTIAL[0], SEQUENTIAL[-1]) == (made.colour(0), made.colour(LEVELS - 1))


def test_cells_lie_where_their_layer_and_step_are() -> None:
    """Neighbours of one level are one rectangle; what was not measured is left out."""
    drawn = heat([[0.0, 0.0, 1.0], [None, 1.0, None]], [(0, 10), (10, 20), (20, 35)], 100, 5,
                 scale())  # fmt: skip
    found = {(fill, m) for fill, d in re.findall(r"fill='(#\w+)' d='(.*?)'", "".join(drawn))
             for m in re.findall(r"M[^z]*z", d)}  # fmt: skip
    dark, light = SEQUENTIAL[0], SEQUENTIAL[-1]
    assert {
        (dark, "M0.0 100.0H20.0V105.0H0.0z"),
        (light, "M20.0 100.0H35.0V105.0H20.0z"),
        (light, "M10.0 105.0H20.0V110.0H10.0z"),
    } == found


@pytest.mark.parametrize(
    ("span", "most", "apart"), [(5, 8, 1), (100, 8, 20), (23, 8, 5), (0, 4, 1)]
)
def test_ticks_are_round_and_few(span: float, most: int, apart: float) -> None:
    """One, two or five times a power of ten."""
    assert apart == steps_of(span, most)


def test_a_long_run_of_a_deep_network_stays_small() -> None:
    """Columns are averaged and rows thin, so that the file does not grow with the run."""
    drawn = picture("deep", trace(3000, [f"layer{i}.conv" for i in range(110)]))
    assert len(drawn) < 2_000_000
    lefts = set(re.findall(r"M(\d+\.\d) ", drawn))
    assert len(lefts) <= 2 * (COLUMNS + 1)
    root = ET.fromstring(drawn)
    assert float(root.attrib["height"]) < 3000


def test_one_step_and_dead_layers_are_drawn() -> None:
    """A single step, norms of 0 and no unit to look at make a picture, too."""
    rows = trace(1, ["fc"])
    rows[1]["with"] = {"loss": None, "gradients": {"fc": 0.0}, "dead": {}}
    rows[1]["without"] = {"skip": {"loss": 1.0, "gradients": {"fc": None}, "dead": {}}}
    shown = words(picture("one", rows))
    assert "share of dead units" not in shown
    assert "fc" in shown


def test_strange_names_cannot_break_it() -> None:
    """Markup is escaped, control characters are replaced, long names keep their ends."""
    name = "a<b>&'\"\x1b[31m"
    shown = words(picture(name, trace(4, [name, "x" * 50 + "end"])))
    assert any("a<b>&'\"\N{REPLACEMENT CHARACTER}[31m" in each for each in shown)
    assert any(each.startswith("…") and each.endswith("end") for each in shown)
    assert "&lt;" in text(0, 0, "<")


def test_it_says_what_stages_are_and_how_to_read_the_colours() -> None:
    """`skip` alone does not tell which; red and blue have a direction."""
    rows = trace(40, ["conv1"])
    shown = words(picture("first", rows, {"skip": "skip(form=add) from start until epoch 2"}))
    assert "skip = skip(form=add) from start until epoch 2" in shown
    assert any("red where the stage lets more through" in each for each in shown)
    rows[0]["windows"] = {}
    bare = [row | {"without": {}, "stages": {}} if "without" in row else row for row in rows]
    assert not any("red where" in each for each in words(picture("first", bare, {})))


def test_stages_are_drawn_on_one_scale() -> None:
    """Twice as much in one panel is twice as much in the next."""
    rows = trace(40, ["conv1"])
    rows[0]["windows"]["ghost"] = [0, 40]
    for row in rows[1:]:
        row["without"]["ghost"] = row["with"] | {
            "gradients": {"conv1": 0.125},
            "dead": {"conv1": 0},
        }
    shown = words(picture("first", rows))
    assert 2 == shown.count("8x") == shown.count("1/8x")
    assert 2 == shown.count("+30 points")
