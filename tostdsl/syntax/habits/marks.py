"""Habits of punctuation: colons, commas, quotes, comments."""

from __future__ import annotations

import re

from tostdsl.syntax.habits.statement import BOUNDS, NAME, REACH, Statement, either, shown
from tostdsl.syntax.words import KEYWORDS, SLOTS

_ENDS_LINE = "a statement ends with its line"
_SIDE_BY_SIDE = "the parts of a statement stand side by side"
_ASSIGNED = re.compile(rf"({NAME})\s*(:=|==|=(?!=)|:)[ \t]*")
_QUOTED = re.compile(rf"({either((*SLOTS, 'precision'))})\s+([\"'])({NAME})\2")
_QUOTED_VALUE = re.compile(rf"\s*([\"'])({NAME})\1")
_SINGLE = re.compile(r"'([^'\"\\\n]*)'")
_SLASHES = re.compile(r"(?<![:/])//[^\n]*|(?:^|(?<=\s))--+(?=\s|$)[^\n]*|/\*.*?\*/", re.DOTALL)
_CODE = re.compile(r"[^\S\n]*[^\s#]")
_LINE = re.compile(r"(?<=\n)[^\S\n]*((?:\*(?!/)[^\S\n]*)?)[^\n]*")
_NAMED = re.compile(rf"({NAME})(\s*)(:=|==|=>|>=|<=|:)(?=\s*\S)")
_REACHING = re.compile(rf"(?<=[\s)])({either(REACH)})(\s*[:=]+\s*)(?:(\d+)(?=\s|$)|(?=\S))")
_IS = re.compile(rf"({either((*SLOTS, 'precision', 'seed'))})\s+(is|are|equals|as|to)\s+(?=\w)")
_GLUED = re.compile(r"(?<![\w.$=])([A-Za-z_]+)(\d*\.\d+[%x]?|\d+%|\d+[eE]-\d+)(?=\s*[,)])")
_COMMA = re.compile(rf",\s*(?={either(REACH)}\b)")
_CONTINUED = re.compile(r"[ \t]*(\\)(?=[ \t]*(?:\n|$))")
_SEMICOLON = re.compile(r";")
_UNQUOTED_PATH = re.compile(r"extends\s+([^\s\"']+)")
_REACHED = re.compile(r"\b(?:on|except)\b")
_GLOB = re.compile(r"[\w.*?\[\]-]*[.*?][\w.*?\[\]-]*")
_CALLED = re.compile(rf"({either(KEYWORDS)})\s*\((.*)\)\s*$", re.DOTALL)


def is_comment(text: str) -> bool:
    """Whether a text begins with a comment, each of which has an end."""
    return text.startswith("/*") and text.rfind("/*") < text.rfind("*/")


def comments(text: Statement) -> None:
    """`// a comment`, `-- a comment`, `/* a comment */`, `---`."""
    gone: list[tuple[int, int]] = []
    followed = [False]

    def code_behind(end: int) -> bool:
        """Whether code goes on in the line, past the comments behind this one."""
        if gone and not text.text[end : gone[-1][0]].strip(" \t"):
            return followed[0]
        return bool(_CODE.match(text.text, end, gone[-1][0] if gone else len(text.text)))

    def mend(match: re.Match[str]) -> None:
        start, end = match.span()
        found = text.text[start:end]
        followed[0] = code_behind(end)
        gone.append((start, end))
        mark = found[:2] if found.strip("-") else found
        edits = [(start, start + len(mark), "" if mark == found else "#")]
        if mark == "/*":
            lines = _LINE.finditer(text.text, start + 2, end - 2)
            edits += [(*line.span(1), "# " if line[0].strip() else "") for line in lines]
            edits.append((end - 2, end, ""))
        help = "remove it" if mark == found else None
        inside = mark == "/*" and followed[0]
        if inside:  # a comment that ended its line would take code with it
            edits = [(start, end, "")]
            help = "a comment goes on to the end of its line: move it there, or remove it"
        elif len(edits) > 2:
            help = "begin each of its lines with `#`"
        place = (start, start + len(mark))
        text.report("T138", place, *edits, certain=not inside, help=help, mark=mark)

    whole = text.text.startswith("/*")  # what stands in it is neither text nor a comment
    text.each(_SLASHES, text.text if whole else text.bare, mend)
    text.written = text.written.without(sorted(gone))
    if text.found and not text.text.strip():
        text.word = ""


def continued(text: Statement) -> None:
    """A backslash at the end of a line."""

    def mend(match: re.Match[str]) -> None:
        reason = "inside of brackets a statement goes on over the end of a line"
        where = match.span(1)
        text.mend("T134", match.span(), "", place=where, mark="\\", reason=reason)

    text.each(_CONTINUED, text.bare, mend)


def ended(text: Statement) -> None:
    """`model resnet20;`, `model resnet20,`, `until epoch 40.`."""
    bare = text.outer.rstrip()
    end = len(bare)
    while bare[:end].rstrip()[-1:] in (";", ",", "."):
        end = len(bare[:end].rstrip()) - 1
    if 0 < end < len(bare):
        where = (end, len(bare))
        text.mend("T134", where, "", mark=bare[end], reason=_ENDS_LINE)


def commas(text: Statement) -> None:
    """`ghost(width=2x), until epoch 40`, `sgd(lr=0.1; momentum=0.9)`."""

    def outside(match: re.Match[str]) -> None:
        where = (match.start(), match.start() + 1)
        text.mend("T134", where, "", mark=",", reason=_SIDE_BY_SIDE)

    def inside(match: re.Match[str]) -> None:
        text.mend("T134", match.span(), ",", help="write `,`", mark=";", reason="")

    if not text.outer.startswith("without"):
        text.each(_COMMA, text.outer, outside)
    text.each(_SEMICOLON, text.inner, inside)


