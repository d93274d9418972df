"""The lives of a run, as its folder tells them, fit together and to what it kept."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.engine.verify.runs import Damage, edit_json, failures, reseal
from tostdsl.engine.lives import sealed

WHEN = "2026-01-02T03:04:05+00:00"
WENT_ON: dict[str, Any] = {
    "kind": "resumed", "time": WHEN, "done": 3, "device": "cpu", "passed": [], "others": [],
}  # fmt: skip
STOPPED = {"kind": "stopped", "time": WHEN, "reason": "SIGTERM was received"}


def lives(*rows: dict[str, Any]) -> Damage:
    """Lives.jsonl goes on so after its first line, bound line by line as a run writes it."""

    def damage(run: Path) -> None:
        path = run / "lives.jsonl"
        for row in rows:
            before = hashlib.sha256(path.read_bytes()).hexdigest()
            with path.open("a") as file:
                file.write(json.dumps(sealed(row, before)) + "\n")

    return damage


def keeps(run: Path, every: dict[str, Any] | None) -> None:
    """How often it says that its state was kept."""
    edit_json(run / "environment.json", lambda c: c["options"].update(checkpoint=every))


def unbound(run: Path) -> None:
    row = json.loads((run / "lives.jsonl").read_text())
    row["time"] = WHEN
    (run / "lives.jsonl").write_text(json.dumps(row) + "\n")


LIVES: list[tuple[Damage, str]] = [
    (unbound, "lives.jsonl has a line 1 that is not as it was written"),
    (lives(STOPPED), "lives.jsonl says that the run stopped last, not that it went on"),
    (lives(STOPPED, STOPPED, WENT_ON), "a line 3 in which the run stopped that had stopped before"),
    (lives(STOPPED, WENT_ON | {"done": 10_000}), "a line 3 that went on from no step of the run"),
    (lives(WENT_ON | {"device": "cuda:1"}), "a line 2 that went on on cuda:1, and does not say"),
    (lives(WENT_ON | {"time": "x"}), "has a line 2 of no kind that a run writes"),
    (lives(WENT_ON | {"passed": "garbage"}), "has a line 2 of no kind that a run writes"),
    (lives({k: v for k, v in WENT_ON.items() if k != "device"}), "a line 2 of no kind"),
    (lives(WENT_ON | {"more": 1}), "has a line 2 of no kind that a run writes"),
]


@pytest.mark.parametrize(("damage", "words"), LIVES)
def test_lives_that_do_not_fit_together_are_found(run: Path, damage: Damage, words: str) -> None:
    """With checksums that fit; what a run that was stopped would write is not."""
    keeps(run, {"value": 10.0, "unit": "minutes"})
    damage(run)
    reseal(run)
    assert words in failures(run)


def test_a_run_of_two_lives_is_sound(run: Path) -> None:
    """Stopped once, killed once; without any state kept it could not have gone on."""
    lives(STOPPED, WENT_ON, WENT_ON | {"done": 4})(run)
    keeps(run, {"value": 10.0, "unit": "minutes"})
    reseal(run)
    assert "" == failures(run)
    keeps(run, None)
    reseal(run)
    assert "a line 3 that went on, though no state was kept" in failures(run)
