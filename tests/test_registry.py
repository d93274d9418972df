"""What is registered, and where from."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import tostdsl
from tostdsl import registry
from tostdsl.builtin import BUILTIN
from tostdsl.plan.bases import Technique

PACKAGES = ("techniques", "masks", "models", "data", "optimizers", "schedules")


def test_the_index_is_what_the_modules_register() -> None:
    """Every module that registers anything is in it, with every name where it has names."""
    for package in PACKAGES:
        folder = Path(tostdsl.__file__).parent / package
        for module in pkgutil.iter_modules([str(folder)]):
            importlib.import_module(f"tostdsl.{package}.{module.name}")
    registered: dict[tuple[str, str], set[str]] = {}
    for cls in registry.everything():
        if cls.__module__.startswith("tostdsl."):
            registered.setdefault((cls.kind, cls.__module__), set()).add(cls.name)
    indexed = {(kind, m): set(names) for kind, all_ in BUILTIN.items() for m, names in all_.items()}
    assert set(indexed) == set(registered)
    assert {} == {k: v for k, v in indexed.items() if v and v != registered[k]}


@pytest.mark.parametrize(
    ("kind", "name", "others"),
    [
        ("technique", "ghost", ["tostdsl.masks", "tostdsl.models", "tostdsl.techniques.skip"]),
        ("model", "resnet18", ["tostdsl.models.torchvision_zoo", "tostdsl.models.cifar_resnet"]),
    ],
)
def test_only_what_is_asked_for_is_loaded(kind: str, name: str, others: list[str]) -> None:
    """A recipe costs what it names."""
    code = (
        f"import sys; from tostdsl import registry; assert registry.find({kind!r}, {name!r}); "
        f"sys.exit(any(m in sys.modules for m in {others!r}))"
    )
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_names_are_known_before_their_classes_are() -> None:
    """Torchvision's networks are made one by one, as they are used."""
    assert "mnasnet1_0" in registry.names("model")
    cls = registry.get("model", "mnasnet1_0")
    assert cls is registry.get("model", "mnasnet1_0")
    assert cls is getattr(importlib.import_module(cls.__module__), cls.__qualname__)


def test_a_taken_name_is_refused_though_it_was_never_used() -> None:
    """The message says both sides."""

    class Other(Technique):
        """Another ghost."""

    with pytest.raises(registry.DuplicateName, match=r"ghost.*tostdsl\.techniques\.ghost.*Other"):
        registry.register("ghost")(Other)


def test_an_unknown_name_is_nothing() -> None:
    """And asking for it by `get` is an error."""
    assert registry.find("model", "resnet1") is None
    with pytest.raises(ValueError, match="unknown model `resnet1`"):
        registry.get("model", "resnet1")
