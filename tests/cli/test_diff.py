"""`tost diff`, as a user and a program call it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Tost
from tests.cli.edited import BASE, edited
from tests.compare.test_sides import git


@pytest.fixture(autouse=True)
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a recipe, and an edited one beside it."""
    return edited(tmp_path, monkeypatch)


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
