"""Bad recipes with their messages: `NAME.tost`, and beside it `NAME.stderr` as it is shown.

A recipe says in comments which codes it gets where: `#~ T201` at the end of the line, `#~^ T104`
on a line below where the line itself cannot have one, `#~! T212` anywhere for what stands in no
line of this file. `#@ --set sparsity=95%` gives options. `pytest tests/ui --bless` renews the
messages.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tostdsl.compile.compiler import Compiled, compile_file
from tostdsl.diagnostics import CATALOGUE, Diagnostic
from tostdsl.diagnostics.render import render_all

HERE = Path(__file__).parent
RECIPES = sorted(path.stem for path in HERE.glob("*.tost"))
MARK = re.compile(r"#~([!^]?) ((?:[TW]\d{3} ?)+)$")

NO_RECIPE = {
    "T109": "a file of a megabyte; in tests/compile and tests/syntax",
    "T111": "a mistake of the formatter, which nobody knows of",
    "T150": "a file of a megabyte",
    "T151": "a file of a megabyte",
    "T153": "a file of a megabyte",
    "T159": "a file of a megabyte",
    "T231": "of the command line; in tests/diagnostics/test_explain.py",
    "T261": "needs a file system that ignores capitals",
    "T262": "needs a file system that does not ignore capitals",
    "T263": "files of a megabyte",
    "T264": "needs a broken plug-in; in tests/test_registry.py",
    "T270": "of saved plans; in tests/compile/test_saved.py",
    "T271": "of saved plans; in tests/compile/test_saved.py",
    "T272": "of saved plans; in tests/compile/test_saved.py",
    "T350": "a file of a megabyte",
    "T351": "a file of a megabyte",
    "T503": "only known once the network is built",
    "T505": "only known once the network is built",
    "T506": "only known once the network is built",
    "T507": "only known once the network is built",
    "T508": "only known once the network is built",
    "T523": "only known once the network is built",
    "T530": "only known once the network is built",
    "T531": "only known once the network is built",
    "T540": "of `tost mask`; in tests/cli/test_mask.py",
    "T550": "of commands that run; in tests/cli/test_code.py",
    "T560": "only known once the file is read",
    "T561": "only known once the file is read",
    "T562": "only known once the file is read",
    "T563": "only known once the network is built",
    "W004": "needs a broken plug-in",
    "W050": "only known once the network is built",
    "W051": "only known once the network is built",
    "W052": "only known once the network is built",
    "W053": "only known once the network is built",
    "W090": "a file with a hundred mistakes; in tests/fuzz",
}
"""Codes that no recipe of a readable size gets while it is checked, and why."""


def content(path: Path) -> str:
    """The text of a recipe, whatever its encoding; what is no text at all is marked."""
    data = path.read_bytes()
    utf16 = data.startswith(b"\xff\xfe")
    return data.decode("utf-16" if utf16 else "utf-8", errors="replace")


def options(text: str) -> tuple[dict[str, str], Path | None]:
    """What `#@` lines give: params, and a file of them."""
    sets: dict[str, str] = {}
    file = None
    for line in re.findall(r"^#@ (.*)$", text, re.MULTILINE):
        words = shlex.split(line)
        for option, value in zip(words[::2], words[1::2], strict=True):
            if option == "--set":
                name, _, given = value.partition("=")
                sets[name] = given
            else:
                assert option == "--set-file", option
                file = Path(value)
    return sets, file


def wanted(text: str) -> list[tuple[int, str]]:
    """Line and code of what the comments announce; line 0 for what stands elsewhere."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        match = MARK.search(line)
        if match is not None:
            at = {"": number, "^": number - 1, "!": 0}[match[1]]
            found += [(at, code) for code in match[2].split()]
    return sorted(found)


def given(name: str, diagnostics: tuple[Diagnostic, ...]) -> list[tuple[int, str]]:
    """Line and code of what was found."""
    found = []
    for diagnostic in diagnostics:
        span = diagnostic.span
        here = span is not None and span.source.name == f"{name}.tost"
        found.append((span.line if here and span is not None else 0, diagnostic.code))
    return sorted(found)


def compiled(name: str, text: str) -> Compiled:
    sets, file = options(text)
    return compile_file(Path(f"{name}.tost"), sets, set_file=file)


@pytest.mark.parametrize("name", RECIPES)
def test_a_bad_recipe_gets_its_messages(
    name: str, bless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake is found in its line, nothing else is, and the text is the one beside it."""
    monkeypatch.chdir(HERE)
    text = content(Path(f"{name}.tost"))
    diagnostics = compiled(name, text).diagnostics
    assert wanted(text) == given(name, diagnostics)
    shown = render_all(diagnostics) + "\n"
    golden = Path(f"{name}.stderr")
    if bless:
        golden.write_text(shown, encoding="utf-8")
    assert golden.read_text(encoding="utf-8") == shown
    assert all(len(line) <= 80 for line in shown.split("\n") if " | " in line or "help:" in line)


def test_every_code_of_compiling_has_a_golden_message() -> None:
    """Each T and W code has a recipe that gets it, but for those that no recipe can get."""
    shown = {code for path in HERE.glob("*.tost") for _, code in wanted(content(path))}
    compile_time = {code for code in CATALOGUE if code[0] in "TW"}
    assert [] == sorted(compile_time - shown - set(NO_RECIPE))
    assert [] == sorted(shown & set(NO_RECIPE))


def test_no_golden_message_is_left_over() -> None:
    """Each belongs to a recipe."""
    assert RECIPES == sorted(path.stem for path in HERE.glob("*.stderr"))


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("newcomer_")])
def test_a_newcomer_is_told_what_to_write(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message has a help line, and nothing is said that the mistake does not explain."""
    monkeypatch.chdir(HERE)
    diagnostics = compile_file(Path(f"{name}.tost")).diagnostics
    assert diagnostics
    assert [] == [d.code for d in diagnostics if not d.help]


@pytest.mark.parametrize("name", RECIPES)
def test_a_wrong_value_comes_with_help(name: str) -> None:
    """What says that a value is of a wrong type or out of range also says what to write."""
    shown = (HERE / f"{name}.stderr").read_text(encoding="utf-8")
    for message in re.split(r"\n\n", shown):
        if re.match(r"error\[(T301|T303|T504|T401|T412)\]", message):
            assert "= help: " in message, message
