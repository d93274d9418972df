"""The page on the techniques shows recipes that are sound, and the figures it names are true."""

from __future__ import annotations

import re
from pathlib import Path

import tostdsl
from tostdsl.compile.compiler import compile_source
from tostdsl.source import Source

PAGE = Path(tostdsl.__file__).parent / "techniques" / "README.md"
HEAD = "model resnet18\ndata cifar10\ntrain for 180 epochs\nmask random(sparsity=90%)\n"


def test_its_recipes_are_sound() -> None:
    """Each compiles; those that keep something are warned of, the others are not."""
    texts = re.findall(r"^```tost\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert 6 == len(texts)
    for text in texts:
        found = compile_source(Source("README.md", HEAD + text)).diagnostics
        assert (["W026"] if "keep=yes" in text else []) == [each.code for each in found]
