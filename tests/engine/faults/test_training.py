"""What goes wrong in a step: no numbers, no memory, an error (P7, D3, E1, E2, E4)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.conftest import Write
from tests.engine.faults.runs import (
    RECIPE,
    at_step,
    begun,
    checkpoints,
    cut,
    plan_of,
    resumed,
    rows,
    unequal,
)  # fmt: skip
from tests.engine.faults.test_damage import only
from tostdsl import api
from tostdsl.diagnostics import TostError
from tostdsl.engine.checkpoint import Checkpoints
from tostdsl.engine.keeper import Every, Keeper
from tostdsl.engine.observer import Observer
from tostdsl.engine.run import RunOptions
from tostdsl.models.nets.cifar_resnet import CifarResNet

FITS = 40
"""Images that a network of these tests has memory for."""


class Heard(Observer):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, text: str) -> None:
        self.lines.append(text)


def codes(error: pytest.ExceptionInfo[TostError]) -> list[str]:
    return [each.code for each in error.value.diagnostics]


def of_loop(patch: pytest.MonkeyPatch, step: int, act: Callable[[Any], object]) -> None:
    """Do something to the loop when so many steps have run."""
    stepped = Keeper.stepped

    def also(self: Keeper, loop: Any, *place: Any) -> None:
        if self.done + 1 == step:
            act(loop)
        stepped(self, loop, *place)

    patch.setattr(Keeper, "stepped", also)


@torch.no_grad()
def spoil_weights(loop: Any) -> None:
    next(iter(loop.kit.model.parameters())).fill_(float("nan"))


def spoil_moments(loop: Any) -> None:
    next(iter(loop.optimizer.state.values()))["exp_avg"].fill_(float("inf"))


@torch.no_grad()
def spoil_statistics(loop: Any) -> None:
    loop.kit.model.bn1.running_var.fill_(float("inf"))


def spoil_stages_statistics(loop: Any) -> None:
    buffers = [each for stage in loop.kit.surgeon.attached for each in stage.buffers()]
    next(each for each in buffers if each.is_floating_point()).fill_(float("nan"))


def spoil_loss(loop: Any) -> None:
    loop.meter.loss.fill_(float("nan"))


@pytest.mark.parametrize(
    ("spoil", "step", "code"),
    [
        (spoil_weights, 12, "R309"),
        (spoil_moments, 12, "R309"),
        (spoil_statistics, 12, "R309"),
        (spoil_stages_statistics, 20, "R309"),
        (spoil_loss, 12, "R302"),
    ],
)
def test_what_is_no_number_replaces_no_checkpoint(
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Any], None],
    step: int,
    code: str,
) -> None:
    """The run ends at the next checkpoint, the last one is from before, and goes on soundly."""
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        of_loop(patch, step, spoil)
        with pytest.raises(TostError) as error:
            begun(out, 4)
    assert [code] == codes(error)
    assert f"step-{step - 4:07}" == checkpoints(out)[-1].name
    told = json.loads((out / "result.json").read_text())
    assert ("failed", True) == (told["state"], code in told["reason"])
    resumed(out)
    assert [] == unequal(base, out)


def test_an_error_in_a_step_keeps_what_was_kept(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R306 with the step; without the fault it goes on to the same bits."""
    out = tmp_path / "run"

    def fail() -> None:
        raise RuntimeError("a stranger's model failed")

    with monkeypatch.context() as patch:
        at_step(patch, 11, fail)
        with pytest.raises(TostError, match="a stranger's model failed") as error:
            begun(out, 4)
    assert ["R306"] == codes(error)
    resumed(out)
    assert [] == unequal(base, out)


def limited(patch: pytest.MonkeyPatch, most: Callable[[], int]) -> list[int]:
    """Networks run out of memory in training with more images; the sizes that were tried."""
    forward, sizes = CifarResNet.forward, []

    def bounded(self: nn.Module, x: Tensor) -> Tensor:
        if self.training and isinstance(x, Tensor):  # not while it is traced
            sizes.append(len(x))
            if len(x) > most():
                raise torch.OutOfMemoryError("out of memory: tried to allocate 2.00 GiB")
        return forward(self, x)

    patch.setattr(CifarResNet, "forward", bounded)
    return sizes


