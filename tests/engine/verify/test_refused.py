"""What cannot be verified, and plans that no run writes, are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engine.verify.runs import edit_json, failures, reseal, verdict
from tostdsl.diagnostics import TostError


def unregistered(content: Any) -> None:
    content["plan"]["mask"]["method"]["name"] = "wanda"


def other_revision(content: Any) -> None:
    content["plan"]["mask"]["method"]["revision"] = 9


def older_schema(content: Any) -> None:
    content["plan"]["schema"] = 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (unregistered, "names the mask `wanda`, which is not registered here"),
        (other_revision, "`random` has revision 1 here, the plan wants 9"),
        (older_schema, "written in schema 0, this version reads schema 1"),
    ],
)
def test_a_plan_of_another_installation_is_refused(
    run: Path, change: Callable[[Any], None], words: str
) -> None:
    """R413 says what is not here; the rest of the folder is no failure for it."""
    edit_json(run / "plan.json", change)
    reseal(run)
    found = verdict(run)
    assert [] == found.failures
    assert not found.passed
    assert ["R413"] == [d.code for d in found.refused if d.severity == "error"]
    assert words in found.refused[-1].message


def test_infinity_is_no_value(run: Path) -> None:
    """It has the fingerprint of a value left out, and is refused."""

    def change(content: Any) -> None:
        content["plan"]["stages"][1]["technique"]["args"]["clip"] = float("inf")

    edit_json(run / "plan.json", change)
    reseal(run)
    words = "clip` is not as it would be written: it is Infinity, and would be null"
    assert words in failures(run)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["plan"]["optimizer"]["args"].update(lr="fast"),
        lambda c: c.update(plan={}),
        lambda c: c["plan"].update(schema=None),
        lambda c: c["plan"].update(train={"epochs": 10**400}),
        lambda c: c["plan"].update(title="\ud800"),
        lambda c: c["plan"]["model"]["args"]["width"].update(factor=2**70),
    ],
    ids=["type", "nothing", "schema", "epochs", "half_a_character", "width"],
)
def test_a_made_up_plan_is_named(run: Path, change: Callable[[Any], None]) -> None:
    """Whatever it holds, plan.json is named, and nothing else goes wrong."""
    edit_json(run / "plan.json", change)
    reseal(run)
    assert "plan.json" in failures(run)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"state": "interrupted", "reason": ""}, "it was interrupted"),
        ({"state": "failed", "reason": "[R302] the loss is nan"}, "it failed: [R302]"),
        (None, "still at work or was killed"),
    ],
)
def test_a_run_without_an_end_is_named(run: Path, state: dict[str, str] | None, words: str) -> None:
    """R412 says how it ended, if it did."""
    (run / "manifest.json").unlink()
    (run / "result.json").unlink()
    if state is not None:
        (run / "result.json").write_text(json.dumps(state))
    with pytest.raises(TostError, match="R412") as raised:
        verdict(run)
    assert words in str(raised.value)


def test_what_holds_no_run_is_named(tmp_path: Path) -> None:
    """R411 for nothing, a file, an empty folder."""
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for name in ("none", "file", "empty", "a\0b"):
        with pytest.raises(TostError, match="R411"):
            verdict(tmp_path / name)
