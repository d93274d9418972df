"""Habits of brackets: none, the wrong ones, dictionaries."""

from __future__ import annotations

import re
from itertools import pairwise

from tostdsl.syntax.habits.statement import NAME, REACH, Statement, either, shown
from tostdsl.syntax.words import KEYWORDS, SLOTS

_ITEM = (
    rf"(?:\[[^\]]*\]|{NAME}\([^()]*\)|(?:epoch|step)\s\d+|\d+\s(?:epoch|step)s?"
    r"|[^\s,()\[\]=]+)"
)
_ARGUMENT = rf"{NAME}\s*=\s*{_ITEM}"
_BARE = re.compile(
    rf"(?:{either(SLOTS)}\s+)?({NAME})(\s+(?:(?:with|using|where)\s+)?|\s*,\s*)({_ARGUMENT}(?:\s*,\s*{_ARGUMENT}|\s+{_ARGUMENT})*)"
    rf"(?=\s*$|\s+{either(REACH)}\b)"
)
_POSITIONAL = re.compile(
    rf"(?:{either(SLOTS)}\s+)({NAME})(\s+)(-?\.?\d[\w.%]*|\$\w+|\"[^\"]*\"|\[[^\]]*\])"
    rf"(?=\s*$|\s+{either(REACH)}\b)"
)
_BRACED = re.compile(rf"(?:{either(SLOTS)}\s+)?({NAME})\s*([\[{{])([^\[\]{{}}]*)([\]}})])")
_SPREAD = re.compile(r"\*\*\s*(?:\{([^{}]*)\}|dict\(([^()]*)\))|\{([^{}]*)\}")
_SHARES = re.compile(
    rf"({NAME})\s*=\s*(\{{\s*[\"']?[\w.*]+[\"']?\s*[:=]\s*([^\s,:{{}}\"]+)\s*[,}}][^{{}}]*(?<=[,}}\w%\s])\}})"
)
_COLON = re.compile(rf"[\"']?({NAME})[\"']?\s*:\s*")


def shares(text: Statement) -> None:
    """`sparsity={conv: 90%, linear: 80%}`, where one value stands."""

    def mend(match: re.Match[str]) -> None:
        name, first = match[1], match[3]
        help = f"an argument has one value: write for example `{name}={first}`"
        found = shown(match[2])
        text.report("T144", match.span(2), help=help, found=found, write="")
        text.put(*match.span(2), first)

    text.each(_SHARES, text.text, mend)


def spread(text: Statement) -> None:
    """`random(**{sparsity: 90%})`."""

    def mend(match: re.Match[str]) -> None:
        group = next(i for i in (1, 2, 3) if match[i] is not None)
        inside = text.text[slice(*match.span(group))]
        write = _COLON.sub(r"\1=", inside)
        if group < 3 or "=" in write:
            found = shown(text.text[slice(*match.span())])
            text.mend("T144", match.span(), write, certain=False, found=found)

    text.each(_SPREAD, text.inner, mend)


def braced(text: Statement) -> None:
    """`ghost[width=2x]`, `ghost {width: 2x}`."""
    match = _BRACED.match(text.bare)
    if match is None or match[1] in KEYWORDS:
        return
    (start, end), (first, last) = match.span(2), match.span(4)
    edits = [(match.end(1), end, "("), (first, last, ")")]
    edits += [(end + m.start(), end + m.end(), f"{m[1]}=") for m in _COLON.finditer(match[3])]
    _put(text, "T137", (start, last), edits, match[1], (match.start(1), last))


def brackets(text: Statement) -> None:
    """`optimizer sgd lr=0.1`, `schedule cosine, warmup=5 epochs`, `mask random 90%`."""
    match = _BARE.match(text.bare)
    named = match is not None
    match = match or _POSITIONAL.match(text.bare)
    if match is None or match[1] in KEYWORDS:
        return
    start, end = match.span(3)
    if re.match(either(KEYWORDS) + r"\b", match[3]):
        return
    arguments = [(start + m.start(), start + m.end()) for m in re.finditer(_ARGUMENT, match[3])]
    edits = [(match.end(1), start, "("), (end, end, ")")]
    edits += [(stop, begin, ", ") for (_, stop), (begin, _) in pairwise(arguments)]
    for begin, stop in arguments:
        equal = re.search(r"\s*=\s*", text.bare[begin:stop])
        if equal is not None and equal.group() != "=":
            edits.append((begin + equal.start(), begin + equal.end(), "="))
    edits = [edit for edit in edits if text.text[edit[0] : edit[1]] != edit[2]]
    _put(text, "T137", (start, end), edits, match[1], (match.start(1), end), named)


def _put(
    text: Statement,
    code: str,
    where: tuple[int, int],
    edits: list[tuple[int, int, str]],
    name: str,
    place: tuple[int, int],
    certain: bool = True,
) -> None:
    """Report and make several edits, and show what then stands in a place."""
    before = len(text.text)
    edits.sort()
    written = text.written
    for edit in reversed(edits):
        written = written.with_put(*edit)
    stop = place[1] + len(written.text) - before
    write = shown(written.text[place[0] : stop])
    text.report(code, where, *edits, certain=certain, name=name, write=write)
    text.written = written
