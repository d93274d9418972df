"""The catalogue of messages."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from typing import Any

import pytest

import tostdsl
from tostdsl.diagnostics import CATALOGUE, Entry, Severity, diagnose

PACKAGE = Path(tostdsl.__file__).parent


def used() -> set[str]:
    """Codes the package's own source names, outside the catalogue."""
    sources = (p for p in PACKAGE.rglob("*.py") if p.name != "catalogue.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    return set(re.findall(r"[\"']([TWR]\d{3})[\"']", text))


def fields(entry: Entry) -> list[str]:
    """Names filled in by the caller."""
    templates = (entry.message, entry.help or "")
    return [name for t in templates for _, name, _, _ in Formatter().parse(t) if name is not None]


@pytest.mark.parametrize("code", CATALOGUE)
def test_an_entry_is_well_formed(code: str) -> None:
    """A code is a family and three digits; templates have names only, and fill in."""
    entry = CATALOGUE[code]
    assert re.fullmatch(r"[TWR]\d{3}", code)
    assert all(name.isidentifier() for name in fields(entry))
    values: dict[str, Any] = dict.fromkeys(fields(entry), "{x}")
    filled = diagnose(code, **values)
    assert Severity(entry.severity) is filled.severity
    assert filled.message.count("{x}") == len(
        [n for _, n, _, _ in Formatter().parse(entry.message) if n is not None]
    )


@pytest.mark.parametrize("code", CATALOGUE)
def test_an_entry_is_in_the_projects_voice(code: str) -> None:
    """Lower case first, no full stop, code in pairs of backticks, one line."""
    entry = CATALOGUE[code]
    for text in filter(None, (entry.message, entry.help)):
        assert not text[0].isupper()
        assert not text.endswith(".")
        assert 0 == text.count("`") % 2
        assert "\n" not in text
    allowed = {"T": {"error"}, "W": {"warning", "note"}, "R": {"error", "warning", "note"}}
    assert entry.severity in allowed[code[0]]


def test_every_code_used_is_in_the_catalogue() -> None:
    """No message lives elsewhere."""
    assert [] == sorted(used() - set(CATALOGUE))


def test_every_code_in_the_catalogue_is_used() -> None:
    """No message is left over."""
    assert [] == sorted(set(CATALOGUE) - used())


def test_a_long_path_is_cut_in_its_middle() -> None:
    """Its last parts stay whole, and a short one is left as it is."""
    path = "/".join(f"folder{number}" for number in range(60)) + "/base.tost"
    shown = diagnose("T213", path=path, reason="it is a folder").message
    assert len(shown) < 120
    head, tail = shown.removeprefix("cannot read `").removesuffix("`: it is a folder").split("…")
    assert path.startswith(head)
    assert path.endswith(tail)
    assert "/folder59/base.tost" in tail
    assert tail.startswith("/")
    assert "`a/base.tost`" in diagnose("T213", path="a/base.tost", reason="x").message
    assert len(diagnose("T213", path="a" * 5000, reason="x").message) < 120
