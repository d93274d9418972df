"""`tost diff` as git's driver."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Tost
from tests.cli.edited import BASE, edited
from tests.compare.test_sides import git

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a recipe, and an edited one beside it."""
    return edited(tmp_path, monkeypatch)


@pytest.fixture
def driver(repo: Path) -> Path:
    """The repository with the driver as the README says."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 'git config diff.tost.command "tost diff --git --"' in readme
    assert "*.tost diff=tost" in readme
    git(repo, "config", "diff.tost.command", f"'{sys.executable}' -m tostdsl diff --git --")
    (repo / ".gitattributes").write_text("*.tost diff=tost\n")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "driver")
    return repo


def git_diff(folder: Path, *words: str) -> list[str]:
    done = subprocess.run(
        ["git", "--no-pager", "diff", "-M", *words],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "" == done.stderr
    return done.stdout.splitlines()


def test_git_diff_shows_the_change_of_meaning(driver: Path) -> None:
    """Of a working tree, of the index, of two commits, and from a folder below the top."""
    text = BASE.replace("seed 1", "seed   7  # a note").replace("epoch 3", "epoch 4")
    (driver / "a.tost").write_text(text)
    lines = git_diff(driver)
    assert "diff --git a/a.tost b/a.tost" == lines[0]
    assert [
        "  seed                1 → 7",
        "  stages.skip.window  until epoch 3 → until epoch 4",
    ] == [line for line in lines if " → " in line and "steps" not in line]
    (driver / "below").mkdir()
    assert lines == git_diff(driver / "below")
    git(driver, "add", ".")
    assert lines[2:] == git_diff(driver, "--cached")[2:]
    git(driver, "commit", "-q", "-m", "seven")
    assert lines[2:] == git_diff(driver, "HEAD~1", "HEAD")[2:]


def test_git_diff_of_layout(driver: Path) -> None:
    """Says that it is layout, in a line."""
    (driver / "a.tost").write_text("# a note\n" + BASE)
    assert "layout only: the texts differ, the plans are the same" == git_diff(driver)[-1]


def test_git_diff_of_new_gone_and_renamed_files(driver: Path) -> None:
    """New and deleted ones as text, below their plan; a rename with what git says of it."""
    (driver / "new.tost").write_text(BASE)
    git(driver, "rm", "-q", "b.tost")
    git(driver, "add", "-N", "new.tost")
    lines = git_diff(driver, "HEAD", "--no-renames")
    assert "+++ b/new.tost" in lines
    assert 2 == sum(bool(re.match(r"index [0-9a-f]{7}\.\.[0-9a-f]{7}$", line)) for line in lines)
    assert "+seed 1" in lines
    assert "--- a/b.tost" in lines
    assert 2 == sum(line.startswith("recipe base, plan ") for line in lines)
    assert 2 == sum(line.endswith("/dev/null") for line in lines)
    git(driver, "checkout", "-q", "HEAD", "--", "b.tost")
    (driver / "new.tost").unlink()
    git(driver, "rm", "-q", "--cached", "new.tost")
    git(driver, "mv", "a.tost", "c d.tost")
    (driver / "c d.tost").write_text(BASE.replace("seed 1", "seed 2"))
    lines = git_diff(driver, "HEAD")
    assert "diff --git a/a.tost b/c d.tost" == lines[0]
    assert {"rename from a.tost", "rename to c d.tost", "  seed  1 → 2"} <= set(lines)


def test_git_diff_of_a_recipe_with_mistakes(driver: Path) -> None:
    """It says so, and shows the texts: git goes on with other files."""
    (driver / "a.tost").write_text(BASE + "ghots\n")
    (driver / "b.tost").write_text(BASE)
    lines = git_diff(driver)
    assert "b/a.tost, line 9: [T201] unknown technique `ghots`" in lines
    assert "+ghots" in lines
    assert "  train  8 epochs → 5 epochs" in lines


def test_git_diff_of_a_name_that_looks_like_an_option(driver: Path) -> None:
    """It is the name of a file."""
    git(driver, "mv", "--", "a.tost", "-x.tost")
    git(driver, "commit", "-q", "-m", "x")
    (driver / "-x.tost").write_text(BASE.replace("seed 1", "seed 2"))
    assert "  seed  1 → 2" in git_diff(driver)


def test_what_goes_wrong_in_the_driver_ends_no_git_diff(
    repo: Path, monkeypatch: pytest.MonkeyPatch, tost: Tost
) -> None:
    """One line says why, and the texts are shown."""
    from tostdsl.compare import comparison

    def broken(*_: object) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(comparison, "comparisons", broken)
    words = ["b.tost", "a.tost", "1" * 40, "100644", "b.tost", "2" * 40, "100644"]
    found = tost("diff", "--git", "--", *words)
    assert (0, "") == (found.code, found.err)
    lines = found.out.splitlines()
    assert "not compared: internal error: KeyError: 'oops'" in lines
    assert {"-seed 1", "-train for 5 epochs", "+train for 8 epochs"} <= set(lines)


def test_git_diff_of_bytes_and_of_modes(driver: Path) -> None:
    """What is no text, and a mode alone, do not stop it."""
    (driver / "a.tost").write_bytes(b"\xff\xfe\x00rubbish\x80")
    (driver / "b.tost").chmod(0o755)
    lines = git_diff(driver)
    assert any("T158" in line or "T106" in line for line in lines)
    assert "new mode 100755" in lines
    assert "no difference: the plans are the same" == lines[-1]


def test_git_diff_of_what_extends(driver: Path) -> None:
    """Both sides are taken to lie at the file's path, over what it extends there now."""
    (driver / "in").mkdir()
    (driver / "in" / "base.tost").write_text(BASE)
    (driver / "in" / "top.tost").write_text('extends "base.tost"\nseed 5\n')
    git(driver, "add", ".")
    git(driver, "commit", "-q", "-m", "in")
    (driver / "in" / "top.tost").write_text('extends "base.tost"\nseed 6\n')
    lines = git_diff(driver / "in")
    assert ["  seed  5 → 6"] == [line for line in lines if " → " in line]


