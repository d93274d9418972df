"""Reading files, and which files a recipe may extend."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tostdsl.compile.compiler import compile_file
from tostdsl.compile.load import MAX_TOTAL, decode, locate, read
from tostdsl.diagnostics import TostError
from tostdsl.syntax.words import MAX_BYTES

TOP = "model resnet20\ndata cifar10\ntrain for 10 epochs\n"


def refused(error: pytest.ExceptionInfo[TostError]) -> str:
    return error.value.diagnostics[0].code


def codes(path: Path) -> list[str]:
    return [diagnostic.code for diagnostic in compile_file(path).diagnostics]


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.tost").write_text(text, encoding="utf-8")
    return folder / "top.tost"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"seed 1\n", "seed 1\n"),
        (b"\xef\xbb\xbfseed 1\r\nskip\r", "seed 1\nskip\n"),
        ("# é 😀".encode(), "# é 😀"),
        (b"", ""),
        (b"\0\0\0\0", "\0\0\0\0"),
    ],
)
def test_text_is_utf_8_with_any_line_end(data: bytes, text: str) -> None:
    """A byte order mark is dropped."""
    assert text == decode(data, "a.tost").text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_other_encodings_are_recognised(encoding: str) -> None:
    """By their mark or by their zeros; the message names them."""
    with pytest.raises(TostError) as error:
        decode(TOP.encode(encoding), "a.tost")
    assert "T158" == refused(error)
    assert encoding[:6].upper() in str(error.value)


def test_what_is_no_text_is_refused_at_its_byte() -> None:
    """The place is the line of the first wrong byte."""
    with pytest.raises(TostError) as error:
        decode(b"seed 1\nskip \xff\n", "a.tost")
    (found,) = error.value.diagnostics
    assert "T106" == found.code
    assert found.span is not None
    assert 2 == found.span.line


def test_a_megabyte_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    """Whatever the rest of the file would be."""
    path = tmp_path / "a.tost"
    path.write_bytes(b"#" * MAX_BYTES)
    assert MAX_BYTES == len(read(path).text)
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(TostError) as error:
        read(path)
    assert "T109" == refused(error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    """Nothing is waited for that may never come, and nothing endless is read."""
    pipe = tmp_path / "pipe.tost"
    os.mkfifo(pipe)
    top = write(tmp_path, top='extends "pipe.tost"\n')
    before = time.monotonic()
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(TostError) as error:
            read(path)
        assert "T213" == refused(error)
    assert ["T213"] == codes(top)
    assert time.monotonic() - before < 5


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ("../outside.tost", "T215"),
        ("sub/../../outside.tost", "T215"),
        ("/etc/passwd", "T260"),
        ("~/a.tost", "T260"),
        ("C:base.tost", "T260"),
        ("..\\\\base.tost", "T260"),
        ("", "T260"),
        ("Base.tost", "T261"),
        ("link.tost", "T215"),
        ("folder/outside.tost", "T215"),
        ("circle.tost", "T213"),
        (".", "T213"),
        ("x" * 5000, "T213"),
    ],
)
def test_only_files_below_the_top_recipe_are_extended(
    tmp_path: Path, wanted: str, code: str
) -> None:
    """Named by a plain relative path; links are followed before it is judged."""
    (tmp_path / "outside.tost").write_text(TOP)
    inner = tmp_path / "inner"
    (inner / "sub").mkdir(parents=True)
    (inner / "link.tost").symlink_to(tmp_path / "outside.tost")
    (inner / "folder").symlink_to(tmp_path)
    (inner / "circle.tost").symlink_to("circle.tost")
    top = write(inner, base=TOP, top=f'extends "{wanted}"\n')
    assert [code] == codes(top)


def test_dots_and_links_within_the_folder_are_fine(tmp_path: Path) -> None:
    """A file in a sub-folder may extend one above it, below the top recipe's folder."""
    (tmp_path / "sub").mkdir()
    write(tmp_path / "sub", middle='extends "../base.tost"\n')
    (tmp_path / "link.tost").symlink_to("sub/middle.tost")
    top = write(tmp_path, base=TOP, top='extends "./sub/middle.tost"\nseed 3\n')
    assert [] == codes(top)
    assert tmp_path.resolve() / "sub/middle.tost" == locate("link.tost", tmp_path, tmp_path)


def test_names_that_differ_in_capitals_only_are_refused(tmp_path: Path) -> None:
    """Some systems would take one for the other."""
    top = write(tmp_path, base=TOP, Base=TOP, top='extends "base.tost"\n')
    if 3 == len(list(tmp_path.iterdir())):
        assert ["T262"] == codes(top)


def test_all_files_together_are_limited(tmp_path: Path) -> None:
    """Five files of nearly a megabyte each are too much."""
    comment = "#\n" + "# x\n" * ((MAX_BYTES - 200) // 4)
    for index in range(MAX_TOTAL // MAX_BYTES + 1):
        write(tmp_path, **{f"f{index}": f'extends "f{index + 1}.tost"\n{comment}'})
    write(tmp_path, **{f"f{index + 1}": TOP})
    assert ["T263"] == codes(tmp_path / "f0.tost")
