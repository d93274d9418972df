"""`tost new`: a recipe to start from, by flags or by questions."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Tost
from tests.cli.terminal import Terminal, script


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "flags",
    [
        ["--yes"],
        ["--mask", "none"],
        ["--mask", "none", "--techniques", "none"],
        ["--mask", "lottery", "--epochs", "1"],
        ["--model", "resnet18(stem=imagenet)", "--data", 'imagefolder("birds")'],
        ["--techniques", "ghost,skip", "--techniques", "labels(smoothing=0.2) until epoch 5"],
        ["--sparsity", "98%", "--seed", "3", "--optimizer", "adamw", "--schedule", "multistep"],
    ],
    ids=" ".join,
)
def test_what_it_writes_is_clean_and_laid_out(flags: list[str], tost: Tost) -> None:
    """`check --strict` and `fmt --check` have nothing to say of it."""
    said = tost("new", "sub-1.tost", *flags)
    assert (0, "") == (said.code, said.err)
    assert 0 == tost("check", "--strict", "sub-1.tost").code
    assert 0 == tost("fmt", "--check", "sub-1.tost").code
    assert "recipe sub_1\n" in Path("sub-1.tost").read_text()


@pytest.mark.parametrize("name", ["model", "1st", "über", "for", "a b", "train.v2"])
def test_any_file_name_makes_a_recipe_name(name: str, tost: Tost) -> None:
    """A file may be called as it likes, as a keyword too."""
    assert 0 == tost("new", f"{name}.tost", "--yes").code
    assert 0 == tost("check", "--strict", f"{name}.tost").code


def test_flags_are_in_the_recipe(tost: Tost) -> None:
    """What was given stands there, in words of the recipe."""
    tost("new", "a.tost", "--epochs", "7", "--sparsity", "80%", "--techniques", "labels")
    text = Path("a.tost").read_text()
    for words in ("for 7 epochs", "param sparsity = 80%", "sparsity=$sparsity", "\nlabels\n"):
        assert words in text
    assert "\nghost" not in text


def test_nothing_is_overwritten(tost: Tost) -> None:
    """A file that is there stays, and so does what a link points at, or not."""
    Path("a.tost").write_text("mine")
    Path("b.tost").symlink_to("nowhere")
    for name in ("a.tost", "b.tost"):
        said = tost("new", name, "--yes")
        assert 1 == said.code
        assert "R603" in said.err
    assert "mine" == Path("a.tost").read_text()


def test_without_a_terminal_and_without_flags_it_says_so(tost: Tost) -> None:
    """The defaults are used, and that is told; with flags there is nothing to tell."""
    assert "the defaults are used" in tost("new").err
    assert 0 == tost("check", "--strict", "recipe.tost").code
    assert "" == tost("new", "b.tost", "--epochs", "3").err


def test_wrong_flags_get_the_compilers_messages(tost: Tost) -> None:
    """A name and a unit that are wrong are told together; nothing is written."""
    said = tost("new", "a.tost", "--model", "resnt18", "--sparsity", "90")
    assert (2, "") == (said.code, said.out)
    for words in ("did you mean `resnet18`?", "write `90%`"):
        assert words in said.err
    assert not Path("a.tost").exists()
    assert 2 == tost("new", "a.tost", "--epochs", "0").code


@pytest.mark.parametrize("mask", ["random(sparsity=80%)", "nm(2:4)", "nm"])
def test_a_sparsity_that_the_mask_has_no_use_for_is_refused(mask: str, tost: Tost) -> None:
    """It would be in force nowhere; a call that uses the param, and a wrong name, are not that."""
    said = tost("new", "a.tost", "--mask", mask, "--sparsity", "95%")
    assert (2, "") == (said.code, said.out)
    assert "leave `--sparsity` out" in said.err
    assert not Path("a.tost").exists()
    mask = "random(sparsity=$sparsity, distribution=erk)"
    assert 0 == tost("new", "a.tost", "--mask", mask, "--sparsity", "95%").code
    assert "param sparsity = 95%" in Path("a.tost").read_text()
    assert "T201" in tost("new", "b.tost", "--mask", "randm", "--sparsity", "95%").err


def test_a_share_is_written_as_the_percent_it_is(tost: Tost) -> None:
    """As `--set` takes it, and it is said; the recipe is clean."""
    said = tost("new", "a.tost", "--sparsity", "0.975")
    assert 0 == said.code
    assert "`97.5%`" in said.err
    assert "param sparsity = 97.5%" in Path("a.tost").read_text()
    assert 0 == tost("check", "--strict", "a.tost").code
    assert 2 == tost("new", "b.tost", "--sparsity", "9").code


def test_a_folder_that_is_not_there_is_said(tost: Tost) -> None:
    """It cannot be written, and why."""
    said = tost("new", "none/a.tost", "--yes")
    assert 1 == said.code
    assert "R202" in said.err


def test_standard_output(tost: Tost) -> None:
    """`-` prints the recipe, and nothing else."""
    said = tost("new", "-", "--yes")
    assert "recipe recipe\n" in said.out
    assert 0 == tost("check", "--strict", "-", stdin=said.out.encode()).code


PRESETS = Path(__file__).parents[2] / "recipes" / "presets"


@pytest.mark.parametrize("name", sorted(path.stem for path in PRESETS.glob("*.tost")))
def test_a_preset_is_written_as_it_is(name: str, tost: Tost) -> None:
    """Byte by byte, to a file of its name unless another is given, laid out, without a mistake."""
    said = tost("new", "--preset", name)
    assert (0, "") == (said.code, said.err)
    text = Path(f"{name}.tost").read_bytes()
    assert (PRESETS / f"{name}.tost").read_bytes() == text
    assert text.decode() == tost("new", "-", "--preset", name).out
    assert 0 == tost("check", f"{name}.tost").code
    assert 0 == tost("fmt", "--check", f"{name}.tost").code
    assert 1 == tost("new", "--preset", name).code


def test_a_wrong_preset_and_other_flags_are_refused(tost: Tost) -> None:
    """A slip is met by the preset that was meant, anything else by all of them."""
    said = tost("new", "a.tost", "--preset", "publishd_ghost")
    assert 2 == said.code
    assert "did you mean `published_ghost`?" in said.err
    assert "`intent_full`" in tost("new", "a.tost", "--preset", "x").err
    assert 2 == tost("new", "a.tost", "--preset", "../quickstart").code
    said = tost("new", "a.tost", "--preset", "intent_ghost", "--epochs", "3")
    assert 2 == said.code
    assert "leave `--epochs` out" in said.err
    assert not Path("a.tost").exists()


def test_questions_are_asked_in_a_terminal(folder: Path) -> None:
    """Each has a default; a wrong answer gets the compiler's message and is asked again."""
    script(folder)
    with Terminal(["tost", "new"], folder) as terminal:
        terminal.until(r"The file \[recipe.tost\]:")
        terminal.type("mine.tost\n")
        terminal.until(r"The network \[.*\]:")
        terminal.type("resnt20\n")
        assert "did you mean `resnet20`?" in terminal.until(r"The network \[.*\]:")
        terminal.type("resnet20\n")
        assert "digits" in terminal.until(r"The data set \[digits\]:")
        terminal.type("\n")
        terminal.until(r"weights that stay.*\[random\]:")
        terminal.type("\n")
        terminal.until(r"share of weights.* \[90%\]:")
        terminal.type("95\n")
        assert "write `95%`" in terminal.until(r"share of weights.* \[90%\]:")
        terminal.type("95%\n")
        terminal.until(r"How many epochs.* \[10\]:")
        terminal.type("ten\n")
        terminal.until(r"How many epochs.* \[10\]:")
        terminal.type("\n")
        terminal.until(r"Techniques.*\[init, ghost, skip, labels\]:")
        terminal.type("ghost\n")
        terminal.until("mine.tost: written")
        assert 0 == terminal.end()
    text = (folder / "mine.tost").read_text()
    for words in ("resnet20", "param sparsity = 95%", "for 10 epochs", "\nghost("):
        assert words in text


