"""`tost fmt`: what it writes, shows and leaves alone."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Tost
from tostdsl.cli.files import write_text
from tostdsl.diagnostics import TostError

ODD = "model   resnet20( )\ndata cifar10\ntrain for 2   epochs"
LAID = "model resnet20\ndata  cifar10\ntrain for 2 epochs\n"
BROKEN = "model resnet20(]\n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An odd recipe in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("r.tost")
    path.write_text(ODD)
    return path


def test_a_diff_is_what_patch_needs(file: Path, tost: Tost) -> None:
    """`--diff` writes nothing, says 1, and `patch` makes the layout of it."""
    said = tost("fmt", "--diff", file)
    assert (1, ODD) == (said.code, file.read_text())
    subprocess.run(["patch", "-s", "r.tost"], input=said.out, text=True, check=True)
    assert LAID == file.read_text()
    said = tost("fmt", "--diff", file)
    assert (0, "") == (said.code, said.out)


def test_standard_input_to_standard_output(tost: Tost) -> None:
    """`--stdin` and `-` print the layout alone; with mistakes nothing, and messages."""
    for word in ("--stdin", "-"):
        said = tost("fmt", word, stdin=ODD.replace("\n", "\r\n").encode())
        assert (0, LAID, "") == (said.code, said.out, said.err)
        said = tost("fmt", word, stdin=BROKEN.encode())
        assert (2, "") == (said.code, said.out)
        assert "<stdin>:1:" in said.err
    assert 1 == tost("fmt", "--stdin", "--check", stdin=ODD.encode()).code
    assert 0 == tost("fmt", "--stdin", "--check", stdin=LAID.encode()).code
    assert 1 == tost("fmt", "--stdin", "--diff", stdin=ODD.encode()).code
    assert 3 == tost("fmt", "--stdin", stdin=b"\xff").code


def test_paths_or_standard_input(file: Path, tost: Tost) -> None:
    """Neither and both are refused."""
    assert 2 == tost("fmt").code
    assert 2 == tost("fmt", "--stdin", file).code


def test_folders(file: Path, tost: Tost) -> None:
    """Folders as for `check`; one file's mistakes do not keep the others from being laid out."""
    Path("a.tost").write_text(BROKEN)
    said = tost("fmt", ".")
    assert (2, LAID, BROKEN) == (said.code, file.read_text(), Path("a.tost").read_text())
    assert 3 == tost("fmt", "none.tost", ".").code


def test_a_file_keeps_its_mode_and_its_links(file: Path, tost: Tost) -> None:
    """The new file has the old one's mode; a link to it stays a link; nothing else is left."""
    file.chmod(0o754)
    Path("link.tost").symlink_to(file)
    assert 0 == tost("fmt", "link.tost").code
    assert LAID == file.read_text()
    assert 0o754 == stat.S_IMODE(file.stat().st_mode)
    assert Path("link.tost").is_symlink()
    assert ["link.tost", "r.tost"] == sorted(os.listdir())


def test_a_file_that_is_right_is_not_touched(file: Path, tost: Tost) -> None:
    """No byte is written to it: its time and its inode stay."""
    file.write_text(LAID)
    os.utime(file, (1, 1))
    before = file.stat()
    said = tost("fmt", file)
    assert (0, "") == (said.code, said.out)
    assert (before.st_mtime, before.st_ino) == (file.stat().st_mtime, file.stat().st_ino)


def test_a_byte_order_mark_and_carriage_returns_go(file: Path, tost: Tost) -> None:
    """A file that differs in these alone is not laid out yet."""
    file.write_bytes(b"\xef\xbb\xbf" + LAID.replace("\n", "\r\n").encode())
    assert 1 == tost("fmt", "--check", file).code
    assert 0 == tost("fmt", file).code
    assert LAID.encode() == file.read_bytes()


def test_a_failed_write_leaves_the_old_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last step fails the file is as it was, and no part of the new one is left."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TostError, match=r"R202.*no space left"):
        write_text(file, LAID)
    assert (ODD, ["r.tost"]) == (file.read_text(), os.listdir())


def test_a_file_that_cannot_be_written_is_said(
    file: Path, tost: Tost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only file is left alone, whoever owns its folder."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    said = tost("fmt", file)
    assert (1, ODD) == (said.code, file.read_text())
    assert "R202" in said.err
