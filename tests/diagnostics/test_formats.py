"""Diagnostics for programs: JSON, and the commands of GitHub's log."""

from __future__ import annotations

import json
import re
from typing import Any

from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose
from tostdsl.diagnostics import render_github as github
from tostdsl.diagnostics import render_json as as_json
from tostdsl.source import Source

TEXT = "train for 30 epochs\nghost(width=2) until epoch 40\n"
SOURCE = Source("recipes/a,b:c%.tost", TEXT)


def wrong() -> Diagnostic:
    span = SOURCE.span(TEXT.index("2)"), TEXT.index(")"))
    train = Label(SOURCE.span(0, 19), "100 % of\nit")
    fix = Fix((Edit(span, "2x"),), certain=False)
    return diagnose(
        "T305", span, train, fix=fix, name="w", expected="`2x`", found="`2`", write="2x"
    )


def place(data: dict[str, Any]) -> str:
    """The text between the two ends of a place, found again by counting lines and columns."""
    lines = TEXT.split("\n")
    start = sum(len(line) + 1 for line in lines[: data["line"] - 1]) + data["column"] - 1
    end = sum(len(line) + 1 for line in lines[: data["end_line"] - 1]) + data["end_column"] - 1
    return TEXT[start:end]


def test_json_holds_everything() -> None:
    """One document: the diagnostics with their places and edits, and how many there are."""
    data = json.loads(as_json.render([wrong(), diagnose("W004", name="p", reason="r")]))
    assert {"diagnostics", "counts"} == set(data)
    assert {"error": 1, "warning": 1, "note": 0} == data["counts"]
    first, second = data["diagnostics"]
    assert ("T305", "error", "write `2x`") == (first["code"], first["severity"], first["help"])
    assert ["2", "train for 30 epochs"] == [place(label) for label in first["labels"]]
    (edit,) = first["fix"]["edits"]
    assert (False, "2", "2x") == (first["fix"]["certain"], place(edit), edit["text"])
    assert ([], None, None) == (second["labels"], second["fix"], second["help"])


def test_json_of_nothing_is_a_document() -> None:
    """A clean recipe has an empty list."""
    data = json.loads(as_json.render([]))
    assert ([], 0) == (data["diagnostics"], sum(data["counts"].values()))


def test_json_has_no_control_characters() -> None:
    """What a stranger wrote cannot steer the terminal that shows the document."""
    found = diagnose("T101", Source("\x1b[2J", "\x1b").span(0, 1), expected="\x07", found="\u202e")
    assert not re.search(r"[^\n -~]", as_json.render([found]))


def unescape(text: str) -> str:
    return re.sub(r"%([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), text)


def test_github_commands_read_back() -> None:
    """Taken apart as GitHub does, a command gives back the place and the words."""
    line = github.render([wrong()])
    assert "\n" not in line
    match = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
    assert match is not None
    properties = dict(part.split("=") for part in match[2].split(","))
    expected = {"file": SOURCE.name, "line": "2", "col": "13", "endLine": "2", "endColumn": "14"}
    assert {**expected, "title": "T305"} == {k: unescape(v) for k, v in properties.items()}
    assert "error" == match[1]
    message, label, help = unescape(match[3]).split("\n")
    assert (wrong().message, "help: write `2x`") == (message, help)
    assert label.endswith("100 % of\ufffdit")


def test_github_knows_warnings_and_notes() -> None:
    """Each severity has its command, and what stands in no file has no place."""
    span = Source("--set", "s=1").span(2, 3)
    found = [
        diagnose("W003", span, name="s"),
        diagnose("W021", None, moment="epoch 2", name="ghost"),
    ]
    first, second = github.render(found).split("\n")
    assert first.startswith("::warning title=W003::param `s`")
    assert second.startswith("::notice title=W021::the learning rate")
    assert "" == github.render([])


def test_github_leaves_columns_out_over_several_lines() -> None:
    """GitHub shows columns only where a place begins and ends on one line."""
    line = github.render([diagnose("T110", SOURCE.span(0, 25), limit=64)])
    assert ",line=1,endLine=2,title=T110::" in line
