"""Habits in words: lengths, moments, windows and targets, names."""

from __future__ import annotations

import re

from tostdsl.diagnostics import nearest
from tostdsl.syntax.habits.statement import BOUNDS, NAME, REACH, Statement, either, shown
from tostdsl.syntax.words import KEYWORDS, SLOTS

REACHING = {
    "until": ("before", "till", "untill", "upto", "til", "to", "through", "thru", "unti"),
    "from": ("after", "since", "starting", "begin", "form", "fro", "frm", "fomr", "rfom", "froom"),
    "except": ("exclude", "excluding", "not", "but", "without", "excl", "besides", "exept"),
    "on": ("in", "only", "within", "inside", "onto", "applies", "layers"),
}
"""What else people write before a moment or a layer, by the word that stands there."""
_REACHING = {word: meant for meant, words in REACHING.items() for word in words}
SURE = ("before", "till", "untill", "til", "exclude", "excluding", "since")
MOMENTS = {
    "end": (r"the\s+end", r"(?:the\s+)?last\s+epoch", "finish", "last"),
    "start": (
        r"the\s+start",
        r"the\s+beginning",
        "beginning",
        r"(?:the\s+)?first\s+epoch",
        "begin",
    ),
}
"""What else people call the ends of training."""
HOSTS = ("cuda", "cpu", "gpu", "mps")
_TIMES = ("hour", "minute", "day", "second", "week", "min", "hr", "h")

_CAPITALS = re.compile(
    rf"^{either(KEYWORDS)}(?=\s)|(?<=\s){either((*REACH, 'over', 'sha256'))}(?=\s)"
    r"|(?<=\d)\s+(?:epoch|step)s?\b|\b(?:epoch|step)s?(?=\s+\d)",
    re.IGNORECASE,
)
_DOUBLED = re.compile(r"(?<![\w.])(epoch|step|(?<=[A-Za-z] )\d[\w.%]*)(\s+\1)(?![\w.%])")
_BARE_LENGTH = re.compile(r"for\s+\d+\s+(?:epoch|step)s?\s*$")
_LENGTH = re.compile(r"(?:max_|num_|n_)?(epoch|step)s?\s*[=:]?\s*(\d+)\s*(?:epochs?|steps?)?\s*$")
_TRAIN = re.compile(
    r"train(\s*[:=]\s*|\s+)((?:for|until|to)?\s*(?:(epoch|step)s?\s*[=:]?\s*)?(\d+)"
    r"(?:\s*(epoch|step)s?)?)\s*$"
)
_CALL = rf"{NAME}(?:\([^()]*\))?"
_WHOLE = re.compile(
    rf"train\s+(?!for\b)(?P<model>{_CALL})(?:\s+(?:on|with|using)\s+(?P<data>{_CALL}))?"
    r"\s+for\s+(?P<length>\d+ (?:epoch|step)s?)\s*$"
)
_HOURS = re.compile(rf"train\s+(?:for\s+)?(\d+(?:\.\d+)?\s*{either(_TIMES)}s?)\b")
_HOST = re.compile(rf"train\s.*\s((?:on|with|using)\s+({either(HOSTS)})\S*)\s*$")
_MOMENT = re.compile(
    rf"\b({either(BOUNDS)})\s+((epoch|step)(s?)(\s*[=:(]\s*|\s+)(\d+)(\s*\))?)(?![\w.%])"
)
_ARGUMENT_MOMENT = re.compile(rf"(?<=[=,\[])\s*(({NAME})(\s*[=:]\s*|[ \t]+)(\d+))(?![\w.%=])")
_MISSPELT = re.compile(rf"\b{either(BOUNDS)}\s+(({NAME})\s+(\d+%?))(?![\w.])")
_VALUED = re.compile(rf"({NAME})\s+(-?[\d.]+(?:[eE]-?\d+)?[%x]?)\s*$")
_PARTS = re.compile(rf"(?<!\S)({either(REACH)})(?=\s)")
_WORD = re.compile(rf"(?<=\S)\s+({NAME})(?=\s+\S)")
_AND = re.compile(r"\s+(?:and|or|&|plus)\s+|\s*[&+]\s*")
_ENDS = re.compile(
    rf"\b(?:from|until|at|before|after|till)\s+((?P<end>{either(MOMENTS['end'])})"
    rf"|(?P<start>{either(MOMENTS['start'])}))(?=\s|$)"
)


