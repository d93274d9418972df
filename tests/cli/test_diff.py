"""`tost diff`, as a user, a program and git call it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Tost
from tests.compare.test_sides import git

ROOT = Path(__file__).parents[2]
BASE = """\
recipe base
model cifar_resnet(8)
data digits
mask random(sparsity=90%)
train for 5 epochs
seed 1

skip until epoch 3
"""


@pytest.fixture(autouse=True)
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a recipe, and an edited one beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "88")
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.tost").write_text(BASE)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    (tmp_path / "b.tost").write_text(BASE.replace("5 epochs", "8 epochs").replace("seed 1", ""))
    return tmp_path


def test_the_same_plans(tost: Tost, repo: Path) -> None:
    """Nothing or only the layout differs: 0."""
    found = tost("diff", "a.tost", "a.tost")
    assert (0, "") == (found.code, found.err)
    assert "no difference: the plans are the same" == found.out.splitlines()[-1]
    (repo / "c.tost").write_text("# a note\n" + BASE)
    found = tost("diff", "a.tost", "c.tost")
    assert 0 == found.code
    assert "layout only: the texts differ, the plans are the same" == found.out.splitlines()[-1]


def test_labels_only_differ(tost: Tost, repo: Path) -> None:
    """The plans are others: 1; the same is computed, and it says so."""
    (repo / "c.tost").write_text(BASE.replace("recipe base", "recipe other"))
    found = tost("diff", "a.tost", "c.tost")
    assert 1 == found.code
    assert "labels only (1): the same is computed" in found.out.splitlines()
    assert "timeline" not in found.out


def test_changes_by_kind_timelines_and_verdicts(tost: Tost) -> None:
    """Old and new in the recipe's words, the longer training's scale for both."""
    found = tost("diff", "a.tost", "b.tost")
    assert (1, "") == (found.code, found.err)
    lines = found.out.splitlines()
    assert [["a", "a.tost"], ["b", "b.tost"]] == [line.split()[:2] for line in lines[:2]]
    assert "they differ in what is computed (1) and how long it trains (1)" == lines[3]
    assert "  seed  1 → 0" == lines[lines.index("what is computed") + 1]
    assert "  train  5 epochs → 8 epochs" == lines[lines.index("how long it trains") + 1]
    assert "steps in all: 110 → 176 (1.6 times)" in lines
    rates = [line for line in lines if re.match(r"[ab ]  lr ", line)]
    assert 2 == len(rates)
    assert 5 / 8 == pytest.approx((len(rates[0]) - 13) / (len(rates[1]) - 13), abs=0.03)
    answers = [line.rpartition("  ")[2] for line in lines if "?  " in line]
    assert ["partly", "no", "partly"] == answers
    assert "\x1b" not in found.out


@pytest.mark.parametrize("width", [20, 40, 60])
def test_narrow_terminals(tost: Tost, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Nothing but the timeline is wider than the terminal, or than 40 columns."""
    monkeypatch.setenv("COLUMNS", str(width))
    text = tost("diff", "a.tost", "b.tost").out
    before, _, rest = text.partition("timeline of")
    after = rest[rest.index("is the mask") :]
    assert all(len(line) <= max(40, width) for line in (before + after).splitlines())


def test_a_program_reads_one_object(tost: Tost) -> None:
    """`--json` is `--format json`."""
    found = tost("diff", "a.tost", "b.tost", "--json")
    assert found == tost("diff", "a.tost", "b.tost", "--format", "json")
    content = json.loads(found.out)
    assert {
        "a", "b", "same", "differs", "summary", "changes", "steps", "verdicts"
    } == content.keys()  # fmt: skip
    plans = [json.loads(tost("plan", name, "--json").out) for name in ("a.tost", "b.tost")]
    for side, name, plan in zip("ab", ("a.tost", "b.tost"), plans, strict=True):
        assert name == content[side]["name"]
        assert plan["fingerprint"] == content[side]["fingerprint"]
    assert (False, "computed", [110, 176]) == (
        content["same"], content["differs"], content["steps"],
    )  # fmt: skip
    rows = [(c["path"], c["old"], c["new"], c["kind"]) for c in content["changes"]]
    assert [("train", "5 epochs", "8 epochs", "length"), ("seed", "1", "0", "computed")] == rows
    place = content["changes"][0]["place"]
    assert plans[1]["plan"][place[0]] == content["changes"][0]["value"]


