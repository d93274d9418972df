"""Selecting layers by name and class, without torch."""

from __future__ import annotations

import subprocess
import sys
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tostdsl.plan.bases import ModuleFact
from tostdsl.plan.targets import NoMatch, matches, select
from tostdsl.units import Selector

NET = (
    ModuleFact("conv1", "conv"),
    ModuleFact("bn1", "other"),
    ModuleFact("layer1", "other"),
    ModuleFact("layer1.0", "other"),
    ModuleFact("layer1.0.conv1", "conv"),
    ModuleFact("layer1.0.relu", "other"),
    ModuleFact("layer1.0.conv2", "conv"),
    ModuleFact("layer10", "other"),
    ModuleFact("layer10.conv1", "conv"),
    ModuleFact("fc", "linear"),
)
LAYERS = ["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer10.conv1", "fc"]


def glob(text: str) -> Selector:
    return Selector("glob", text)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (Selector("class", "conv"), LAYERS[:4]),
        (Selector("class", "linear"), ["fc"]),
        (Selector("class", "first"), ["conv1"]),
        (Selector("class", "last"), ["fc"]),
        (glob("layer1"), LAYERS[1:3]),
        (glob("layer1.*"), LAYERS[1:3]),
        (glob("layer1*"), LAYERS[1:4]),
        (glob("*.conv1"), ["layer1.0.conv1", "layer10.conv1"]),
        (glob("layer[0-9].?.conv2"), ["layer1.0.conv2"]),
        (glob("*"), LAYERS),
    ],
)
def test_a_selector_matches_layers_and_the_modules_they_lie_in(
    selector: Selector, expected: list[str]
) -> None:
    """A class matches layers of its kind, a glob names of layers and of their parents."""
    assert expected == matches(NET, selector)


def test_selected_layers_come_in_the_networks_order_each_once() -> None:
    """Overlapping selectors in any order give each layer once, in the network's order."""
    on = (Selector("class", "last"), glob("layer1.*"), Selector("class", "conv"))
    assert LAYERS == select(NET, on, ())


def test_without_on_all_layers_but_the_excluded_are_selected() -> None:
    """`except first, last` alone leaves every layer between."""
    exclude = (Selector("class", "first"), Selector("class", "last"))
    assert LAYERS[1:4] == select(NET, (), exclude)


def test_excluding_all_that_is_selected_leaves_nothing() -> None:
    """Selectors that match but cancel one another are no mismatch."""
    assert [] == select(NET, (glob("fc"),), (Selector("class", "linear"),))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("layr1.*", 'did you mean `"layer1.*"`?'),
        ("Fc", 'did you mean `"fc"`?'),
        ("layer1.0.relu", "`layer1.0.relu` is no convolution or linear layer and holds none"),
        ("nothing like it", "its layers are `conv1`, `layer1.0.conv1`, `layer1.0.conv2`, …, `fc`"),
    ],
)
def test_a_selector_without_a_match_says_what_would_match(text: str, said: str) -> None:
    """The help of a mismatch names the nearest name and a few layers."""
    with pytest.raises(NoMatch) as caught:
        select(NET, (glob(text),), ())
    assert glob(text) == caught.value.selector
    assert said in caught.value.help


@pytest.mark.parametrize("word", ["conv", "first"])
def test_a_class_without_a_layer_is_a_mismatch(word: str) -> None:
    """`conv` in a network without layers matches nothing, as does `first`."""
    with pytest.raises(NoMatch) as caught:
        select((ModuleFact("act", "other"),), (Selector("class", word),), ())
    assert "it has no convolution and no linear layer" == caught.value.help


def test_a_mismatch_in_except_is_found_too() -> None:
    """An excluded selector must match as well, or the recipe would not do what it says."""
    with pytest.raises(NoMatch):
        select(NET, (), (glob("layer7"),))


def test_selecting_and_the_techniques_load_no_torch() -> None:
    """Neither selectors nor the techniques' classes load torch."""
    code = (
        "import sys, tostdsl.plan.targets, tostdsl.techniques.ghost as t; "
        "t.Ghost(activation='swish').check(None); sys.exit('torch' in sys.modules)"
    )
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


@given(st.text("c*?[]!ar1.", max_size=8))
def test_globs_are_those_of_fnmatch(pattern: str) -> None:
    """Shortcuts for long and for literal globs change nothing: each name is matched as by hand."""
    names = {name: {name} for name in LAYERS}
    for name in LAYERS:
        parts = name.split(".")
        names[name] |= {".".join(parts[:end]) for end in range(1, len(parts))}
    by_hand = [n for n in LAYERS if any(fnmatchcase(each, pattern) for each in names[n])]
    try:
        assert by_hand == matches(NET, glob(pattern))
    except NoMatch:
        assert [] == by_hand
