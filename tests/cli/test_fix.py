"""`tost fix`: files made right, or left as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Tost

HEAD = "model   resnet20\ndata cifar10\ntrain 160 epochs\n"
FIXED = "model   resnet20\ndata cifar10\ntrain for 160 epochs\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe with a mistake that has a certain fix, in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("r.tost")
    path.write_text(HEAD)
    return path


def test_certain_fixes_are_applied(file: Path, tost: Tost) -> None:
    """The mistake goes, the layout stays, and a second time there is nothing to do."""
    said = tost("fix", ".")
    assert (0, "r.tost: 1 fix applied\n", "") == (said.code, said.out, said.err)
    assert FIXED == file.read_text()
    said = tost("fix", file)
    assert (0, "") == (said.code, said.out)


def test_a_look_is_asked_for(file: Path, tost: Tost) -> None:
    """A suggestion waits for `--all`; until then what is left is told, and the status is 2."""
    file.write_text(FIXED + "gohst(activation=swish) until 25%\n")
    said = tost("fix", file)
    assert 2 == said.code
    assert "T201" in said.err
    assert "1 fix needs a look" in said.err
    assert 0 == tost("fix", "--all", file).code
    assert FIXED + "ghost(activation=swish) until 25%\n" == file.read_text()


def test_a_diff_writes_nothing(file: Path, tost: Tost) -> None:
    """`--diff` shows the change and says 1."""
    said = tost("fix", "--diff", file)
    assert (1, HEAD) == (said.code, file.read_text())
    assert {"-train 160 epochs", "+train for 160 epochs"} < set(said.out.splitlines())


def test_line_ends_and_byte_order_mark_stay(file: Path, tost: Tost) -> None:
    """Only what is fixed changes: a file of Windows stays one."""
    mark = b"\xef\xbb\xbf"
    file.write_bytes(mark + HEAD.replace("\n", "\r\n").encode())
    assert 0 == tost("fix", file).code
    assert mark + FIXED.replace("\n", "\r\n").encode() == file.read_bytes()


def test_standard_input(tost: Tost) -> None:
    """`-` is fixed onto standard output."""
    said = tost("fix", "-", stdin=HEAD.encode())
    assert (0, FIXED, "") == (said.code, said.out, said.err)


def test_unreadable_and_missing(file: Path, tost: Tost) -> None:
    """What could not be read is 3; the readable ones are fixed all the same."""
    assert 3 == tost("fix", "none.tost", file).code
    assert FIXED == file.read_text()


def test_what_is_set_from_outside_is_seen_but_not_fixed(file: Path, tost: Tost) -> None:
    """A wrong `--set` is a mistake that no edit of the file mends."""
    text = FIXED + "param s = 90%\nmask random(sparsity=$s)\n"
    file.write_text(text)
    said = tost("fix", file, "--set", "s=90")
    assert (2, text) == (said.code, file.read_text())


def test_a_file_of_params_is_seen_but_not_fixed(file: Path, tost: Tost) -> None:
    """`--set-file` counts as for `check`, and stays as it is; a missing one is unreadable."""
    file.write_text(HEAD + "param s = 90%\nmask random(sparsity=$s)\n")
    Path("params").write_text("s = 95\n")
    assert 2 == tost("fix", file, "--set-file", "params").code
    assert FIXED + "param s = 90%\nmask random(sparsity=$s)\n" == file.read_text()
    assert "s = 95\n" == Path("params").read_text()
    assert 3 == tost("fix", file, "--set-file", "none").code