def test_git_diff_of_an_unmerged_file(driver: Path) -> None:
    """One line for it."""
    git(driver, "checkout", "-q", "-b", "other")
    (driver / "a.tost").write_text(BASE.replace("seed 1", "seed 2"))
    git(driver, "commit", "-q", "-a", "-m", "two")
    git(driver, "checkout", "-q", "main")
    (driver / "a.tost").write_text(BASE.replace("seed 1", "seed 3"))
    git(driver, "commit", "-q", "-a", "-m", "three")
    with pytest.raises(subprocess.CalledProcessError):
        git(driver, "merge", "-q", "other")
    assert "* unmerged: a.tost" in git_diff(driver, "--cached")


@pytest.mark.parametrize("words", ["diff", "log -p --ext-diff"])
def test_a_reader_that_goes_away(driver: Path, words: str) -> None:
    """Git goes on, and does not say that its driver died."""
    for name in ("a.tost", "b.tost"):
        (driver / name).write_text(BASE.replace("seed 1", "seed 7"))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            ["git", "--no-pager", *words.split()],
            cwd=driver, stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert "" == done.stderr


@pytest.mark.parametrize("revisions", [[], ["--cached"], ["HEAD~1", "HEAD"]])
def test_git_diff_relative(driver: Path, revisions: list[str]) -> None:
    """Paths start from the folder then, and so does what a recipe extends."""
    (driver / "in").mkdir()
    (driver / "in" / "base.tost").write_text(BASE)
    for seed, message in ((5, "five"), (6, "six")):
        (driver / "in" / "a.tost").write_text(f'extends "base.tost"\nseed {seed}\n')
        if revisions or seed == 5:
            git(driver, "add", ".")
        if len(revisions) == 2 or seed == 5:
            git(driver, "commit", "-q", "-m", message)
    lines = git_diff(driver / "in", "--relative", *revisions)
    assert "diff --git a/a.tost b/a.tost" == lines[0]
    assert ["  seed  5 → 6"] == [line for line in lines if " → " in line]
    lines = git_diff(driver / "in", *revisions)
    assert "diff --git a/in/a.tost b/in/a.tost" == lines[0]
    assert ["  seed  5 → 6"] == [line for line in lines if " → " in line]
