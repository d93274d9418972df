"""File to `Recipe`: extends, without, params with `--set`, sweeps."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from tostdsl.compile.load import read, relocate
from tostdsl.compile.recipe import ParamValue, Recipe
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, TostError, diagnose, nearest
from tostdsl.source import Source
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import parse
from tostdsl.units import Duration, Factor, Moment, Pattern, Percent

EDITION = 1
MAX_DEPTH = 8
SLOTS = ("model", "data", "mask", "optimizer", "schedule")


class Resolver:
    """Merges a recipe with what it extends. Mistakes are collected in `found`."""

    def __init__(self, root: Path | None) -> None:
        self.root = root
        self.found: list[Diagnostic] = []

    def resolve(self, source: Source, path: Path | None) -> Recipe:
        """The recipe of a top file (`path` is None for text that lies in no folder)."""
        stem = PurePosixPath(source.name.replace("\\", "/")).stem
        return self._file(source, path, (), Recipe(source, stem or "recipe"))

    def _file(
        self, source: Source, path: Path | None, chain: tuple[Path, ...], recipe: Recipe
    ) -> Recipe:
        file, mistakes = parse(source)
        self.found += mistakes
        extends = [s for s in file.statements if isinstance(s, n.Extends)]
        for statement in extends[1:]:
            self.found.append(
                diagnose(
                    "T205", statement.span, Label(extends[0].span, "first here"), name="extends"
                )
            )
        if extends:
            self._extend(extends[0], path, chain, recipe)
        recipe.sources.insert(0, source)
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
        target = (here / wanted).resolve()
        if not target.is_relative_to(root.resolve()) or "\0" in wanted or "\\" in wanted:
            self.found.append(diagnose("T215", span, path=wanted))
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
            name = str(PurePosixPath(recipe.source.name).parent / wanted) if not chain else wanted
            base = read(target, name)
        except TostError as error:
            self.found += relocate(error, span)
            return
        if statement.checksum is not None:
            digest = hashlib.sha256(target.read_bytes()).hexdigest()
            if digest != str(statement.checksum.value).lower():
                help = f"its sha256 is {digest}"
                self.found.append(diagnose("T217", statement.checksum.span, path=wanted, help=help))
        self._file(base, target, seen, recipe)


class _Merge:
    """Puts one file's statements over what it extends."""

    def __init__(self, recipe: Recipe, found: list[Diagnostic], extending: bool) -> None:
        self.recipe = recipe
        self.found = found
        self.extending = extending
        self.here: dict[str, n.Statement] = {}

    def apply(self, file: n.File) -> None:
        """Apply every statement, removals first."""
        for statement in file.statements:
            if isinstance(statement, n.Without):
                self._without(statement)
        if any(isinstance(s, n.Sweep) for s in file.statements):
            self.recipe.sweeps = []
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
                    recipe.name = statement.name.text
                    recipe.title = str(statement.title.value) if statement.title else ""
            case n.Param():
                name = statement.name.text
                if self._once(f"${name}", name, statement, "T207"):
                    recipe.params.pop(name, None)
                    recipe.params[name] = ParamValue(statement.value, statement.span)
            case n.Sweep():
                if self._once(
                    f"sweep {statement.name.text}", statement.name.text, statement, "T311"
                ):
                    recipe.sweeps.append(statement)
            case n.Setting():
                word = statement.word.text
                if self._once(word, word, statement):
                    recipe.settings[word] = statement
            case n.Slot():
                self._slot(statement)
            case n.Stage():
                recipe.stages.append(statement)
            case n.Expect():
                recipe.expects.append(statement)
            case n.Hole():
                recipe.broken.add(statement.word)
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
                    expected="an edition number such as `1`",
                    found=f"`{value.span.text}`",
                )
            )
        elif value.value != EDITION:
            self.found.append(diagnose("T218", value.span, edition=value.value))

    def _slot(self, statement: n.Slot) -> None:
        word = statement.word.text
        if word not in SLOTS:
            meant = nearest(word, SLOTS)
            help = f"did you mean `{meant}`?" if meant else "the slots are " + _listed(SLOTS)
            fix = Fix((Edit(statement.word.span, meant),), certain=False) if meant else None
            self.found.append(diagnose("T202", statement.word.span, name=word, help=help, fix=fix))
            if meant:
                self.recipe.broken.add(meant)
        elif self._once(word, word, statement):
            self.recipe.slots[word] = statement

    def _without(self, statement: n.Without) -> None:
        if not self.extending:
            self.found.append(diagnose("T220", statement.span))
            return
        for ident in statement.names:
            stages = self.recipe.stages
            kept = [stage for stage in stages if stage.call.name.text != ident.text]
            if len(kept) == len(stages):
                names = sorted({stage.call.name.text for stage in stages})
                help = f"inherited stages: {_listed(names)}" if names else None
                self.found.append(diagnose("T210", ident.span, name=ident.text, help=help))
            self.recipe.stages = kept


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# -- params from outside


def set_params(recipe: Recipe, given: Mapping[str, str]) -> list[Diagnostic]:
    """Apply `--set NAME=value`: the type is that of the declared default."""
    found: list[Diagnostic] = []
    for name, text in given.items():
        declared = recipe.params.get(name)
        if declared is None:
            meant = nearest(name, recipe.params)
            known = f"declared params: {_listed(list(recipe.params))}" if recipe.params else None
            help = f"did you mean `{meant}`?" if meant else known
            found.append(diagnose("T212", name=name, help=help))
            continue
        source = Source("--set", f"param {name} = {text}")
        file, mistakes = parse(source)
        found += mistakes
        statement = file.statements[0] if len(file.statements) == 1 else None
        if mistakes or not isinstance(statement, n.Param):
            if not mistakes:
                found.append(
                    diagnose(
                        "T301",
                        source.span(0, len(source.text)),
                        name=name,
                        expected="one value",
                        found=f"`{text}`",
                    )
                )
            continue
        if not _same_type(declared.value, statement.value):
            found.append(
                diagnose(
                    "T301",
                    statement.value.span,
                    Label(declared.span, "its type is that of this value"),
                    name=f"${name}",
                    expected=f"a value like `{declared.value.span.text}`",
                    found=f"`{statement.value.span.text}`",
                )
            )
            continue
        value = ParamValue(statement.value, statement.value.span, "set by `--set`")
        recipe.params[name] = value
    return found


def _type(value: n.Value) -> object:
    if isinstance(value, n.Literal):
        if isinstance(value.value, Percent | Factor | Pattern | Moment | Duration | str):
            return type(value.value)
        return "number"
    return type(value)


def _same_type(a: n.Value, b: n.Value) -> bool:
    return isinstance(a, n.Reference) or isinstance(b, n.Reference) or _type(a) == _type(b)


def with_param(recipe: Recipe, name: str, value: n.Value) -> Recipe:
    """The recipe with a param's value replaced by one of a sweep's."""
    chosen = ParamValue(value, value.span, "from this sweep")
    return replace(recipe, params={**recipe.params, name: chosen})
