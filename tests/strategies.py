"""Hypothesis strategies: recipe files as text, right in form and as oddly laid out as can be."""

from __future__ import annotations

import unicodedata

from hypothesis import strategies as st

MODELS = ["resnet18", "cifar10", "lottery", "sgd", "multistep"]
SLOTS = ["model", "data", "mask", "optimizer", "schedule", "loss"]
STAGES = ["ghost", "skip", "init", "labels", "epoch", "_x1"]
NAMES = ["crop", "flip", "linear", "start", "end", "seed", "on", "epoch", "for", "x_1"]
NUMBERS = ["0.10", "2E-4", "1e6", ".5", "5.", "-0.0", "0.0001", "1000000.0", "12345.678", "1.0"]
SCALARS = [
    *["0", "1", "007", "-3", "128", "1000000"],
    *NUMBERS,
    *["90%", "0.50%", "-1e-7%", "2x", "1.50x", "1000000x", "2:4", "64:02:5"],
    *["epoch 40", "step  1000000", "epoch\t2.50", "step -1", "1 epochs", "30  epoch", "200 steps"],
]
COMMENTS = ["#", "# why", "#crowded", "##  two", "#!x", '# "', "# ([", "# fmt: on", "# a, b  "]

_SPACE = st.sampled_from(["", "", "", " ", "  ", "\t"])
_GAP = st.sampled_from([" ", " ", " ", "  ", "\t"])

_LETTERS = st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)


comments = st.one_of(
    st.sampled_from(COMMENTS),
    st.text(_LETTERS, max_size=12).map("# {}".format).map(_normal),
)
strings = (
    st.text(_LETTERS | st.sampled_from('"\\#()[]'), max_size=12)
    .map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
    .map(_normal)
)


@st.composite
def line_ends(draw: st.DrawFn) -> str:
    """What may stand between two tokens inside brackets."""
    kind = draw(st.integers(0, 11))
    if kind < 9:
        return ("", "", "", "", "", " ", "\t ", "\n", "\r\n      ")[kind]
    if kind == 9:
        return f" {draw(comments)}\n  "
    before = "\n" * draw(st.integers(1, 2))
    return f"{before}  {draw(comments)}\n{draw(comments)}\n\n"


@st.composite
def bracketed(draw: st.DrawFn, opening: str, closing: str, items: st.SearchStrategy[str]) -> str:
    """Items in brackets, with line ends and comments in between."""
    gap = line_ends()
    shown = draw(st.lists(items, max_size=3))
    text = opening + draw(gap)
    for index, item in enumerate(shown):
        comma = "," + draw(gap) if index < len(shown) - 1 or draw(st.booleans()) else ""
        text += item + draw(gap) + comma
    return text + closing


@st.composite
def references(draw: st.DrawFn) -> str:
    """`$name`."""
    return "$" + draw(st.sampled_from(["", " "])) + draw(st.sampled_from(NAMES))


