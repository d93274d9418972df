"""`without`: what it takes out of what a recipe extends, and what is told of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.compile.several import BASE, HEAD, compiled, fingerprint, places
from tostdsl.compile.origins import trace
from tostdsl.compile.print import print_plan
from tostdsl.source import Source
from tostdsl.syntax.format import format_text

FULL = """\
model resnet20
data cifar10
mask random(sparsity=90%)
optimizer adam
schedule constant
train for 160 epochs
seed 3
precision bf16
skip until epoch 40
expect accuracy >= 90%
expect loss <= 1
"""


# -- stages


@pytest.mark.parametrize(
    ("removal", "left"),
    [
        ("ghost", ["skip until epoch 9"]),
        ("ghost until 25%", ["ghost(width=3x) from epoch 60", "skip until epoch 9"]),
        ("ghost until epoch 45", ["ghost(width=3x) from epoch 60", "skip until epoch 9"]),
        ("ghost for 45 epochs", ["ghost(width=3x) from epoch 60", "skip until epoch 9"]),
        ("ghost from start until 25%, skip", ["ghost(width=3x) from epoch 60"]),
        ("ghost until 25%, ghost from epoch 60", ["skip until epoch 9"]),
        ("ghost from epoch 60 until end, skip until epoch 9", ["ghost(width=2x) until 25%"]),
    ],
)
def test_without_takes_out_by_name_and_window(
    tmp_path: Path, removal: str, left: list[str]
) -> None:
    """A window in a `without` leaves the stages of the name that have another one."""
    (made,) = compiled(tmp_path, base=BASE, top=f'extends "base.tost"\nwithout {removal}\n').plans
    assert fingerprint(HEAD + "\n".join(left)) == made.fingerprint


def test_without_counts_in_the_epochs_in_force(tmp_path: Path) -> None:
    """A window that the new `train` has no room for can still be named."""
    top = 'extends "base.tost"\nwithout skip, ghost from epoch 60\ntrain for 30 epochs\n'
    (made,) = compiled(tmp_path, base=BASE, top=top).plans
    same = HEAD.replace("180", "30") + "ghost(width=2x) until 25%\n"
    assert fingerprint(same) == made.fingerprint


@pytest.mark.parametrize("removal", ["init", "init at start", "init at epoch 0"])
def test_without_an_instant(tmp_path: Path, removal: str) -> None:
    """A technique that acts at one moment is found at it, though its stage has no window."""
    base = HEAD + "init(rescale=fanin_masked)\n"
    (made,) = compiled(tmp_path, base=base, top=f'extends "base.tost"\nwithout {removal}\n').plans
    assert fingerprint(HEAD) == made.fingerprint


def test_without_a_window_is_named_until_end(tmp_path: Path) -> None:
    """`until end` takes out the stage without a window only."""
    base = HEAD + "labels(smoothing=0.1)\nskip until epoch 3\nskip\n"
    (made,) = compiled(
        tmp_path, base=base, top='extends "base.tost"\nwithout skip until end\n'
    ).plans
    assert fingerprint(HEAD + "labels(smoothing=0.1)\nskip until epoch 3\n") == made.fingerprint


def test_a_window_no_stage_has_is_refused_with_those_there_are(tmp_path: Path) -> None:
    """The message shows the inherited stages of the name and what to write for each."""
    top = 'extends "base.tost"\nwithout ghost until epoch 46\n'
    (found,) = compiled(tmp_path, base=BASE, top=top).diagnostics
    assert ["T230"] == [found.code]
    assert ["ghost until epoch 46", *BASE.splitlines()[4:6]] == [
        label.span.text for label in found.labels
    ]
    assert found.help is not None
    assert "`without ghost until epoch 45`, `without ghost from epoch 60`" in found.help


def test_a_missed_removal_is_one_report(tmp_path: Path) -> None:
    """What was meant to be taken out does not conflict as well."""
    base = HEAD + "labels(smoothing=0.1) until epoch 20\n"
    top = 'extends "base.tost"\nwithout labels until epoch 30\nlabels(smoothing=0.2)\n'
    assert ["T230"] == [d.code for d in compiled(tmp_path, base=base, top=top).diagnostics]


def test_without_suggests_a_near_name(tmp_path: Path) -> None:
    """A misspelt stage is named."""
    (found,) = compiled(tmp_path, base=BASE, top='extends "base.tost"\nwithout ghots\n').diagnostics
    assert "T210" == found.code
    assert found.help is not None
    assert "`ghost`" in found.help


def test_a_stage_is_taken_out_once(tmp_path: Path) -> None:
    """What a file in between took out is not there for the top one."""
    mid = 'extends "base.tost"\nwithout ghost until 25%, skip\n'
    found = compiled(
        tmp_path, base=BASE, mid=mid, top='extends "mid.tost"\nwithout skip\n'
    ).diagnostics
    assert [("T210", "top.tost:2:9")] == places(found)


def test_without_does_not_reach_a_files_own_stages(tmp_path: Path) -> None:
    """A file may take a stage out and add one of the same name and window, in any order."""
    top = 'extends "base.tost"\nghost(width=4x) until 25%\nwithout ghost\n'
    (made,) = compiled(tmp_path, base=BASE, top=top).plans
    assert fingerprint(HEAD + "skip until epoch 9\nghost(width=4x) until 25%\n") == made.fingerprint


@pytest.mark.parametrize(
    ("stages", "line"),
    [
        ("labels(smoothing=0.1)\n", "`without labels`"),
        (
            "labels(smoothing=0.1) until 20%\nlabels(smoothing=0.2) from 20%\n",
            "`without labels from epoch 36`",
        ),
    ],
)
def test_a_conflict_with_an_inherited_stage_says_how_to_take_it_out(
    tmp_path: Path, stages: str, line: str
) -> None:
    """The help of T404 has the `without` to write, and writing it mends the recipe."""
    top = 'extends "base.tost"\nlabels(smoothing=0.3) from 30%\n'
    (found,) = compiled(tmp_path, base=HEAD + stages, top=top).diagnostics
    assert "T404" == found.code
    assert found.help is not None
    assert line in found.help
    mended = top + line.strip("`") + "\n"
    assert () == compiled(tmp_path, base=HEAD + stages, top=mended).diagnostics


def test_an_inherited_window_past_the_end_says_how_to_take_it_out(tmp_path: Path) -> None:
    """A recipe that trains shorter than its base: one report a stage, and writing it mends it."""
    base = HEAD + "ghost(width=2x) until epoch 40\nghost(width=2x) from epoch 50 until epoch 90\n"
    base += "skip until 50%\nlabels(smoothing=0.1) until step 9000\n"
    top = 'extends "base.tost"\ntrain for 20 epochs\n'
    found = compiled(tmp_path, base=base, top=top).diagnostics
    assert ["T401"] * 3 == [d.code for d in found]
    for d in found:
        line = re.search(r"write `(.*)` to leave the inherited one out", d.help or "")
        assert line is not None
        assert None is d.fix
        top += f"{line[1]}\n"
    assert 2 == top.count("without ghost ")
    assert () == compiled(tmp_path, base=base, top=top).diagnostics
    top = 'extends "base.tost"\nskip until epoch 200\n'
    found = compiled(tmp_path, base=base, top=top).diagnostics
    assert found
    for d in found:
        assert "without" not in (d.help or "") or d.code == "T404"


def test_a_conflict_within_one_file_says_nothing_of_without(tmp_path: Path) -> None:
    """Two inherited stages that conflict are the base's own mistake."""
    base = HEAD + "labels(smoothing=0.1)\nlabels(smoothing=0.2)\n"
    (found,) = compiled(tmp_path, base=base, top='extends "base.tost"\n').diagnostics
    assert found.help is not None
    assert "without" not in found.help


