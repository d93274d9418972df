"""Reading the examples of the explain pages, and trying them, as their convention says."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tostdsl.compile.compiler import compile_file
from tostdsl.diagnostics.explain import HEAD, page

FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DEFAULT = "tost check recipe.tost"


@dataclass(frozen=True)
class Example:
    """Files by name, and the commands that show it."""

    files: dict[str, str]
    commands: tuple[str, ...]

    @property
    def plain(self) -> bool:
        """Whether checking its recipe is all there is to it."""
        return self.commands == (DEFAULT,)

    def write(self, folder: Path) -> None:
        """Put the files into a folder."""
        for name, text in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def completed(text: str) -> str:
    """An unnamed recipe below the lines of the recipe it stands in."""
    words = {line.split(" ")[0].strip(":,") for line in text.splitlines() if line}
    if "extends" in words:
        return text
    return "".join(f"{line}\n" for line in HEAD if line.split(" ")[0] not in words) + text


def example(section: str) -> Example:
    """The example in a section of a page."""
    files: dict[str, str] = {}
    commands: list[str] = []
    for language, name, text in FENCE.findall(section):
        if language == "console":
            commands += [line.removeprefix("$ ") for line in text.splitlines()]
        elif name:
            files[name] = text
        else:
            assert language == "tost", language
            files["recipe.tost"] = completed(text)
    return Example(files, tuple(commands) or (DEFAULT,))


def sections(code: str) -> dict[str, str]:
    """What stands below each heading of a page."""
    text = page(code)
    assert text is not None, code
    parts = re.split(r"^## (\w+)\n", text, flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[::2], strict=True))


def codes_given(
    shown: Example, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> list[tuple[str, str]]:
    """Severity and code of everything an example in the current folder gives."""
    if shown.plain:
        found = compile_file(Path("recipe.tost")).diagnostics
        return [(str(d.severity), d.code) for d in found]
    return list(_by_command(shown, monkeypatch, capsys))


def _by_command(
    shown: Example, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[tuple[str, str]]:
    from tostdsl.cli.main import entry

    for command in shown.commands:
        words = shlex.split(command)
        assert words[0] == "tost", command
        monkeypatch.setattr("sys.argv", words)
        capsys.readouterr()
        with pytest.raises(SystemExit):
            entry()
        err = capsys.readouterr().err
        assert "Traceback" not in err
        yield from re.findall(r"^(error|warning|note)\[(\w+)\]", err, re.MULTILINE)
