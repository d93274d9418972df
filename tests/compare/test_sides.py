"""What may be compared, and what is said of what may not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tostdsl.build.diffs import diff
from tostdsl.compare.sides import Side, sides
from tostdsl.compile.compiler import compile_file
from tostdsl.diagnostics import TostError
from tostdsl.plan.plan import Plan

BASE = "model resnet20\ndata cifar10\nmask random(sparsity=90%)\ntrain for 160 epochs\n"
TOP = 'extends "base.tost"\nseed {}\n'


def side(given: str) -> Side:
    """The one plan of what was given."""
    (found,) = sides(given)
    return found


def git(folder: Path, *words: str) -> None:
    """Run git there, whatever the machine's own settings are."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    names = ("-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "commit.gpgsign=false")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(["git", *names, *words], cwd=folder, env=environment, check=True)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits; the first has another base."""
    there = tmp_path / "a repo"
    (there / "re cipes").mkdir(parents=True)
    git(there, "init", "-q", "-b", "main")
    (there / "re cipes" / "base.tost").write_text(BASE)
    (there / "re cipes" / "top one.tost").write_text(TOP.format(1))
    git(there, "add", ".")
    git(there, "commit", "-q", "-m", "one")
    git(there, "tag", "old/one")
    (there / "re cipes" / "base.tost").write_text(BASE.replace("160", "200"))
    (there / "re cipes" / "top one.tost").write_text(TOP.format(2))
    git(there, "commit", "-q", "-a", "-m", "two")
    monkeypatch.chdir(there)
    return there


def refusal(given: str) -> tuple[str, str]:
    """Code and message."""
    with pytest.raises(TostError) as error:
        side(given)
    (found,) = error.value.diagnostics
    return found.code, found.message


@pytest.mark.parametrize("rev", ["HEAD~1", "old/one", "HEAD@{1}"])
def test_a_past_recipe_extends_what_was_there_then(repo: Path, rev: str) -> None:
    """Both are of the revision, and the name is that of the file."""
    plan = side(f"git:{rev}:re cipes/top one.tost").plan
    assert (1, "160 epochs", "top_one") == (plan.seed, str(plan.train), plan.name)
    now = side("re cipes/top one.tost").plan
    assert (2, "200 epochs") == (now.seed, str(now.train))