# -- words


@pytest.mark.parametrize("word", ["mask", "optimizer", "schedule", "seed", "precision", "expect"])
def test_without_puts_a_word_back_to_its_default(tmp_path: Path, word: str) -> None:
    """The plan, its fingerprint and its printed form are those of a base that never said it."""
    lines = [line for line in FULL.splitlines() if not line.startswith(word)]
    (plain,) = compiled(tmp_path, top="\n".join(lines)).plans
    top = f'extends "base.tost"\nwithout {word}\n'
    (made,) = compiled(tmp_path, base=FULL, top=top).plans
    assert plain.fingerprint == made.fingerprint
    assert print_plan(plain) == print_plan(made)
    text, found = format_text(Source("top.tost", top))
    assert (top, []) == ((text or "").replace("\n\n", "\n"), found)


def test_without_a_word_and_saying_it_anew(tmp_path: Path) -> None:
    """What is taken out and said in one file is what that file says; stages go along with it."""
    top = 'extends "base.tost"\nwithout mask, expect, skip\nmask magnitude(sparsity=50%)\n'
    (made,) = compiled(tmp_path, base=FULL, top=top + "expect loss <= 0.5\n").plans
    assert ("magnitude", "50%") == (made.mask.method.name, str(made.mask.method.sparsity))  # type: ignore[union-attr]
    assert (["loss <= 0.5"], ()) == ([str(expect) for expect in made.expect], made.stages)


