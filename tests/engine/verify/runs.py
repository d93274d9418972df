"""Making runs to verify, changing their files, and telling what `tost verify` finds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tostdsl import api
from tostdsl.compile.compiler import compile_file
from tostdsl.engine.run import RunOptions
from tostdsl.engine.verify import Verdict, VerifyOptions

Damage = Callable[[Path], None]
"""What is done to the folder of a run."""
BASE = """\
param k = 0.1
model cifar_resnet(8)
data digits
mask random(sparsity=90%, distribution=erk)
train for 3 epochs
labels(smoothing=$k)
"""
PLAIN = {
    "base.tost": BASE,
    "top.tost": (
        '# the top one\nextends "base.tost"\ninit(rescale=fanin_masked)\n'
        "ghost(activation=swish, width=2x) until 40%\nskip until 60%\n"
    ),
}
KEPT = {"top.tost": BASE + "skip(form=add, projection=conv, anneal=none, keep=yes) except first\n"}


def trained(
    files: Mapping[str, str], folder: Path, params: Mapping[str, str] | None = None, **options: Any
) -> Path:
    """The folder of a rehearsal of `top.tost`."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    compiled = compile_file(folder / "top.tost", params)
    assert compiled.recipe is not None
    (plan,) = compiled.plans
    given = api.given(compiled.recipe)
    options = {"smoke": True, **options}
    out = RunOptions(out=folder / "run", **options)
    return api.run(plan, out, None, compiled.recipe.sources, given).folder


def verdict(folder: Path, **options: Any) -> Verdict:
    return api.verify(folder, VerifyOptions(**options))


def failures(folder: Path, **options: Any) -> str:
    """Everything that failed, a line each: `group: reason`."""
    return "\n".join(f"{group}: {why}" for group, why in verdict(folder, **options).failures)


def edit_json(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def edit_tensors(path: Path, change: Callable[[dict[str, Tensor], dict[str, str]], None]) -> None:
    """Change a safetensors file's tensors or notes, as whoever forges one would."""
    with safe_open(path, "pt") as file:
        notes = dict(file.metadata() or {})
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    change(tensors, notes)
    save_file(tensors, path, metadata=notes)


def reseal(folder: Path) -> None:
    """Make every checksum of the folder fit its files again: in certificate and manifest."""

    def certify(content: Any) -> None:
        for name in content["sha256"]:
            if name != "data" and (folder / name).exists():
                content["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()

    def list_again(content: Any) -> None:
        for name in list(content["files"]):
            if not (folder / name).exists():
                del content["files"][name]
                continue
            data = (folder / name).read_bytes()
            entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            content["files"][name] = entry
        del content["sha256"]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        content["sha256"] = hashlib.sha256(text.encode()).hexdigest()

    with suppress(OSError, ValueError, KeyError):  # it may be the one that is damaged
        edit_json(folder / "certificate.json", certify)
    edit_json(folder / "manifest.json", list_again)
