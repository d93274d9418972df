"""Habits in words: lengths, moments, comparisons, names."""

from __future__ import annotations

import re

from tostdsl.diagnostics import nearest
from tostdsl.syntax.habits.statement import BOUNDS, NAME, REACH, SLOTS, Statement, either, shown
from tostdsl.syntax.words import KEYWORDS

_CAPITALS = re.compile(
    rf"^{either(KEYWORDS)}(?=\s)|(?<=\s){either((*REACH, 'over', 'sha256'))}(?=\s)"
    r"|(?<=\d)\s+(?:epoch|step)s?\b|\b(?:epoch|step)s?(?=\s+\d)",
    re.IGNORECASE,
)
_LENGTH = re.compile(r"(epoch|step)s?\s*[=:]?\s*(\d+)\s*(?:epochs?|steps?)?\s*$")
_MOMENT = re.compile(
    rf"\b({either(BOUNDS)})\s+((epoch|step)(s?)(\s*[=:(]\s*|\s+)(\d+)(\s*\))?)(?![\w.%])"
)
_HYPHENED = re.compile(rf"(\w+)\s+({NAME}(?:[-.]\w+)+)(?=\s|$|\()")
_COMPARISON = re.compile(rf"expect\s+{NAME}\s*(=>|=<|==|=(?![<>=]))")
_TO = re.compile(r"\bfrom\s+\S.*?\s(to)\s")
_MISSPELT = re.compile(rf"\b{either(BOUNDS)}\s+(({NAME})\s+(\d+%?))(?![\w.])")
_VALUED = re.compile(rf"({NAME})\s+(-?[\d.]+(?:[eE]-?\d+)?[%x]?)\s*$")
_REACHING = re.compile(rf"(?<!\S)({either(REACH)})(?=\s)")


def capitals(text: Statement) -> None:
    """`Train for 180 Epochs`, `ghost Until epoch 40`."""
    for match in _CAPITALS.finditer(text.outer):
        found = match.group().lstrip()
        write = found.lower()
        if found != write:
            where = (match.end() - len(found), match.end())
            text.report("T143", where, (*where, write), found=found, write=write)
            text.put(*where, write)


def length(text: Statement) -> None:
    """`epochs 10`, `epochs = 10`."""
    match = _LENGTH.match(text.bare)
    if match is None:
        return
    unit, count = f"{match[1]}s", match[2]
    write = f"train for {count} {unit}"
    name = re.match(NAME, text.text)
    end = name.end() if name else 1
    text.report(
        "T103",
        (0, end),
        (0, match.end(), write),
        help=f"write `{write}`",
        certain=False,
        name=text.text[:end],
    )
    text.word = "train"


def comparison(text: Statement) -> None:
    """`expect accuracy => 94%`, `expect accuracy = 94%`."""
    match = _COMPARISON.match(text.outer)
    if match is None:
        return
    start, end = match.span(1)
    write = "<=" if match[1] == "=<" else ">="
    certain = match[1] in ("=>", "=<")
    edit = (start, end, write)
    text.report("T141", (start, end), edit, certain=certain, found=match[1], write=write)
    text.put(start, end, write[: end - start])


def hyphened(text: Statement) -> None:
    """`recipe my-recipe`, `model resnet-18`."""
    match = _HYPHENED.match(text.outer)
    if match is None or match[1] not in ("recipe", "param", "sweep", *SLOTS):
        return
    start, end = match.span(2)
    slot = match[1] in SLOTS
    write = re.sub(r"[-.]", "" if slot else "_", match[2])
    edit = (start, end, write)
    text.report("T140", (start, end), edit, certain=not slot, found=match[2], write=write)
    text.put(start, end, write)


def moments(text: Statement) -> None:
    """`until epoch=40`, `until epochs 40`, `for epochs=40`."""
    for match in _MOMENT.finditer(text.bare):
        word, found, unit, plural, glue, count, closing = match.groups()
        length = word == "for"
        if not plural and glue.isspace() and not closing and not length:
            continue
        if bool(closing) != ("(" in glue):
            continue
        write = f"{count} {unit}s" if length else f"{unit} {count}"
        start, end = match.span(2)
        text.report("T136", (start, end), (start, end, write), found=found, write=write)
        text.put(start, end, write)


def misspelt(text: Statement) -> None:
    """`until epch 40`, `until epoch 40%`."""
    for match in _MISSPELT.finditer(text.outer):
        found, unit, count = match.groups()
        meant = nearest(unit, ("epoch", "step"))
        if meant is None or (found == f"{meant} {count}" and not count.endswith("%")):
            continue
        write = count if count.endswith("%") else f"{meant} {count}"
        where = match.span(1)
        text.report("T136", where, (*where, write), certain=False, found=found, write=write)
        if len(write) > len(found):
            text.give_up()
        else:
            text.put(*where, write)


def to(text: Statement) -> None:
    """`from epoch 1 to epoch 9`."""
    match = _TO.search(text.outer)
    if match is not None:
        where = match.span(1)
        text.report("T134", where, (*where, "until"), help="write `until`", mark="to", reason="")
        text.give_up()


def order(text: Statement) -> None:
    """`skip on conv until epoch 40`."""
    parts = list(_REACHING.finditer(text.outer))
    after = [i for i, part in enumerate(parts) if part[1] in BOUNDS and i > 0]
    misplaced = [i for i in after if parts[i - 1][1] not in BOUNDS]
    if not misplaced:
        return
    first = misplaced[0]
    begin = parts[first].start()
    last = next((i for i in range(first, len(parts)) if parts[i][1] not in BOUNDS), len(parts))
    end = parts[last].start() if last < len(parts) else len(text.text)
    start = next(part.start() for part in parts if part[1] not in BOUNDS)
    targets, window = text.text[start:begin].rstrip(" ,"), text.text[begin:end].rstrip()
    write = f"{window} {targets}"
    word = parts[first][1]
    text.report(
        "T134",
        (begin, begin + len(word)),
        (start, begin + len(window), write),
        help=f"the window stands before the layers: write `{shown(write)}`",
        mark=word,
        reason="",
    )
    text.give_up()


def nameless(text: Statement) -> None:
    """`mask 90%`."""
    match = _VALUED.match(text.outer)
    if match is None or match[1] not in SLOTS:
        return
    kind = match[1]
    plural = "data" if kind == "data" else f"{kind}s"
    text.report(
        "T301",
        match.span(2),
        help=f"name one of those that `tost list {plural}` shows, with this as an argument",
        name=kind,
        expected="a name",
        found=f"`{match[2]}`",
    )
    text.word = kind


def valued(text: Statement) -> None:
    """`lr 0.1`."""
    match = _VALUED.match(text.outer)
    if match is None or match[1].lower() in KEYWORDS or _near(match[1]):
        return
    argument = f"name({match[1]}={match[2]})"
    help = f"an argument stands in the brackets of what it belongs to, as in `{argument}`"
    text.report("T103", match.span(1), help=help, name=match[1])
    text.word = match[1]


def _near(word: str) -> bool:
    return nearest(word, KEYWORDS) is not None
