"""`tost new`: a commented starter recipe, by questions or flags."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tostdsl.cli import complete
from tostdsl.cli.files import STDIN
from tostdsl.cli.report import Named, say, show
from tostdsl.diagnostics import TostError

if TYPE_CHECKING:
    from tostdsl.compile.starter import Wishes
    from tostdsl.diagnostics import Diagnostic
    from tostdsl.source import Source

DEFAULTS: dict[str, str] = {
    "model": "cifar_resnet(8, width=2x)",
    "data": "digits",
    "mask": "random",
    "sparsity": "90%",
    "epochs": "10",
    "optimizer": "sgd(lr=0.1, momentum=0.9, weight_decay=5e-4)",
    "schedule": "cosine",
}
TECHNIQUES = ("init", "ghost", "skip", "labels")
"""The default, as far as they fit the rest."""
DENSE = ("ghost", "skip", "labels")
"""The default without a mask, whose weights `init` would rescale."""
ASKED = ("model", "data", "mask", "sparsity", "epochs", "techniques")
QUESTIONS = {
    "model": "The network",
    "data": "The data set",
    "mask": "How to choose the weights that stay, `none` for dense training",
    "sparsity": "The share of weights that are zero",
    "epochs": "How many epochs to train",
    "techniques": "Techniques, with commas between them, `none` for plain training",
}
NONE = "none"
MANY = 12
"""More names than these are not listed in a question."""


def _named(kind: str) -> Callable[[Any], Any]:
    """The option of a slot."""
    return click.option(
        f"--{kind}", metavar="CALL", shell_complete=complete.of_kind(kind), help=f"The {kind}."
    )


@click.command("new")
@click.argument(
    "path",
    required=False,
    type=Named(),
    metavar="[PATH]",
)
@_named("model")
@_named("data")
@_named("mask")
@click.option("--sparsity", metavar="PERCENT", help="The share of weights that are zero.")
@click.option("--epochs", type=click.IntRange(min=1), help="How long to train.")
@click.option(
    "--techniques",
    multiple=True,
    metavar="NAMES",
    shell_complete=complete.of_kind("technique"),
    help="Techniques with commas between them, or one whole stage; repeatable.",
)
@_named("optimizer")
@_named("schedule")
@click.option("--seed", type=click.IntRange(0, 10**15 - 1), help="The seed; 0 when left out.")
@click.option(
    "--preset",
    metavar="NAME",
    shell_complete=complete.presets,
    help="Write a shipped preset as it is: a technique as published, or as the paper intends it. "
    "`tost list presets` names them.",
)
@click.option("--yes", "-y", is_flag=True, help="Ask nothing; use defaults for what is not given.")
def command(
    path: Path | None,
    seed: int | None,
    yes: bool,
    techniques: tuple[str, ...],
    epochs: int | None,
    preset: str | None,
    **given: str | None,
) -> int:
    """Write a commented starter recipe to PATH (recipe.tost), or `-` for standard output.

    Asks what is not given by flags; with --yes, or where there is no terminal to ask in, takes
    defaults instead. A mask or techniques of `none` leaves them out. Nothing is overwritten.

    With --preset it writes that recipe to PATH (NAME.tost) and asks nothing; other flags would
    change what it is known for, and are refused.
    """
    if preset is not None:
        _refuse_others(click.get_current_context())
        return _preset(path, preset)
    answers = {name: text for name, text in given.items() if text is not None}
    if epochs is not None:
        answers["epochs"] = str(epochs)
    if answers.get("mask", "").strip() == NONE and "sparsity" in answers:
        raise click.UsageError("`--mask none` has no sparsity: leave `--sparsity` or `--mask` out")
    if "mask" in answers and "sparsity" in answers:
        _refuse_sparsity(answers["mask"].strip())
    asking = not yes and _terminal()
    if not asking and not (yes or answers or techniques or seed is not None):
        click.echo("no terminal to ask in, so the defaults are used", err=True)
    if path is None:
        path = Path(click.prompt("The file", default="recipe.tost") if asking else "recipe.tost")
    _refuse_existing(path)
    wishes = _wishes(path, {**DEFAULTS, **answers}, seed)
    if techniques:
        said = [_held("techniques", text) for text in techniques]
        stages = tuple(stage for text in said for stage in _stages(text))
        wishes, answers["techniques"] = replace(wishes, techniques=stages), ""
    for name in ASKED:
        if asking and name not in answers and (name != "sparsity" or _shares(wishes.mask)):
            wishes = _ask(name, wishes)
    if not asking and not techniques:
        wishes = replace(wishes, techniques=_fitting(wishes))
    source, wrong = _made(wishes)
    if wrong:
        show(wrong)
        click.echo("nothing is written", err=True)
        return 2
    _write(path, source.text)
    return 0


def _preset(path: Path | None, name: str) -> int:
    from tostdsl.cli.presets import text_of

    text = text_of(name)
    path = path or Path(f"{name}.tost")
    _refuse_existing(path)
    _write(path, text)
    return 0


def _refuse_others(ctx: click.Context) -> None:
    """A preset stands as it is: what else was given on the command line is a mistake."""
    for parameter in ctx.command.params:
        name = parameter.name or ""
        source = ctx.get_parameter_source(name)
        if source is ParameterSource.COMMANDLINE and name not in ("path", "preset", "yes"):
            ctx.fail(f"`--preset` stands alone: leave `--{name}` out, or change it in the file")


def _refuse_sparsity(mask: str) -> None:
    """A mask whose call says how many weights stay has no use for `--sparsity`."""
    from tostdsl import registry

    name = mask.partition("(")[0].strip()
    if registry.find("mask", name) is None or _shares(mask):
        return
    help = "leave `--sparsity` out"
    if "sparsity=" in mask.replace(" ", ""):
        help += ", or write `sparsity=$sparsity` in `--mask`"
    raise click.UsageError(f"`--mask {mask}` says itself how many weights stay: {help}")


def _shares(mask: str | None) -> bool:
    """Whether there is a mask whose sparsity is to be said."""
    from tostdsl.compile.starter import shares

    return mask is not None and shares(mask)


def _terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _stages(text: str) -> list[str]:
    """The stages of an answer: names between commas, or one whole stage."""
    if "(" in text or " until " in text or " from " in text:
        return [text.strip()]
    names = [name.strip() for name in text.split(",")]
    return [name for name in names if name and name != NONE]


def _wishes(path: Path, answers: dict[str, str], seed: int | None) -> Wishes:
    from tostdsl.compile.starter import Wishes

    wishes = Wishes(_name(path), None, None, None, None, None, "", 1, seed)
    for name, text in answers.items():
        wishes = _with(wishes, name, text)
    return wishes


def _with(wishes: Wishes, name: str, text: str) -> Wishes:
    """The wishes with one answer put in."""
    value: Any = _held(name, text).strip()
    if name == "epochs":
        value = int(value)
    elif name == "techniques":
        value = tuple(_stages(value))
    elif name == "sparsity":
        value = _percent(value)
    elif value == NONE:
        value = None
    return replace(wishes, **{name: value})


def _held(name: str, text: str) -> str:
    """An answer as a file can hold it; `TostError` T106 for what is not UTF-8."""
    from tostdsl.compile.load import held

    return held(text, f"--{name}").text


def _percent(text: str) -> str:
    """A share such as `0.9` as the percent that it is taken for, which is said."""
    from tostdsl.compile.offers import parsed
    from tostdsl.compile.params import as_percent
    from tostdsl.syntax.nodes import Literal

    value = parsed(text)
    share = as_percent(value) if value is not None else None
    if share is value or not isinstance(share, Literal):
        return text
    say(f"a sparsity of {text} is written `{share.value}`", err=True)
    return str(share.value)


def _name(path: Path) -> str:
    """The recipe's name: the file's, with `_` for what a name cannot hold."""
    stem = "recipe" if path == STDIN else path.stem
    name = re.sub(r"[^A-Za-z0-9_]", "_", stem)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def _made(wishes: Wishes) -> tuple[Source, list[Diagnostic]]:
    from tostdsl.api import compile_source
    from tostdsl.compile.starter import starter

    return starter(wishes, lambda source: compile_source(source).diagnostics)


def _fitting(wishes: Wishes) -> tuple[str, ...]:
    from tostdsl.api import compile_source
    from tostdsl.compile.starter import fitting

    names = TECHNIQUES if wishes.mask is not None else DENSE
    return fitting(wishes, names, lambda source: compile_source(source).diagnostics)


def _ask(name: str, wishes: Wishes) -> Wishes:
    """Ask until the compiler has nothing against the recipe with the answer in it."""
    default = DEFAULTS.get(name) or ", ".join(_fitting(wishes)) or NONE
    _choices(name)
    while True:
        answer = click.prompt(QUESTIONS[name], default=default)
        if name == "epochs" and not (answer.strip().isdecimal() and int(answer)):
            click.echo("a whole number from 1, such as 10", err=True)
            continue
        changed = _with(wishes, name, answer)
        _, wrong = _made(changed)
        if not wrong:
            return changed
        show(wrong)


def _choices(name: str) -> None:
    """Say which names there are to choose from."""
    from tostdsl import registry
    from tostdsl.compile.describe import kind_words

    for word, kind in kind_words().items():
        if name in (word, kind):
            known = registry.names(kind)
            listed = ", ".join(known[:MANY]) + (", …" if len(known) > MANY else "")
            click.echo(f"\n{listed}  (all {len(known)}: tost list {word})")


def _refuse_existing(path: Path) -> None:
    if path != STDIN and (path.exists() or path.is_symlink()):
        raise TostError.of("R603", path=path)


def _write(path: Path, text: str) -> None:
    if path == STDIN:
        click.echo(text, nl=False)
        return
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise TostError.of("R603", path=path) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TostError.of("R202", path=path, reason=reason) from None
    say(f"{path}: written; try `tost plan {path}`, then `tost run {path}`")
