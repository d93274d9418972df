"""What type checkers and editors read is what is registered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tostdsl import registry
from tostdsl.build.classes import titles
from tostdsl.build.stubs import paths, stub
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


def test_third_parties_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is installed beside the package changes no file of it."""
    before = stub("technique")
    monkeypatch.setattr(registry, "_known", dict(registry._known))

    class Haze(Technique):
        """Blurs what the network sees."""

    Haze.__module__ = "elsewhere"
    registry.register("haze")(Haze)
    assert before == stub("technique")
