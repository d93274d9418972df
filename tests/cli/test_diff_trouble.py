"""`tost diff` in trouble: its status is 2, never that of a difference."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Tost
from tests.cli.edited import BASE, edited


@pytest.fixture(autouse=True)
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a recipe, and an edited one beside it."""
    return edited(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.tost"], "name two to compare"),
        (["a.tost", "a.tost", "b.tost"], "name two to compare"),
        (["-", "-"], "one of the two only"),
        (["--against", "HEAD", "-"], "has no past"),
        (["a.tost", ""], "the path is empty"),
        (["a.tost", "none.tost"], "T213"),
        (["a.tost", "git:HEAD"], "R801"),
        (["a.tost", "git:HEAD:none.tost"], "R802"),
        (["a.tost", "."], "R804"),
        (["a.tost", "wrong.tost"], "T201"),
        (["--git", "a", "b"], "with 1, 7 or 9 words"),
        (["--git", "--", "a", "no", "0", "0", "none", "0", "0"], "there is no file `no`"),
        (["--git", "--json", "a"], "takes no other options"),
    ],
)
def test_all_trouble_is_two(tost: Tost, repo: Path, words: list[str], said: str) -> None:
    """As `diff` has it: 1 would say that they differ."""
    (repo / "wrong.tost").write_text(BASE + "ghots\n")
    found = tost("diff", *words)
    assert (2, "") == (found.code, found.out)
    assert said in found.err


def test_mistakes_on_both_sides_are_told(tost: Tost, repo: Path) -> None:
    for name in ("x.tost", "y.tost"):
        (repo / name).write_text(BASE + "ghots\n")
    err = tost("diff", "x.tost", "y.tost").err
    assert "--> x.tost:9:1" in err
    assert "--> y.tost:9:1" in err


def test_a_mistake_of_the_program_is_trouble_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not a difference."""
    from tostdsl.cli import diff
    from tostdsl.cli.main import tost as root

    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(diff, "_compared", broken)
    assert 2 == root.main(["diff", "a.tost", "b.tost"], standalone_mode=False)
    assert "R901" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["a.tost b.tost", "a.tost a.tost", "--against HEAD a.tost"])
def test_output_that_cannot_be_written_is_trouble(repo: Path, words: str) -> None:
    """On a full disk, and where the reader has gone: neither the same nor different."""
    command = f"'{sys.executable}' -m tostdsl diff {words}"
    done = subprocess.run(
        ["bash", "-c", f"{command} > /dev/full"], capture_output=True, text=True, check=False
    )
    assert (2, True) == (done.returncode, "R202" in done.stderr)
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            ["bash", "-c", command], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writing)
    assert (2, "") == (done.returncode, done.stderr)
