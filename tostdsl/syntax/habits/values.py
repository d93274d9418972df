"""Habits in values: numbers with units, ranges, tuples, references, paths."""

from __future__ import annotations

import re
from decimal import Decimal

from tostdsl.diagnostics import nearest
from tostdsl.syntax.habits.statement import NAME, Statement, either
from tostdsl.units import number_text

MAX_RANGE = 20
"""Values of the longest range that is written out."""
MAX_PLACES = 15
"""Digits of the longest number that is written another way."""

UNITS = {
    "epochs": ("epochs", "epoch", "ep", "eps", "epo"),
    "steps": ("steps", "step", "iterations", "iteration", "iters", "iter", "its", "it", "batches",
              "batch", "updates", "update"),
    "%": ("%", "percent", "pct", "per cent", "prozent"),
    "x": ("x", "X", "fold", "times"),
    "": ("px", "pixels", "f", "F", "d", "L"),
}  # fmt: skip
"""How people write the units, by how they are written here; the last ones have none."""
_UNIT = {word: unit for unit, words in UNITS.items() for word in words}
THOUSANDS = {"k": 3, "K": 3, "M": 6, "m": 6}
TIME = ("hours", "hour", "h", "minutes", "minute", "min", "days", "day", "seconds", "second")

DIGITS = r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_PLAIN = rf"-?{DIGITS}"
_VALUE = rf"(?:{_PLAIN}[%x]?|\$\w+)"
_BEFORE = r"(?<![\w.$%)\"])"
_SIMPLE = re.compile(rf"{_PLAIN}(?:[%x]|[ \t]+(?:epochs?|steps?))?|(?:epoch|step) \d+(?:\.\d+)?")


_LEAD = r"(?:\b(from|until|at|for)\s+)?"
_NUMBER = re.compile(
    rf"{_LEAD}{_BEFORE}([-+]?)(\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?)([kKM](?![A-Za-z]))?"
    rf"(?:(\s*)(%|[A-Za-z]\w*\b))?(?![\w.]*\.\d)"
)


_THOUSANDS = re.compile(
    r"(?<![\w.,$])(\d{1,3}(?:,\d{3})+)(?=[ \t]+(?:epochs?|steps?)\b)"
    r"|(?<=\bepoch )(\d{1,3}(?:,\d{3})+)(?![\w.,%])|(?<=\bstep )(\d{1,3}(?:,\d{3})+)(?![\w.,%])"
)
_TIMES = re.compile(r"(?<==)\s*(\d+(?:\.\d+)?)\s*\*(?=\s*[,)])")
_PATTERN = re.compile(r"(?<=[=(,\[])\s*(\d+(?:\s+:\s*|:\s+)\d+)(?=\s*[,)\]])")


def thousands(text: Statement) -> None:
    """`1,000 steps`, `2*` for a factor, `2 : 4` for a pattern."""

    def mend(match: re.Match[str]) -> None:
        found = match.group()
        text.mend("T144", match.span(), found.replace(",", ""), found=found)

    def times(match: re.Match[str]) -> None:
        where = (match.start(1), match.end())
        text.mend("T144", where, f"{match[1]}x", certain=False, found=text.text[slice(*where)])

    def pattern(match: re.Match[str]) -> None:
        text.mend("T144", match.span(1), re.sub(r"\s", "", match[1]), found=match[1])

    text.each(_THOUSANDS, text.outer, mend)
    text.each(_TIMES, text.bare, times)
    text.each(_PATTERN, text.bare, pattern)


