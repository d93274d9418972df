"""Recipes made of several files, compiled."""

from __future__ import annotations

from pathlib import Path

from tostdsl.compile.compiler import Compiled, compile_file, compile_source
from tostdsl.diagnostics import Diagnostic
from tostdsl.source import Source

HEAD = """\
model resnet20
data cifar10(batch=128)
mask random(sparsity=90%)
train for 180 epochs
"""
BASE = HEAD + "ghost(width=2x) until 25%\nghost(width=3x) from epoch 60\nskip until epoch 9\n"


def compiled(folder: Path, **files: str) -> Compiled:
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.tost"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
    return compile_file(folder / "top.tost")


def fingerprint(text: str) -> str:
    (plan,) = compile_source(Source("r.tost", text)).plans
    return plan.fingerprint


def places(found: tuple[Diagnostic, ...]) -> list[tuple[str, str]]:
    """Code and place (the file's path below the folder of the top one) of each diagnostic."""
    return [(d.code, str(d.span).rpartition("/")[2] if d.span else "") for d in found]
