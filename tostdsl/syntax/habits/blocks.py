"""Mappings of other languages: `model: {name: resnet18}`, and YAML's with a key a line."""

from __future__ import annotations

import re

from tostdsl.syntax.habits.leads import GROUPS
from tostdsl.syntax.habits.statement import BOUNDS, NAME, Statement, either, shown
from tostdsl.syntax.wanted import form
from tostdsl.syntax.words import KEYWORDS, SLOTS

_HEAD = re.compile(rf"((?:-\s+)?)({NAME})(\s*[:=]?\s*)(\{{|\n)")
_PAIR = re.compile(rf"[\"']?({NAME})[\"']?\s*[:=]\s*")
_NAMING = ("name", "type", "kind", "class", "method", "_target_")
_LENGTHS = ("epochs", "epoch", "steps", "step", "for", "max_epochs", "num_epochs")
_ITEM = re.compile(r"(?m)^[ \t]*-[ \t]+")
_DASH = re.compile(rf"-\s+(?={NAME}|\$)")

Pair = tuple[str, tuple[int, int]]


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
    """`ghost: {activation: swish, until: 2}`, and the same over lines."""
    match = _HEAD.match(text.bare)
    if match is None:
        return
    head = match[2]
    if match[4] == "{":
        end = text.closing(match.start(4))
        if end is None or text.bare[end] != "}" or text.bare[end + 1 :].strip():
            return
        parts = _split(text, match.end(4), end)
    else:
        if ":" not in match[3] and "=" not in match[3]:
            return
        parts = _lines(text, match.end(4))
    pairs: list[Pair] = []
    for start, end in parts:
        pair = _PAIR.match(text.text, start, end)
        if pair is None:
            return
        pairs.append((pair[1], (pair.end(), end)))
    if not pairs:
        return
    made = _composed(text, head, match.span(2), pairs)
    if made is None:
        if head in SLOTS:
            place, help = match.span(4), form(head)
            text.report("T101", place, help=help, expected="a name", found="`{`")
            text.word = head
        return
    written = text.written.composed(made)
    write = written.text
    where = (0, len(text.text))
    place = (match.start(2), match.end(2))
    code, values = "T137", {"name": _name(text, head, pairs)}
    if head in KEYWORDS and (head not in SLOTS or len(pairs) == 1):
        code, values = "T131", {"word": head, "mark": match[3].strip() or "{"}
    text.report(code, place, (*where, write), certain=False, write=shown(write), **values)
    text.written = written


def _name(text: Statement, head: str, pairs: list[Pair]) -> str:
    names = [text.text[slice(*place)].strip() for key, place in pairs if key in _NAMING]
    return names[0].strip("\"'") if names and head in KEYWORDS else head


def _composed(
    text: Statement, head: str, place: tuple[int, int], pairs: list[Pair]
) -> list[str | tuple[int, int]] | None:
    """The parts of the statement a mapping stands for."""
    naming = [value for key, value in pairs if key in _NAMING]
    if head == "train":
        lengths = [(key, value) for key, value in pairs if key in _LENGTHS]
        if not lengths:
            return None
        key, value = lengths[0]
        unit = "" if key == "for" else " steps" if "step" in key else " epochs"
        return [place, " for ", value, unit]
    if head in KEYWORDS and head not in SLOTS:
        return [place, " ", pairs[0][1]] if len(pairs) == 1 else None
    out: list[str | tuple[int, int]] = [place]
    if head in SLOTS:
        if len(naming) != 1:
            return None
        out += [" ", _unquoted(text, naming[0])]
    reached: dict[str, tuple[int, int]] = {}
    arguments: list[Pair] = []
    for key, value in pairs:
        if key in (*BOUNDS, "on", "except"):
            reached[key] = value
        elif not (head in SLOTS and key in _NAMING):
            arguments.append((key, value))
    for index, (key, value) in enumerate(arguments):
        out += ["(" if index == 0 else ", ", f"{key}=", value]
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


def _lines(text: Statement, start: int) -> list[tuple[int, int]]:
    """The lines from a place on, without comments."""
    parts, bare = [], text.bare
    for match in re.finditer(r"[^\n]+", bare[start:]):
        if match.group().strip():
            parts.append(_trimmed(text, start + match.start(), start + match.end()))
    return parts


def _trimmed(text: Statement, start: int, end: int) -> tuple[int, int]:
    piece = text.bare[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
