"""What messages say of a token that cannot stand where it does: what could, and a line as it is."""

from __future__ import annotations

from functools import lru_cache

from tostdsl import assets
from tostdsl.syntax.tables import Stack, tables
from tostdsl.syntax.tree import Token
from tostdsl.syntax.words import KEYWORDS

MAX_SHOWN = 40
"""Characters of a token that a message shows."""

FORMS = {
    "tost": "tost 1",
    "recipe": 'recipe name "title"',
    "extends": 'extends "base.tost"',
    "without": "without name, other",
    "param": "param sparsity = 90%",
    "sweep": "sweep seed over [1, 2, 3]",
    "train": "train for 180 epochs",
    "seed": "seed 1",
    "precision": "precision bf16",
    "expect": "expect accuracy >= 94%",
    "": 'name(argument=value) until epoch 40 on "layer3.*"',
}
"""A line of each form of statement, by its first word; slots and stages have the one of none."""

NUMBERS = "numbers are written as in `0.1`, `2e-4`, `90%`, `2x` or `epoch 40`"

_WINDOW, _TARGETS = "a window such as `until epoch 40`", "targets such as `on conv`"
_GROUPS = {
    _WINDOW: frozenset(("FROM", "UNTIL", "FOR", "AT", "ON", "EXCEPT")),
    "a statement": frozenset(("RECIPE", "PARAM", "TRAIN", "EXPECT", "NAME")),
    "a value": frozenset(("INT", "STRING", "LSQB", "NAME")),
}


@lru_cache(maxsize=1)
def phrases() -> dict[str, str]:
    """What messages call the terminals."""
    import tomllib

    return tomllib.loads((assets.folder("grammar") / "phrases.toml").read_text(encoding="utf-8"))


def expected(stack: Stack) -> str:
    """What could have stood next."""
    words = phrases()
    wanted = sorted({words.get(name, name) for name in _grouped(tables().accepted(stack))})
    wanted.sort(key=words["$END"].__eq__)  # it comes last
    return wanted[0] if len(wanted) == 1 else ", ".join(wanted[:-1]) + " or " + wanted[-1]


def _grouped(accepted: set[str]) -> set[str]:
    """The terminals the parser accepts, with one phrase for what always comes together."""
    if _GROUPS["a statement"] <= accepted:
        return {"a statement"}
    reach = _GROUPS[_WINDOW]
    if reach <= accepted:
        return (accepted - reach) | {_WINDOW, _TARGETS}
    if _GROUPS["a value"] <= accepted:
        return (accepted & {"RPAR", "RSQB", "COMMA"}) | {"a value"}
    return accepted


def found(token: Token) -> str:
    """The token that stands there instead."""
    shown = token if len(token) <= MAX_SHOWN else f"{token[: MAX_SHOWN - 1]}…"
    return phrases()["$END"] if token.type == "$END" else f"`{shown}`"


def form(word: str) -> str:
    """A line such as the statement that begins with a word would be."""
    known = FORMS.get(word)
    if known is None:
        known = f"{word} {FORMS['']}" if word in KEYWORDS else FORMS[""]
        if word in ("model", "data", "optimizer", "schedule"):
            known = f"{word} name(argument=value)"
    return f"as in `{known}`"


def statements() -> str:
    """What a line starts with."""
    return "a line starts with " + ", ".join(f"`{word}`" for word in KEYWORDS) + " or a technique"


def kinds() -> dict[str, str | None]:
    """Terminals a statement is made of, with the words messages use for them."""
    return {name: phrases().get(name) for name in tables().kinds}
