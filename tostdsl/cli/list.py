"""`tost list`: what there is."""

from __future__ import annotations

import json
import shutil

import click

from tostdsl.cli import complete
from tostdsl.cli.presets import titles
from tostdsl.cli.prose import columns
from tostdsl.diagnostics import CATALOGUE, TostError, diagnose, nearest

OTHERS = {"statements": "statement", "presets": "preset", "codes": "code"}
"""What is listed besides the registry's kinds."""


@click.command("list")
@click.argument("kind", required=False, shell_complete=complete.kinds)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print it.",
)
def command(kind: str | None, form: str) -> int:
    """List what a recipe can name, and the codes of messages.

    KIND is one of techniques, masks, models, data, optimizers, schedules, anneals, augmentations,
    statements, presets (for `tost new --preset`) and codes; without it all names are shown by kind.
    """
    from tostdsl import registry
    from tostdsl.compile.describe import kind_words, summary
    from tostdsl.compile.language import statements

    words = {**kind_words(), **OTHERS}
    wanted = list(words) if kind is None else [_word(kind, words)]
    found: dict[str, dict[str, str]] = {word: {} for word in wanted}
    for cls in registry.everything():
        for word in wanted:
            if words[word] == cls.kind:
                found[word][cls.name] = summary(cls)
    if "statements" in found:
        found["statements"] = statements()
    if "presets" in found:
        found["presets"] = titles()
    if "codes" in found:
        found["codes"] = {code: meaning(code) for code in sorted(CATALOGUE)}
    if form == "json":
        listed = {
            word: [{"name": name, "summary": text} for name, text in known.items()]
            for word, known in found.items()
        }
        click.echo(json.dumps(listed, indent=2, ensure_ascii=False))
        return 0
    width = shutil.get_terminal_size((88, 24)).columns
    rows = (
        [(word, ", ".join(known)) for word, known in found.items()]
        if kind is None
        else list(found[wanted[0]].items())
    )
    click.echo("\n".join(columns(rows, width)))
    return 0


def _word(kind: str, words: dict[str, str]) -> str:
    """The word of a kind, which may be given in the singular."""
    wanted = kind.lower().replace("-", " ").removesuffix(" sets").removesuffix(" set")
    for word, singular in words.items():
        if wanted in (word, singular):
            return word
    meant = nearest(wanted, [*words, *words.values()])
    known = ", ".join(f"`{word}`" for word in words)
    help = f"did you mean `{meant}`?" if meant else f"the kinds are {known}"
    raise TostError([diagnose("T201", kind="kind", name=kind, help=help)])


def meaning(code: str) -> str:
    """What a code means in a line: its page's title, else its message."""
    from tostdsl.diagnostics.explain import title

    return title(code) or blanked(CATALOGUE[code].message)


def blanked(message: str) -> str:
    """A message of the catalogue with `…` for what is filled in."""
    import re

    return re.sub(r"\{[^{}]*\}", "…", message)