def test_markdown_for_a_pull_request(tost: Tost, repo: Path) -> None:
    """A table whose rows have as many cells as its head, whatever stands in them."""
    text = BASE.replace("recipe base", 'recipe base "a | b ` c"').replace("seed 1", "seed 2")
    (repo / "c.tost").write_text(text)
    found = tost("diff", "a.tost", "c.tost", "--format", "markdown")
    lines = found.out.splitlines()
    assert "### `a.tost` → `c.tost`" == lines[0]
    rows = [line for line in lines if line.startswith("|")]
    assert 4 == len(rows)
    assert {5} == {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert "| what is computed | `seed` | `1` | `2` |" in rows
    assert any(line.startswith("- is the mask of a one for b? **partly**: ") for line in lines)
    found = tost("diff", "a.tost", "b.tost", "--format", "markdown")
    assert 2 == found.out.splitlines().count("```") + found.out.splitlines().count("```text")


# -- history


def test_against_a_revision(tost: Tost, repo: Path) -> None:
    """A recipe then and now."""
    assert 0 == tost("diff", "--against", "HEAD", "a.tost").code
    (repo / "a.tost").write_text(BASE.replace("seed 1", "seed 4"))
    found = tost("diff", "--against", "HEAD", "a.tost")
    assert (1, "git:HEAD:a.tost") == (found.code, found.out.split()[1])
    assert "  seed  1 → 4" in found.out.splitlines()
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "two")
    found = tost("diff", "--against", "HEAD~1", "a.tost")
    assert (1, True) == (found.code, "  seed  1 → 4" in found.out)


def test_values_are_set_on_both_sides(tost: Tost, repo: Path) -> None:
    """`--set`, `--set-file` and `--seed` as `tost plan` has them."""
    text = "param s = 90%\n" + BASE.replace("=90%", "=$s")
    (repo / "a.tost").write_text(text)
    (repo / "b.tost").write_text(text.replace("s = 90%", "s = 80%").replace("seed 1", "seed 2"))
    (repo / "v.set").write_text("s = 70%\n")
    paths = ["a.tost", "b.tost"]
    assert 2 == len(json.loads(tost("diff", *paths, "--json").out)["changes"])
    for words in (["--set", "s=95%"], ["--set-file", "v.set"]):
        assert 0 == tost("diff", *paths, *words, "--seed", 3).code
        assert 1 == tost("diff", *paths, *words).code
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "two")
    (repo / "a.tost").write_text(text.replace("s = 90%", "s = 60%"))
    assert 1 == tost("diff", "--against", "HEAD", "a.tost").code
    assert 0 == tost("diff", "--against", "HEAD", "a.tost", "--set-file", "v.set").code


def test_a_saved_plan_beside_a_recipe_is_as_it_is(tost: Tost, repo: Path) -> None:
    """Options hold for the recipe; between two plans they are refused, once."""
    (repo / "c.tost").write_text(BASE.replace("seed 1", "seed 3"))
    tost("plan", "c.tost", "-o", "p.json")
    assert 1 == tost("diff", "p.json", "a.tost").code
    assert 0 == tost("diff", "p.json", "a.tost", "--seed", 3).code
    found = tost("diff", "p.json", "p.json", "--seed", 3)
    assert (2, "") == (found.code, found.out)
    assert 1 == found.err.count("neither side is one")


