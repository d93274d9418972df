"""Habits of order: words that changed places, `resnet18 model`, `for train 8 epochs`."""

from __future__ import annotations

import re

from tostdsl.syntax.habits.statement import NAME, REACH, Statement, either, shown
from tostdsl.syntax.words import KEYWORDS, SLOTS

_VALUE = r"(?:-?\d[\w.%:]*(?:(?<=[eE])-\d+)?|\$\w+)"
_SLOT_LAST = re.compile(
    rf"({NAME}(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?)(\s+)({either(SLOTS)})(?=\s*$|\s+{either(REACH)}\s)"
)
_SLOT_SECOND = re.compile(rf"({NAME})(\s+)({either(SLOTS)})(?=\s*\()")
_WORD_SECOND = re.compile(
    rf"({NAME})\s+(param(?=\s*=)|sweep(?=\s+over\s)|expect(?=\s*(?:>=|<=|>|<)))"
)
_SEED_LAST = re.compile(r"(\d+)\s+(seed)\s*$")
_NAME_LAST = re.compile(rf"(?:param\s+)?({_VALUE})\s*=\s*\$?({NAME})\s*$")
_EQUAL_FIRST = re.compile(rf"param\s*=\s*({NAME})\s+(\S.*?)\s*$")
_ARGUMENT = re.compile(rf"(?<=[(,])\s*(({_VALUE})\s*=\s*({NAME}))(?=\s*[,)])")
_BOUND = re.compile(
    rf"(?<=[\s)])((epoch|step)s?\s+({either(('from', 'until', 'at'))})\s+(\d+%?))(?=\s|$)"
)
_COMPARED = re.compile(rf"expect\s+((>=|<=|>|<)\s*({NAME})\s+(-?[\d.]+%?))\s*$")
_TRAIN = ("for", "train")
_UNIT = r"\b(?:epoch|step)"
_CROSSED = (
    (rf"=\s*,\s*({_VALUE})(?=\s+{NAME}\s*=)", r"=\1,"),  # `lr=,0.1 momentum=0.9`
    (rf"=\s*([)\]])\s*({_VALUE})", r"=\2\1"),  # `crop(padding=)4`
    (r"(?<=[A-Za-z_])\s*(\d[\d.]*(?:[eE]-?\d+)?[%x]?)\s*=(?=\s*[,)])", r"=\1"),  # `lr0.1=`
    (r"(?<=\w)\s*\[\s*=", "=["),  # `augment[=crop, flip]`
    (rf"=\s*({NAME})\[(?=\()", r"=[\1"),  # `augment=crop[(padding=4)]`
    (rf"=\s*({_UNIT})\s*\[\s*(\d+)", r"=[\1 \2"),  # `at=epoch[ 90]`
    (rf"({_UNIT})\s*([)\],])\s*(\d+)(?=\s*(?:$|[,)\]]|{_UNIT}))", r"\1 \3\2"),  # `epoch ]90`
    (rf"\$\s*=\s*(?={NAME})", "=$"),  # `sparsity$=sparsity`
    (rf"=\s*({NAME})\$(?!\w)", r"=$\1"),  # `sparsity=sparsity$`
    (rf"\$\s*,\s*({NAME})(?=\s+{NAME}\s*=)", r"$\1,"),  # `sparsity=$,sparsity rate=20%`
)
"""Neighbours that changed places, by what they are in their own."""
_PATTERNS = tuple((re.compile(pattern), right) for pattern, right in _CROSSED)

Parts = list[str | tuple[int, int]]


def turned(text: Statement) -> None:
    """`resnet18 model`, `1 seed`, `10% = sparsity`, `random(90%=sparsity)`."""
    _train(text)
    made: Parts
    match = _SLOT_LAST.match(text.bare)
    if match is not None and match[1].split("(")[0] not in KEYWORDS:
        name = (match.start(1), match.end(1))
        _composed(text, match.span(3), match.end(), [match.span(3), " ", name], match[3])
    match = _SLOT_SECOND.match(text.bare) or _WORD_SECOND.match(text.bare)
    if match is not None and match[1] not in KEYWORDS:
        word = match.span(match.lastindex or 0)
        made = [word, " ", match.span(1)]
        _composed(text, word, match.end(), made, text.text[slice(*word)])
    match = _SEED_LAST.match(text.bare)
    if match is not None:
        made = [match.span(2), " ", match.span(1)]
        _composed(text, match.span(2), match.end(), made, match[2])
    match = _EQUAL_FIRST.match(text.bare)
    if match is not None and match[1] not in KEYWORDS:
        at = text.bare.index("=")
        made = ["param ", match.span(1), " = ", match.span(2)]
        _composed(text, (at, at + 1), match.end(), made, "=")
    match = _NAME_LAST.match(text.bare)
    if match is not None:
        made = ["param ", match.span(2), " = ", match.span(1)]
        _composed(text, match.span(1), match.end(), made, match[1])
    match = _COMPARED.match(text.bare)
    if match is not None:
        write = f"{match[3]} {match[2]} {match[4]}"
        text.mend("T141", match.span(1), write, certain=False, found=match[1])
    text.each(_ARGUMENT, text.bare, lambda match: _argument(text, match))
    text.each(_BOUND, text.outer, lambda match: _bound(text, match))


def crossed(text: Statement) -> None:
    """`lr=,0.1 momentum=0.9`, `augment[=crop, flip]`: two marks or values in the wrong order."""
    for pattern, right in _PATTERNS:

        def mend(match: re.Match[str], right: str = right) -> None:
            write, found = match.expand(right), match.group().strip()
            text.mend("T144", match.span(), write, certain=False, found=found)

        text.each(pattern, text.bare, mend)


def _train(text: Statement) -> None:
    """The words of a length, all there but in another order."""
    words = text.bare.split()
    if len(words) != 4 or words[:2] == ["train", "for"]:  # that is a habit of lengths
        return
    count = next((word for word in words if word.isdecimal()), None)
    unit = next((word for word in words if re.fullmatch("(?:epoch|step)s?", word)), None)
    if count is None or unit is None or not {*_TRAIN} <= {*words}:
        return
    write = f"train for {count} {unit.rstrip('s')}s"
    wrong = next(word for word, right in zip(words, write.split(), strict=True) if word != right)
    start = text.text.index(wrong)
    place = (start, start + len(wrong))
    where = (0, len(text.text))
    help = f"write `{write}`"
    text.mend("T134", where, write, certain=False, help=help, place=place, mark=wrong, reason="")


def _composed(
    text: Statement,
    place: tuple[int, int],
    end: int,
    made: Parts,
    mark: str,
) -> None:
    """Put a statement together anew up to a place, and leave what stands behind it."""
    whole = len(text.text)
    written = text.written.composed([*made, (end, whole)])
    help = f"write `{shown(written.text)}`"
    edit = (0, whole, written.text)
    text.report("T134", place, edit, certain=False, help=help, mark=mark, reason="")
    text.written = written


def _argument(text: Statement, match: re.Match[str]) -> None:
    write = f"{match[3]}={match[2]}"
    text.mend("T144", match.span(1), write, certain=False, found=match[1])


def _bound(text: Statement, match: re.Match[str]) -> None:
    count = match[4] if match[4].endswith("%") else f"{match[2]} {match[4]}"
    text.mend("T136", match.span(1), f"{match[3]} {count}", certain=False, found=match[1])
