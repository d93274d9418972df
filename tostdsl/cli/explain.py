"""`tost explain`: a name or a code, from what is registered."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import click

from tostdsl.cli import complete
from tostdsl.cli.list import blanked, meaning
from tostdsl.cli.prose import columns, markdown
from tostdsl.cli.report import show
from tostdsl.diagnostics import CATALOGUE, Diagnostic, diagnose, nearest

if TYPE_CHECKING:
    from tostdsl.compile.describe import Argument, Description

WIDEST = 100
MAX_MEANT = 6
"""Names that one which is the start of them may mean."""


@click.command("explain")
@click.argument(
    "names", nargs=-1, required=True, metavar="NAME|CODE...", shell_complete=complete.names
)
def command(names: tuple[str, ...]) -> int:
    """Explain a name, a word of the language, a command, or what a message's code means.

    What several kinds share, such as `linear`, is explained for each.
    """
    width = min(WIDEST, shutil.get_terminal_size((88, 24)).columns)
    blocks: list[list[str]] = []
    unknown: list[Diagnostic] = []
    for name in names:
        found = _code(name.upper(), width) or [*_words(name, width), *_name(name, width)]
        found = [*(found or _said(name, width) or _preset(name.lower())), *_command(name.lower())]
        blocks += found
        if not found:
            unknown.append(_unknown(name))
    rule = ["", "-" * width, ""]
    for index, lines in enumerate(blocks):
        click.echo("\n".join((rule if index else []) + lines))
    show(unknown)
    return 2 if unknown else 0


def _code(code: str, width: int) -> list[list[str]]:
    """The page of a code; what the catalogue says where it has none."""
    entry = CATALOGUE.get(code)
    if entry is None:
        return []
    from tostdsl.diagnostics.explain import page

    text = page(code)
    if text is None:
        text = f"# {code}\n\n{entry.severity}: {blanked(entry.message)}"
        text += f"\n\nhelp: {blanked(entry.help)}" if entry.help else ""
    return [markdown(text, width)]


def _name(name: str, width: int) -> list[list[str]]:
    from tostdsl.compile.describe import find

    return [_lines(description, width) for description in find(name)]


def _words(name: str, width: int) -> list[list[str]]:
    """What the language itself means by a word."""
    from tostdsl.compile.language import entries
    from tostdsl.compile.terms import terms

    blocks = []
    for entry in (*entries(name.lower()), *terms(name.lower())):
        lines = [_heading(f"{name.lower()} ({entry.kind})"), ""]
        lines += markdown(f"{entry.form}: {entry.meaning}.", width)
        if entry.examples:
            lines += ["", *(f"    {text}" for text in entry.examples)]
        if entry.more:
            lines += ["", *markdown(entry.more, width)]
        if entry.codes:
            lines += ["", _heading("codes")]
            lines += columns([(code, meaning(code)) for code in entry.codes], width, indent=2)
        blocks.append(lines)
    return blocks


def _said(name: str, width: int) -> list[list[str]]:
    """Where a word is an argument, or one of the values that an argument takes."""
    from tostdsl.compile.describe import uses

    blocks: list[list[str]] = []
    if name.lower() in _lists():
        return blocks  # an argument may take the word, but a list of that name is meant
    for kind, found in uses(name).items():
        lines = [_heading(f"{name} ({kind})"), "", *columns(found.items(), width, indent=2)]
        names = dict.fromkeys(text.partition("(")[0] for text in found)
        more = " ".join(names) if len(names) <= 3 else "NAME"
        blocks.append([*lines, "", f"`tost explain {more}` tells the rest"])
    return blocks


def _preset(name: str) -> list[list[str]]:
    from tostdsl.cli.presets import titles

    known = titles()
    if name not in known:
        return []
    lines = [_heading(f"{name} (preset)"), "", f"{known[name]}."]
    return [[*lines, "", f"    tost new --preset {name}"]]


def _commands() -> dict[str, str]:
    """What each command does, and each that stands behind another one."""
    from tostdsl.cli.main import COMMANDS
    from tostdsl.cli.mask import SUBCOMMANDS

    return {**COMMANDS, **{f"mask {name}": words for name, words in SUBCOMMANDS.items()}}


def _command(name: str) -> list[list[str]]:
    """The commands of a name, such as `export` of `tost mask export`."""
    return [
        [_heading(f"{whole} (command)"), "", words, "", f"    tost {whole} --help"]
        for whole, words in _commands().items()
        if name in (whole, whole.split()[-1])
    ]


def _heading(text: str) -> str:
    plain = "NO_COLOR" in os.environ or not sys.stdout.isatty()
    return text if plain else click.style(text, bold=True)


def _lines(description: Description, width: int) -> list[str]:
    """A description as lines: what it is, how it is written, what it takes, the rest."""
    d = description
    lines = [_heading(f"{d.name} ({d.kind.replace('data', 'data set')})"), ""]
    lines += [*markdown(d.summary, width), ""]
    lines += [f"    {text}" for text in d.examples]
    if d.arguments:
        lines += ["", _heading("arguments")]
        rows = [row for argument in d.arguments for row in _rows(argument, d.positional)]
        lines += columns(rows, width, indent=2)
    facts = [("window", d.window), ("targets", d.targets), ("claims", ", ".join(d.claims))]
    shown = [(name, text) for name, text in facts if text]
    if shown:
        lines += ["", *columns(shown, width)]
    if d.text:
        lines += ["", *markdown(d.text, width)]
    if d.codes:
        lines += ["", _heading("codes")]
        lines += columns([(code, meaning(code)) for code in d.codes], width, indent=2)
    return lines


def _rows(argument: Argument, positional: str | None) -> list[tuple[str, str]]:
    """An argument's facts, and below them what it does."""
    unit = f" ({argument.unit})" if argument.unit else ""
    parts = [argument.type + unit, argument.bounds]
    if argument.required:
        parts.append("must be given")
    elif argument.default is not None:
        parts.append(f"default {argument.default}")
    else:
        parts.append("may be left out")
    if argument.name == positional:
        parts.append("may come first without its name")
    return [(argument.name, "; ".join(filter(None, parts))), ("", argument.doc)]