def numbers(text: Statement) -> None:
    """`64_000`, `160epochs`, `90 %`, `2X`, `4px`, `64k steps`, `1e3 iterations`."""

    def mend(match: re.Match[str]) -> None:
        lead, sign, digits, thousands, gap, unit = match.groups()
        start, end = match.start(2), match.end()
        found = text.text[start:end]
        sign = sign.strip("+")
        meant = _UNIT.get(unit or "")
        if unit is None:
            meant = ""
        elif meant is None and gap and len(unit) > 2:
            near = nearest(unit, ("epochs", "steps", "epoch", "step"))
            meant = near if near in (None, "epochs", "steps") else f"{near}s"
        if meant is None or (unit is not None and not meant and gap):
            end = match.end(3) if thousands is None else match.end(4)
            unit, gap, meant, found = None, "", "", text.text[start:end]
            if text.bare[end : end + 1].isalpha():
                return
        plain = digits.replace("_", "")
        if not re.fullmatch(DIGITS, plain):
            return
        if thousands:
            plain = number_text(Decimal(plain).scaleb(THOUSANDS[thousands]))
        if "e" in plain.lower() and meant in ("x", "epochs", "steps"):
            if abs(Decimal(plain).adjusted()) >= MAX_PLACES:  # too long to read
                return
            plain = f"{Decimal(plain).normalize():f}"
        if meant in ("epochs", "steps"):
            if lead in ("from", "until", "at") and not (gap and unit in UNITS[meant][:2]):
                write = f"{meant[:-1]} {sign}{plain}"
            elif unit in UNITS[meant][:2] and gap:
                write = f"{sign}{plain}{gap}{unit}"
            else:
                write = f"{sign}{plain} {meant}"
        else:
            write = f"{sign}{plain}{meant}"
        if write != found and _SIMPLE.fullmatch(write):
            sure = not unit or (meant != "" and unit in _UNIT) or unit in ("f", "F")
            text.mend("T144", (start, end), write, certain=sure, found=found)

    text.each(_NUMBER, text.bare, mend)


_QUOTED = re.compile(
    r"\"(\d+)\"\s+((?:epoch|step)s?)(?!\w)|(?<![\w.])(\d+)\s+\"((?:epoch|step)s?)\""
    r"|\b(epoch|step)\s+\"(\d+)\""
)


def quoted(text: Statement) -> None:
    """`8 "epochs"`, `"8" epochs`, `epoch "4"`."""

    def mend(match: re.Match[str]) -> None:
        write = " ".join(filter(None, match.groups()))
        text.mend("T144", match.span(), write, found=match.group())

    text.each(_QUOTED, text.text, mend)


_REFERENCES = (
    re.compile(rf"\$\{{\s*({NAME})\s*\}}"),
    re.compile(rf"(?<=[=(,\[])\s*\{{\s*({NAME})\s*\}}"),
    re.compile(rf"\$\s+({NAME})"),
    re.compile(rf"\$({NAME}(?:-[A-Za-z_]\w*)+)"),
    re.compile(rf"%({NAME})%|%\(({NAME})\)s?"),
    re.compile(rf"\$?\{{\{{\s*\$?({NAME})\s*\}}\}}"),
    re.compile(rf"(?<=[=(,\[])\s*[@%&]({NAME})"),
    re.compile(rf"\$(?:params?|vars?|self|args?|cfg|config)\.({NAME})"),
)


def references(text: Statement) -> None:
    """`${lr}`, `{lr}`, `{{lr}}`, `@lr`, `$params.lr`, `$learning-rate`."""

    def mend(match: re.Match[str]) -> None:
        name = next(filter(None, match.groups())).replace("-", "_")
        found = match.group()
        start = match.start() + len(found) - len(found.lstrip())
        text.mend("T144", (start, match.end()), f"${name}", found=found.strip())

    for pattern in _REFERENCES:
        text.each(pattern, text.bare, mend)


_LISTED_RANGE = re.compile(
    r"\[\s*(\d{1,9})\s*(?:\.\.+|-|:)\s*(\d{1,9})\s*\]|range\((\d{1,9}),\s*(\d{1,9})\)"
)
_RANGE = re.compile(r"(?:\bover\s+|\bin\s+|=\s*)((\d{1,9})\s*\.\.+\s*(\d{1,9}))")
_REACHED = re.compile(r"\b(?:from\s+)?((epoch|step)s?\s+(\d+)\s*(?:\.\.+|-|to)\s*(\d+))(?![\w.%])")
_BARE_RANGE = re.compile(r"\bfrom\s+(\d+)\s*(?:\.\.+|-|to)\s*(\d+)(?![\w.%])")
_DURING = re.compile(r"\bduring\s+(epoch|step)s?\s+(\d{1,9})(?![\w.%])")
_BETWEEN = re.compile(r"\bbetween\s+(.+?)\s+and\s+(\S.*?)(?=\s+(?:on|except)\b|$)")


