"""The documents tell the truth: every snippet is checked, every command is run."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tostdsl.compile.compiler import compile_file, compile_source
from tostdsl.source import Source

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


def test_make_targets_of_the_readme_exist() -> None:
    """The two commands stand in the Makefile."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in commands():
        if command.startswith("make "):
            assert f"\n{command.split()[1]}:" in makefile


def test_the_mistake_shown_is_the_mistake_made() -> None:
    """The message in the README is what the compiler says."""
    from tostdsl.diagnostics.render import render

    recipe = next(text for text in blocks("README.md", "tost") if "cifar_resnet(8)" in text)
    wrong = recipe.replace("ghost(activation", "ghots(activation")
    (found,) = compile_source(Source("first.tost", wrong)).diagnostics
    shown = next(text for text in blocks("README.md", "text") if "T201" in text)
    assert shown.strip() == render(found).strip()
