"""`tost list` and `tost explain`: everything registered can be found and is told."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Tost
from tostdsl import registry
from tostdsl.cli.main import COMMANDS
from tostdsl.cli.mask import SUBCOMMANDS
from tostdsl.compile.compiler import compile_source
from tostdsl.compile.language import ELSEWHERE, LANGUAGE, Entry, statements
from tostdsl.compile.terms import TERMS
from tostdsl.diagnostics import CATALOGUE
from tostdsl.source import Source
from tostdsl.syntax.words import KEYWORDS

RECIPES = Path(__file__).parents[2] / "recipes"


def test_without_a_kind_everything_is_listed(tost: Tost) -> None:
    """All kinds, all names, all codes."""
    listed = json.loads(tost("list", "--format", "json").out)
    kinds = [p.removesuffix(" sets") for p in registry.KINDS.values()]
    assert list(listed) == [*kinds, "statements", "presets", "codes"]
    names = {entry["name"] for entries in listed.values() for entry in entries}
    shipped = {path.stem for path in (RECIPES / "presets").glob("*.tost")}
    known = {cls.name for cls in registry.everything()} | set(CATALOGUE) | shipped
    assert known | set(statements()) == names
    text = tost("list").out
    assert set() == {name for name in names if not re.search(rf"\b{name}\b", text)}


@pytest.mark.parametrize("kind", [*registry.KINDS, "code"])
def test_a_kind_lists_its_names_with_a_sentence(kind: str, tost: Tost) -> None:
    """One line or more a name, in the singular or the plural."""
    (listed,) = json.loads(tost("list", kind, "--format", "json").out).values()
    names = sorted(CATALOGUE) if kind == "code" else registry.names(kind)
    assert names == [entry["name"] for entry in listed]
    assert all(entry["summary"] and "\n" not in entry["summary"] for entry in listed)
    text = tost("list", kind).out
    assert all(re.search(rf"^{name}  +\S", text, re.MULTILINE) for name in names)


def test_an_unknown_kind_suggests(tost: Tost) -> None:
    """A slip is met by the kind that was meant."""
    said = tost("list", "modles")
    assert (2, "") == (said.code, said.out)
    assert "did you mean `models`?" in said.err


@pytest.mark.parametrize("cls", list(registry.everything()), ids=lambda c: f"{c.kind}-{c.name}")
def test_everything_registered_is_explained(cls: type, tost: Tost) -> None:
    """Its kind, every argument, what it takes and how it is written."""
    spec = registry.get(cls.kind, cls.name)  # type: ignore[attr-defined]
    said = tost("explain", spec.name)
    assert (0, "") == (said.code, said.err)
    assert f"{spec.name} ({spec.kind.replace('data', 'data set')})" in said.out
    for name in spec.model_fields:
        assert re.search(rf"^  {name}  ", said.out, re.MULTILINE)
    for example in spec.examples:
        assert example in said.out


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_is_explained(code: str, tost: Tost) -> None:
    """By its page or by what the catalogue says, in either case of letters."""
    said = tost("explain", code.lower())
    assert (0, "") == (said.code, said.err)
    assert said.out.startswith(f"# {code}")


def test_a_name_of_several_kinds_is_explained_for_each(tost: Tost) -> None:
    """`cosine` is an anneal and a schedule."""
    out = tost("explain", "cosine").out
    assert "cosine (anneal)" in out
    assert "cosine (schedule)" in out


def test_unknown_names_suggest_and_known_ones_are_told(tost: Tost) -> None:
    """One unknown among several does not silence the others."""
    said = tost("explain", "gohst", "labels", "T999", "masks", "\x1b[31m")
    assert 2 == said.code
    assert "labels (technique)" in said.out
    for words in ("did you mean `ghost`?", "unknown name `T999`", "see `tost list masks`"):
        assert words in said.err
    assert "\x1b" not in said.err


def test_the_start_of_names_lists_them(tost: Tost) -> None:
    """`resnet` is no name, but several begin so; they stand before a word that is near to it."""
    said = tost("explain", "resnet")
    assert 2 == said.code
    assert "`resnet18`" in said.err
    assert "`resnet20`" in said.err
    assert "preset" not in said.err


def test_text_fits_the_width(tost: Tost, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is running text is wrapped to a narrow terminal; code is left as it is."""
    monkeypatch.setenv("COLUMNS", "50")
    lines = tost("explain", "ghost", "lottery", "T401").out.splitlines()
    assert 40 < max(len(line) for line in lines if not line.startswith("    ")) <= 50
    assert 40 < max(len(line) for line in tost("list", "masks").out.splitlines()) <= 50


@pytest.mark.parametrize("name", sorted(path.stem for path in (RECIPES / "presets").iterdir()))
def test_every_preset_is_listed_and_explained(name: str, tost: Tost) -> None:
    """With its title, as the recipe has it, and how it is written out."""
    said = tost("explain", name)
    assert (0, "") == (said.code, said.err)
    title = re.search(r'"(.*)"', (RECIPES / "presets" / f"{name}.tost").read_text())
    assert title is not None
    assert title[1] in said.out
    assert title[1] in tost("list", "presets").out
    assert f"tost new --preset {name}" in said.out


