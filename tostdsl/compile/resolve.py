"""Files to `Recipe`: what a recipe extends, and what it puts over that."""

from __future__ import annotations

import hashlib
import posixpath
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from tostdsl import registry
from tostdsl.compile import others
from tostdsl.compile.inherit import OPTIONAL
from tostdsl.compile.load import MAX_TOTAL, decode, fetch, locate, meant, relocate
from tostdsl.compile.recipe import ParamValue, Recipe, Taking
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, TostError, diagnose, nearest
from tostdsl.later import Later
from tostdsl.source import Source
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import parse
from tostdsl.syntax.words import KEYWORDS, NEUTRAL

if TYPE_CHECKING:
    from tostdsl.compile import guess, numbers, placed
else:
    guess = Later("tostdsl.compile.guess")
    numbers = Later("tostdsl.compile.numbers")
    placed = Later("tostdsl.compile.placed")

EDITION = 1
MAX_DEPTH = 8
_INSTEAD = {
    "sweep": "a `param` or `seed` statement ends an inherited sweep over it",
    "param": "a param that nothing uses does nothing: it may stay",
    "recipe": "the name is not inherited: leave this out",
    "tost": "the edition is not inherited: leave this out",
    "extends": "leave `extends` out, or extend another file",
    "without": "what is taken out stays out: write the stage again",
}
SLOTS = ("model", "data", "mask", "optimizer", "schedule")


