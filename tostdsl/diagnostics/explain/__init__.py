"""The pages of `tost explain CODE`: `CODE.md` beside this file, one for each code.

A page is Markdown with a title line `# T201: …`, what is wrong and why it is refused, and then
either `## Wrong` and `## Right`, each with an example, or `## Seen` with the message as it looks,
for what no short example brings about.

An example is its fenced blocks, in this small convention, which the tests follow:

- a `tost` block is a recipe. Where it has no `model` line it stands in a recipe that has one:
  below the lines of `HEAD` whose first word it does not begin a line with itself. One that names
  a file (`tost base.tost`) is that whole file, as it stands. The unnamed one is `recipe.tost`.
- a `text` block that names a file is that file, for instance of `--set-file`.
- a `console` block holds the command that shows it, after `$ `; without one it is
  `tost check recipe.tost`.

The wrong example gives the page's code, and no other error. The right one gives nothing at all.
"""

from __future__ import annotations

from importlib.resources import files

HEAD = (
    "model resnet20",
    "data cifar10",
    "mask random(sparsity=90%)",
    "train for 160 epochs",
)
"""The recipe in which the examples stand."""


def page(code: str) -> str | None:
    """The page of a code, or None where there is none."""
    if not (code.isascii() and code.isalnum()):
        return None
    file = files(__name__) / f"{code.upper()}.md"
    return file.read_text(encoding="utf-8") if file.is_file() else None


def title(code: str) -> str | None:
    """What a code means in a line: its page's title, without the code."""
    found = page(code)
    return None if found is None else found.partition("\n")[0].partition(": ")[2]