def test_a_sparsity_without_a_mask_is_refused(tost: Tost) -> None:
    """What is given and cannot be in the recipe is not dropped in silence."""
    said = tost("new", "a.tost", "--yes", "--mask", "none", "--sparsity", "90%")
    assert (2, True) == (said.code, "--sparsity" in said.err)
    assert not Path("a.tost").exists()
    dense = tost("new", "-", "--yes", "--mask", "none").out
    assert "init" not in dense


def test_what_is_refused_is_said_not_to_be_written(tost: Tost) -> None:
    """A warning is enough to write nothing; no place in a file that is not there is named."""
    said = tost("new", "-", "--yes", "--mask", "random(sparsity=0.98)")
    assert (2, "") == (said.code, said.out)
    assert said.err.endswith("nothing is written\n")
    assert "write `98%`" in said.err
    assert "recipe.tost" not in said.err


@pytest.mark.parametrize(
    "name", ["model", "data", "mask", "optimizer", "schedule", "sparsity", "techniques"]
)
def test_a_text_that_no_file_can_hold_is_refused(name: str, tost: Tost) -> None:
    """A byte that is not UTF-8, as Python has it in an argument; nothing is written."""
    for half in ("\udcff", "\ud800"):
        found = tost("new", "r.tost", "--yes", f"--{name}", f"digits{half}")
        assert 2 == found.code
        assert "error[T106]" in found.err
        assert f"--{name}:1:7" in found.err
        assert not Path("r.tost").exists()
