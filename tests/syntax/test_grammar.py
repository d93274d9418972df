"""The grammar and the words messages use for it."""

from __future__ import annotations

import tomllib

from tostdsl import assets
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
