"""What `tost verify` says of sound runs of every kind."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.engine.test_run import plan
from tests.engine.verify.runs import (
    BASE,
    edit_json,
    edit_tensors,
    failures,
    reseal,
    trained,
    verdict,
)
from tostdsl.engine import reference
from tostdsl.engine.manifest import Entry, gap
from tostdsl.engine.run import RunOptions, run
from tostdsl.engine.verify import Verdict

HEAD = "model cifar_resnet(8)\ndata digits\ntrain for 2 epochs\n"


def said(found: Verdict, group: str) -> str:
    (one,) = [each for each in found.groups if each.name == group]
    return one.said


@pytest.mark.parametrize(
    ("text", "group", "words"),
    [
        (HEAD, "masks", "none, as the plan has none"),
        (HEAD + "mask magnitude(sparsity=70%, distribution=uniform)\n", "masks", "(70.00%)"),
        (HEAD + "mask magnitude(sparsity=33.3%)\n", "masks", "25,665 of 77,072"),
        (HEAD + "mask lottery(sparsity=50%, rate=30%)\n", "certificate", "33 checks"),
        (HEAD + "mask random(sparsity=50%) on conv except first\n", "masks", "8 masks"),
        (HEAD + "precision bf16\nskip\n", "certificate", "all that the plan calls for"),
        (HEAD.replace("digits", "digits(validation=20%, use=50%)"), "accuracy", "256 test images"),
    ],
)
def test_sound_runs_hold(text: str, group: str, words: str, tmp_path: Path) -> None:
    """With and without masks, rounds, targets, validation: all of it holds, the accuracy too."""
    found = verdict(trained({"top.tost": text}, tmp_path), evaluate=True)
    assert [] == found.failures
    assert found.passed
    assert words in said(found, group)


def test_a_whole_run_holds_and_its_accuracy_comes_out_again(tmp_path: Path) -> None:
    """No rehearsal: 359 test images, the last epoch's figures, a missed expectation as a note."""
    folder = trained({"top.tost": BASE + "expect accuracy > 99.99%\n"}, tmp_path, smoke=False)
    found = verdict(folder, evaluate=True)
    assert [] == found.failures
    assert "on 359 test images" in said(found, "accuracy")
    (figures,) = [group for group in found.groups if group.name == "figures"]
    assert 1 == len(figures.notes)
    assert figures.notes[0].startswith("it missed an expectation: expected accuracy > 99.99%")
    edit_json(folder / "result.json", lambda c: c.update(missed_expectations=[]))
    reseal(folder)
    assert "missed expectations are not those that result.json tells" in failures(folder)


def test_what_was_set_from_outside_is_recorded(tmp_path: Path) -> None:
    """A param and a seed given on the command line are part of what the recipe means."""
    folder = trained({"top.tost": BASE}, tmp_path, {"k": "0.3"})
    assert "" == failures(folder)
    edit_json(folder / "plan.json", lambda c: c["given"]["params"].update(k="0.4"))
    reseal(folder)
    assert "plan: recipe.tost means plan" in failures(folder)
    edit_json(folder / "plan.json", lambda c: c["given"]["params"].update(k="90%"))
    reseal(folder)
    assert "plan: recipe.tost does not compile: T305" in failures(folder)


def test_a_run_from_python_has_no_recipe(tmp_path: Path) -> None:
    """Without texts there is only the plan; the rest holds all the same."""
    folder = run(plan(HEAD), RunOptions(out=tmp_path / "run", smoke=True)).folder
    found = verdict(folder)
    assert found.passed
    (group,) = [each for each in found.groups if each.name == "plan"]
    assert ["no recipe lies in it: the run was started from Python"] == group.notes


def test_random_images_are_made_again(tmp_path: Path) -> None:
    """A run on them can be evaluated without any data; one on real ones that are gone cannot."""
    text = HEAD.replace("digits", "cifar10")
    folder = trained({"top.tost": text}, tmp_path, fake_data=True)
    assert "" == failures(folder, evaluate=True)
    edit_json(folder / "environment.json", lambda c: c["data"].update(fake=False))
    reseal(folder)
    found = failures(folder, data_root=tmp_path / "none")
    assert "accuracy: the data cannot be had: the data set `cifar10` is not at" in found


