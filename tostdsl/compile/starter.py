"""A recipe to start from, made of wishes and what the registry says of their names."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tostdsl import registry
from tostdsl.compile.describe import kind_words, summary
from tostdsl.compile.words import value_of
from tostdsl.diagnostics import Diagnostic, Severity
from tostdsl.plan.bases import Removable, Technique
from tostdsl.source import Source
from tostdsl.syntax.format import WIDTH, format_text
from tostdsl.units import Duration

Check = Callable[[Source], Sequence[Diagnostic]]
"""What finds the mistakes of a text."""

SLOTS = ("model", "data", "mask", "optimizer", "schedule")
PARAM = "sparsity"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a starter recipe is to say. Each slot is a name or a whole call, None to leave out."""

    name: str
    model: str | None
    data: str | None
    mask: str | None
    optimizer: str | None
    schedule: str | None
    sparsity: str
    epochs: int
    seed: int | None = None
    techniques: tuple[str, ...] = ()
    """Names, or whole stages."""


def starter(wishes: Wishes, check: Check) -> tuple[Source, list[Diagnostic]]:
    """The recipe, commented and laid out, and what is wrong with it: nothing, if it may be used.

    Where a name can be written in several ways (alone, or as in one of its examples), the first
    that is sound in this recipe is taken.
    """
    ways = {slot: list(_calls(slot, wish)) for slot in SLOTS if (wish := getattr(wishes, slot))}
    chosen = {slot: calls[0] for slot, calls in ways.items()}
    stages: list[tuple[str, str]] = []

    def wrong(calls: dict[str, str], more: Sequence[tuple[str, str]] = ()) -> int:
        return len(_wrong(check(_source(wishes, calls, [*stages, *more]))))

    for slot, calls in ways.items():
        chosen = min(({**chosen, slot: call} for call in calls), key=wrong)
    for technique in wishes.techniques:
        doc = _doc(technique)
        options = [(doc, stage) for stage in _stages(technique)]
        stages.append(min(options, key=lambda option: wrong(chosen, [option])))
    source = _source(wishes, chosen, stages)
    text, found = format_text(source)
    if text is not None:
        source = Source(source.name, text)
        found = list(check(source))
    return source, _wrong(found)


def shares(mask: str) -> bool:
    """Whether a mask, a name or a whole call, leaves its sparsity to the recipe's param."""
    return any(f"${PARAM}" in call for call in _calls("mask", mask))


def fitting(wishes: Wishes, names: Sequence[str], check: Check) -> tuple[str, ...]:
    """Those of some techniques that a recipe may have, each beside the ones before it."""
    kept: tuple[str, ...] = ()
    for name in names:
        if not starter(replace(wishes, techniques=(*kept, name)), check)[1]:
            kept = (*kept, name)
    return kept


def _wrong(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """What speaks against a text: mistakes and warnings, but not of plug-ins."""
    return [d for d in found if d.severity is not Severity.NOTE and d.code != "W004"]


def _doc(stage: str) -> str:
    """What the technique of a stage does, in a sentence, and what it takes."""
    cls = registry.find("technique", stage.partition("(")[0].partition(" ")[0])
    if cls is None:
        return ""
    named = ", ".join(cls.model_fields)
    takes = f" Its arguments: {named}." if named else ""
    return f"{summary(cls)}{takes}"


def _calls(kind: str, wish: str) -> Iterator[str]:
    """The ways to write a wish as a slot's call; what is not a bare known name is kept."""
    cls = registry.find(kind, wish)
    if cls is None:
        yield wish
        return
    given = {PARAM: f"${PARAM}"} if kind == "mask" and PARAM in cls.model_fields else {}
    required = {
        name: value_of(info)
        for name, info in cls.model_fields.items()
        if info.is_required() and name not in given
    }
    # an example of a mask has a sparsity of its own, which is not the one wished for; what else it
    # has is how the mask is commonly written
    wished = [re.sub(rf"\b{PARAM}=[\d.]+%", f"{PARAM}=${PARAM}", e) for e in cls.examples]
    if required and not given:
        yield from wished
    elif given:
        yield from wished[:1]
    yield _call(cls.name, {**given, **required})
    # a short training may end before a length that is meant for long ones
    short = {n: "2 steps" for n, info in cls.model_fields.items() if info.annotation is Duration}
    if short:
        yield _call(cls.name, {**given, **required, **short})


def _call(name: str, arguments: dict[str, str]) -> str:
    shown = ", ".join(f"{name}={text}" for name, text in arguments.items())
    return f"{name}({shown})" if shown else name


def _stages(wish: str) -> Iterator[str]:
    """The ways to write a technique as a stage: as it is by itself first, certain layers last."""
    cls = registry.find("technique", wish)
    if cls is None:
        yield wish
        return
    removed = issubclass(cls, Removable)
    yield f"{cls.name} until 25%" if removed else cls.name
    targeted = [text for text in cls.examples if " on " in text or " except " in text]
    yield from (text for text in cls.examples if text not in targeted)
    if issubclass(cls, Technique) and cls.acts == "stretch" and not removed:
        yield f"{cls.name} until 25%"
    if removed:
        yield cls.name
    yield from targeted


def _source(wishes: Wishes, calls: dict[str, str], stages: Sequence[tuple[str, str]]) -> Source:
    """The recipe's text, not laid out yet."""
    lines = ["tost 1", ""]
    lines += _comment(
        "Started by `tost new`. `tost check` names mistakes, `tost plan` shows what this means, "
        "`tost explain NAME` says what a name does and takes, `tost list` what else there is."
    )
    lines += [f"recipe {wishes.name}", ""]
    if f"${PARAM}" in calls.get("mask", ""):
        lines += _comment("The share of weights that are zero. `--set sparsity=…` changes it.")
        lines += [f"param {PARAM} = {wishes.sparsity}", ""]
    words = {kind: word for word, kind in kind_words().items()}
    for slot in SLOTS:
        if slot in calls:
            lines.append(f"{slot} {calls[slot]}  # others: tost list {words[slot]}")
    lines.append(f"train for {wishes.epochs} {'epoch' if wishes.epochs == 1 else 'epochs'}")
    if wishes.seed is not None:
        lines.append(f"seed {wishes.seed}")
    for doc, stage in stages:
        lines += ["", *_comment(doc), stage]
    return Source("<new recipe>", "\n".join(lines) + "\n")


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH - 2)]