@pytest.mark.parametrize("text", ["step 0", "step 20"])
def test_out_of_memory_names_the_batch_that_fits(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The largest half of a half that fits, with what to write; what was kept is as it was."""
    out, room = tmp_path / "run", [10_000 if text == "step 20" else FITS]
    with monkeypatch.context() as patch:
        sizes = limited(patch, lambda: room[0])
        at_step(patch, 20, lambda: room.__setitem__(0, FITS))
        with pytest.raises(TostError) as error:
            begun(out, 4)
    assert ["R303"] == codes(error)
    (found,) = error.value.diagnostics
    assert "out of memory on cpu; a batch of 32 fits" == found.message
    assert "lower the batch size: `data digits(batch=32)`" == found.help
    assert [256, 256, 128, 64, 32] == sizes[-5:]
    _, skipped = Checkpoints(out).newest()
    assert [] == skipped
    if text == "step 20":
        resumed(out)
        assert [] == unequal(base, out)


def test_what_is_named_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recipe with the batch of the message does not run out."""
    limited(monkeypatch, lambda: FITS)
    assert begun(tmp_path / "run", 50, text=RECIPE.replace("batch=256", "batch=32")).certified


def test_without_a_batch_that_fits_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down to one image, and no further."""
    sizes = limited(monkeypatch, lambda: 0)
    with pytest.raises(TostError) as error:
        begun(tmp_path / "run", 4)
    (found,) = error.value.diagnostics
    assert ("out of memory on cpu", "lower the batch size") == (found.message, found.help)
    assert [256, 256, 128, 64, 32, 16, 8, 4, 2, 1] == sizes


# -- data, recipe, machine, log


def test_other_images_are_refused(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One value of one image is another: R705, and the run is as it was."""
    again = cut(base, tmp_path / "again", 12)
    before = (again / "metrics.jsonl").read_bytes()
    from tostdsl.engine import resume as module

    digest_of = module.digest_of

    def altered(images: Any) -> str:
        images.train.images[0, 0, 0] ^= 1
        return digest_of(images)

    with monkeypatch.context() as patch:
        patch.setattr(module, "digest_of", altered)
        with pytest.raises(TostError) as error:
            resumed(again)
    assert ["R705"] == codes(error)
    assert before == (again / "metrics.jsonl").read_bytes()
    resumed(again)
    assert [] == unequal(base, again)


def test_another_recipe_is_refused_and_the_same_in_other_words_is_not(
    base: Path, tmp_path: Path
) -> None:
    """R709 shows the field; spaces, comments and order mean nothing."""
    again = cut(base, tmp_path / "again", 20)
    with pytest.raises(TostError, match=r"labels\.smoothing: 0\.2 -> 0 becomes 0\.3 -> 0") as error:
        api.resume(again, edited=[plan_of(RECIPE.replace("0.2", "0.3"))])
    assert ["R709"] == codes(error)
    said = "# as before\n" + RECIPE.replace("seed 3", "seed   3 # the third")
    api.resume(again, edited=[plan_of(said)])
    assert [] == unequal(base, again)


def test_a_name_is_no_change_of_meaning(base: Path, tmp_path: Path) -> None:
    """Of the recipe, which is its file's where none is written, nor is a title."""
    again = cut(base, tmp_path / "again", 20)
    named = plan_of(f'recipe other "A title"\n{RECIPE}')
    assert "other" == named.name != plan_of().name
    api.resume(again, edited=[named])
    assert [] == unequal(base, again)


def test_the_folders_recipe_may_be_edited(tmp_path: Path) -> None:
    """A comment goes on, another meaning does not, a text that is gone is missed."""
    file, out = tmp_path / "mine.tost", tmp_path / "run"
    file.write_text(RECIPE)
    made = api.compile_file(file)
    every = Every(4, "steps")
    options = RunOptions(out=out, device="cpu", checkpoint=every, keep=1000)
    assert made.recipe is not None
    api.run(made.plans[0], options, sources=made.recipe.sources)
    for step, change, wanted in (
        (8, lambda text: f"# a comment\n{text}", []),
        (12, lambda text: text.replace("seed 3", "seed 4"), ["R709"]),
        (12, None, ["R706"]),
    ):
        again = cut(out, tmp_path / "again", step)
        path = again / "recipe.tost"
        if change is None:
            path.unlink()
        else:
            path.write_text(change(path.read_text()))
        if not wanted:
            assert api.resume(again).certified
            continue
        with pytest.raises(TostError) as error:
            api.resume(again)
        assert wanted == codes(error)


@pytest.mark.parametrize("name", ["plan.json", "metrics.jsonl", "environment.json"])
def test_a_file_that_is_lost_is_named(base: Path, tmp_path: Path, name: str) -> None:
    """R706, and not that there is no run."""
    again = cut(base, tmp_path / "again", 20)
    (again / name).unlink()
    with pytest.raises(TostError, match="missing") as error:
        resumed(again)
    assert ["R706"] == codes(error)
    assert name in error.value.diagnostics[0].message


NETS = """\
from torch import nn


def small(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, num_classes))
"""


def test_code_that_was_changed_is_refused(tmp_path: Path, own: Write) -> None:
    """R702 names the function; as it was, the run goes on."""
    own("nets_resumed.py", NETS)
    text = 'model python("nets_resumed:small")\ndata digits(batch=256)\ntrain for 6 steps\nseed 1\n'
    out = tmp_path / "run"
    assert begun(out, 2, text=text, keep=1000, allow_code=True).certified
    for change, right in ((NETS + "# another\n", False), (NETS, True)):
        again = cut(out, tmp_path / "again", 4)
        own("nets_resumed.py", change)
        sys.modules.pop("nets_resumed")
        if right:
            assert resumed(again, allow_code=True).certified
            continue
        with pytest.raises(TostError, match="nets_resumed:small") as error:
            resumed(again, allow_code=True)
        assert ["R702"] == codes(error)


def test_other_versions_are_told(base: Path, tmp_path: Path) -> None:
    """R708 names what was and what is, on the screen and in lives.jsonl; the run goes on."""
    again = cut(base, tmp_path / "again", 20)
    said = json.loads((again / "environment.json").read_text())
    now = said["versions"]["torch"]
    said["versions"]["torch"] = "1.0.0"
    content = json.dumps(said, indent=2, sort_keys=True) + "\n"
    from tests.engine.faults.test_damage import signed
    from tostdsl.engine.manifest import entry_of

    (again / "environment.json").write_text(content)
    newest = only(again, 20)
    record = json.loads((newest / "state.json").read_text())
    entry = entry_of(content.encode())
    record["files"]["environment.json"] = {"bytes": entry.bytes, "sha256": entry.sha256}
    signed(newest, "state.json", json.dumps(record).encode())
    heard = Heard()
    resumed(again, heard)
    assert f"torch was 1.0.0, is {now}" in next(line for line in heard.lines if "R708" in line)
    last = [json.loads(line) for line in (again / "lives.jsonl").read_text().splitlines()][-1]
    assert [f"torch was 1.0.0, is {now}"] == last["others"]


@pytest.mark.parametrize("torn", [b"", b'{"kind": "epo', b"\x00" * 100])
def test_a_torn_log_has_each_row_once(base: Path, tmp_path: Path, torn: bytes) -> None:
    """Rows of steps that run again are cut off, and what was half written."""
    again = cut(base, tmp_path / "again", 12)
    for name in ("metrics.jsonl", "lives.jsonl"):
        with (again / name).open("ab") as file:
            file.write(torn)
    resumed(again)
    assert rows(base) == rows(again)
    epochs = [(row["phase"], row["step"]) for row in rows(again) if row["kind"] == "epoch"]
    assert sorted(set(epochs), key=epochs.index) == epochs
    for line in (again / "lives.jsonl").read_text().splitlines():
        json.loads(line)


def test_a_log_shorter_than_its_checkpoint_is_not_gone_on_with(base: Path, tmp_path: Path) -> None:
    """An older one that needs less goes on, and the others are named; where none does, refused."""
    again = cut(base, tmp_path / "again", 20)
    path = again / "metrics.jsonl"
    content = path.read_bytes()
    needed = json.loads((checkpoints(again)[-6] / "state.json").read_text())["files"][path.name]
    path.write_bytes(content[: needed["bytes"]])
    records = {each.name: each / "state.json" for each in checkpoints(again)}
    counted = {n: json.loads(r.read_text())["files"][path.name] for n, r in records.items()}
    short = [n for n, entry in counted.items() if entry["bytes"] > needed["bytes"]]
    assert short
    heard = Heard()
    resumed(again, heard)
    assert [] == unequal(base, again)
    passed = [line for line in heard.lines if "R707" in line]
    assert len(short) == len(passed)
    for name, line in zip(reversed(short), passed, strict=True):
        assert f"{name} is not used: metrics.jsonl has lost lines" in line
    again = cut(base, tmp_path / "again", 20)
    only(again, 20)
    path.write_bytes(content[:200])
    with pytest.raises(TostError, match=r"metrics\.jsonl") as error:
        resumed(again)
    assert {"R704", "R707"} == set(codes(error))
