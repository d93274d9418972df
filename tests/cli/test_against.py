"""`tost diff --against`: what became of recipes since a revision, held against git's account."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Tost
from tests.compare.test_sides import git

BASE = """\
recipe {}
model cifar_resnet(8)
data digits
mask random(sparsity=90%)
train for 5 epochs
seed 1
# {}
"""
FOLDER = "re cipés"


@pytest.fixture(autouse=True)
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose folder of recipes has one for each thing that may become of it."""
    monkeypatch.setenv("COLUMNS", "88")
    git(tmp_path, "init", "-q", "-b", "main")
    folder = tmp_path / FOLDER
    for name in ("same", "twin", "laid", "changed", "gone", "old", "wrong", ".hid/hidden"):
        write(folder / f"{name}.tost", BASE.format(Path(name).stem.strip("."), name * 9))
    write(folder / "wrong.tost", BASE.format("wrong", "w") + "ghots\n")
    write(folder / "run" / "recipe.tost", BASE.format("ran", "ran"))
    write(folder / "run" / "plan.json", "{}")
    write(folder / "run" / "metrics.jsonl", "")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    monkeypatch.chdir(folder)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def changed(repo: Path) -> Path:
    """The folder after all of it happened."""
    folder = repo / FOLDER
    for name in ("gone.tost", "run/recipe.tost", "run/plan.json", "run/metrics.jsonl",
                 ".hid/hidden.tost"):  # fmt: skip
        (folder / name).unlink()
    text = (folder / "old.tost").read_text()
    (folder / "old.tost").unlink()
    write(folder / "now ünder.tost", text.replace("seed 1", "seed 2"))
    write(folder / "laid.tost", "# a note\n" + (folder / "laid.tost").read_text())
    write(folder / "wrong.tost", BASE.format("wrong", "w"))
    write(folder / "changed.tost", BASE.format("changed", "c").replace("seed 1", "seed 3"))
    write(folder / "fresh.tost", "model resnet20\ndata cifar10\ntrain for 9 epochs\n")
    return folder


def told(tost: Tost, *words: str) -> dict[str, dict[str, object]]:
    """By the recipe's name now, else then, what a program is told."""
    content = json.loads(tost("diff", "--against", "HEAD", "--json", *words).out)
    content = content if isinstance(content, list) else [content]
    return {(each["b"] or each["a"])["name"].rpartition(":")[2]: each for each in content}


DIFFERS = {
    "changed.tost": "computed", "fresh.tost": "new", "gone.tost": "gone", "laid.tost": "layout",
    "now ünder.tost": "computed", "same.tost": "nothing", "twin.tost": "nothing",
    "wrong.tost": "mistakes",
}  # fmt: skip


def test_each_recipe_is_told_as_what_became_of_it(tost: Tost, changed: Path) -> None:
    """Also where nothing was added to the index; hidden ones and those of runs are left out."""
    before = status(changed)
    found = told(tost, ".")
    assert {name: each["differs"] for name, each in found.items()} == DIFFERS
    assert ["fresh.tost"] == [name for name, each in found.items() if each["a"] is None]
    assert ["gone.tost"] == [name for name, each in found.items() if each["b"] is None]
    moved = {name: each["renamed_from"] for name, each in found.items() if "renamed_from" in each}
    assert {"now ünder.tost": "old.tost"} == moved
    assert ["line 8: [T201] unknown technique `ghots`"] == found["wrong.tost"]["mistakes"]
    plan = json.loads(tost("plan", "fresh.tost", "--json").out)
    assert {"name": "fresh.tost", "recipe": "fresh", "fingerprint": plan["fingerprint"],
            "values": {}, "unreal": "", "state": None} == found["fresh.tost"]["b"]  # fmt: skip
    assert before == status(changed)
    assert (1, "") == (tost("diff", "--against", "HEAD", ".").code, "")


def status(folder: Path) -> str:
    """What git says of the folder, its index included."""
    words = ["git", "status", "--porcelain", "-z", "-uall"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True).stdout


def test_git_has_the_same_account(tost: Tost, changed: Path) -> None:
    """Of new, gone and renamed recipes, once they are added."""
    git(changed, "add", ".")
    words = ["git", "diff", "--cached", "-M", "--name-status", "-z", "--relative", "HEAD", "--",
             ":!run", ":!.hid"]  # fmt: skip
    out = subprocess.run(words, cwd=changed, capture_output=True, text=True, check=True).stdout
    parts = iter(out.split("\0")[:-1])
    by_git = {}
    for state in parts:
        path = next(parts)
        by_git[next(parts) if state[0] == "R" else path] = state[0]
    found = told(tost, ".")
    ours = {
        name: "R" if "renamed_from" in each else {"new": "A", "gone": "D"}.get(kind, "M")
        for name, each in found.items()
        if (kind := str(each["differs"])) != "nothing"
    }
    assert by_git == ours