@st.composite
def named(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    """`name=value` inside brackets."""
    name = draw(st.sampled_from(NAMES))
    return f"{name}{draw(line_ends())}={draw(line_ends())}{draw(values)}"


def calls(names: list[str], values: st.SearchStrategy[str], inside: bool) -> st.SearchStrategy[str]:
    """A name, with or without arguments; between the two only brackets allow a line end."""

    @st.composite
    def call(draw: st.DrawFn) -> str:
        name = draw(st.sampled_from(names))
        if draw(st.booleans()):
            return name
        gap = draw(line_ends() if inside else _SPACE)
        return name + gap + draw(bracketed("(", ")", named(values) | values))

    return call()


def _values(inside: bool, deeper: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    gap = line_ends() if inside else _SPACE
    atoms = st.one_of(
        st.sampled_from(SCALARS),
        strings,
        references(),
        bracketed("[", "]", deeper),
        calls(NAMES, deeper, inside),
    )
    ramps = st.tuples(atoms, gap, gap, atoms).map(lambda t: f"{t[0]}{t[1]}->{t[2]}{t[3]}")
    return st.integers(0, 7).flatmap(lambda kind: ramps if kind == 0 else atoms)


_LEAF = st.sampled_from([*SCALARS, *NAMES]) | strings | references()
_INNER = _values(True, _values(True, _LEAF))
values = _values(False, _INNER)


@st.composite
def bounds(draw: st.DrawFn) -> str:
    """A window, its parts in any order."""
    words = draw(st.lists(st.sampled_from(["from", "until", "for", "at"]), max_size=2))
    return "".join(f"{draw(_GAP)}{word}{draw(_GAP)}{draw(values)}" for word in words)


@st.composite
def reach(draw: st.DrawFn) -> str:
    """A window and targets."""
    text = draw(bounds())
    for word in ("on", "except"):
        chosen = draw(st.lists(strings | values, max_size=2))
        if chosen:
            text += f"{draw(_GAP)}{word}{draw(_GAP)}" + f"{draw(_SPACE)},{draw(_SPACE)}".join(
                chosen
            )
    return text


@st.composite
def statements(draw: st.DrawFn) -> str:
    """One statement."""
    gap, space, value = draw(_GAP), draw(_SPACE), values
    name = draw(st.sampled_from(NAMES))
    match draw(st.integers(0, 12)):
        case 0:
            return f"tost{gap}{draw(value)}"
        case 1:
            return f"recipe{gap}{name}" + draw(strings.map(gap.__add__) | st.just(""))
        case 2:
            checksum = strings.map(lambda text: f"{gap}sha256{gap}{text}")
            return f"extends{gap}{draw(strings)}" + draw(checksum | st.just(""))
        case 3:
            removals = st.tuples(st.sampled_from(NAMES), bounds()).map("".join)
            names = draw(st.lists(removals, min_size=1, max_size=3))
            return f"without{gap}" + f"{space},".join(names)
        case 4:
            return f"param{gap}{name}{space}={space}{draw(value)}"
        case 5:
            return f"sweep{gap}{name}{gap}over{gap}{draw(value)}"
        case 6:
            word = draw(st.sampled_from([f"train{gap}for", "seed", "precision"]))
            return f"{word}{gap}{draw(value)}"
        case 7:
            op = draw(st.sampled_from([">=", "<=", "<", ">"]))
            return f"expect{gap}{name}{space}{op}{space}{draw(value)}"
        case 8 | 9:
            word = draw(st.sampled_from(SLOTS))
            return f"{word}{gap}{draw(calls(MODELS, _INNER, False))}{draw(reach())}"
        case _:
            return draw(calls(STAGES, _INNER, False)) + draw(reach())


@st.composite
def recipes(draw: st.DrawFn) -> str:
    """A whole file."""
    text = "\n" * draw(st.integers(0, 2))
    for _ in range(draw(st.integers(0, 5))):
        indent = draw(st.sampled_from(["", "", "  "]))
        match draw(st.integers(0, 7)):
            case 0:
                line = draw(comments)
            case 1:
                line = draw(st.sampled_from(["# fmt: off", "#fmt:on", "# fmt: on"]))
            case 2:
                line = f"{draw(statements())} {draw(comments)}"
            case _:
                line = draw(statements())
        end = draw(st.sampled_from(["\n", "\n", "\n", "\n\n", " \n\n\n", "\r\n", "\r\n \r\n"]))
        text += indent + line + end
    return text if draw(st.booleans()) else text.rstrip("\r\n")


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A file in which a few characters are missing, doubled, swapped or strange."""
    text = draw(recipes())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        match draw(st.integers(0, 3)):
            case 0:
                text = text[:at] + text[at + 1 :]
            case 1:
                text = text[:at] + text[at : at + 1] * 2 + text[at + 1 :]
            case 2:
                text = text[:at] + text[at : at + 2][::-1] + text[at + 2 :]
            case _:
                text = text[:at] + draw(st.sampled_from('()[]",=#$->.%x:1e\\\n\0é ')) + text[at:]
    return text