def test_paths_start_from_the_current_folder(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the top of the repository, outside of it, and where the folder is gone."""
    wanted = side("git:HEAD~1:re cipes/top one.tost").plan
    monkeypatch.chdir(repo / "re cipes")
    assert wanted == side("git:HEAD~1:top one.tost").plan
    assert wanted == side("git:HEAD~1:../re cipes/top one.tost").plan
    monkeypatch.chdir(repo.parent)
    assert wanted == side("git:HEAD~1:a repo/re cipes/top one.tost").plan
    assert wanted == side(f"git:HEAD~1:{repo}/re cipes/top one.tost").plan
    git(repo, "rm", "-q", "-r", "re cipes")
    assert not (repo / "re cipes").exists()
    assert wanted == side("git:HEAD~1:a repo/re cipes/top one.tost").plan


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ("git:HEAD", "R801", "`git:HEAD` is not `git:REVISION:PATH`"),
        ("git::x.tost", "R801", "`git::x.tost` is not `git:REVISION:PATH`"),
        ("git:HEAD:", "R801", "`git:HEAD:` is not `git:REVISION:PATH`"),
        ("git:none:x.tost", "R802", "the repository has no revision `none`"),
        ("git:--all:x.tost", "R802", "the repository has no revision `--all`"),
        ("git:HEAD:x y.tost", "R802", "there is no such file in that revision"),
        ("git:HEAD:re cipes", "R802", "it is a folder in that revision"),
        ("git:HEAD:/x.tost", "R802", "`/` lies in no git repository"),
        ("none.json", "T213", "there is no such file"),
        ("re cipes", "R804", "this folder holds no run, and is no checkpoint of one"),
        ("none.tost", "T213", "there is no such file"),
    ],
)
def test_what_is_not_there_is_said(repo: Path, given: str, code: str, message: str) -> None:
    found = refusal(given)
    assert code == found[0]
    assert message in found[1]


def test_a_path_as_git_spells_it_is_met_with_what_is_meant(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the top of the repository; following what is said finds the file."""
    monkeypatch.chdir(repo / "re cipes")
    for name in ("re cipes/base.tost", "./re cipes/base.tost"):
        with pytest.raises(TostError) as error:
            side(f"git:HEAD~1:{name}")
        (found,) = error.value.diagnostics
        assert "R802" == found.code
        help = str(found.help)
        assert "`git:HEAD~1:base.tost`" in help
        assert "160 epochs" == str(side(help.split("`")[1]).plan.train)
    (repo / "re cipes" / "in").mkdir()
    monkeypatch.chdir(repo / "re cipes" / "in")
    with pytest.raises(TostError) as error:
        side("git:HEAD:re cipes/base.tost")
    assert "`git:HEAD:../base.tost`" in str(error.value.diagnostics[0].help)
    with pytest.raises(TostError) as error:
        side("git:HEAD:re cipes/none.tost")
    assert error.value.diagnostics[0].help is None


def test_mistakes_of_the_past_are_shown_where_they_were(repo: Path) -> None:
    """In the file of that revision, also one that is extended, and what was not there is missed."""
    (repo / "re cipes" / "base.tost").write_text(BASE + "ghots\n")
    git(repo, "commit", "-q", "-a", "-m", "wrong")
    (repo / "re cipes" / "base.tost").write_text(BASE)
    with pytest.raises(TostError) as error:
        side("git:HEAD:re cipes/top one.tost")
    (found,) = error.value.diagnostics
    assert found.span is not None
    assert "git:HEAD:re cipes/base.tost:5:1" == str(found.span)
    git(repo, "rm", "-q", "--cached", "re cipes/base.tost")
    git(repo, "commit", "-q", "-m", "gone")
    with pytest.raises(TostError) as error:
        side("git:HEAD:re cipes/top one.tost")
    assert "T213" in {d.code for d in error.value.diagnostics}


@pytest.mark.parametrize(
    ("wanted", "code"), [("../out.tost", "T215"), ("/out.tost", "T260"), ("top one.tost", "T214")]
)
def test_the_past_has_the_same_fences(repo: Path, wanted: str, code: str) -> None:
    """Nothing beside the recipe's folder is read, whatever a revision has there."""
    (repo / "out.tost").write_text(BASE)
    (repo / "re cipes" / "top one.tost").write_text(f'extends "{wanted}"\n')
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "out")
    with pytest.raises(TostError) as error:
        side("git:HEAD:re cipes/top one.tost")
    assert code in {d.code for d in error.value.diagnostics}


def test_links_of_a_revision_are_followed_in_it(repo: Path) -> None:
    """Not in the working tree, and not out of the repository."""
    (repo / "link.tost").symlink_to("re cipes/base.tost")
    (repo / "out.tost").symlink_to("../none.tost")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "links")
    (repo / "re cipes" / "base.tost").unlink()
    assert "200 epochs" == str(side("git:HEAD:link.tost").plan.train)
    assert "R802" == refusal("git:HEAD:out.tost")[0]


def test_without_git_it_is_said(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repo))
    code, message = refusal("git:HEAD:x.tost")
    assert ("R802", True) == (code, "`git` cannot be run" in message)