def test_the_text(tost: Tost, changed: Path) -> None:
    """A section for each that changed, and a line for those that did not."""
    found = tost("diff", "--against", "HEAD", ".")
    assert (1, "") == (found.code, found.err)
    lines = found.out.splitlines()
    for line in (
        "new: it was not there in HEAD",
        "gone: it was there in HEAD",
        "renamed from old.tost",
        "it had mistakes in HEAD, and has none now",
        "  line 8: [T201] unknown technique `ghots`",
        "  seed  1 → 2",
        "no difference: same.tost, twin.tost",
        "layout only: laid.tost",
    ):
        assert 1 == lines.count(line), line
    assert "no difference: the plans are the same" not in found.out
    heads = [line.split("  ")[1] for line in lines if line.startswith(("a  ", "b  "))]
    names = {head.removeprefix("git:HEAD:") for head in heads}
    assert {"changed.tost", "fresh.tost", "gone.tost", "now ünder.tost", "old.tost",
            "wrong.tost"} == names - {"epoch"}  # fmt: skip


def test_the_markdown(tost: Tost, changed: Path) -> None:
    """The same for a pull request."""
    lines = tost("diff", "--against", "HEAD", ".", "--format", "markdown").out.splitlines()
    heads = [line for line in lines if line.startswith("### ")]
    assert [
        "### `git:HEAD:changed.tost` → `changed.tost`", "### `fresh.tost`", "### `gone.tost`",
        "### `git:HEAD:old.tost` → `now ünder.tost`", "### `wrong.tost`",
    ] == heads  # fmt: skip
    assert "Renamed from `old.tost`." in lines
    assert r"- line 8: \[T201\] unknown technique \`ghots\`" in lines
    assert "no difference: `same.tost`, `twin.tost`" in lines
    assert any(line.startswith("new: it was not there in HEAD (plan ") for line in lines)
    assert any(line.startswith("gone: it was there in HEAD (plan ") for line in lines)