@pytest.mark.parametrize(
    ("word", "lines"),
    [
        ("recalibrate", ["recalibrate (argument)", "  ghost(recalibrate=…)  estimate normal"]),
        (
            "keep",
            ["keep (argument)", "  skip(keep=…)   stay", "keep (value)", "  init(base"],
        ),
        ("swish", ["swish (value)", "  ghost(activation=swish)  the soft activation"]),
        ("learned", ["learned (value)", "  init(rescale=learned)  the law"]),
        ("isometry", ["isometry (value)", "`tost explain init` tells the rest"]),
    ],
)
def test_arguments_and_their_values_are_explained(word: str, lines: list[str], tost: Tost) -> None:
    """By where they are registered, with what is said of them there."""
    said = tost("explain", word)
    assert (0, "") == (said.code, said.err)
    assert all(re.search(rf"^{re.escape(line)}", said.out, re.MULTILINE) for line in lines)


@pytest.mark.parametrize("entry", TERMS, ids=lambda entry: entry.names[0])
def test_words_of_a_run_are_explained(entry: Entry, tost: Tost) -> None:
    """By each of their names; what they point to is there, and their examples are sound."""
    for name in entry.names:
        said = tost("explain", name)
        assert (0, "") == (said.code, said.err)
        assert f"{name} (run)" in said.out
    assert set(entry.codes) <= set(CATALOGUE)
    for text in entry.examples:
        head = "".join(f"{word} {rest}\n" for word, rest in HEAD.items())
        assert () == compile_source(Source("r.tost", head + text)).diagnostics


@pytest.mark.parametrize("name", [*COMMANDS, "export"])
def test_every_command_is_explained(name: str, tost: Tost) -> None:
    """In a line, with its help, which is there; beside what else has the name."""
    said = tost("explain", name.upper())
    assert (0, "") == (said.code, said.err)
    whole = f"mask {name}" if name == "export" else name
    lines = said.out.splitlines()
    assert f"{whole} (command)" in lines
    assert COMMANDS.get(name, SUBCOMMANDS.get(name)) in lines
    assert f"    tost {whole} --help" in lines
    assert 0 == tost(*whole.split(), "--help").code
    assert (name == "mask") == ("mask (statement)" in lines)
    assert "did you mean `resume`?" in tost("explain", "resmue").err


WORDS = sorted({word for entry in LANGUAGE for word in entry.names})


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_the_language_is_explained(word: str, tost: Tost) -> None:
    """In either case, with its form, an example, and beside what is registered under it."""
    said = tost("explain", word)
    assert (0, "") == (said.code, said.err)
    for entry in LANGUAGE:
        if word in entry.names:
            assert f"{word} ({entry.kind})" in said.out
            assert all(f"    {text}" in said.out for text in entry.examples)
    kinds = {cls.kind for cls in registry.everything() if cls.name == word}
    assert all(f"{word} ({kind})" in said.out for kind in kinds)


def test_every_word_that_begins_a_statement_has_an_entry() -> None:
    """The words that the grammar knows, and the words of windows and targets."""
    assert set(KEYWORDS) <= set(WORDS)
    assert {"from", "until", "for", "at", "on", "except", "over", "epoch", "step"} <= set(WORDS)
    assert set() == {code for entry in LANGUAGE for code in entry.codes} - set(CATALOGUE)


HEAD = {"model": "resnet20", "data": "cifar10", "mask": "random(sparsity=90%)",
        "train": "for 160 epochs"}  # fmt: skip


@pytest.mark.parametrize(
    ("entry", "text"), [(entry, text) for entry in LANGUAGE for text in entry.examples]
)
def test_examples_of_words_are_sound(entry: Entry, text: str) -> None:
    """Each stands in a recipe without a mistake, but for what it needs of other files."""
    head = [f"{word} {rest}" for word, rest in HEAD.items() if not text.startswith(word)]
    if "$" not in text and "sweep sparsity" in text:
        head[head.index("mask random(sparsity=90%)")] = "mask random(sparsity=$sparsity)"
        head.append("param sparsity = 90%")
    found = compile_source(Source("r.tost", "\n".join([*head, text]))).diagnostics
    allowed = {"extends": {"T213"}, "without": {"T220"}, "param": {"W003"}}
    assert set() == {d.code for d in found} - allowed.get(text.split()[0], set())


def test_statements_are_listed(tost: Tost) -> None:
    """With what each does; in the singular too."""
    listed = tost("list", "statements").out
    assert listed == tost("list", "statement").out
    assert all(re.search(rf"^{word}  +\S", listed, re.MULTILINE) for word in KEYWORDS)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_methods_of_others_are_no_slips(name: str, tost: Tost) -> None:
    """A method that is not there is not taken for a misspelt other one."""
    assert [] == [cls for cls in registry.everything() if cls.name == name]
    said = tost("explain", name)
    assert (2, True) == (said.code, "not there yet" in said.err)
    assert "did you mean" not in said.err


@pytest.mark.parametrize(
    ("name", "written"),
    [("rigl", "dynamic(grow=gradient)"), ("imp", "lottery"), ("GMP", "gradual")],
)
def test_a_name_of_the_field_leads_to_ours(name: str, written: str, tost: Tost) -> None:
    """A method known by another name elsewhere is answered with the call to write here."""
    said = tost("explain", name)
    assert (2, True) == (said.code, f"here it is the mask `{written}`" in said.err)


def test_types_are_worded(tost: Tost) -> None:
    """Lists name what is in them, defaults show how a value is written, samples fit."""
    shown = tost("explain", "cifar10", "step", "multistep", "lottery").out
    assert "a list of augmentations" in shown
    assert "a list of moments" in shown
    assert "anneal=step([50%, 75%])" in shown
    assert "a list of the name" not in shown
    rate = next(line for line in shown.splitlines() if line.startswith("  rate "))
    assert ("90%" in rate, "default 20%" in rate) == (False, True)
