"""`tost show`: the recipe comes back from a run and from a checkpoint, byte for byte."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Tost
from tests.engine.faults.test_damage import signed
from tostdsl.compile.compiler import compile_file
from tostdsl.engine.provenance import SCHEMAS
from tostdsl.engine.record import ADDED, SCHEMA

BASE = b"# what both have\r\nmodel cifar_resnet(8)\r\ndata digits\r\n"
TOP = """\
\ufeff# a comment, and w\u00f6rds
extends "parts/base.tost"
param sparsity = 90%

mask  random(sparsity=$sparsity)   # not laid out
train for 2 epochs
labels(smoothing=0.1)""".encode()
"""With a byte-order mark, without a last line feed; and other line ends in what it extends."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, `run`, and `bare`, whose recipe extends nothing."""
    from click.testing import CliRunner

    from tostdsl.cli.main import tost

    folder = tmp_path_factory.mktemp("show")
    (folder / "parts").mkdir()
    (folder / "parts/base.tost").write_bytes(BASE)
    (folder / "top.tost").write_bytes(TOP)
    (folder / "bare.tost").write_bytes(BASE + b"train for 2 epochs\r\n")
    for name, out, more in [("top", "run", ["--set", "sparsity=80%", "--seed", "4"]),
                            ("bare", "bare", [])]:  # fmt: skip
        words = ["run", str(folder / f"{name}.tost"), "--smoke", "--checkpoint", "2 steps"]
        words += ["--out", str(folder / out), *more]
        assert 0 == CliRunner().invoke(tost, words, standalone_mode=False).return_value
    return folder


@pytest.fixture
def run(written: Path, tmp_path: Path) -> Path:
    """A run of one's own."""
    return Path(shutil.copytree(written / "run", tmp_path / "run"))


@pytest.fixture
def checkpoint(run: Path, tmp_path: Path) -> Path:
    """A checkpoint that was copied out of its run folder."""
    newest = sorted((run / "ckpt").iterdir())[-1]
    return Path(shutil.copytree(newest, tmp_path / "elsewhere" / "copied"))


def shown(path: Path, *words: str) -> bytes:
    """What the command prints, as bytes."""
    from click.testing import CliRunner

    from tostdsl.cli.main import tost

    result = CliRunner().invoke(tost, ["show", str(path), *words], standalone_mode=False)
    assert 0 == result.return_value
    return bytes(result.stdout_bytes)


@pytest.mark.parametrize("what", ["run", "checkpoint"])
def test_the_text_comes_back(
    what: str,
    request: pytest.FixtureRequest,
    tost: Tost,
) -> None:
    """The top recipe as it was; all of it under its names; what was set from outside beside it."""
    path = request.getfixturevalue(what)
    assert TOP == shown(path)
    whole = b"-- recipe.tost\n" + TOP + b"\n-- parts/base.tost\n" + BASE
    assert whole == shown(path, "--all")
    assert "set from outside: sparsity = 80%, seed 4\n" == tost("show", path).err
    content = json.loads(tost("show", path, "--json").out)
    assert "a rehearsal" == content["unreal"]
    assert {"params": {"sparsity": "80%"}, "seed": 4} == content["given"]
    assert ["parts/base.tost", "recipe.tost"] == sorted(content["texts"])
    assert (TOP.decode(), []) == (content["texts"][content["recipe"]], content["changed"])


@pytest.mark.parametrize("what", ["run", "checkpoint"])
def test_the_plan_as_one_recipe(
    what: str,
    request: pytest.FixtureRequest,
    written: Path,
    tmp_path: Path,
) -> None:
    """It stands for itself, and means the plan that ran."""
    path = request.getfixturevalue(what)
    (tmp_path / "again.tost").write_bytes(shown(path, "--plan"))
    (plan,) = compile_file(tmp_path / "again.tost").plans
    (wanted,) = compile_file(written / "top.tost", {"sparsity": "80%"}, 4).plans
    assert wanted.fingerprint == plan.fingerprint


def test_a_single_file(written: Path) -> None:
    """With the line ends that it has; the run is verified for all that."""
    assert (written / "bare.tost").read_bytes() == shown(written / "bare")


def test_runs_with_such_texts_are_verified(written: Path, tost: Tost) -> None:
    """Byte-order mark and line ends do not change what they mean."""
    for name in ("run", "bare"):
        assert 0 == tost("verify", written / name).code


def test_a_run_that_did_not_end(run: Path) -> None:
    """The checkpoint says which files are its recipe; without any the top is still there."""
    (run / "manifest.json").unlink()
    (run / "notes.txt").write_text("mine")
    assert TOP == shown(run)
    assert b"-- parts/base.tost\n" in shown(run, "--all")
    assert b"notes" not in shown(run, "--all")
    shutil.rmtree(run / "ckpt")
    assert TOP == shown(run)


def test_an_edited_text_is_told(run: Path, checkpoint: Path, tost: Tost) -> None:
    """R606 names it, what lies there is shown; a checkpoint has it as it was."""
    (run / "recipe.tost").write_text("seed 3\n")
    (run / "parts/base.tost").unlink()
    found = tost("show", run)
    assert (0, "seed 3\n") == (found.code, found.out)
    said = [line for line in found.err.splitlines() if "R606" in line]
    assert [True, True] == [
        f"{name} {what}" in " ".join(found.err.split())
        for name, what in [
            ("recipe.tost", "is not as the run wrote it"),
            ("base.tost", "is not there any more"),
        ]
    ]
    assert 2 == len(said)
    assert "R606" not in tost("show", checkpoint).err