@pytest.mark.parametrize("place", ["top", "below", "beside"])
def test_names_are_as_they_were_asked_for(
    tost: Tost, changed: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the top of the repository, from a folder below, and from outside by a whole path."""
    below = changed / "run"
    folder = {"top": changed.parent, "below": below, "beside": changed.parent.parent}[place]
    given = {"top": FOLDER, "below": "..", "beside": str(changed)}[place]
    monkeypatch.chdir(folder)
    found = told(tost, given)
    assert {os.path.join(given, name): kind for name, kind in DIFFERS.items()} == {
        name: each["differs"] for name, each in found.items()
    }
    moved = [each["renamed_from"] for each in found.values() if "renamed_from" in each]
    assert [os.path.join(given, "old.tost")] == moved


def test_single_files(tost: Tost, changed: Path) -> None:
    """New, gone and renamed ones by either name; what is nowhere is trouble."""
    assert {"fresh.tost": "new"} == {k: e["differs"] for k, e in told(tost, "fresh.tost").items()}
    assert {"gone.tost": "gone"} == {k: e["differs"] for k, e in told(tost, "gone.tost").items()}
    for name in ("now ünder.tost", "old.tost"):
        ((now, each),) = told(tost, name).items()
        assert ("now ünder.tost", "old.tost") == (now, each["renamed_from"])
        assert 1 == tost("diff", "--against", "HEAD", name).code
    found = tost("diff", "--against", "HEAD", "none.tost")
    assert (2, "", True) == (found.code, found.out, "T213" in found.err)


def test_a_folder_that_is_new_and_one_that_is_gone(tost: Tost, repo: Path) -> None:
    """All in it are new, or gone."""
    write(repo / "more" / "x.tost", "model resnet20\ndata cifar10\ntrain for 9 epochs\n")
    found = tost("diff", "--against", "HEAD", "../more")
    assert (1, "new: it was not there in HEAD") == (found.code, found.out.splitlines()[-1])
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "two")
    (repo / "more" / "x.tost").unlink()
    for gone in (False, True):
        if gone:
            (repo / "more").rmdir()
        found = tost("diff", "--against", "HEAD", "../more")
        assert (1, "") == (found.code, found.err)
        assert "a  git:HEAD:../more/x.tost" == found.out.splitlines()[0].rpartition("  ")[0]


def test_nothing_changed(tost: Tost) -> None:
    """A line for all; one recipe alone has its section."""
    found = tost("diff", "--against", "HEAD", "same.tost", "twin.tost", "laid.tost")
    assert (0, "no difference: laid.tost, same.tost, twin.tost\n") == (found.code, found.out)
    found = tost("diff", "--against", "HEAD", "same.tost")
    assert (0, "no difference: the plans are the same") == (found.code, found.out.splitlines()[-1])


def test_a_changed_base_changes_those_that_extend_it(tost: Tost, repo: Path) -> None:
    """Their own text is as it was."""
    folder = repo / FOLDER
    write(folder / "top.tost", 'extends "same.tost"\n')
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "two")
    write(folder / "same.tost", BASE.format("same", "s").replace("seed 1", "seed 5"))
    assert "computed" == told(tost, "top.tost")["top.tost"]["differs"]


def test_a_revision_that_is_not_there_is_one_error(tost: Tost) -> None:
    found = tost("diff", "--against", "HAED", ".", "../nothing.tost")
    assert (2, "") == (found.code, found.out)
    assert 1 == found.err.count("error[R802]")
    assert "the repository has no revision `HAED`" in found.err


def test_mistakes_of_now_are_trouble_and_do_not_hide_the_others(tost: Tost, changed: Path) -> None:
    write(changed / "fresh.tost", (changed / "fresh.tost").read_text() + "ghots\n")
    found = tost("diff", "--against", "HEAD", ".", "--format", "markdown")
    assert (2, 1) == (found.code, found.err.count("error["))
    assert "--> fresh.tost:4:1" in found.err
    lines = found.out.splitlines()
    assert "it has mistakes." == lines[lines.index("### `fresh.tost`") + 2]
    assert "### `gone.tost`" in lines


def test_a_renamed_recipe_that_had_mistakes(tost: Tost, repo: Path) -> None:
    """Both are told."""
    folder = repo / FOLDER
    (folder / "wrong.tost").unlink()
    write(folder / "right.tost", BASE.format("wrong", "w"))
    each = told(tost, "right.tost")["right.tost"]
    assert ("mistakes", "wrong.tost") == (each["differs"], each["renamed_from"])
    lines = tost("diff", "--against", "HEAD", "right.tost").out.splitlines()
    assert ["", "renamed from wrong.tost", "", "it had mistakes in HEAD, and has none now"] == (
        lines[2:6]
    )
    found = tost("diff", "--against", "HEAD", "right.tost", "--format", "markdown")
    assert (1, "Renamed from `wrong.tost`.") == (found.code, found.out.splitlines()[2])


def test_sweeps_over_other_values_and_names(tost: Tost, repo: Path) -> None:
    """Runs of one side only are told as such; over other names there is no pair, and trouble."""
    swept = "recipe s\nmodel resnet20\ndata cifar10\ntrain for 9 epochs\nsweep seed over [1, {}]\n"
    write(repo / FOLDER / "s.tost", swept.format(2))
    found = told(tost, "s.tost")
    content = json.loads(tost("diff", "--against", "HEAD", "--json", "s.tost").out)
    assert [{"seed": "1"}, {"seed": "2"}] == [each["b"]["values"] for each in content]
    assert {"new"} == {each["differs"] for each in found.values()}
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "two")
    write(repo / FOLDER / "s.tost", swept.format(3))
    found_text = tost("diff", "--against", "HEAD", "s.tost", "same.tost")
    assert (1, "") == (found_text.code, found_text.err)
    assert ["only in a: seed = 2", "only in b: seed = 3"] == [
        line for line in found_text.out.splitlines() if line.startswith("only in")
    ]
    content = json.loads(tost("diff", "--against", "HEAD", "--json", "s.tost").out)
    assert ["layout", "runs", "runs"] == [each["differs"] for each in content]
    write(repo / FOLDER / "s.tost", "param w = 2x\nsweep w over [1x, 2x]\n" + swept.format(3))
    found_text = tost("diff", "--against", "HEAD", "s.tost", "same.tost")
    assert (2, True) == (found_text.code, "R803" in found_text.err)
    assert "it cannot be compared" in found_text.out.splitlines()
    assert "unknown" == told(tost, "s.tost")["s.tost"]["differs"]


def test_what_git_cannot_add_does_not_hide_the_others(tost: Tost, changed: Path) -> None:
    """A pipe, a link to nothing, a folder where a file was."""
    os.mkfifo(changed / "pipe.tost")
    (changed / "link.tost").symlink_to("nothing.tost")
    (changed / "twin.tost").unlink()
    write(changed / "twin.tost" / "below.tost", "model resnet20\ndata svhn\ntrain for 7 epochs\n")
    found = tost("diff", "--against", "HEAD", ".", "--json")
    assert 2 == found.code
    told = {(e["b"] or e["a"])["name"]: e["differs"] for e in json.loads(found.out)}
    wanted = {**DIFFERS, "link.tost": "mistakes", "pipe.tost": "mistakes"}
    del wanted["twin.tost"]
    rest = {"git:HEAD:twin.tost": "gone", "git:HEAD:gone.tost": "gone",
            "twin.tost/below.tost": "new"}  # fmt: skip
    del wanted["gone.tost"]
    assert wanted | rest == told


def test_a_merge_that_is_not_done(tost: Tost, repo: Path) -> None:
    """The file in the working tree counts."""
    folder = repo / FOLDER
    git(repo, "checkout", "-q", "-b", "other")
    write(folder / "same.tost", BASE.format("same", "s").replace("seed 1", "seed 2"))
    git(repo, "commit", "-q", "-a", "-m", "two")
    git(repo, "checkout", "-q", "main")
    write(folder / "same.tost", BASE.format("same", "s").replace("seed 1", "seed 3"))
    git(repo, "commit", "-q", "-a", "-m", "three")
    with pytest.raises(subprocess.CalledProcessError):
        git(repo, "merge", "-q", "other")
    write(folder / "same.tost", BASE.format("same", "s").replace("seed 1", "seed 4"))
    found = told(tost, ".")
    assert "computed" == found["same.tost"]["differs"]
    assert {"computed", "nothing", "mistakes"} >= {each["differs"] for each in found.values()}
