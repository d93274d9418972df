"""Habits of punctuation: colons, commas, quotes, brackets, comments."""

from __future__ import annotations

import re

from tostdsl.syntax.habits.statement import NAME, REACH, SLOTS, Statement, either, shown
from tostdsl.syntax.words import KEYWORDS

_ENDS_LINE = "a statement ends with its line"
_SIDE_BY_SIDE = "the parts of a statement stand side by side"
_ASSIGNED = re.compile(rf"({NAME})\s*(:=|==|=(?!=)|:)[ \t]*")
_QUOTED = re.compile(rf"({either(SLOTS)})\s+([\"'])({NAME})\2")
_SINGLE = re.compile(r"'([^'\"\\\n]*)'")
_SLASHES = re.compile(r"(?<![:/])//[^\n]*")
_NAMED = re.compile(rf"({NAME})(\s*)(:=|==|=>|:)(?=\s*\S)")
_COMMA = re.compile(rf",\s*(?={either(REACH)}\b)")
_ARGUMENT = rf"{NAME}\s*=\s*(?:\[[^\]]*\]|{NAME}\([^()]*\)|[^\s,()\[\]]+)"
_BARE = re.compile(
    rf"(?:{either(SLOTS)}\s+)?({NAME})(\s+)({_ARGUMENT}(?:\s*,\s*{_ARGUMENT}|\s+{_ARGUMENT})*)"
    rf"(?=\s*$|\s+{either(REACH)}\b)"
)
_UNQUOTED_PATH = re.compile(r"extends\s+([^\s\"']+)")
_REACHED = re.compile(r"\b(?:on|except)\b")
_GLOB = re.compile(r"[\w.*?\[\]-]*[.*?][\w.*?\[\]-]*")
_CALLED = re.compile(rf"({either(KEYWORDS)})\s*\((.*)\)\s*$", re.DOTALL)
_BRACED = re.compile(rf"(?:{either(SLOTS)}\s+)?({NAME})\s*([\[{{])([^\[\]{{}}]*)([\]}}])")


def slashes(text: Statement) -> None:
    """`// a comment`."""
    for match in _SLASHES.finditer(text.bare):
        start, end = match.span()
        text.report("T138", (start, start + 2), (start, start + 2, "#"), mark="//")
        text.put(start, end, "")


def ended(text: Statement) -> None:
    """`model resnet20;`, `model resnet20,`, `until epoch 40.`."""
    bare = text.outer.rstrip()
    end = len(bare)
    while bare[:end].rstrip()[-1:] in (";", ",", "."):
        end = len(bare[:end].rstrip()) - 1
    if 0 < end < len(bare):
        where = (end, len(bare))
        text.report("T134", where, (*where, ""), mark=bare[end], reason=_ENDS_LINE)
        text.put(*where, "")


def joined(text: Statement) -> None:
    """`seed 1; precision bf16`."""
    for match in re.finditer(rf";\s*|,\s*(?={either(KEYWORDS)}\s)", text.outer):
        start, end = match.span()
        if text.bare[end:].strip():
            rest = re.split(r"[;\n]", text.text[end:])[0]
            text.report("T142", (start, start + 1), (start, end, "\n"), write=shown(rest))
            text.cuts.append((start, end))


def commas(text: Statement) -> None:
    """`ghost(width=2x), until epoch 40`."""
    for match in _COMMA.finditer(text.outer):
        start = match.start()
        where = (start, start + 1)
        text.report("T134", where, (*where, ""), mark=",", reason=_SIDE_BY_SIDE)
        text.put(*where, "")


def called(text: Statement) -> None:
    """`seed(1)`, `train(epochs=10)`."""
    match = _CALLED.match(text.bare)
    if match is None:
        return
    word, value = match[1], re.sub(rf"^{NAME}\s*=\s*", "", match[2].strip())
    if word == "train" and value.isdecimal():
        value += " steps" if "step" in match[2] else " epochs"
    lead = "train for" if word == "train" and not value.startswith("for") else word
    write = f"{lead} {text.text[match.start(2) : match.end(2)] if value == match[2] else value}"
    start = match.end(1)
    edit = (0, match.end(), write)
    text.report("T131", (start, match.end()), edit, word=word, mark="(", write=shown(write))
    text.word = word


