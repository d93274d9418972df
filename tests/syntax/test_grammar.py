"""The grammar and the words messages use for it."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import tostdsl
from tostdsl import assets, registry
from tostdsl.syntax.wanted import kinds
from tostdsl.syntax.words import KEYWORDS


def test_every_terminal_has_a_phrase() -> None:
    """No message shows the name of a terminal."""
    assert [] == [name for name, phrase in kinds().items() if not phrase]


def test_no_phrase_is_left_over() -> None:
    """Every phrase belongs to a terminal, or to the end of the statement."""
    text = (assets.folder("grammar") / "phrases.toml").read_text(encoding="utf-8")
    assert {"$END"} == set(tomllib.loads(text)) - set(kinds())


def test_phrases_are_distinct() -> None:
    """Two terminals are never called the same."""
    phrases = list(kinds().values())
    assert len(phrases) == len(set(phrases))


def test_statement_words_are_the_grammars() -> None:
    """The words suggested for a line's first are the grammar's keywords, and the slots."""
    slots = {"model", "data", "mask", "optimizer", "schedule"}
    inner = {"for", "from", "until", "at", "on", "except", "over", "sha256"}
    grammar = {p.strip("`") for p in kinds().values() if p and p.strip("`").isidentifier()}
    assert grammar - inner == set(KEYWORDS) - slots


LANGUAGE = {"step", "none", "linear"}
"""Words of the language, or of any, that are names of anneals as well."""


def strings(tree: ast.Module) -> Iterator[str]:
    """The texts in a module that are no documentation."""
    inside = [n for n in ast.walk(tree) if not isinstance(n, ast.Expr)]
    said = [child for n in inside for child in ast.iter_child_nodes(n)]
    for node in said:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_syntax_names_nothing_that_is_registered() -> None:
    """Techniques, masks, models and data sets are known to the registry alone."""
    known = {name for kind in registry.KINDS for name in registry.names(kind)} - LANGUAGE
    assert {"labels", "lottery", "cifar10", "sgd"} <= known
    folder = Path(tostdsl.__file__).parent / "syntax"
    trees = [ast.parse(p.read_text(encoding="utf-8")) for p in sorted(folder.rglob("*.py"))]
    named = {w for tree in trees for text in strings(tree) for w in re.findall(r"\w+", text)}
    assert set() == named & known
