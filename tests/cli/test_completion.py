"""What a shell completes, asked of click and of the shells themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from tests.cli.conftest import Tost
from tests.cli.terminal import Terminal, script
from tostdsl import registry
from tostdsl.cli.main import COMMANDS
from tostdsl.cli.main import tost as root
from tostdsl.compile.language import LANGUAGE
from tostdsl.compile.terms import TERMS

RECIPE = "param sparsity = 90%\nparam seeds = 3\nmodel resnet20\ndata cifar10\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: two recipes, one of them extending, and what is none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "a b.tost").write_text(RECIPE)
    (tmp_path / "in" / "base.tost").write_text(RECIPE)
    (tmp_path / "in" / "top.tost").write_text('extends "base.tost"\nparam extra = 1\n')
    (tmp_path / "notes.txt").write_text("")
    return tmp_path


def completed(*words: str) -> list[str]:
    """What may stand for the last word."""
    completer = BashComplete(root, {}, "tost", "_TOST_COMPLETE")
    return [item.value for item in completer.get_completions(list(words[:-1]), words[-1])]


def test_commands_and_options() -> None:
    """All of them."""
    assert list(COMMANDS) == completed("")
    assert ["fix", "fmt"] == completed("f")
    assert {"--strict", "--set", "--format", "--help"} <= set(completed("check", "--"))
    assert ["json"] == completed("check", "--format", "j")
    assert ["bash", "zsh", "fish"] == completed("completion", "")


@pytest.mark.parametrize("command", ["check", "fmt", "fix", "plan", "diff", "run"])
def test_recipes_and_folders(command: str) -> None:
    """Recipes and what may hold some, nothing hidden; a folder alone is entered."""
    assert ["a b.tost", "in/"] == completed(command, "")
    assert ["in/base.tost", "in/top.tost"] == completed(command, "i")
    assert ["in/top.tost"] == completed(command, "in/t")
    assert [".git/"] == completed(command, ".")
    assert [] == completed(command, "none/")


def test_all_that_diff_takes(folder: Path) -> None:
    """Saved plans, too, and a run folder, which is not entered; its checkpoints below it."""
    (folder / "plan a.json").write_text("{}")
    (folder / "run" / "ckpt" / "step-10").mkdir(parents=True)
    for name in ("plan.json", "metrics.jsonl", "recipe.tost"):
        (folder / "run" / name).write_text("{}")
    assert ["a b.tost", "in/", "plan a.json", "run/"] == completed("diff", "")
    assert ["plan a.json"] == completed("diff", "a b.tost", "p")
    assert ["run/"] == completed("diff", "a b.tost", "r")
    assert ["run/ckpt/", "run/plan.json", "run/recipe.tost"] == completed("diff", "run/")
    assert ["in/base.tost", "in/top.tost"] == completed("diff", "i")


def test_names_of_the_registry() -> None:
    """`explain` completes names, words and codes, `list` kinds, `new` the names of a slot."""
    assert ["ghost"] == completed("explain", "gh")
    words = {word for entry in (*LANGUAGE, *TERMS) for word in entry.names if word.isidentifier()}
    names = {cls.name for cls in registry.everything()}
    assert names | words | set(COMMANDS) == set(completed("explain", ""))
    assert {"T401", "T402"} <= set(completed("explain", "T40"))
    assert ["labels", "lottery"] == completed("explain", "ghost", "lab") + completed(
        "explain", "lot"
    )
    assert ["masks", "models"] == sorted(completed("list", "m"))
    assert registry.names("mask") == completed("new", "--mask", "")
    assert ["ghost,skip"] == completed("new", "--techniques", "ghost,s")
    presets = ["published_ghost", "published_skip"]
    assert presets == completed("new", "--preset", "pub")


@pytest.mark.parametrize("command", ["check", "fix", "plan", "run"])
def test_params_of_the_recipe_on_the_line(command: str) -> None:
    """`NAME=` of what it declares, and what it extends; without one, of those in the folder."""
    assert ["seeds=", "sparsity="] == completed(command, "a b.tost", "--set", "")
    assert ["sparsity="] == completed(command, "a b.tost", "--set", "seeds=1", "--set", "sp")
    expected = ["extra=", "seeds=", "sparsity="]
    assert expected == completed(command, "in/top.tost", "--set", "")
    assert ["seeds=", "sparsity="] == completed(command, "--set", "")
    for path in (Path("a b.tost"), *Path("in").iterdir()):
        path.unlink()
    assert [] == completed(command, "--set", "")


def test_values_of_a_param() -> None:
    """What recipes give it, this one and those that it extends, and both ways of a switch."""
    Path("in/top.tost").write_text('extends "base.tost"\nparam sparsity = 95%\nparam keep = no\n')
    assert ["sparsity=90%"] == completed("check", "a b.tost", "--set", "sparsity=")
    assert ["sparsity=95%", "sparsity=90%"] == completed(
        "plan", "in/top.tost", "--set", "sparsity=9"
    )
    assert ["keep=yes", "keep=no"] == completed("run", "in/top.tost", "--set", "keep=")
    assert [] == completed("check", "a b.tost", "--set", "none=")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_sound(shell: str, tost: Tost, folder: Path) -> None:
    """They call back, and the shell itself reads them."""
    said = tost("completion", shell)
    assert (0, "") == (said.code, said.err)
    assert f"_TOST_COMPLETE={shell}_complete" in said.out
    if shutil.which(shell):
        (folder / "script").write_text(said.out)
        subprocess.run([shell, "-n", "script"], check=True)
    assert 2 == tost("completion", "csh").code


def _needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not here")


@pytest.mark.parametrize(
    ("argv", "start"),
    [
        pytest.param(["bash", "--norc", "-i"], 'eval "$(tost completion bash)"',
                     marks=_needs("bash")),
        pytest.param(["zsh", "-f", "-i"],
                     'autoload -U compinit; compinit -u -D; eval "$(tost completion zsh)"',
                     marks=_needs("zsh")),
    ],
    ids=["bash", "zsh"],
)  # fmt: skip
def test_a_real_shell_completes(argv: list[str], start: str, folder: Path) -> None:
    """At a terminal: a name, a param without a space after it, a file with one in it."""
    script(folder)
    with Terminal(argv, folder) as terminal:
        terminal.type(f"{start}; echo rea''dy\n")
        terminal.until("ready")
        for typed, expected in (
            ("explain gh\t", r"explain ghost "),
            ("run 'a b.tost' --set sp\t95", r"--set sparsity=95"),
            ("run 'a b.tost' --set sparsity=\t", r"--set sparsity=90% "),
            ("run 'a b.tost' --set seeds=1 --set sparsity=9\t", r"--set sparsity=90% "),
            ("check a\t", r"check a\\ b\.tost "),
            ("check in/t\t", r"check in/top\.tost "),
        ):
            terminal.type(f"tost {typed}")
            terminal.until(expected)
            terminal.type("\x15")  # the line is of no use any more
        terminal.type("exit\n")
        assert 0 == terminal.end()


@_needs("fish")
def test_fish_completes(folder: Path, tost: Tost) -> None:
    """Fish has a command that tells what it would offer."""
    script(folder)
    (folder / "script").write_text(tost("completion", "fish").out)
    env = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder)}
    for line, expected in (("explain gh", "ghost"), ("check in/t", "in/top.tost")):
        command = f"source script; complete -C 'tost {line}'"
        result = subprocess.run(["fish", "-c", command], env=env, capture_output=True, text=True)
        assert expected == result.stdout.strip().partition("\t")[0]


def test_the_help_of_completion_is_in_lines(tost: Tost) -> None:
    """A line a shell, and no control character."""
    said = tost("completion", "--help")
    assert "\\b" not in said.out
    lines = [line.split()[0] for line in said.out.splitlines() if line.startswith("  ")]
    assert ["bash", "zsh", "fish"] == [word for word in lines if word in ("bash", "zsh", "fish")]


def test_paths_of_values_complete_for_why() -> None:
    """Those of the recipe on the line; none where it has mistakes."""
    assert [] == completed("plan", "in/base.tost", "--why", "m")
    Path("in/base.tost").write_text(
        RECIPE + "train for 9 epochs\nmask random(sparsity=$sparsity)\n"
    )
    words = ("plan", "in/base.tost", "--why")
    assert ["mask", "model"] == sorted(x for x in completed(*words, "m") if "." not in x)
    assert [] == completed("plan", "none.tost", "--why", "m")
    assert "mask.sparsity" in completed(*words, "mask.")
