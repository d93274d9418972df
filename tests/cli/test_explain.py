"""`tost list` and `tost explain`: everything registered can be found and is told."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.conftest import Tost
from tostdsl import registry
from tostdsl.diagnostics import CATALOGUE


def test_without_a_kind_everything_is_listed(tost: Tost) -> None:
    """All kinds, all names, all codes."""
    listed = json.loads(tost("list", "--format", "json").out)
    assert list(listed) == [*(p.removesuffix(" sets") for p in registry.KINDS.values()), "codes"]
    names = {entry["name"] for entries in listed.values() for entry in entries}
    assert {cls.name for cls in registry.everything()} | set(CATALOGUE) == names
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


def test_text_fits_the_width(tost: Tost, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is running text is wrapped to a narrow terminal; code is left as it is."""
    monkeypatch.setenv("COLUMNS", "50")
    for line in tost("explain", "ghost", "lottery", "T401").out.splitlines():
        assert len(line) <= 50 or line.startswith("    ")
    for line in tost("list", "masks").out.splitlines():
        assert len(line) <= 50
