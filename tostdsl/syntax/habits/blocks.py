"""Mappings of other languages: `model: {name: resnet18}`, and YAML's and TOML's, a key a line."""

from __future__ import annotations

import re

from tostdsl.syntax.habits.leads import GROUPS
from tostdsl.syntax.habits.statement import BOUNDS, NAME, Statement, either, shown
from tostdsl.syntax.wanted import form
from tostdsl.syntax.words import KEYWORDS, SLOTS

_HEAD = re.compile(rf"((?:-\s+)?)({NAME})(\s*[:=]?\s*)(\{{|\n)")
_LABELLED = re.compile(rf"({NAME})\s+([\"']?)({NAME})\2\s*(\{{)")
_SECTION = re.compile(rf"\[+\s*({NAME})\s*\]+[^\n]*(\n)")
_PAIR = re.compile(rf"[\"']?({NAME})[\"']?\s*[:=]\s*")
_NAMING = ("name", "type", "kind", "class", "method", "_target_")
_LENGTHS = ("epochs", "epoch", "steps", "step", "for", "max_epochs", "num_epochs")
_ITEM = re.compile(r"(?m)^[ \t]*-[ \t]+")
_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|(#[^\n]*)')
_LINE = re.compile(r"(?:\[[^\]]*\]|\{[^}]*\}|[^\n])+")
_DASH = re.compile(rf"-\s+(?={NAME}|\$)")

Pair = tuple[tuple[int, int], tuple[int, int]]
"""The ranges of a key and of its value."""


def dashed(text: Statement) -> None:
    """`- ghost`, as in a list of YAML."""
    match = _DASH.match(text.text)
    if match is not None:
        where = (0, match.end())
        text.mend(
            "T134", where, "", help="write a statement a line, without `-`", mark="-", reason=""
        )


def grouped(text: Statement) -> None:
    """`techniques: [ghost, skip]`, and the same over lines with `-`."""
    match = re.match(rf"({either(GROUPS)})\s*[:=]\s*(?:\[(.*)\]\s*$|(?=-))", text.text, re.DOTALL)
    if match is None:
        return
    word = match[1]
    if match[2] is None:
        starts = [item.end() for item in _ITEM.finditer(text.text)]
        ends = [*(item.start() for item in _ITEM.finditer(text.text)), len(text.text)][1:]
        parts = list(zip(starts, ends, strict=True))
    else:
        parts = _split(text, match.start(2), match.end(2))
    lines = [text.text[start:end].strip() for start, end in parts]
    write = "\n".join(lines)
    help = f"write each on a line of its own: `{shown(lines[0])}`" if lines else "remove it"
    edit = (0, len(text.text), write)
    text.report("T132", (0, match.end(1)), edit, certain=False, help=help, name=word, mark=":")
    pieces = [text.written.part(start, end) for start, end in parts]
    if not pieces:
        text.word = ""
        return
    text.written, text.more = pieces[0], [*pieces[1:], *text.more]


def blocks(text: Statement) -> None:
    """`ghost: {activation: swish, until: 2}`, and the same over lines, with or without braces."""
    section, labelled = _SECTION.match(text.bare), _LABELLED.match(text.text)
    if labelled is not None and not labelled[2] and "\n" not in text.text:
        labelled = None  # brackets of another form
    match = section or labelled or _HEAD.match(text.bare)
    if match is None:
        return
    place = match.span(1 if section or labelled else 2)
    head, glue = text.text[slice(*place)], "" if section or labelled else match[3]
    opening = match.span(match.lastindex or 0)
    if text.text[opening[0]] == "{":
        end = text.closing(opening[0])
        if end is None or text.bare[end] != "}" or text.bare[end + 1 :].strip():
            return
        parts = [each for line in _lines(text, opening[1], end) for each in _split(text, *line)]
    else:
        if section is None and ":" not in glue and "=" not in glue:
            return
        parts = _lines(text, opening[1], len(text.text))
    pairs: list[Pair] = []
    for start, end in parts:
        pair = _PAIR.match(text.text, start, end)
        if pair is None:
            return
        pairs.append((pair.span(1), (pair.end(), end)))
    if not pairs and labelled is None:
        return
    made = _composed(text, head, place, pairs, labelled.span(3) if labelled else None)
    if made is None:
        if head in SLOTS:
            place, help = opening, form(head)
            text.report("T101", place, help=help, expected="a name", found="`{`")
            text.word = head
        return
    written = text.written.composed(made)
    write = written.text
    whole = _comments(text) + write
    where = (0, len(text.text))
    name = labelled[3] if labelled is not None else _name(text, head, pairs)
    code, values = "T137", {"name": name}
    if head in KEYWORDS and (head not in SLOTS or (len(pairs) == 1 and labelled is None)):
        mark = "[" if section else glue.strip() or "{"
        code, values = "T131", {"word": head, "mark": mark}
    text.report(code, place, (*where, whole), certain=False, write=shown(write), **values)
    text.written = written


def _comments(text: Statement) -> str:
    """The comments in a mapping, each on a line of its own."""
    found = _COMMENT.finditer(text.text)
    return "".join(f"{each[1]}\n" for each in found if each[1] is not None)


def _name(text: Statement, head: str, pairs: list[Pair]) -> str:
    named = [value for key, value in pairs if text.text[slice(*key)] in _NAMING]
    names = [text.text[slice(*place)].strip() for place in named]
    return names[0].strip("\"'") if names and head in KEYWORDS else head


def _composed(
    text: Statement,
    head: str,
    place: tuple[int, int],
    pairs: list[Pair],
    label: tuple[int, int] | None,
) -> list[str | tuple[int, int]] | None:
    """The parts of the statement a mapping stands for."""
    naming = [value for key, value in pairs if text.text[slice(*key)] in _NAMING]
    if head == "train":
        lengths = [pair for pair in pairs if text.text[slice(*pair[0])] in _LENGTHS]
        if not lengths:
            return None
        key, value = text.text[slice(*lengths[0][0])], lengths[0][1]
        unit = "" if key == "for" else " steps" if "step" in key else " epochs"
        return [place, " for ", value, unit]
    if head in KEYWORDS and head not in SLOTS:
        return [place, " ", pairs[0][1]] if len(pairs) == 1 and label is None else None
    out: list[str | tuple[int, int]] = [place]
    if label is not None:
        out = [place, " ", label] if head in SLOTS else [label]
    elif head in SLOTS:
        if len(naming) != 1:
            return None
        out += [" ", _unquoted(text, naming[0])]
    reached: dict[str, tuple[int, int]] = {}
    arguments: list[Pair] = []
    for place, value in pairs:
        key = text.text[slice(*place)]
        if key in (*BOUNDS, "on", "except"):
            reached[key] = value
        elif not (head in SLOTS and key in _NAMING):
            arguments.append((place, value))
    for index, (place, value) in enumerate(arguments):
        out += ["(" if index == 0 else ", ", place, "=", value]
    out += [")"] if arguments else []
    for key in (*BOUNDS, "on", "except"):
        if key in reached:
            value = reached[key]
            found = text.text[slice(*value)].strip()
            moment = found.isdecimal() and key in BOUNDS
            out += [f" {key} ", "epoch " if moment and key != "for" else "", value]
            out += [" epochs"] if moment and key == "for" else []
    return out


def _unquoted(text: Statement, place: tuple[int, int]) -> tuple[int, int]:
    start, end = place
    quoted = text.text[start:end].strip()[:1] in ("'", '"')
    return (start + 1, end - 1) if quoted else place


def _split(text: Statement, start: int, end: int) -> list[tuple[int, int]]:
    """The parts between commas, outside of brackets."""
    parts, depth, bare = [], 0, text.bare
    begin = start
    for at in range(start, end):
        depth += (bare[at] in "([{") - (bare[at] in ")]}")
        if bare[at] == "," and depth == 0:
            parts.append((begin, at))
            begin = at + 1
    parts.append((begin, end))
    return [_trimmed(text, *part) for part in parts if text.text[slice(*part)].strip()]


def _lines(text: Statement, start: int, end: int) -> list[tuple[int, int]]:
    """The lines of a range, without comments; what stands in brackets is one of them."""
    parts, bare = [], text.bare
    for match in _LINE.finditer(bare[start:end]):
        if match.group().strip():
            parts.append(_trimmed(text, start + match.start(), start + match.end()))
    return parts


def _trimmed(text: Statement, start: int, end: int) -> tuple[int, int]:
    piece = text.bare[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
