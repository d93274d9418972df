"""Habits in whole statements: sweeps, expectations, params, several of them on one line."""

from __future__ import annotations

import re

from tostdsl.syntax.habits.leads import OPTIONAL
from tostdsl.syntax.habits.statement import NAME, Statement, either, shown
from tostdsl.syntax.habits.values import TIME
from tostdsl.syntax.tables import tables
from tostdsl.syntax.wanted import form
from tostdsl.syntax.words import KEYWORDS, SLOTS

AT_LEAST = ("at least", "above", "over", "more than", "greater than", "minimum", "min", "=>", "gte",
            "ge", "reaches", "==", "=", "is", "of", ":")  # fmt: skip
AT_MOST = ("at most", "below", "under", "less than", "maximum", "max", "=<", "lte", "le")
_SURE = ("=>", "=<", "at least", "at most", "gte", "ge", "lte", "le")
_WORDS = "|".join(re.escape(word).replace("\\ ", r"\s+") for word in (*AT_LEAST, *AT_MOST))
_COMPARED = re.compile(rf"expect\s+{NAME}\s*({_WORDS})(?=[\s\d])(?!\s*[<>=])")
_UNCOMPARED = re.compile(rf"expect\s+{NAME}(\s+)-?[\d.]+\S*\s*$")
_REVERSED = re.compile(rf"expect\s+((-?[\d.]+%?)\s*(>=|<=|>|<)\s*({NAME}))\s*$")
_METRIC = re.compile(rf"({NAME})\s*(?:>=|<=|>|<)\s*-?[\d.]+[%\w]*\s*$")
_TURNED = {">=": "<=", "<=": ">=", ">": "<", "<": ">"}
_SWEEP = re.compile(
    rf"sweep(\s*\(\s*|\s+)({NAME})\b(?!\.)(\s*(?:\bover\b|\bin\b|\bof\b|[=:])?\s*)(\S.*?)\s*$",
    re.DOTALL,
)
_SEEDS = re.compile(r"seeds?\s*[=:]?\s*((-?\d+)(?:\s*,\s*-?\d+)+)\s*$")
_DOLLAR = re.compile(rf"(?:param|sweep)\s+(\$)\s*{NAME}")
_CHOSEN = re.compile(rf"({either(SLOTS)})\s+(\${NAME})")
_TIMED = re.compile(rf"expect\s+{NAME}\s*(?:>=|<=|>|<)\s*(\d[\d.]*\s*{either(TIME)})\s*$")
_CHECKSUM = re.compile(r"\bsha256(\s*[=:]\s*)")
_QUOTED_NAMES = re.compile(rf"(?:^without|,)\s+([\"'])({NAME})\1")
_REMOVED = re.compile(rf"without\s+({either(KEYWORDS)})\s+({NAME})[^,]*$")
_REMOVED_ON = re.compile(rf"without\s+{NAME}\b[^,]*?(\s(?:on|except)\s+[\w\"][^\n]*?)\s*$")
_UNTAKEN = re.compile(r"without\s+(?:\"|(?:conv|linear|first|last)\b)")
_BESIDE = re.compile(rf"(?!{either(KEYWORDS)}\b){NAME}\s*(?:\(.*\))?\s*", re.DOTALL)
_BETWEEN = re.compile(rf"\s*[,;]\s*|\s+(?=(?:{either(KEYWORDS)})\s)|\s+and\s+|\s+")


def sweep(text: Statement) -> None:
    """`sweep seed in [1, 2]`, `sweep(seed=[1, 2])`, `sweep seed over 1, 2`, `seed 1, 2`."""
    seeds = _SEEDS.match(text.bare)
    if seeds is not None:
        write = f"sweep seed over [{seeds[1]}]"
        where = (0, seeds.end())
        text.mend("T144", where, write, certain=False, place=seeds.span(1), found=seeds[1])
        return
    match = _SWEEP.match(text.bare)
    if match is None:
        return
    opening, _, glue = (group.strip() for group in match.groups()[:3])
    start, end = match.span(4)
    values = text.text[start:end]
    if opening and values.endswith(")") and values.count("(") < values.count(")"):
        end -= 1
        values = values[:-1]
    listed = "," in values or bool(opening)
    if values[:1] + values[-1:] in ("()", "{}"):
        start, end, listed = start + 1, end - 1, True
    elif values.startswith(("[", "$")):
        listed = False
    if not listed and not opening and glue in ("", "over"):
        return  # right, or only `over` is missing
    parts: list[str | tuple[int, int]] = ["sweep ", match.span(2), " over ", (start, end)]
    if listed:
        parts[2:] = [" over [", (start, end), "]"]
    written = text.written.composed(parts)
    begin = match.end(2) if not opening else match.start(1)
    begin += len(text.text[begin:]) - len(text.text[begin:].lstrip())
    place = (begin, match.end())
    edit, found = (0, match.end(), written.text), shown(text.text[begin : match.end()])
    text.report("T144", place, edit, found=found, write=shown(written.text))
    text.written = written


def param(text: Statement) -> None:
    """`param $lr = 0.1`, `sweep $lr over [0.1]`."""
    match = _DOLLAR.match(text.bare)
    if match is not None:
        text.mend(
            "T134",
            match.span(1),
            "",
            help="remove it: `$` is for where it is used",
            mark="$",
            reason="",
        )