def test_sweeps_are_compared_run_by_run(tost: Tost, repo: Path) -> None:
    """Those with the same changes are told once; runs that only one has are told as such."""
    sweep = "param s = 90%\nsweep s over [80%, 90%]\nsweep seed over [1, 2]\n"
    text = sweep + BASE.replace("=90%", "=$s").replace("seed 1", "")
    (repo / "a.tost").write_text(text)
    (repo / "b.tost").write_text(text.replace("epoch 3", "epoch 4"))
    found = tost("diff", "a.tost", "b.tost")
    assert 1 == found.code
    assert 1 == found.out.count("until epoch 3 → until epoch 4")
    assert "-- s = 80%, seed = 1; s = 80%, seed = 2; s = 90%, seed = 1" in found.out
    content = json.loads(tost("diff", "a.tost", "b.tost", "--json").out)
    assert [{"s": s, "seed": n} for s in ("80%", "90%") for n in ("1", "2")] == [
        each["b"]["values"] for each in content
    ]
    (repo / "b.tost").write_text(text.replace("[1, 2]", "[1, 3]"))
    found = tost("diff", "a.tost", "b.tost")
    assert (1, "") == (found.code, found.err)
    assert "only in a: s = 80%, seed = 2; s = 90%, seed = 2" in found.out.splitlines()
    assert "only in b: s = 80%, seed = 3; s = 90%, seed = 3" in found.out.splitlines()


def test_runs_of_sweeps_pair_by_what_their_values_mean(tost: Tost, repo: Path) -> None:
    """However they are spelled: in the same plans, and where something else has changed."""
    sweep = "param s = 90%\nsweep s over [80%, 90%]\n"
    text = sweep + BASE.replace("=90%", "=$s")
    (repo / "a.tost").write_text(text)
    (repo / "b.tost").write_text(text.replace("[80%, 90%]", "[90.0%, 80%]"))
    assert 0 == tost("diff", "a.tost", "b.tost").code
    (repo / "b.tost").write_text(text.replace("90%]", "90.0%]").replace("epoch 3", "epoch 4"))
    content = json.loads(tost("diff", "a.tost", "b.tost", "--json").out)
    rows = [(each["a"]["values"]["s"], each["b"]["values"]["s"]) for each in content]
    assert [("80%", "80%"), ("90%", "90.0%")] == rows


# -- trouble


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


def test_standard_input_is_a_side(tost: Tost) -> None:
    found = tost("diff", "a.tost", "-", stdin=BASE.replace("seed 1", "seed 9").encode())
    assert (1, True) == (found.code, "  seed  1 → 9" in found.out)


def test_torch_is_not_loaded(repo: Path) -> None:
    """Nor numpy, whatever the sides are."""
    code = (
        "import sys\nfrom tostdsl.cli.main import tost\n"
        "tost.main(['diff', 'git:HEAD:a.tost', 'b.tost'], standalone_mode=False)\n"
        "sys.exit(str({'torch', 'torchvision', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "set()" == done.stderr.strip()


def test_colours_on_a_terminal(repo: Path) -> None:
    """Old red, new green; none with NO_COLOR."""
    command = [sys.executable, "-m", "tostdsl", "diff", "a.tost", "b.tost"]
    coloured, plain = (shown(command, {"NO_COLOR": value, "TERM": "xterm"}) for value in ("", "1"))
    assert "\x1b[31m1\x1b[0m → \x1b[32m0\x1b[0m" in coloured
    assert "\x1b" not in plain


def shown(command: list[str], environment: dict[str, str]) -> str:
    """What a command prints on a terminal."""
    import pty

    main, other = pty.openpty()
    done = subprocess.Popen(command, stdout=other, stderr=other, env={**os.environ, **environment})
    os.close(other)
    text = b""
    while True:
        try:
            more = os.read(main, 65536)
        except OSError:
            break
        if not more:
            break
        text += more
    done.wait()
    os.close(main)
    return text.decode()


# -- git's driver


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", ["a.tost b.tost", "a.tost a.tost", "--against HEAD a.tost"])
def test_output_that_cannot_be_written_is_trouble(repo: Path, words: str) -> None:
    """On a full disk, and where the reader has gone: neither the same nor different."""
    command = f"'{sys.executable}' -m tostdsl diff {words}"
    done = subprocess.run(
        ["bash", "-c", f"{command} > /dev/full"], capture_output=True, text=True, check=False
    )
    assert (2, True) == (done.returncode, "R202" in done.stderr)
    piped = f"{command} | sleep 0; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=False)
    assert (2, "") == (done.returncode, done.stderr)


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
    command = f"git --no-pager {words} | head -1"
    for _ in range(3):
        done = subprocess.run(
            ["bash", "-c", command], cwd=driver, capture_output=True, text=True, check=False
        )
        assert (1, "") == (len(done.stdout.splitlines()), done.stderr)


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