def capitals(text: Statement) -> None:
    """`Train for 180 Epochs`, `ghost Until epoch 40`."""

    def mend(match: re.Match[str]) -> None:
        found = match.group().lstrip()
        if found != found.lower():
            where = (match.end() - len(found), match.end())
            text.mend("T143", where, found.lower(), found=found)

    text.each(_CAPITALS, text.outer, mend)


def doubled(text: Statement) -> None:
    """`until epoch epoch 40`, `for 180 180 epochs`."""

    def mend(match: re.Match[str]) -> None:
        where = match.span(2)
        text.mend("T134", where, "", help="remove it", mark=match[1], reason="")

    text.each(_DOUBLED, text.bare, mend)


def length(text: Statement) -> None:
    """`epochs 10`, `epochs = 10`, `for 10 epochs`."""
    if _BARE_LENGTH.match(text.bare):
        help = f"write `train {text.text}`"
        text.mend("T103", (0, 0), "train ", False, help, (0, 3), name="for")
        return
    match = _LENGTH.match(text.bare)
    if match is None:
        return
    write = f"train for {match[2]} {match[1]}s"
    name = re.match(NAME, text.text)
    where = (0, name.end() if name else 1)
    help = f"write `{write}`"
    found = text.text[slice(*where)]
    text.mend("T103", (0, match.end()), write, certain=False, place=where, help=help, name=found)


def train(text: Statement) -> None:
    """`train: 160`, `train epochs=160`, `train until epoch 160`, `train for 3 hours`."""
    hours = _HOURS.match(text.bare)
    if hours is not None:
        help = "a length counts epochs or steps: write `train for 180 epochs`"
        text.report("T144", hours.span(1), help=help, found=hours[1], write="")
        text.word = "train"
        return
    host = _HOST.match(text.outer)
    if host is not None:
        help = f"write `tost run --device {host[2]}`"
        where = (host.start(1), host.end(1))
        text.mend("T134", where, "", False, help=help, mark=host[1], reason="")
        text.written = text.written.part(0, len(text.text))
    match = _TRAIN.match(text.bare)
    if match is None or re.fullmatch(
        r"train\s+(?:for\s+\d+\s+(?:epoch|step)s?|\d+\s+(?:epoch|step)s|1\s+(?:epoch|step))\s*",
        text.bare,
    ):  # right, or only `for` is missing
        return
    glue, found, before, count, behind = match.groups()
    write = f"train for {count} {before or behind or 'epoch'}s"
    if glue.strip():
        _colon(text, match, write)
        return
    certain = bool(before or behind) and "until" not in found
    place = match.span(2)
    text.mend("T144", (0, match.end()), write, certain=certain, place=place, found=found.strip())


def whole(text: Statement) -> None:
    """`train cifar_resnet(8) on digits for 20 epochs`."""
    match = _WHOLE.match(text.text)
    if match is None:
        return
    source = text.written.source.text
    parts = [(word, match.span(word)) for word in ("model", "data") if match[word] is not None]
    new = [
        (word, place) for word, place in parts if re.search(rf"(?m)^\s*{word}\s", source) is None
    ]
    lines = [text.written.composed([f"{word} ", place]) for word, place in new]
    lines.append(text.written.composed(["train for ", match.span("length")]))
    write = [line.text for line in lines]
    help = "write " + " and ".join(f"`{line}`" for line in write)
    help += ", each on a line of its own" if new else ""
    place = (match.start("model"), match.end("data" if match["data"] else "model"))
    mark, edit = text.text[slice(*place)], (0, len(text.text), "\n".join(write))
    text.report("T134", place, edit, certain=False, help=help, mark=mark, reason="")
    text.written, text.more = lines[0], [*lines[1:], *text.more]