def as_name(stem: str) -> str:
    """A file's stem as a recipe's name, which is a plain name: `my-recipe` is `my_recipe`."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", stem) or "recipe"
    return f"_{name}" if name[0].isdigit() else name


class Resolver:
    """Merges a recipe with what it extends. Mistakes are collected in `found`."""

    def __init__(self, root: Path | None) -> None:
        self.root = root
        self.size = 0
        self.found: list[Diagnostic] = []

    def resolve(self, source: Source, path: Path | None) -> Recipe:
        """The recipe of a top file (`path` is None for text that lies in no folder)."""
        self.size = len(source.text.encode(errors="replace"))
        return self._file(source, path, (), Recipe(source, ""))

    def locate(self, wanted: str, here: Path, root: Path) -> Path:
        """The file that a recipe in the folder `here` extends, within `root`."""
        return locate(wanted, here, root)

    def fetch(self, path: Path, name: str) -> bytes:
        """What stands in a file that was located, one byte more than it may have at most."""
        return fetch(path, name)

    def beside(self, name: str, wanted: str) -> str:
        """How messages call what the file of a name extends."""
        return posixpath.normpath(PurePosixPath(name.replace("\\", "/")).parent / wanted)

    def _file(
        self, source: Source, path: Path | None, chain: tuple[Path, ...], recipe: Recipe
    ) -> Recipe:
        file, mistakes = parse(source)
        self.found += placed.at_home(mistakes, file) if mistakes else []
        extends = [s for s in file.statements if isinstance(s, n.Extends)]
        for statement in extends[1:]:
            self.found.append(
                diagnose(
                    "T205", statement.span, Label(extends[0].span, "first here"), name="extends"
                )
            )
        if any(isinstance(s, n.Hole) and s.word == "extends" for s in file.statements):
            recipe.broken.add("extends")
        if extends:
            reached = len(recipe.sources)
            self._extend(extends[0], path, chain, recipe)
            if len(recipe.sources) == reached:
                recipe.broken.add("extends")
        if any(not comment.alone and comment.text[1:2].isdigit() for comment in file.comments):
            recipe.numbers += numbers.numbered(file, recipe.stages)
        recipe.sources.insert(0, source)
        place = path or PurePosixPath(source.name.replace("\\", "/"))
        stem = place.stem
        recipe.name, recipe.title, recipe.named = as_name(stem), "", None
        _Merge(recipe, self.found, bool(extends)).apply(file)
        return recipe

    def _extend(
        self, statement: n.Extends, path: Path | None, chain: tuple[Path, ...], recipe: Recipe
    ) -> None:
        wanted, span = str(statement.path.value), statement.path.span
        if "://" in wanted:
            self.found.append(diagnose("T216", span, path=wanted))
            return
        here = path.parent if path is not None else self.root
        root = self.root or here
        if here is None or root is None:
            reason = "this text lies in no folder"
            self.found.append(diagnose("T213", span, path=wanted, reason=reason))
            return
        try:
            target = self.locate(wanted, here, root)
        except TostError as error:
            self.found += relocate(error, span)
            return
        seen = (*chain, path.resolve()) if path is not None else chain
        if target in seen:
            names = " -> ".join(item.name for item in (*seen[seen.index(target) :], target))
            self.found.append(diagnose("T214", span, path=wanted, chain=names))
            return
        if len(seen) >= MAX_DEPTH:
            self.found.append(diagnose("T219", span, limit=MAX_DEPTH))
            return
        try:
            name = self.beside(span.source.name, wanted)
            data = self.fetch(target, name)
            base = decode(data, name)
        except TostError as error:
            self.found += relocate(error, span, meant(target, wanted))
            return
        if statement.checksum is not None:
            digest = hashlib.sha256(data).hexdigest()
            if digest != str(statement.checksum.value).lower():
                help = f"its sha256 is {digest}"
                self.found.append(diagnose("T217", statement.checksum.span, path=wanted, help=help))
        self.size += len(data)
        if self.size > MAX_TOTAL:
            self.found.append(diagnose("T263", span, size=self.size, limit=MAX_TOTAL))
            return
        self._file(base, target, seen, recipe)


class _Merge:
    """Puts one file's statements over what it extends."""

    def __init__(self, recipe: Recipe, found: list[Diagnostic], extending: bool) -> None:
        self.recipe = recipe
        self.found = found
        self.extending = extending
        self.here: dict[str, n.Statement] = {}

    def apply(self, file: n.File) -> None:
        """Apply every statement, after taking out what the file inherits and says anew."""
        inherited = tuple(self.recipe.stages)
        for statement in file.statements:
            if isinstance(statement, n.Without):
                self._without(statement, inherited)
        said = {_subject(statement) for statement in file.statements}
        self.recipe.sweeps = [s for s in self.recipe.sweeps if _subject(s) not in said]
        self.recipe.expects = [s for s in self.recipe.expects if _subject(s) not in said]
        for statement in file.statements:
            self._statement(statement)

    def _once(self, key: str, shown: str, statement: n.Statement, code: str = "T205") -> bool:
        first = self.here.setdefault(key, statement)
        if first is statement:
            return True
        label = Label(first.span, "first here")
        self.found.append(diagnose(code, statement.span, label, name=shown))
        return False

    def _statement(self, statement: n.Statement) -> None:
        recipe = self.recipe
        match statement:
            case n.Edition():
                if self._once("tost", "tost", statement):
                    self._edition(statement)
            case n.RecipeName():
                if self._once("recipe", "recipe", statement):
                    recipe.named = statement
                    recipe.name = statement.name.text
                    recipe.title = str(statement.title.value) if statement.title else ""
            case n.Param():
                name = statement.name.text
                if self._once(f"${name}", name, statement, "T207"):
                    before = recipe.params.pop(name, None)
                    recipe.params[name] = ParamValue(statement.value, statement.span, over=before)
            case n.Sweep():
                if self._once(
                    f"sweep {statement.name.text}", statement.name.text, statement, "T311"
                ):
                    recipe.sweeps.append(statement)
            case n.Setting():
                word = statement.word.text
                if self._once(word, word, statement):
                    recipe.put(statement)
            case n.Slot():
                self._slot(statement)
            case n.Stage():
                recipe.stages.append(statement)
            case n.Expect():
                recipe.expects.append(statement)
            case n.Hole():
                recipe.broken.update((statement.word, *statement.also))
            case n.Extends() | n.Without():
                pass

    def _edition(self, statement: n.Edition) -> None:
        value = statement.value
        if not isinstance(value, n.Literal) or type(value.value) is not int:
            self.found.append(
                diagnose(
                    "T301",
                    value.span,
                    name="tost",
                    expected="an edition number",
                    found=f"`{value.span.text}`",
                    help=f"write `tost {EDITION}`",
                    fix=Fix((Edit(value.span, str(EDITION)),), certain=False),
                )
            )
        elif value.value != EDITION:
            help = f"the first edition is 1: write `tost {EDITION}`" if value.value < 1 else None
            fix = Fix((Edit(value.span, str(EDITION)),), certain=False) if help else None
            edition = value.value
            self.found.append(diagnose("T218", value.span, help=help, fix=fix, edition=edition))

    def _slot(self, statement: n.Slot) -> None:
        word = statement.word.text
        if word not in SLOTS:
            called = others.SLOTS.get(word.lower())
            meant = called or nearest(word, SLOTS)
            help = f"did you mean `{meant}`?" if meant else "the slots are " + _listed(SLOTS)
            fix = Fix((Edit(statement.word.span, meant),), certain=False) if meant else None
            if registry.find("technique", statement.call.name.text) is not None:
                rest = statement.span.source.text[statement.call.span.start : statement.span.end]
                help = f"a technique has no word before it: write `{rest}`"
                fix = Fix((Edit(statement.span, rest),), certain=word in NEUTRAL)
            elif registry.find("technique", word) and statement.call.name.text in others.WHOLE:
                help = f"write `{word}`: without a window it is at work all of training, without "
                help += "`on` in all layers that it can work on"
                place = statement.word.span.to(statement.call.span)
                fix = Fix((Edit(place, word),), certain=False)
            elif registry.find("technique", word) is not None:
                help, fix = guess.setting(word, statement.call, statement.call.span)
            elif meant is not None and (called or meant == word.lower()):
                fix = Fix((Edit(statement.word.span, meant),), not called)
                if meant not in self.here:
                    word_meant = replace(statement.word, text=meant)
                    self._slot(replace(statement, word=word_meant))
            self.found.append(diagnose("T202", statement.word.span, name=word, help=help, fix=fix))
            if meant:
                self.recipe.broken.add(meant)
        elif self._once(word, word, statement):
            self.recipe.put(statement)

    def _without(self, statement: n.Without, inherited: tuple[n.Stage, ...]) -> None:
        if "extends" in self.recipe.broken:
            return
        if not self.extending:
            self.found.append(diagnose("T220", statement.span))
            return
        for removal in statement.removals:
            if removal.name.text in KEYWORDS:
                self._word(removal)
            else:
                self.recipe.removals.append(Taking(removal, inherited))

    def _word(self, removal: n.Removal) -> None:
        """A part of a `without` that names a word of the language instead of a technique."""
        word, recipe = removal.name.text, self.recipe
        if word not in (*OPTIONAL, "expect"):
            help = _INSTEAD.get(word, f"write `{word}` anew: it replaces the inherited one")
            self.found.append(diagnose("T232", removal.name.span, name=word, help=help))
            return
        for bound in removal.window[:1]:
            self.found.append(diagnose("T409", bound.span, name=f"without {word}"))
        there = bool(recipe.expects) if word == "expect" else recipe.take_out(removal)
        if word == "expect":
            recipe.expects = []
        if not there and word not in recipe.broken:
            help = f"the recipe it extends has no `{word}`: leave this out"
            self.found.append(diagnose("T210", removal.name.span, name=word, help=help))


def _subject(statement: n.Statement) -> str:
    """What a statement is about, where saying it anew ends an inherited sweep or expectation."""
    match statement:
        case n.Param(name=name):
            return f"${name.text}"
        case n.Sweep(name=name):
            return "seed" if name.text == "seed" else f"${name.text}"
        case n.Setting(word=word):
            return word.text
        case n.Expect(metric=metric):
            return f"expect {metric.text}"
    return ""


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
