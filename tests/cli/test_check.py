"""`tost check`: many files and folders, three formats, one exit status."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Tost
from tostdsl.compile.load import MAX_BYTES

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


def test_standard_input_extends_from_the_current_folder(folder: Path, tost: Tost) -> None:
    """What it extends is looked for in the current folder, by every command, and not above it."""
    (folder / "base.tost").write_text(GOOD)
    text = b'extends "base.tost"\nseed 7\n'
    assert "<stdin>: ok" in tost("check", "-", stdin=text).out
    assert "seed       7" in tost("plan", "-", stdin=text).out
    assert text.decode() == tost("fix", "-", stdin=text).out
    assert "<stdin>:1:9" in tost("check", "-", stdin=text.replace(b"base", b"bsae")).err
    assert "T215" in tost("check", "-", stdin=text.replace(b"base", b"../base")).err


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


def test_a_file_that_is_too_large_is_named(folder: Path, tost: Tost) -> None:
    """As text, in JSON and on GitHub, beside files that are right."""
    (folder / "big.tost").write_bytes(b"#" * (MAX_BYTES + 1))
    said = tost("check", "big.tost", "a.tost")
    assert 3 == said.code
    assert "--> big.tost:1:1" in said.err
    content = json.loads(tost("check", "big.tost", "--format", "json").out)
    assert "big.tost" == content["diagnostics"][0]["labels"][0]["file"]
    assert "::error file=big.tost," in tost("check", "big.tost", "--format", "github").out


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


def test_a_folder_that_cannot_be_read_is_said(
    folder: Path, tost: Tost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What may hide in it was not checked: 3, whichever command looks through the folders."""
    real = os.scandir

    def scandir(path: str) -> object:
        if os.path.basename(path) == "a":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    for words in (["check"], ["fmt", "--check"], ["fix", "--diff"]):
        said = tost(*words, ".")
        assert 3 == said.code
        assert "cannot read `./a`: permission denied" in said.err


def test_run_folders_are_left_out(folder: Path, tost: Tost) -> None:
    """The recipes in them are a record; a plan printed beside recipes makes no run folder."""
    for name in ("runs/1", "runs/2"):
        (folder / name).mkdir(parents=True)
        for file in ("plan.json", "metrics.jsonl"):
            (folder / name / file).write_text("")
        (folder / name / "recipe.tost").write_text(BAD)
    (folder / "plan.json").write_text("{}")
    said = tost("check", ".")
    assert (0, 3) == (said.code, len(said.out.splitlines()))
    assert ".: left out 2 folders that hold runs, such as `runs/1`" in said.err
    assert 2 == tost("check", "runs/1/recipe.tost").code
    alone = tost("fmt", "runs/1")
    assert (3, True) == (alone.code, "it holds a run; name a file" in alone.err)
    assert BAD == (folder / "runs/1/recipe.tost").read_text()
    assert "such as `runs/1/plan.tost`" in tost("plan", "runs/1").err


@pytest.mark.parametrize(
    "words", [["check"], ["fmt"], ["fix"], ["plan"], ["run"], ["new", "--yes"]], ids=" ".join
)
def test_an_empty_path_is_refused(folder: Path, tost: Tost, words: list[str]) -> None:
    """It would mean the current folder, which nobody named."""
    said = tost(*words, "")
    assert (2, True) == (said.code, "the path is empty" in said.err)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-32"])
def test_every_other_encoding_could_not_be_read(tmp_path: Path, tost: Tost, encoding: str) -> None:
    """Whichever it is, the exit status is that of what was not looked at."""
    path = tmp_path / "r.tost"
    path.write_bytes(("# café\n" + GOOD).encode(encoding))
    for command in ("check", "fmt", "fix", "plan"):
        assert 3 == tost(command, path).code


def test_a_seed_from_outside(folder: Path, tost: Tost) -> None:
    """The commands that judge a recipe take the seed that `run` takes."""
    (folder / "b.tost").write_text(GOOD + "sweep seed over [1, 2]\n")
    for words in (["check"], ["fix", "--diff"], ["plan"]):
        said = tost(*words, "b.tost", "--seed", "3")
        assert (2, True) == (said.code, "T320" in said.err)
    assert tost("check", "a.tost").out != tost("check", "a.tost", "--seed", "3").out


def test_plan_reads_standard_input(tost: Tost) -> None:
    """`-`, as for the other commands."""
    assert "resnet20" in tost("plan", "-", stdin=GOOD.encode()).out
    assert "<stdin>:4:1" in tost("plan", "-", stdin=BAD.encode()).err


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("b", "b.tost"),
        ("sub/quikstart.tost", "sub/quickstart.tost"),
        ("quickstart", "recipes/quickstart.tost"),
        ("sub", "sub/quickstart.tost"),
        ("zzz", None),
    ],
)
def test_a_file_that_is_not_there_is_guessed(
    folder: Path, tost: Tost, wanted: str, meant: str | None
) -> None:
    """A name without its end, one that is near, a shipped recipe by its name."""
    for name in ("sub", "recipes"):
        (folder / name).mkdir()
        (folder / name / "quickstart.tost").write_text(GOOD)
    said = tost("plan", wanted)
    assert 3 == said.code
    assert (meant is not None) == ("help:" in said.err)
    assert f"`{meant or wanted}`" in said.err
    extending = GOOD + f'extends "{wanted}"\n'
    (folder / "top.tost").write_text(extending)
    inside = tost("check", "top.tost")
    assert (2, True) == (inside.code, f"`{meant or wanted}`" in inside.err)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """What is printed cannot be written, and nobody is asked to report it."""
    (tmp_path / "a.tost").write_text(GOOD)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tostdsl", "check", tmp_path / "a.tost"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert 3 == done.returncode
    assert "cannot write to the output: no space left on device" in done.stderr


@pytest.mark.parametrize(
    ("words", "write"),
    [
        (["--set", "w=1,v=2"], "`--set w=1 --set v=2`"),
        (["--set", "optimizer.lr=0.2"], "declare `param lr = …` and use `$lr`"),
        (["--set", "seed=3"], "`--seed`"),
        (["--set-file", "v.json"], "a line is `NAME = value`"),
        (["--set-file", "v.yaml"], "write `w = 3`"),
        (["--set-file", "v.two"], "v.two:1:6 | 1 | w = 1, v = 2 | ^ = help: put `v = 2` on a line"),
    ],
)
def test_values_in_another_form_are_told(
    folder: Path, tost: Tost, words: list[str], write: str
) -> None:
    """Several at once, a path, JSON, YAML: each says what to write."""
    (folder / "b.tost").write_text("param w = 1\nparam v = 1\n" + GOOD)
    (folder / "v.json").write_text('{\n  "w": 3\n}\n')
    (folder / "v.yaml").write_text("w: 3\n")
    (folder / "v.two").write_text("w = 1, v = 2\n")
    said = tost("check", "b.tost", *words)
    assert 2 == said.code
    assert write in " ".join(said.err.split())
    assert 1 >= said.err.count("error[")
