"""The presets that ship with the package: recipes/presets, by the names of their files."""

from __future__ import annotations

import re

from tostdsl.assets import folder
from tostdsl.diagnostics import TostError, diagnose, nearest

SUFFIX = ".tost"
TITLE = re.compile(r'^recipe \w+ "(.*)"$', re.MULTILINE)


def names() -> list[str]:
    """All presets, sorted."""
    entries = (folder("recipes") / "presets").iterdir()
    return sorted(e.name.removesuffix(SUFFIX) for e in entries if e.name.endswith(SUFFIX))


def titles() -> dict[str, str]:
    """What each preset is, by its name."""
    found = {name: TITLE.search(text_of(name)) for name in names()}
    return {name: match[1] if match else "" for name, match in found.items()}


def text_of(name: str) -> str:
    """The text of a preset; `TostError` T201 with the near name, or all of them."""
    known = names()
    if name not in known:
        meant = nearest(name, known)
        listed = ", ".join(f"`{each}`" for each in known)
        help = f"did you mean `{meant}`?" if meant else f"the presets are {listed}"
        raise TostError([diagnose("T201", kind="preset", name=name, help=help)])
    return (folder("recipes") / "presets" / f"{name}{SUFFIX}").read_text(encoding="utf-8")