def _lists() -> dict[str, str]:
    """What `tost list` takes, each with the word for one of them."""
    from tostdsl.compile.describe import kind_words

    return {**kind_words(), "statements": "statement", "presets": "preset", "codes": "code"}


def _unknown(name: str) -> Diagnostic:
    from tostdsl import registry
    from tostdsl.compile.language import ELSEWHERE, LANGUAGE
    from tostdsl.compile.terms import TERMS

    for word, kind in _lists().items():
        if name.lower() in (word, kind):
            return diagnose("T201", kind="name", name=name, help=f"see `tost list {word}`")
    if name.lower() in ELSEWHERE:
        help = "it is not there yet; `tost list` shows every name"
        return diagnose("T201", kind="name", name=name, help=help)
    for cls in registry.everything():
        if written := cls.other_names.get(name.lower()):
            help = f"here it is the {cls.kind} `{written}`; see `tost explain {cls.name}`"
            return diagnose("T201", kind="name", name=name, help=help)
    known = {cls.name for cls in registry.everything()}
    known |= {word for entry in (*LANGUAGE, *TERMS) for word in entry.names}
    known |= {whole.split()[-1] for whole in _commands()}
    starts = sorted(each for each in known if each.startswith(name.lower()) and len(name) > 2)
    if starts:
        listed = [f"`{each}`" for each in starts[:MAX_MEANT]]
        more = f" or {len(starts) - MAX_MEANT} more" if len(starts) > MAX_MEANT else ""
        help = f"did you mean {', '.join(listed)}{more}?"
        return diagnose("T201", kind="name", name=name, help=help)
    meant = nearest(name, known) or nearest(name.upper(), CATALOGUE)
    help = f"did you mean `{meant}`?" if meant else "`tost list` shows every name"
    return diagnose("T201", kind="name", name=name, help=help)