def test_a_data_set_known_only_when_loaded(tmp_path: Path) -> None:
    """Its shape and size are those that the run took down."""
    text = HEAD.replace("digits", 'imagefolder("birds", size=16)')
    folder = trained({"top.tost": text}, tmp_path, fake_data=True)
    assert "" == failures(folder, evaluate=True)


def test_another_data_set_is_found(run: Path) -> None:
    """The images' checksum is held against the run's."""
    edit_json(run / "environment.json", lambda c: c["data"].update(sha256="0" * 64))
    edit_json(run / "certificate.json", lambda c: c["sha256"].update(data="0" * 64))
    reseal(run)
    assert "" == failures(run)
    assert "accuracy: the data is not the run's" in failures(run, evaluate=True)


@pytest.mark.parametrize(("figure", "forged"), [("accuracy", 0.875), ("loss", 0.0001)])
def test_a_figure_that_does_not_come_out_again(run: Path, figure: str, forged: float) -> None:
    """Figures that agree with one another, and not with the network."""
    edit_json(run / "result.json", lambda c: c.update({figure: forged}))
    rows = [json.loads(row) for row in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        if row["kind"] == "test":
            row[figure] = forged
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (run / "metrics.jsonl").write_text(text, encoding="utf-8")
    reseal(run)
    assert "" == failures(run)
    assert f"accuracy: {figure} is " in failures(run, evaluate=True)


# -- stages that stay


def test_what_stays_needs_leave(kept_run: Path) -> None:
    """Two reasons without it: the skip is in, and the certificate failed; none with it."""
    found = failures(kept_run)
    assert "ghosts: skip is left in, and neither the run nor this had `--allow-ghosts`" in found
    assert "certificate: the certificate failed in the run: skip gone at the end" in found
    assert 2 == len(found.splitlines())
    assert "" == failures(kept_run, allow_ghosts=True, evaluate=True)


def test_a_run_that_had_leave_needs_none(tmp_path: Path) -> None:
    """What the run recorded is enough."""
    text = HEAD + "ghost(activation=pswish, anneal=none, keep=yes)\n"
    folder = trained({"top.tost": text}, tmp_path, allow_ghosts=True)
    found = verdict(folder)
    assert found.passed
    assert "ghost left in as the recipe says, with the run's leave" == said(found, "ghosts")


def test_ghosts_that_are_gone_or_foreign_are_found(kept_run: Path, tmp_path: Path) -> None:
    """The file must be there, be of this plan, and of the stages that stay."""
    folder = Path(shutil.copytree(kept_run, tmp_path / "run"))
    shutil.copy(folder / "masks.safetensors", folder / "ghosts.safetensors")
    reseal(folder)
    assert "ghosts.safetensors lacks `1:module:" in failures(folder, allow_ghosts=True)
    (folder / "ghosts.safetensors").unlink()
    reseal(folder)
    assert "ghosts: ghosts.safetensors is missing" in failures(folder, allow_ghosts=True)


def _forged(kept_run: Path, folder: Path, factor: float) -> Path:
    copy = Path(shutil.copytree(kept_run, folder))

    def change(tensors: dict[str, Tensor], notes: dict[str, str]) -> None:
        for name, tensor in tensors.items():
            if name.endswith("norm:bias"):
                tensor.add_(factor)

    edit_tensors(copy / "ghosts.safetensors", change)
    reseal(copy)
    return copy


def test_the_network_that_was_judged_is_measured_again(kept_run: Path, tmp_path: Path) -> None:
    """With what stays, put in again from its file, and without; other values of it are found."""
    found = verdict(kept_run, allow_ghosts=True, evaluate=True)
    stored = json.loads((kept_run / "result.json").read_text("utf-8"))
    assert found.passed
    words = said(found, "accuracy")
    assert f"{stored['accuracy']:.2%} with skip on 256 test images" in words
    assert f"{stored['kept']['accuracy_without']:.2%} without skip on 256 test images" in words
    forged = failures(_forged(kept_run, tmp_path / "run", 3.0), allow_ghosts=True, evaluate=True)
    assert "accuracy: loss is " in forged
    assert " with skip, the run's " in forged
    assert " without skip, the run's " not in forged


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda k: k.update(parameters=7), "counts 7 parameters left in"),
        (lambda k: k.update(sparsity_with=0.5), "a sparsity of 50.00%; it is "),
        (lambda k: k.update(zero_weights=1), "parameters left in"),
        (lambda k: k.update(stages=["ghost"]), "parameters left in"),
        (lambda k: k.update(accuracy_without=1.0), "has not the accuracy and loss without what"),
    ],
)
def test_forged_counts_of_what_stays_are_found(
    kept_run: Path, tmp_path: Path, change: Any, reason: str
) -> None:
    """Each figure of what was left in follows from the files."""
    folder = Path(shutil.copytree(kept_run, tmp_path / "run"))
    edit_json(folder / "result.json", lambda content: change(content["kept"]))
    reseal(folder)
    assert reason in failures(folder, allow_ghosts=True)


