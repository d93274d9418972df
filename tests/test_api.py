"""What a run folder keeps of a recipe, so that it can be checked and run there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tostdsl.api import texts
from tostdsl.compile.compiler import compile_file

BASE = "model resnet20\ndata cifar10\ntrain for 160 epochs\n"


def kept(folder: Path, files: dict[str, str], top: str) -> dict[str, str]:
    """The texts kept of a recipe among some files."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    compiled = compile_file(folder / top)
    assert () == compiled.diagnostics
    assert compiled.recipe is not None
    return texts(compiled.plans[0], compiled.recipe.sources)


@pytest.mark.parametrize(
    "files",
    [
        {"top.tost": BASE},
        {"top.tost": 'extends "base.tost"\n', "base.tost": BASE},
        {"top.tost": 'extends "./a/../b/base.tost"\n', "b/base.tost": BASE},
        {
            "top.tost": 'extends "a/b/mid.tost"\n',
            "a/b/mid.tost": 'extends "../../v1.2/base"\n',
            "v1.2/base": BASE,
        },
        {"sub/top.tost": 'extends "parts/base.tost"\n', "sub/parts/base.tost": BASE},
    ],
)
def test_what_is_kept_can_be_compiled_where_it_lies(tmp_path: Path, files: dict[str, str]) -> None:
    """`recipe.tost` of a run folder gives the plan that ran, whatever it extends from where."""
    top = next(iter(files))
    if "a/../" in files[top]:
        (tmp_path / "a").mkdir()
    whole = kept(tmp_path, files, top)
    run = tmp_path / "run"
    for name, text in whole.items():
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(text)
    (plan,) = compile_file(tmp_path / top).plans
    for name in ("recipe.tost", "plan.tost"):
        compiled = compile_file(run / name)
        assert () == compiled.diagnostics
        assert [plan.fingerprint] == [p.fingerprint for p in compiled.plans]
    assert files[top] == whole["recipe.tost"]
    assert len(files) + 1 == len(whole)


@pytest.mark.parametrize("name", ["recipe.tost", "plan.tost", "plan.json", "plan.json/b.tost"])
def test_no_file_of_a_run_is_overwritten(tmp_path: Path, name: str) -> None:
    """What is extended under the name of a run's own file lies apart, as it was."""
    whole = kept(tmp_path, {"top.tost": f'extends "{name}"\n', name: BASE}, "top.tost")
    apart = f"recipe/1-{Path(name).name}"
    assert {"recipe.tost", "plan.tost", apart} == set(whole)
    assert (BASE, f'extends "{name}"\n') == (whole[apart], whole["recipe.tost"])


def test_nothing_is_kept_outside_of_the_folder(tmp_path: Path) -> None:
    """A link may lead deeper than the path that is written, and `..` from there out of it."""
    files = {"top.tost": 'extends "link/mid.tost"\n', "a/b/mid.tost": 'extends "../../base.tost"\n'}
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    whole = kept(tmp_path, {**files, "base.tost": BASE}, "top.tost")
    assert {"recipe.tost", "plan.tost", "recipe/1-mid.tost", "recipe/2-base.tost"} == set(whole)