def _colon(text: Statement, match: re.Match[str], write: str) -> None:
    start = match.start(1)
    glue = match[1].strip()
    start += match[1].index(glue)
    edit = (0, match.end(), write)
    text.report("T131", (start, start + len(glue)), edit, word="train", mark=glue, write=write)
    text.put(*edit)


def recipe(text: Statement) -> None:
    """`recipe "title"`, `recipe my recipe`, `recipe name = foo`."""
    match = re.match(r"recipe\s+(\"[^\"]*\"|'[^'\"]*')\s*$", text.text)
    if match is not None:
        title = f'"{match[1][1:-1]}"'
        name = re.sub(r"\W+", "_", match[1][1:-1].lower(), flags=re.ASCII).strip("_")
        name = name if re.match(r"[a-z_]", name) else f"recipe_{name}".rstrip("_")
        write = f"{name} {title}"
        help = f"a name stands before the title: write `{shown(f'recipe {write}')}`"
        where = match.span(1)
        text.mend("T134", where, write, certain=False, help=help, mark=match[1], reason="")
        return
    match = re.match(rf"recipe\s+(name\s*[=:]\s*)[\"']?({NAME})[\"']?\s*$", text.text)
    if match is not None:
        where = (match.start(1), match.end())
        text.mend("T144", where, match[2], found=text.text[slice(*where)].strip())
        return
    match = re.match(r"recipe\s+(\d\w*)(?=\s*$|\s*\")", text.bare)
    if match is not None:
        text.mend("T140", match.span(1), f"recipe_{match[1]}", certain=False, found=match[1])
    match = re.match(rf"recipe\s+({NAME}(?:\s+[A-Za-z0-9_]\w*)+)(?=\s*$|\s*\")", text.bare)
    if match is not None:
        write = re.sub(r"\s+", "_", match[1])
        text.mend("T140", match.span(1), write, found=match[1])


def moments(text: Statement) -> None:
    """`until epoch=40`, `until epochs 40`, `for epochs=40`, `until the end`."""

    def mend(match: re.Match[str]) -> None:
        word, found, unit, plural, glue, count, closing = match.groups()
        length = word == "for"
        if not plural and glue.isspace() and not closing and not length:
            return
        if bool(closing) == ("(" in glue):
            write = f"{count} {unit}s" if length else f"{unit} {count}"
            sure = not length or bool(plural)  # `for epoch 4` may be that epoch, or until then
            text.mend("T136", match.span(2), write, certain=sure, found=found)

    def inside(match: re.Match[str]) -> None:
        found, word, _, count = match.groups()
        unit = word.lower() if word.lower() in ("epoch", "step") else None
        unit = unit or nearest(word, ("epoch", "step", "epochs", "steps"))
        if unit is not None and found != f"{unit} {count}":
            sure = word.lower() == unit
            write = f"{unit.rstrip('s')} {count}"
            text.mend("T136", match.span(1), write, certain=sure, found=found)

    def end(match: re.Match[str]) -> None:
        write = "end" if match["end"] else "start"
        text.mend("T136", match.span(1), write, found=match[1])

    text.each(_MOMENT, text.bare, mend)
    text.each(_ARGUMENT_MOMENT, text.inner, inside)
    text.each(_ENDS, text.outer, end)


def misspelt(text: Statement) -> None:
    """`until epch 40`, `until epoch 40%`."""

    def mend(match: re.Match[str]) -> None:
        found, unit, count = match.groups()
        meant = nearest(unit, ("epoch", "step"))
        if meant is None or (found == f"{meant} {count}" and not count.endswith("%")):
            return
        write = count if count.endswith("%") else f"{meant} {count}"
        text.mend("T136", match.span(1), write, certain=False, found=found)

    text.each(_MISSPELT, text.outer, mend)


