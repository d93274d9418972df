"""The documents tell the truth: every snippet is checked, every command is run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tostdsl import registry
from tostdsl.cli.main import COMMANDS
from tostdsl.compile.compiler import compile_file, compile_source
from tostdsl.compile.language import LANGUAGE
from tostdsl.source import Source
from tostdsl.syntax.format import format_text

ROOT = Path(__file__).parents[1]
HEAD = "model resnet18\ndata cifar10\ntrain for 180 epochs\nmask random(sparsity=90%)\n"


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def snippets() -> list[tuple[str, str]]:
    found = []
    for document in ("README.md", "grammar/README.md"):
        for text in blocks(document, "tost"):
            whole = re.search(r"^model ", text, re.MULTILINE)
            head = "" if whole else HEAD
            if "mask " in text and head:
                head = head.replace("mask random(sparsity=90%)\n", "")
            found.append((document, head + text))
    return found


@pytest.mark.parametrize(("document", "text"), snippets())
def test_every_snippet_is_a_sound_recipe(document: str, text: str) -> None:
    """What the documents show as a recipe compiles without an error or a warning."""
    found = compile_source(Source(document, text)).diagnostics
    assert [] == [f"{d.code} {d.message}" for d in found]


def test_composed_recipes_and_their_origins_are_as_shown(tmp_path: Path) -> None:
    """Recipes shown as files are sound side by side, and `tost plan` says of them what is shown."""
    document = (ROOT / "grammar" / "README.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^```tost (\S+)\n(.*?)^```", document, re.MULTILINE | re.DOTALL))
    assert len(files) >= 2
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name in files:
        assert () == compile_file(tmp_path / name).diagnostics
    for block in blocks("grammar/README.md", "console"):
        command, _, shown = block.partition("\n")
        code = "from tostdsl.cli.main import entry; entry()"
        result = subprocess.run(
            [sys.executable, "-c", code, *shlex.split(command.removeprefix("$ tost "))],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (shown, "") == (result.stdout, result.stderr)


def commands() -> list[str]:
    found = []
    for block in blocks("README.md", "console"):
        found += [
            line[2:].split("  #")[0].strip() for line in block.splitlines() if line[:2] == "$ "
        ]
    return found


def printed(command: str) -> str:
    """What the README shows below a command."""
    for block in blocks("README.md", "console"):
        after = block.partition(f"$ {command}\n")[2]
        if after:
            return after.partition("$ ")[0].strip()
    return ""


def test_every_command_of_the_tour_runs(tmp_path: Path) -> None:
    """The README's `tost` commands work in the order they stand in."""
    recipe = next(text for text in blocks("README.md", "tost") if "cifar_resnet(8)" in text)
    (tmp_path / "first.tost").write_text(recipe, encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    files = re.findall(r"^```\w+ (\S+)\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert ["mine.py", "mine.tost"] == [name for name, _ in files]
    for name, text in files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    ran = 0
    for command in commands():
        words = shlex.split(command)
        if words[0] != "tost":
            assert words[0] == "make", f"no test runs `{command}`"
            continue
        code = "from tostdsl.cli.main import entry; entry()"
        result = subprocess.run(
            [sys.executable, "-c", code, *words[1:]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (0, "") == (result.returncode, result.stderr), command
        assert printed(command) in result.stdout, command
        ran += 1
    assert ran >= 5
    assert (tmp_path / "first" / "certificate.json").is_file()


def test_python_of_the_readme_runs(tmp_path: Path) -> None:
    """What is shown from Python works, and prints the recipe that it stands for."""
    (code,) = blocks("README.md", "python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "mask  random(sparsity=90%, distribution=erk)\n" in done.stdout
    assert "train: 5 epochs becomes 6 epochs\n" in done.stdout
    assert (tmp_path / "from-python" / "certificate.json").is_file()


def test_make_targets_of_the_readme_exist() -> None:
    """The two commands stand in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands():
        if command.startswith("make "):
            assert f"\n{command.split()[1]}:" in makefile


def test_the_table_of_commands_has_each() -> None:
    """In the order in which the help has them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert list(COMMANDS) == re.findall(r"^\| `tost ([\w-]+)` \|", readme, re.MULTILINE)


def test_the_mistake_shown_is_the_mistake_made() -> None:
    """The message in the README is what the compiler says."""
    from tostdsl.diagnostics.render import render

    recipe = next(text for text in blocks("README.md", "tost") if "cifar_resnet(8)" in text)
    wrong = recipe.replace("ghost(activation", "ghots(activation")
    (found,) = compile_source(Source("first.tost", wrong)).diagnostics
    shown = next(text for text in blocks("README.md", "text") if "T201" in text)
    assert shown.strip() == render(found).strip()


def test_the_comparison_shown_is_the_comparison_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the README shows of two recipes is what `tost diff` says on 80 columns."""
    from click.testing import CliRunner

    from tostdsl.cli.main import tost

    recipe = next(text for text in blocks("README.md", "tost") if "cifar_resnet(8)" in text)
    (tmp_path / "first.tost").write_text(recipe, encoding="utf-8")
    second = recipe.replace("until epoch 2", "until epoch 4")
    (tmp_path / "second.tost").write_text(second, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    found = CliRunner().invoke(tost, ["diff", "first.tost", "second.tost"], standalone_mode=False)
    shown = next(text for text in blocks("README.md", "text") if "until epoch 4" in text)
    assert (shown, 1) == (found.stdout, found.return_value)


def rows(section: str) -> list[str]:
    """The rows of the table in a section of the language's page, below its head."""
    page = (ROOT / "grammar" / "README.md").read_text(encoding="utf-8")
    text = page.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [line for line in text.split("\n") if line.startswith("| ")][2:]


@pytest.mark.parametrize(
    ("section", "kind"),
    [
        ("Statements", "statement"),
        ("Values", "value"),
        ("Windows", "window"),
        ("Targets", "targets"),
        ("Expectations", "metric"),
    ],
)
def test_the_languages_page_and_explain_tell_the_same(section: str, kind: str) -> None:
    """The tables of the page are what `tost explain` and `tost list` say, row by row."""
    entries = [entry for entry in LANGUAGE if entry.kind == kind]
    assert [f"| {entry.form} | {entry.meaning} |" for entry in entries] == rows(section)


def test_layouts_shown_are_the_one_layout() -> None:
    """What the page lays out, and says is laid out, the formatter leaves as it is."""
    for text in blocks("grammar/README.md", "tost"):
        assert (text, []) == format_text(Source("r.tost", text))


def test_the_page_names_every_argument_that_takes_a_ramp() -> None:
    """Of what is registered, no other argument may be a ramp."""
    ramps = {
        (cls.name, name)
        for cls in registry.everything()
        for name, info in cls.model_fields.items()
        if "Ramp" in str(info.annotation)
    }
    assert {("labels", "smoothing"), ("ghost", "beta")} == ramps


HEAD_OF_RULES = "model resnet20\ndata cifar10\nmask random(sparsity=90%)\ntrain for 160 epochs\n"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("skip from epoch 5 for 25%\n", ["T305"]),
        ("param a = $b\nparam b = 25%\nskip until $a\n", []),
        ("param a = $b\nparam b = $a\nskip until $a\n", ["T308"]),
        ("skip until $b\nparam b = 25%\n", []),
        ("param b = 25%\nskip until $B\n", ["T204"]),
        ("Seed 1\n", ["T143"]),
        ("schedule multistep(at=[50%, 75%,], factor=0.1,)\n", []),
        ("skip on conv,\n", ["T134"]),
        ("ghost(width=2x -> 3x) until 25%\n", ["T307"]),
        ("init(rescale=fanin_masked)\nghost(activation=swish) until 25%\nskip from 25%\n", []),
        ('extends "https://example.org/base.tost"\n', ["T216"]),
    ],
)
def test_rules_of_the_page_hold(text: str, codes: list[str]) -> None:
    """What the page says is refused is refused, and what it says may stand, may."""
    found = compile_source(Source("r.tost", HEAD_OF_RULES + text)).diagnostics
    assert codes == [d.code for d in found if d.severity == "error"]