def ranges(text: Statement) -> None:
    """`[1..5]`, `over 1..3`, `epoch 0..40`, `between epoch 1 and epoch 4`."""

    def listed(match: re.Match[str]) -> None:
        first, last = (int(each) for each in match.groups() if each)
        spread(match.span(), first, last)

    def plain(match: re.Match[str]) -> None:
        spread(match.span(1), int(match[2]), int(match[3]))

    def spread(where: tuple[int, int], first: int, last: int) -> None:
        found = text.text[slice(*where)]
        if not 0 <= last - first < MAX_RANGE:
            return
        write = f"[{', '.join(map(str, range(first, last + 1)))}]"
        text.mend("T144", where, write, certain=False, found=found)

    def moments(match: re.Match[str]) -> None:
        _, unit, first, last = match.groups()
        write = f"from {unit} {first} until {unit} {last}"
        where = (match.start(), match.end())
        text.mend("T136", where, write, certain=False, found=match.group())

    def epochs(match: re.Match[str]) -> None:
        write = f"from epoch {match[1]} until epoch {match[2]}"
        text.mend("T136", match.span(), write, certain=False, found=match.group())

    def during(match: re.Match[str]) -> None:
        unit, count = match.groups()
        write = f"from {unit} {count} until {unit} {int(count) + 1}"
        text.mend("T136", match.span(), write, certain=False, found=match.group())

    def between(match: re.Match[str]) -> None:
        write = f"from {text.text[slice(*match.span(1))]} until {text.text[slice(*match.span(2))]}"
        text.mend("T136", match.span(), write, certain=False, found=text.text[slice(*match.span())])

    text.each(_LISTED_RANGE, text.bare, listed)
    text.each(_RANGE, text.bare, plain)
    text.each(_REACHED, text.outer, moments)
    text.each(_BARE_RANGE, text.outer, epochs)
    text.each(_BETWEEN, text.outer, between)
    text.each(_DURING, text.outer, during)


_RAMP = re.compile(rf"=\s*({_VALUE}(\s+(?:to|-|until|=>|~)\s+|\s*\.\.+\s*){_VALUE})(?![\w.*/+])")


def ramps(text: Statement) -> None:
    """`smoothing=0.1 to 0`, `smoothing=0.1 - 0`."""

    def mend(match: re.Match[str]) -> None:
        found = match.group(1)
        glue = match.group(2)
        if glue.strip() == "-" and "$" in found:  # more likely a difference
            return
        write = found.replace(glue, " -> ", 1)
        text.mend("T144", match.span(1), write, certain=glue.strip() == "to", found=found)

    text.each(_RAMP, text.inner, mend)


_TUPLE = re.compile(r"(?:(=|,|\[|->)|\b(over|on|except|in))\s*(\()")


def tuples(text: Statement) -> None:
    """`at=(50%, 75%)`, `over (1, 2)`, `except (first, last)`."""
    for match in reversed(list(_TUPLE.finditer(text.bare))):
        start = match.start(3)
        end = text.closing(start)
        if end is None or text.bare[end] == "}":
            continue
        found = text.text[start : end + 1]
        inside = found[1:-1].strip()
        bare = match[2] in ("on", "except", "in")
        if not inside or "=" in text.bare[start + 1 : end].split("(")[0]:
            continue
        write = inside if bare else f"[{inside}]"
        edits = (start, start + 1, "" if bare else "["), (end, end + 1, "" if bare else "]")
        text.report("T144", (start, end + 1), *edits, found=found, write=write)
        text.put(end, end + 1, edits[1][2])
        text.put(start, start + 1, edits[0][2])


_DOTTED = re.compile(
    rf"(?:(?<=[=(,\[])\s*|^{either(('model', 'data', 'mask', 'optimizer', 'schedule'))}\s+)"
    rf"({NAME}(?:\.{NAME})+)"
)


def dotted(text: Statement) -> None:
    """`torch.optim.SGD(lr=0.1)`, `nn.SiLU()`."""

    def mend(match: re.Match[str]) -> None:
        found = match[1]
        write = found.rsplit(".", 1)[1].lower()
        end = match.end(1)
        if text.text[end : end + 2] == "()":
            end += 2
        text.mend("T140", (match.start(1), end), write, certain=False, found=found)

    text.each(_DOTTED, text.bare, mend)


_PATH = re.compile(r"(?<=[=(,\[])\s*((?:~|\.{1,2})?/[\w./~-]*[\w/~-]|[A-Za-z_][\w.-]*/[\w./-]*\w)")


def paths(text: Statement) -> None:
    """`imagefolder(/data/birds)`."""

    def mend(match: re.Match[str]) -> None:
        text.mend("T139", match.span(1), f'"{match[1]}"')

    text.each(_PATH, text.bare, mend)