def test_no_link_leads_out_of_the_run(run: Path, tmp_path: Path, tost: Tost) -> None:
    """What a text was replaced by is not read where it lies elsewhere; the plan's text is shown."""
    (tmp_path / "secret").write_text("of somebody else")
    for name in ("recipe.tost", "parts/base.tost"):
        (run / name).unlink()
        (run / name).symlink_to(tmp_path / "secret")
    found = tost("show", run, "--all")
    assert 0 == found.code
    assert "somebody" not in found.out
    assert 2 == found.err.count("R606")


@pytest.mark.parametrize("record", ["manifest.json", "newest checkpoint"])
def test_names_of_files_lead_nowhere_else(
    record: str, run: Path, tmp_path: Path, tost: Tost
) -> None:
    """Those that a manifest has besides: files beside the run, and its own by other ways."""
    secret = tmp_path / "secret.txt"
    secret.write_text("of somebody else")
    path = run / record
    if record != "manifest.json":
        path.unlink(missing_ok=True)
        (run / "manifest.json").unlink()
        path = sorted(run.glob("ckpt/step-*/state.json"))[-1]
    content = json.loads(path.read_text())
    entry = content["files"]["recipe.tost"]
    others = ["../secret.txt", str(secret), "parts/../recipe.tost", "../run/recipe.tost"]
    others += [str((run / "recipe.tost").resolve()), "../gone.txt", "", "."]
    before = tost("show", run, "--all")
    path.write_text(
        json.dumps({**content, "files": content["files"] | dict.fromkeys(others, entry)})
    )
    assert 0 == before.code
    assert before == tost("show", run, "--all")
    assert ["parts/base.tost", "recipe.tost"] == sorted(
        json.loads(tost("show", run, "--json").out)["texts"]
    )


def test_what_is_written_by_nobody_is_refused(checkpoint: Path, tost: Tost) -> None:
    """Signed, but of no shape that a run writes: R605, for each."""
    record = json.loads((checkpoint / "state.json").read_text())
    bare = {name: value for name, value in record.items() if name != "texts"}
    for said, why in [
        ({**bare, "schema_version": 1, "files": []}, "damaged"),
        ({**bare, "schema_version": 1, "files": {"plan.json": 3}}, "damaged"),
        ({**record, "schema_version": 9}, "of schema 9, this version reads 1 to 3"),
        ({**record, "schema_version": "x"}, "of schema 'x'"),
        ({**record, "texts": {"recipe.tost": "\ud800"}}, "texts in its state.json are damaged"),
        ({**record, "texts": None}, "texts in its state.json are damaged"),
        ({**record, "texts": {"recipe.tost": 3}}, "texts in its state.json are damaged"),
    ]:
        signed(checkpoint, "state.json", json.dumps(said).encode())
        found = tost("show", checkpoint)
        assert (3, "", True) == (found.code, found.out, why in " ".join(found.err.split())), said


def older(path: Path) -> None:
    """Make a checkpoint one of schema 1."""
    record = json.loads((path / "state.json").read_text())
    del record["texts"], record["unreal"]
    signed(path, "state.json", json.dumps({**record, "schema_version": 1}).encode())


def test_an_older_checkpoint(run: Path, checkpoint: Path, tost: Tost) -> None:
    """It has no texts: in its run folder those of the run are shown, elsewhere R605 says why."""
    here = sorted((run / "ckpt").iterdir())[-1]
    older(here)
    older(checkpoint)
    assert tost("show", run).out == tost("show", here).out
    found = tost("show", checkpoint)
    assert (3, True) == (found.code, "it is of schema 1" in found.err)
    content = json.loads((run / "plan.json").read_text())
    (run / "plan.json").write_text(json.dumps({**content, "given": None}))
    assert "the folder of another run" in tost("show", here).err


def test_what_has_no_recipe(run: Path, checkpoint: Path, tmp_path: Path, tost: Tost) -> None:
    """R605 and status 3, with the reason; nothing is guessed from damaged files."""

    def refused(path: Path) -> str:
        found = tost("show", path)
        assert (3, "", True) == (found.code, found.out, "error[R605]" in found.err)
        return " ".join(found.err.split())

    assert "no such folder" in refused(tmp_path / "none")
    assert "neither a run nor a checkpoint" in refused(tmp_path)
    assert "it is no folder" in refused(run / "recipe.tost")
    state = checkpoint / "state.json"
    state.write_bytes(state.read_bytes().replace(b"digits", b"svhn00"))
    assert "is not as it was written" in refused(checkpoint)
    state.write_text("{}")
    assert "damaged" in refused(checkpoint)
    state.unlink()
    os.mkfifo(state)
    assert "not a regular file" in refused(checkpoint)
    (run / "plan.json").write_text("[]")
    assert "plan.json is damaged" in refused(run)
    assert 2 == tost("show", run, "--all", "--plan").code


def test_it_loads_no_torch(run: Path, checkpoint: Path) -> None:
    """A recipe is shown at once."""
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from tostdsl.engine.provenance import kept;"
        "[kept(Path(path)) for path in sys.argv[1:]]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(run), str(checkpoint)], check=True)


def test_texts_that_are_not_the_runs_are_refused(run: Path, tost: Tost) -> None:
    """A checkpoint whose recipe is not that of the files it names does not go on: R702."""
    (run / "manifest.json").unlink()
    for path in sorted((run / "ckpt").iterdir()):
        record: dict[str, Any] = json.loads((path / "state.json").read_text())
        record["texts"]["recipe.tost"] += "\n"
        signed(path, "state.json", json.dumps(record).encode())
    found = tost("resume", run)
    assert (1, True) == (found.code, "error[R702]" in found.err)


def test_the_schemas_are_those_of_checkpoints() -> None:
    """What is shown and what is resumed read the same ones."""
    assert {*ADDED, SCHEMA} == set(SCHEMAS)