@pytest.mark.parametrize(
    ("line", "code", "help"),
    [
        ("without model", "T232", "write `model` anew"),
        ("without data, train", "T232", "write `data` anew"),
        ("without sweep", "T232", "ends an inherited sweep"),
        ("without mask until epoch 3", "T409", "remove it"),
        ("without mask, mask", "T210", "has no `mask`"),
        ("without msak", "T210", "did you mean `mask`?"),
        ("mask none", "T201", "write `without mask`"),
        ("schedule none", "T201", "write `without schedule`"),
        ("without mask\ninit(rescale=fanin_masked)", "T521", "add a `mask`, or remove `init`"),
    ],
)
def test_what_without_cannot_do_is_told(tmp_path: Path, line: str, code: str, help: str) -> None:
    """Each with what to write."""
    top = f'extends "base.tost"\n{line}\n'
    first, *_ = compiled(tmp_path, base=FULL, top=top).diagnostics
    assert (code, True) == (first.code, help in (first.help or ""))


def test_an_inherited_stage_that_needs_the_mask_taken_out(tmp_path: Path) -> None:
    """The help names the `without` that mends it, and writing it does."""
    base = FULL + "init(rescale=fanin_masked)\n"
    top = 'extends "base.tost"\nwithout mask\n'
    (found,) = compiled(tmp_path, base=base, top=top).diagnostics
    assert ("T521", True) == (found.code, "`without init`" in (found.help or ""))
    assert () == compiled(tmp_path, base=base, top=top + "without init\n").diagnostics


@pytest.mark.parametrize(
    ("line", "write"),
    [
        ("without ghost#2", "`without ghost from epoch 60`"),
        ("without ghost#1", "`without ghost until epoch 45`"),
        ("without skip, ghost#1, labels", "`without skip, ghost until epoch 45, labels`"),
        ("without ghost#2, ghost#1  # both", "from epoch 60, ghost until epoch 45`"),
        ("without skip#1", "`#1` is for `--why` and logs; write `without skip`"),
        ("without ghost#9", "`without ghost until epoch 40`"),
        ("seed 3\nskip#2", "put a space before `#`"),
    ],
)
def test_a_number_behind_a_name_is_told_to_be_a_comment(
    tmp_path: Path, line: str, write: str
) -> None:
    """`ghost#2` is all ghosts and a comment; a warning says so, with the whole line to write.

    Numbers are those of `--why`: the plan's order, in which what starts at the start comes first.
    """
    base = FULL + "param soft = epoch 45\n"
    base += "ghost(width=3x) from epoch 60\nghost(width=3x) until $soft\n"
    whole = compiled(tmp_path, top=base)
    origins = trace(whole.variants[0].recipe, whole.variants[0].lowered).by_path
    windows = [origins["stages.ghost.until"].value, origins["stages.ghost#2.from"].value]
    assert ["epoch 45", "epoch 60"] == windows
    found = compiled(tmp_path, base=base, top=f'extends "base.tost"\n{line}\n').diagnostics
    (warning,) = [d for d in found if d.severity == "warning"]
    assert ("W040", True) == (warning.code, write in (warning.help or ""))


@pytest.mark.parametrize("line", ["without ghost # 2", "without ghost #2", "ghost(width=2x)#2"])
def test_other_comments_are_no_numbers(tmp_path: Path, line: str) -> None:
    """A space, or a bracket, and nobody takes the comment for part of a name."""
    base = FULL + "ghost(activation=swish) until epoch 45\n"
    top = f'extends "base.tost"\n{line}\n'
    found = compiled(tmp_path, base=base, top=top)
    assert [] == [d for d in found.diagnostics if d.code == "W040"]
    assert found.plans
