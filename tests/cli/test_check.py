"""`tost check`: many files and folders, three formats, one exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Tost

GOOD = "model resnet20\ndata cifar10\ntrain for 160 epochs\n"
WARNS = GOOD + "mask random(sparsity=0.9)\n"
BAD = GOOD + "ghots until 25%\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with recipes at several depths, some hidden; it is the current one."""
    monkeypatch.chdir(tmp_path)
    files = {"b.tost": GOOD, "a/z.tost": GOOD, "a.tost": WARNS, ".git/c.tost": BAD, "notes": BAD}
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_a_folder_stands_for_the_recipes_below_it(folder: Path, tost: Tost) -> None:
    """Every `*.tost` at any depth, sorted, each once; hidden folders and other files are not."""
    said = tost("check", ".", "b.tost", folder / "b.tost")
    assert ["a/z.tost", "a.tost", "b.tost"] == [
        line.partition(":")[0] for line in said.out.splitlines()
    ]
    assert 0 == said.code


def test_a_folder_without_recipes_is_said(folder: Path, tost: Tost) -> None:
    """Nothing to look at is not a success."""
    said = tost("check", "b.tost", "empty")
    assert 3 == said.code
    assert "R601" in said.err
    assert "b.tost: ok" in said.out


@pytest.mark.parametrize(
    ("texts", "words", "status"),
    [
        ({"a": GOOD}, [], 0),
        ({"a": GOOD, "b": WARNS}, [], 0),
        ({"a": GOOD, "b": WARNS}, ["--strict"], 1),
        ({"a": BAD, "b": WARNS}, ["--strict"], 2),
        ({"a": BAD, "b": GOOD}, [], 2),
        ({"a": BAD, "b": None}, [], 3),
        ({"a": None, "b": BAD}, [], 3),
    ],
)
def test_the_worst_exit_status_wins(
    tmp_path: Path, tost: Tost, texts: dict[str, str | None], words: list[str], status: int
) -> None:
    """Unreadable over mistakes over warnings, in whatever order they come."""
    for name, text in texts.items():
        if text is not None:
            (tmp_path / name).write_text(text)
    for form in ("text", "json", "github"):
        said = tost("check", *(tmp_path / name for name in texts), *words, "--format", form)
        assert status == said.code


def test_bytes_that_are_no_text_could_not_be_read(tmp_path: Path, tost: Tost) -> None:
    """A file in another encoding is unreadable, 3; an `extends` of nothing is a mistake, 2."""
    path = tmp_path / "r.tost"
    path.write_bytes(b"# caf\xe9\n" + GOOD.encode())
    assert 3 == tost("check", path).code
    path.write_text('extends "none.tost"\n' + GOOD)
    assert 2 == tost("check", path).code


def test_standard_input(tost: Tost) -> None:
    """`-` reads standard input, with its messages under a name of its own."""
    assert "<stdin>: ok" in tost("check", "-", stdin=GOOD.encode()).out
    said = tost("check", "-", stdin=BAD.encode())
    assert 2 == said.code
    assert "--> <stdin>:4:1" in said.err
    assert 3 == tost("check", "-", stdin=b"\xff").code


def test_json_is_one_document(folder: Path, tost: Tost) -> None:
    """All files, unreadable ones too, in one document, and nothing else on standard output."""
    (folder / "bad.tost").write_text(BAD)
    said = tost("check", ".", "missing.tost", "--format", "json")
    assert (3, "") == (said.code, said.err)
    content = json.loads(said.out)
    assert {"W001", "T201", "T213"} == {d["code"] for d in content["diagnostics"]}
    (folder / "bad.tost").unlink()
    (folder / "a.tost").unlink()
    assert [] == json.loads(tost("check", ".", "--format", "json").out)["diagnostics"]


def test_github_lines(folder: Path, tost: Tost) -> None:
    """One annotation a mistake or warning, and no line when there is none."""
    (folder / "bad.tost").write_text(BAD)
    said = tost("check", "bad.tost", "a.tost", "--format", "github")
    assert (2, "") == (said.code, said.err)
    assert ["::error file=bad.tost", "::warning file=a.tost"] == [
        line.partition(",")[0] for line in said.out.splitlines()
    ]
    assert "" == tost("check", "b.tost", "--format", "github").out


def test_what_recipes_share_is_told_once(folder: Path, tost: Tost) -> None:
    """A mistake in a file that two recipes extend is one report, and both are wrong."""
    (folder / "base.tost").write_text(BAD)
    for name in ("x.tost", "y.tost"):
        (folder / name).write_text('extends "base.tost"\n')
    said = tost("check", "x.tost", "y.tost")
    assert (2, 1, "") == (said.code, said.err.count("T201"), said.out)
    # what has no place may be about either
    said = tost("check", "b.tost", "a/z.tost", "--set", "nothing=1", "--format", "json")
    assert 2 == len(json.loads(said.out)["diagnostics"])