def chosen(text: Statement) -> None:
    """`model $name`."""
    match = _CHOSEN.match(text.outer)
    if match is not None:
        help = f"write the name itself, {form(match[1])}: a param may stand wherever a value may"
        text.report("T144", match.span(2), help=help, found=match[2], write="")
        text.word = match[1]


def removal(text: Statement) -> None:
    """`without expect accuracy`, `without param width`, `without ghost until epoch 40 on conv`."""
    match = _REMOVED.match(text.outer)
    if match is not None and match[1] in (*OPTIONAL, "expect"):
        write = f"without {match[1]}"
        help = f"write `{write}`"
        if match[1] == "expect":
            help += f", which takes out all of them, or `expect {match[2]} >= …` anew"
        where = (match.end(1), match.end())
        place = (match.start(2), match.end())
        text.mend("T134", where, "", False, help, place, mark=match[2], reason="")
    elif match is not None and match[1] in KEYWORDS:
        word, name = match[1], match[2]
        help = f"write `{word} {name}` anew: it replaces the inherited one"
        if word == "param":
            help = f"to give it another value, write `param {name} = …`"
        text.report("T232", match.span(1), help=help, name=word)
        text.word = "without"
    match = _REMOVED_ON.match(text.outer)
    if match is not None:
        where = match.span(1)
        write = f"{text.text[: match.start(1)]}{text.text[match.end(1) :]}"
        help = f"a stage is taken out by its name and its window: write `{shown(write)}`"
        place = (where[0] + 1, where[1])
        text.mend("T134", where, "", False, help, place, mark=match[1].strip(), reason="")


def comparison(text: Statement) -> None:
    """`expect accuracy => 94%`, `expect accuracy above 94%`, `expect 94% <= accuracy`."""
    match = _TIMED.match(text.outer)
    if match is not None:
        help = "what is expected is a number or a percent, as in `expect accuracy >= 94%`"
        text.report("T144", match.span(1), help=help, found=match[1], write="")
        text.word = "expect"
        return
    match = _COMPARED.match(text.outer)
    if match is not None:
        found = " ".join(match[1].split())
        write = "<=" if found in AT_MOST else ">="
        text.mend("T141", match.span(1), write, certain=found in _SURE, found=found)
    match = _UNCOMPARED.match(text.outer)
    if match is not None:
        start, end = match.span(1)
        write = text.text[:start].rstrip() + " >= " + text.text[end:].strip()
        text.report(
            "T102",
            (end, end + 1),
            (start, end, " >= "),
            certain=False,
            help=f"write `{write}`, or `<=`",
            token=">=",
        )
        text.put(start, end, " >= ")
    match = _METRIC.match(text.outer)
    if match is not None and match[1] not in KEYWORDS:
        help = f"write `{shown('expect ' + text.text)}`"
        place = match.span(1)
        text.mend("T103", (0, 0), "expect ", False, help, place, name=match[1])
    match = _REVERSED.match(text.outer)
    if match is not None:
        write = f"{match[4]} {_TURNED[match[3]]} {match[2]}"
        text.mend("T141", match.span(1), write, found=match[1])


def checksum(text: Statement) -> None:
    """`sha256="0f"`."""
    match = _CHECKSUM.search(text.outer)
    if match is not None:
        where = match.span(1)
        mark = match[1].strip()
        text.mend("T134", where, " ", help="write a blank in its place", mark=mark, reason="")


def names(text: Statement) -> None:
    """`without "ghost"`."""

    def mend(match: re.Match[str]) -> None:
        where = (match.start(1), match.end())
        text.report("T133", where, (*where, match[2]), write=f"without {match[2]}")
        text.put(*where, match[2])

    text.each(_QUOTED_NAMES, text.text, mend)


def several(text: Statement) -> None:
    """`train for 160 epochs seed 1`, `expect accuracy >= 90%, loss <= 1`, `param a = 1, b = 2`."""
    outer = text.outer
    lead = re.match(r"(?:param|expect)\s+", outer)
    for match in _BETWEEN.finditer(outer):
        (start, end), mark = match.span(), match.group().strip()
        rest = text.text[end:]
        word = re.match(NAME, rest)
        before = text.text[:start]
        if before in ("", *KEYWORDS) or word is None or tables().read(before) is None:
            continue
        if _UNTAKEN.match(rest):  # layers, which `except` leaves out
            continue
        line = re.split(r"[;\n]", rest)[0]
        own = word.group() in KEYWORDS and (bool(mark) or tables().read(line) is not None)
        beside = mark == "and" and _BESIDE.fullmatch(before) is not None
        own = own or (beside and tables().read(line) is not None)
        again = lead is not None and re.match(rf"{NAME}\s*(?:=|[<>])", rest) is not None
        if not own and not again and mark != ";":
            continue
        prefix = lead.group() if lead is not None and not own and again else ""
        place = (start, start + 1) if mark else (end, end + word.end())
        sure = (bool(mark) and not beside) or re.fullmatch(NAME, before.strip()) is None
        edit = (start, end, f"\n{prefix}")
        text.report("T142", place, edit, certain=sure, write=shown(prefix + line))
        text.more.insert(0, text.written.composed([prefix, (end, len(text.text))]))
        text.written = text.written.part(0, start)
        return
