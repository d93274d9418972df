"""Habits in names: hyphens and blanks where `_` stands."""

from __future__ import annotations

import re

from tostdsl.syntax.habits.statement import NAME, REACH, Statement, either
from tostdsl.syntax.words import SLOTS

_KEBAB = re.compile(r"(?<![\w.$\"-])[A-Za-z]\w*(?:-[A-Za-z]\w*)+(?=\s*[=,)\]]|\s*$)")
_HYPHENED = re.compile(rf"(\w+)\s+({NAME}(?:[-.]\w+)+)(?=\s|$|\()")
_SPACED = re.compile(
    rf"(?<=[(,])\s*((?!{either((*REACH, 'epoch', 'step'))}\b)({NAME})[ \t]+({NAME}))(?=\s*=)"
)


def hyphened(text: Statement) -> None:
    """`recipe my-recipe`, `model ResNet-18`."""
    match = _HYPHENED.match(text.outer)
    if match is None or match[1] not in ("recipe", "param", "sweep", *SLOTS):
        return
    slot = match[1] in SLOTS
    write = re.sub(r"[-.]", "" if slot else "_", match[2])
    write = write.lower() if slot else write
    text.mend("T140", match.span(2), write, certain=not slot, found=match[2])


def kebab(text: Statement) -> None:
    """`sgd(weight-decay=2e-4)`, `init(rescale=fanin-masked)`."""

    def mend(match: re.Match[str]) -> None:
        text.mend("T140", match.span(), match.group().replace("-", "_"), found=match.group())

    text.each(_KEBAB, text.inner, mend)


def spaced(text: Statement) -> None:
    """`sgd(weight decay=5e-4)`."""

    def mend(match: re.Match[str]) -> None:
        if match[2] != match[3] and match[3] not in REACH:
            write = f"{match[2]}_{match[3]}"
            text.mend("T140", match.span(1), write, certain=False, found=match[1])

    text.each(_SPACED, text.bare, mend)