def reaching(text: Statement) -> None:
    """`skip before epoch 10`, `skip untl epoch 4`, `skip in "layer3"`."""
    first = re.match(rf"(?:{either(SLOTS)}\s+)?{NAME}", text.bare)
    if first is None or (re.match(NAME, text.bare) or first).group() in set(KEYWORDS) - set(SLOTS):
        return
    outer = text.outer
    for match in reversed(list(_WORD.finditer(outer, first.end() - 1))):
        word = match[1]
        before = re.search(r"(\S+)$", outer[: match.start()])
        if word in REACH or (
            before is not None and before[1].rstrip(",") in (*REACH, "epoch", "step")
        ):
            continue
        if outer[: match.start()].rstrip().endswith(","):
            continue
        meant = _REACHING.get(word.lower())
        if meant == "from" and re.match(r"\s+\d+\s+(?:epoch|step)s?\b", outer[match.end() :]):
            meant = "for"
        sure = word.lower() in SURE
        if meant is None and len(word) > 2 and not re.fullmatch("epochs?|steps?", word):
            meant = nearest(word, REACH)
        if meant is not None:
            text.mend(
                "T134",
                match.span(1),
                meant,
                certain=sure,
                help=f"write `{meant}`",
                mark=word,
                reason="",
            )


def listed(text: Statement) -> None:
    """`except first and last`, `without ghost and skip`."""
    reached = re.search(r"\b(?:on|except)\s|^without\s", text.outer)
    if reached is None:
        return
    for match in reversed(list(_AND.finditer(text.outer, reached.end()))):
        where = match.span()
        mark = match.group().strip()
        text.mend("T134", where, ", ", help="write `,`", mark=mark, reason="")


def order(text: Statement) -> None:
    """`skip on conv until epoch 40`, `skip except "a" on "b"`."""
    parts = list(_PARTS.finditer(text.outer))
    rank = [REACH.index(part[1]) if part[1] in ("on", "except") else 0 for part in parts]
    if rank == sorted(rank):
        return
    ends = [*(part.start() for part in parts[1:]), len(text.text)]
    pieces = [(part.start(), end) for part, end in zip(parts, ends, strict=True)]
    sorted_pieces = [piece for _, piece in sorted(zip(rank, pieces, strict=True))]
    wrong = next(part for part, a, b in zip(parts[1:], rank, rank[1:], strict=False) if b < a)
    start = next(
        piece[0] for piece, other in zip(pieces, sorted_pieces, strict=True) if piece != other
    )
    last = max(i for i, (a, b) in enumerate(zip(pieces, sorted_pieces, strict=True)) if a != b)
    stop = ends[last]
    stop = start + len(text.text[start:stop].rstrip())
    changed = [piece for piece in sorted_pieces if start <= piece[0] < stop]
    made: list[str | tuple[int, int]] = []
    for begin, end in changed:
        piece = text.text[begin:end].rstrip(" ,\t\n")
        made += [" "] if made else []
        made.append((begin, begin + len(piece)))
    write = "".join(part if isinstance(part, str) else text.text[slice(*part)] for part in made)
    if wrong[1] in BOUNDS:
        help = f"the window stands before the layers: write `{shown(write)}`"
    else:
        help = f"`on` stands before `except`: write `{shown(write)}`"
    text.report("T134", wrong.span(1), (start, stop, write), help=help, mark=wrong[1], reason="")
    whole = len(text.text)
    text.written = text.written.composed([(0, start), *made, (stop, whole)])


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
    if match is None or match[1].lower() in KEYWORDS or nearest(match[1], KEYWORDS) is not None:
        return
    argument = f"name({match[1]}={match[2]})"
    help = f"an argument stands in the brackets of what it belongs to, as in `{argument}`"
    text.report("T103", match.span(1), help=help, name=match[1])
    text.word = match[1]