def test_what_a_partial_clone_lacks_is_not_fetched(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comparison asks no other machine for anything: it is refused, and the clone stays so."""
    git(repo, "config", "uploadpack.allowFilter", "true")
    words = ("clone", "-q", "--no-checkout", "--filter=blob:none", repo.as_uri())
    for name in ("tried", "clone"):
        git(tmp_path, *words, str(tmp_path / name))
    inner = "HEAD~1:re cipes/base.tost"
    tried = ["git", "-C", str(tmp_path / "tried"), "cat-file", "blob", inner]
    asked = subprocess.run(
        tried, env={**os.environ, "GIT_NO_LAZY_FETCH": "1"}, capture_output=True, check=False
    )
    if asked.returncode == 0:
        pytest.skip("this git fetches whatever it is told")
    assert BASE.encode() == subprocess.check_output(tried)  # the origin has it, and would give it
    monkeypatch.chdir(tmp_path / "clone")
    packs = sorted((tmp_path / "clone/.git/objects").rglob("*"))
    assert "R802" == refusal(f"git:{inner}")[0]
    assert packs == sorted((tmp_path / "clone/.git/objects").rglob("*"))


# -- saved plans and runs


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    path = tmp_path / "r.tost"
    path.write_text(BASE)
    return compile_file(path).plans[0]


def stored(plan: Plan) -> dict[str, object]:
    return {"fingerprint": plan.fingerprint, "plan": plan.to_json()}


def test_a_run_is_the_plan_that_ran(tmp_path: Path, plan: Plan) -> None:
    """Whatever the recipes in it say by now; so are its checkpoints."""
    run = tmp_path / "run"
    (run / "ckpt" / "step-0000010").mkdir(parents=True)
    (run / "plan.json").write_text(json.dumps(stored(plan)))
    (run / "metrics.jsonl").write_text("")
    (run / "recipe.tost").write_text(BASE.replace("160", "200"))
    for path in (run, run / "plan.json", run / "ckpt" / "step-0000010"):
        assert plan == side(str(path)).plan
    assert "200 epochs" == str(side(str(run / "recipe.tost")).plan.train)
    assert "R804" == refusal(str(run / "ckpt"))[0]


def test_what_is_no_plan_is_refused(tmp_path: Path, plan: Plan) -> None:
    """With the code that `tost run` gives for it; of another schema, and no plan at all."""
    path = tmp_path / "p.json"
    path.write_text(json.dumps({**stored(plan), "plan": plan.to_json() | {"schema": 0}}))
    assert "T271" == refusal(str(path))[0]
    path.write_text("{}")
    assert "T270" == refusal(str(path))[0]


def test_a_bare_repository(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no files but those of its revisions: paths count from its top."""
    wanted = side("git:HEAD:re cipes/top one.tost").plan
    bare = tmp_path / "bare.git"
    git(repo, "clone", "-q", "--bare", ".", str(bare))
    monkeypatch.chdir(bare)
    assert wanted == side("git:HEAD:re cipes/top one.tost").plan
    with pytest.raises(TostError, match="no such file in that revision"):
        side("git:HEAD:none.tost")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TostError, match="lies in no git repository"):
        side("git:HEAD:none.tost")


def test_several_plans(tmp_path: Path, plan: Plan) -> None:
    """A recipe of them is several sides, and not one; a file of them is refused."""
    path = tmp_path / "s.tost"
    path.write_text("param w = 90%\nsweep w over [80%, 95%]\nsweep seed over [1, 2]\n")
    path.write_text(path.read_text() + BASE.replace("=90%", "=$w"))
    assert [1, 2, 1, 2] == [each.plan.seed for each in sides(str(path))]
    with pytest.raises(TostError) as error:
        diff(path, path)
    (found,) = error.value.diagnostics
    assert ("R803", True) == (found.code, f"tost.plans({str(path)!r})" in str(found.help))
    one = tmp_path / "one.tost"
    one.write_text('extends "s.tost"\nparam w = 95%\nseed 2\n')
    assert 2 == side(str(one)).plan.seed
    saved = tmp_path / "s.json"
    saved.write_text(json.dumps([stored(plan), stored(plan)]))
    assert "T270" == refusal(str(saved))[0]