# -- the parts


class Bomb:
    def __reduce__(self) -> Any:
        return (Path("boom").touch, ())


def test_nothing_is_unpickled(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A pickle in place of the weights is no safetensors file, and is not run."""
    monkeypatch.chdir(tmp_path)
    (run / "model.safetensors").write_bytes(pickle.dumps(Bomb()))
    reseal(run)
    assert "network: model.safetensors" in failures(run)
    torch.save({"x": Bomb()}, run / "model.safetensors")
    reseal(run)
    assert "network: model.safetensors" in failures(run)
    assert not Path("boom").exists()


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../secret", "", "a\0b"])
def test_the_manifest_names_files_of_the_folder_only(name: str, tmp_path: Path) -> None:
    """A name that leads out of it is not followed."""
    (tmp_path / "secret").write_text("")
    (tmp_path / "run").mkdir()
    assert "is not the name of a file in this folder" == gap(tmp_path / "run", name, Entry(0, ""))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.BatchNorm1d(5), nn.ReLU())


def test_reference_images_depend_on_the_seed_only() -> None:
    """Mean 0 and variance 1, whatever the global generator is at."""
    torch.manual_seed(1)
    first = reference.images((3, 32, 32), 5)
    torch.manual_seed(2)
    assert torch.equal(first, reference.images((3, 32, 32), 5))
    assert not torch.equal(first, reference.images((3, 32, 32), 6))
    assert (8, 3, 32, 32) == tuple(first.shape)
    assert 0 == pytest.approx(float(first.mean()), abs=0.02)
    assert 1 == pytest.approx(float(first.std()), abs=0.02)


def test_reference_outputs_are_those_of_plain_pytorch() -> None:
    """Evaluation mode, float32, no gradient; threads and mode of the caller do not matter."""
    model = network()
    wanted = network().eval()(reference.images((3, 2, 2), 1)).detach()
    before = torch.get_num_threads()
    found = reference.outputs(model.double(), (3, 2, 2), 1)
    assert torch.equal(wanted, found)
    assert before == torch.get_num_threads()
    assert not found.requires_grad


def test_outputs_are_compared_to_the_bit_only_where_that_is_fair() -> None:
    """On another processor or PyTorch rounding may differ, by a bound that is said."""
    here = reference.machine((1, 2, 2), 0)
    there = {**here, "torch": "1.0", "processor": "abacus"}
    outputs = torch.linspace(-3, 3, 80).reshape(8, 10)
    close, far = outputs * (1 + 1e-6), outputs + 1e-2
    assert (True, "equal to the bit on 8 images") == reference.agree(outputs, outputs, here, here)
    assert not reference.agree(outputs, close, here, here)[0]
    passed, how = reference.agree(outputs, close, there, here)
    assert passed
    assert "not to the bit, since other than in the run: torch, processor" in how
    assert not reference.agree(outputs, far, there, here)[0]
    broken = torch.full((8, 10), float("nan"))
    assert reference.agree(broken, broken, here, here)[0]
    assert not reference.agree(outputs, broken, there, here)[0]
    other = {**here, "images": "0"}
    assert "draws other images" in reference.agree(outputs, close, other, here)[1]
    assert not reference.agree(outputs[:4], outputs, here, here)[0]
