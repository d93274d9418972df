"""What type checkers and editors read is what is registered."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tostdsl import build, registry
from tostdsl.build.classes import titles
from tostdsl.build.stubs import package_paths, paths, stub
from tostdsl.diagnostics import TostError
from tostdsl.plan.bases import Technique


@pytest.mark.parametrize("path", list(paths()), ids=lambda path: path.stem)
def test_the_files_are_what_would_be_written(path: Path) -> None:
    """`python -m tostdsl.build.stubs` writes them anew."""
    assert paths()[path] == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", list(registry.KINDS))
def test_each_name_has_its_class(kind: str) -> None:
    """And the package says that it is typed."""
    text = stub(kind)
    assert all(f"\nclass {title}(" in text for title in titles(kind))  # type: ignore[arg-type]
    assert (Path(registry.__file__).parent / "py.typed").is_file()


def test_a_plug_ins_package_has_its_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are what would be written, and the class is the one of that name."""
    monkeypatch.setattr(registry, "_known", dict(registry._known))
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples" / "plugin")
    name = "tost_gradient_noise"
    for module in (name, f"{name}.classes"):
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.delitem(sys.modules, module)  # and it is taken out again
    made = package_paths(name)
    assert ["classes.py", "classes.pyi"] == [path.name for path in made]
    for path, text in made.items():
        assert text == path.read_text(encoding="utf-8")
    noise: Any = import_module(f"{name}.classes").GradientNoise
    assert noise is build.Stage.named("gradient_noise") is build.techniques.GradientNoise  # type: ignore[attr-defined]
    assert "gradient_noise(std=0.05) until 25%" == str(noise(std=0.05).until("25%"))
    with pytest.raises(ImportError, match="no_such_package"):
        package_paths("no_such_package")
    with pytest.raises(ValueError, match="registers nothing"):
        package_paths("email")


@pytest.mark.parametrize("base", [build.Stage, build.Mask, build.Data, build.Augmentation])
def test_a_name_gives_its_class(base: Any) -> None:
    """Of that kind only."""
    for title, name in titles(base.kind).items():
        assert (title, base) == (base.named(name).__name__, base.named(name).__mro__[1])
    with pytest.raises(TostError, match="did you mean"):
        base.named(f"{registry.names(base.kind)[0]}z")


def test_third_parties_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed beside the package changes no file of it."""
    before = stub("technique")
    monkeypatch.setattr(registry, "_known", dict(registry._known))

    class Haze(Technique):
        """Blurs what the network sees."""

    Haze.__module__ = "elsewhere"
    registry.register("haze")(Haze)
    assert before == stub("technique")