def called(text: Statement) -> None:
    """`seed(1)`, `train(epochs=10)`."""
    match = _CALLED.match(text.bare)
    if match is None or match[1] in SLOTS:
        return
    word, value = match[1], re.sub(rf"^{NAME}\s*=\s*", "", match[2].strip())
    if word == "train" and value.isdecimal():
        value += " steps" if "step" in match[2] else " epochs"
    lead = "train for" if word == "train" and not value.startswith("for") else word
    write = f"{lead} {text.text[match.start(2) : match.end(2)] if value == match[2] else value}"
    where = (match.end(1), match.end())
    text.mend("T131", (0, match.end()), write, place=where, word=word, mark="(")


def assigned(text: Statement) -> None:
    """`model: resnet18`, `model = resnet18`, `sparsity = 90%`."""
    match = _ASSIGNED.match(text.outer)
    if match is None or match[1] in ("param", "sweep"):
        return
    word, (start, end) = match[1], match.span(2)
    rest = text.text[match.end() :]
    if not rest.strip():
        return
    if word.lower() in KEYWORDS:
        stop = match.end()
        quoted = _QUOTED_VALUE.fullmatch(rest)
        if quoted is not None and word.lower() in (*SLOTS, "precision"):
            rest, stop = quoted[2], len(text.text)
        lead = f"{word.lower()} "
        if word.lower() == "train" and not rest.startswith("for"):
            lead = "train for "
        write = f"{lead}{rest if stop > match.end() else ''}"
        line, place = shown(f"{lead}{rest}"), (start, end)
        edit = (0, stop, write)
        text.report("T131", place, edit, word=word, mark=match[2], write=line)
        text.put(*edit)
        return
    value = shown(rest)
    help = (
        f"to name a value, write `param {word} = {value}`; an argument stands in the brackets of "
        f"what it belongs to, as in `name({word}={value})`"
    )
    used = re.search(rf"\${word}\b", text.written.source.text) is not None
    edits = [(0, match.end(), f"param {word} = ")] if used else []
    text.report("T132", (0, end), *edits, certain=False, help=help, name=word, mark=match[2])
    text.word = f"${word}"


def named(text: Statement) -> None:
    """`ghost(width: 2x)`, `param s: 90%`, `sgd(lr0.1)`."""
    inside = text.inner
    param = re.match(r"param\s+", text.bare)
    if param:
        inside = text.outer[: param.end()].replace("param", "     ") + text.outer[param.end() :]

    def mend(match: re.Match[str]) -> None:
        start, end = match.span(3)
        before = match.start(2)
        after = end + len(text.text[end:]) - len(text.text[end:].lstrip())
        glue = " = " if param else "="
        value = re.match(r"[^\s,()]*", text.text[after:])
        write = f"{match[1]}{glue}{value.group() if value else ''}"
        edit, sure = (before, after, glue), match[3] not in (">=", "<=")
        text.report("T135", (start, end), edit, certain=sure, mark=match[3], write=write)
        text.put(before, after, glue)

    def glued(match: re.Match[str]) -> None:
        at = match.end(1)
        text.report("T102", (at, at + 1), (at, at, "="), token="=")
        text.put(at, at, "=")

    text.each(_NAMED, inside, mend)
    text.each(_GLUED, text.bare, glued)


def reached(text: Statement) -> None:
    """`until: epoch 10`, `except=first`, `until=10`."""

    def mend(match: re.Match[str]) -> None:
        word, glue, count = match.groups()
        mark, number = glue.strip(), f" {count or ''}"
        if count and word != "for":
            number = f" epoch {count}" if word in BOUNDS else number
        elif count:
            number = f" {count} epochs"
        where = (match.start(2), match.end())
        place = (match.start(2) + glue.index(mark), match.start(2) + glue.index(mark) + len(mark))
        rest = re.match(r"[^\n]{0,40}?(?=\s+\w+\s*[:=]|\s*$)", text.text[match.end() :])
        help = f"write `{shown(word + number + (rest.group() if rest else ''))}`"
        text.mend("T134", where, number, not count, help, place, mark=mark, reason="")

    text.each(_REACHING, text.outer, mend)


def stated(text: Statement) -> None:
    """`optimizer is sgd(lr=0.1)`."""
    match = _IS.match(text.outer)
    if match is not None:
        where = (match.start(2), match.end())
        write = shown(f"{match[1]} {text.text[match.end() :]}")
        edit, place = (*where, ""), match.span(2)
        text.report("T131", place, edit, certain=False, word=match[1], mark=match[2], write=write)
        text.put(*where, "")


def quoted(text: Statement) -> None:
    """`model "resnet18"`."""
    match = _QUOTED.match(text.text)
    if match is None:
        return
    where = (match.start(2), match.end())
    text.report("T133", where, (*where, match[3]), write=f"{match[1]} {match[3]}")
    text.put(*where, match[3])


def single(text: Statement) -> None:
    """`'text'`."""

    def mend(match: re.Match[str]) -> None:
        text.mend("T139", match.span(), f'"{text.text[match.start() + 1 : match.end() - 1]}"')

    text.each(_SINGLE, text.bare, mend)


def unquoted(text: Statement) -> None:
    """`extends base.tost`, `on layer3.*`."""
    path = _UNQUOTED_PATH.match(text.bare)
    if path:
        ranges = [path.span(1)]
    else:
        reached = _REACHED.search(text.outer)
        at = reached.end() if reached else len(text.text)
        ranges = [(at + m.start(), at + m.end()) for m in _GLOB.finditer(text.outer[at:])]
    for start, end in reversed(ranges):
        text.mend("T139", (start, end), f'"{text.text[start:end]}"')