def assigned(text: Statement) -> None:
    """`model: resnet18`, `model = resnet18`, `sparsity = 90%`."""
    match = _ASSIGNED.match(text.outer)
    if match is None:
        return
    word, (start, end) = match[1], match.span(2)
    rest = shown(text.text[match.end() :])
    if word.lower() in KEYWORDS:
        lead = f"{word.lower()} "
        if word.lower() == "train" and not rest.startswith("for"):
            lead = "train for "
        edit = (0, match.end(), lead)
        mark = match[2]
        text.report("T131", (start, end), edit, word=word, mark=mark, write=f"{lead}{rest}")
        if lead == "train for ":
            text.word = "train"
        text.put(0, len(word), word.lower())
        text.put(start, end, "")
        return
    help = (
        f"to name a value, write `param {word} = {rest}`; an argument stands in the brackets of "
        f"what it belongs to, as in `name({word}={rest})`"
    )
    edit = (0, match.end(), f"param {word} = ")
    text.report("T132", (0, end), edit, certain=False, help=help, name=word, mark=match[2])
    text.word = f"${word}"


def named(text: Statement) -> None:
    """`ghost(width: 2x)`, `param s: 90%`."""
    inside = text.inner
    param = re.match(r"param\s+", text.bare)
    if param:
        inside = text.outer[: param.end()].replace("param", "     ") + text.outer[param.end() :]
    for match in _NAMED.finditer(inside):
        start, end = match.span(3)
        before = match.start(2)
        after = end + len(text.text[end:]) - len(text.text[end:].lstrip())
        glue = " = " if param else "="
        value = re.match(r"[^\s,()]*", text.text[after:])
        write = f"{match[1]}{glue}{value.group() if value else ''}"
        text.report("T135", (start, end), (before, after, glue), mark=match[3], write=write)
        text.put(start, end, "=")


def quoted(text: Statement) -> None:
    """`model "resnet18"`."""
    match = _QUOTED.match(text.text)
    if match is None:
        return
    start, end = match.start(2), match.end()
    text.report("T133", (start, end), (start, end, match[3]), write=f"{match[1]} {match[3]}")
    text.put(start, end, f" {match[3]} ")


def single(text: Statement) -> None:
    """`'text'`."""
    for match in _SINGLE.finditer(text.bare):
        start, end = match.span()
        write = f'"{text.text[start + 1 : end - 1]}"'
        text.report("T139", (start, end), (start, end, write), write=write)
        text.put(start, end, write)


def unquoted(text: Statement) -> None:
    """`extends base.tost`, `on layer3.*`."""
    ranges = []
    path = _UNQUOTED_PATH.match(text.bare)
    if path:
        ranges.append(path.span(1))
    reached = _REACHED.search(text.outer)
    if reached and not path:
        at = reached.end()
        ranges += [(at + m.start(), at + m.end()) for m in _GLOB.finditer(text.outer[at:])]
    for start, end in ranges:
        write = f'"{text.text[start:end]}"'
        text.report("T139", (start, end), (start, end, write), write=write)
        if not text.wrap(start, end, '"', '"'):
            text.give_up()


def braced(text: Statement) -> None:
    """`ghost[width=2x]`, `ghost {width=2x}`."""
    match = _BRACED.match(text.bare)
    if match is None or match[1] in KEYWORDS:
        return
    (start, end), (first, last) = match.span(2), match.span(4)
    write = f"{match[1]}({text.text[end:first]})"
    edit = (match.start(1), last, write)
    text.report("T137", (start, last), edit, name=match[1], write=shown(write))
    text.put(start, end, "(")
    text.put(first, last, ")")


def brackets(text: Statement) -> None:
    """`optimizer sgd lr=0.1`."""
    match = _BARE.match(text.bare)
    if match is None or match[1] in KEYWORDS:
        return
    start, end = match.span(3)
    arguments = [(start + m.start(), start + m.end()) for m in re.finditer(_ARGUMENT, match[3])]
    listed = ", ".join(re.sub(r"\s*=\s*", "=", text.text[a:b], count=1) for a, b in arguments)
    write = f"{match[1]}({listed})"
    place = (match.start(1), end)
    text.report("T137", (start, end), (*place, write), name=match[1], write=write)
    for _, stop in arguments[:-1]:
        if text.text[stop].isspace():
            text.put(stop, stop + 1, ",")
    text.wrap(start, end, "(", ")")
