"""Habits in what stands around a statement: words that say nothing, loops, quoted first words."""

from __future__ import annotations

import re

from tostdsl.syntax.habits.leads import NO, YES, removal
from tostdsl.syntax.habits.statement import NAME, REACH, Statement, either, shown
from tostdsl.syntax.words import KEYWORDS, NEUTRAL, SLOTS

_OTHERS = {*KEYWORDS, *REACH} - {*SLOTS}
"""Words that start what is never switched on or off."""
FILLERS = (*NEUTRAL, "let", "set", "define", "const", "var", "please", "the", "my", "our", "and",
           "then", "also", "now", "using", "run", "choose", "select", "pick")  # fmt: skip
"""Words that say nothing beyond the statement they stand before."""

_FILLED = re.compile(rf"({either(FILLERS)})\s+(?={either(KEYWORDS)}\s+\S)", re.IGNORECASE)
_QUOTED = re.compile(rf"([\"'])({either(KEYWORDS)})\1(?=\s+[^\s:=])")
_WRAPPED = re.compile(rf"([(\[{{])\s*{either(KEYWORDS)}\s[^\n]*?\s*([)\]}}])\s*$")
_LOOP = re.compile(
    rf"((?:for|foreach|while|if|unless|when|repeat)\b[^:\n\[]*(?:\[[^\]\n]*\][^:\n]*)?):\s*"
    rf"(?={NAME}|$)"
)
_OVER = re.compile(rf"for\s+\$?({NAME})\s+in\s+(\[[^\]]*\])\s*:?\s*$")
_SWITCHED = re.compile(rf"(\s+)({either((*YES, *NO))})\s*$")


def filled(text: Statement) -> None:
    """`let seed 1`, `use model resnet18`."""
    match = _FILLED.match(text.text)
    if match is not None:
        text.mend(
            "T134", match.span(), "", help="remove it", place=match.span(1), mark=match[1],
            reason="",
        )  # fmt: skip


def leading(text: Statement) -> None:
    """`"model" resnet18`."""
    match = _QUOTED.match(text.text)
    if match is not None:
        where = (0, match.end())
        text.report("T133", where, (*where, match[2]), write=match[2])
        text.put(*where, match[2])


def wrapped(text: Statement) -> None:
    """`(model resnet18)`."""
    match = _WRAPPED.match(text.bare)
    if match is None or text.closing(0) != match.start(2):
        return
    ends = match.span(1), match.span(2)
    edits = [(*place, "") for place in ends]
    text.report("T134", ends[0], *edits, help="remove the brackets", mark=match[1], reason="")
    text.written = text.written.part(match.end(1), match.start(2))


def loops(text: Statement) -> None:
    """`for i in 3: labels(smoothing=0.1)`, `if big: mask random(sparsity=90%)`."""
    over = _OVER.match(text.text)
    if over is not None:
        name, values = over.groups()
        seed = re.search(rf"(?m)^\s*seed\s+\$?{name}\b", text.written.source.text) is not None
        write = f"sweep {'seed' if seed else name} over {shown(values)}"
        help = f"nothing is repeated in a recipe: write `{write}`"
        help += " in the place of both lines" if seed else ", with a line that declares the param"
        text.report("T103", (0, 3), help=help, name="for")
        text.word = f"${name}"
        return
    match = _LOOP.match(text.bare)
    word = match[1].split()[0] if match is not None else ""
    if match is None or tuple(match[1].split()[1:2]) in (("epoch",), ("step",), ("steps",)):
        return
    rest = text.text[match.end() :]
    lines = [line.strip() for line in rest.split("\n") if line.strip()]
    again = "repeated" if word in ("for", "foreach", "while", "repeat") else "decided"
    help = f"nothing is {again} in a recipe: write `{shown(lines[0])}`" if lines else "remove it"
    if again == "repeated":
        help += "; to train with several values, `sweep` over them"
    where = (0, match.end())
    text.mend("T103", where, "", certain=False, help=help, place=(0, len(word)), name=word)
    if not lines:
        text.word = ""
    if len(lines) > 1:
        pieces = [text.written.part(*m.span()) for m in re.finditer(r"[^\n]*\S[^\n]*", text.text)]
        text.written, text.more = pieces[0], [*pieces[1:], *text.more]


def switched(text: Statement) -> None:
    """`skip on conv enabled`, `skip until epoch 4 off`."""
    match = _SWITCHED.search(text.outer)
    if match is None or _first(text) in _OTHERS:
        return
    before = text.text[: match.start()]
    last = before.split()[-1] if before.split() else ""
    if len(before.split()) < 2 or last in (*REACH, *SLOTS):
        return
    if match[2] in NO:
        call = re.split(r"\s+(?=(?:on|except)\s)", before, maxsplit=1)[0]
        removal(text, match.span(2), call, "T134", match[2])
        return
    text.mend(
        "T134", (match.start(), match.end()), "", certain=match[2] != "on", help="remove it",
        place=match.span(2), mark=match[2], reason="",
    )  # fmt: skip


def _first(text: Statement) -> str:
    first = re.match(NAME, text.text)
    return first.group() if first is not None else ""
