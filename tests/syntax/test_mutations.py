"""The shipped ticket recipe with one token wrong: how much is said about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tostdsl.compile.compiler import compile_source
from tostdsl.source import Source

RECIPE = Path(__file__).parents[2] / "recipes" / "resnet18_lth.tost"
TOKEN = re.compile(r"#[^\n]*|\"[^\"\n]*\"|[A-Za-z_]\w*|-?\d[\w.%-]*|\S")

SHARE = 0.01
"""How many of the recipes with one mistake may get two reports."""
MOST = 2


def mutated(text: str) -> Iterator[str]:
    """The recipe with a token left out, written twice, or with two letters of it swapped."""
    for match in TOKEN.finditer(text):
        (start, end), token = match.span(), match.group()
        if token.startswith("#"):
            continue
        yield text[:start] + text[end:]
        yield f"{text[:end]} {token}{text[end:]}"
        if len(token) > 3 and token[0].isalpha() and token[1] != token[2]:
            yield f"{text[:start]}{token[0]}{token[2]}{token[1]}{token[3:]}{text[end:]}"


SWAPPED_SHARE = 0.15
"""How many of the recipes with two neighbours swapped may get more than one report."""


def swapped(text: str) -> Iterator[str]:
    """The recipe with two neighbouring tokens of a line in each other's place."""
    tokens = [m for m in TOKEN.finditer(text) if not m.group().startswith("#")]
    for left, right in pairwise(tokens):
        between = text[left.end() : right.start()]
        if "\n" not in between:
            turned = right.group() + between + left.group()
            yield text[: left.start()] + turned + text[right.end() :]


@pytest.mark.slow
def test_two_neighbours_swapped_are_mostly_one_report() -> None:
    """What is said more often is of pairs that without a blank between them become one word."""
    counts = []
    for text in swapped(RECIPE.read_text(encoding="utf-8")):
        found = compile_source(Source("recipe.tost", text), RECIPE).diagnostics
        counts.append(sum(d.severity == "error" for d in found))
    assert 0 < min(counts)
    assert SWAPPED_SHARE >= sum(count > 1 for count in counts) / len(counts)


@pytest.mark.slow
def test_one_mistake_is_hardly_ever_more_than_one_report() -> None:
    """One wrong token gets two reports at most, and nearly always one."""
    counts = []
    for text in mutated(RECIPE.read_text(encoding="utf-8")):
        found = compile_source(Source("recipe.tost", text), RECIPE).diagnostics
        counts.append(sum(d.severity == "error" for d in found))
    assert MOST >= max(counts)
    assert SHARE >= sum(count > 1 for count in counts) / len(counts)
