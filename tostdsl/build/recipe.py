"""A recipe as a Python value: frozen, with methods that return new ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack, cast

from tostdsl.asked import from_outside, path_of, wrong
from tostdsl.build.calls import lenient
from tostdsl.build.kinds import Data, Mask, Model, Optimizer, Schedule, Stage
from tostdsl.build.likes import DurationLike
from tostdsl.build.slots import (
    Options,
    Parts,
    expectation,
    plain_name,
    plain_title,
    setting,
    several,
    slot,
    statement_text,
)
from tostdsl.build.written import source_of
from tostdsl.compile.compiler import Compiled, compile_file, compile_source
from tostdsl.compile.expects import expect_text
from tostdsl.compile.print import call_text, mask_line, stage_line, string_text
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan.html import table
from tostdsl.plan.plan import Plan, Precision
from tostdsl.plan.spec import Kind
from tostdsl.source import Source
from tostdsl.syntax.format import format_text
from tostdsl.units import Duration

if TYPE_CHECKING:
    from tostdsl.build.diffs import Diff, Side
    from tostdsl.build.runs import Run


_SAVED = "save it as a file: `tost.plans(PATH)` gives each plan of it, with its values"


class Recipe:
    """What to train and how, as a recipe says it.

    Each slot takes a class's call (`models.Resnet18(stem="cifar")`) or its text
    (`"resnet18(stem=cifar)"`), which becomes one. What stands in a slot is checked as the recipe is
    made; how it goes together, by `check` and `plan`. Two are equal when they have the same text.

    Args:
        name: The recipe's name, of letters, digits and `_`; it changes nothing that is computed.
        model: The network.
        data: What it is trained on.
        mask: The mask; None trains a dense network.
        optimizer: None for the language's default, as for a recipe without that line.
        schedule: None for the language's default.
        train: How long, such as `"180 epochs"` or `epochs(180)`.
        seed: What all randomness is derived from.
        precision: What the network computes in.
        stages: The techniques at work, in any order.
        expect: Bounds on what comes out, such as `"accuracy >= 94%"`.
        title: A line about it.

    Raises:
        TostError: With what the compiler says of a slot.
    """

    __slots__ = (
        "data",
        "expect",
        "mask",
        "model",
        "name",
        "optimizer",
        "precision",
        "schedule",
        "seed",
        "stages",
        "title",
        "train",
    )

    if TYPE_CHECKING:  # read only, for type checkers as well

        @property
        def name(self) -> str: ...
        @property
        def title(self) -> str: ...
        @property
        def model(self) -> Model: ...
        @property
        def data(self) -> Data: ...
        @property
        def mask(self) -> Mask | None: ...
        @property
        def optimizer(self) -> Optimizer | None: ...
        @property
        def schedule(self) -> Schedule | None: ...
        @property
        def train(self) -> Duration: ...
        @property
        def seed(self) -> int: ...
        @property
        def precision(self) -> Precision: ...
        @property
        def stages(self) -> tuple[Stage, ...]: ...
        @property
        def expect(self) -> tuple[str, ...]: ...

    def __init__(
        self,
        name: str = "recipe",
        *,
        model: Model | str,
        data: Data | str,
        mask: Mask | str | None = None,
        optimizer: Optimizer | str | None = None,
        schedule: Schedule | str | None = None,
        train: DurationLike,
        seed: int = 0,
        precision: Precision = "fp32",
        stages: Iterable[Stage | str] | Stage | str = (),
        expect: Iterable[str] | str = (),
        title: str = "",
    ) -> None:
        placed = several("stages", stages, (Stage, str), "a Stage or its text")
        wanted = several("expect", expect, (str,), "an expectation's text")
        parts: dict[str, Any] = {
            "name": plain_name(name),
            "title": plain_title(title),
            "model": slot(Model, model),
            "data": slot(Data, data),
            "mask": None if mask is None else slot(Mask, mask),
            "optimizer": None if optimizer is None else slot(Optimizer, optimizer),
            "schedule": None if schedule is None else slot(Schedule, schedule),
            "train": setting("train", train, Duration),
            "seed": setting("seed", seed, int),
            "precision": setting("precision", precision, Precision),
            "stages": tuple(slot(Stage, stage) for stage in placed),
            "expect": tuple(map(expectation, wanted)),
        }
        for part, value in parts.items():
            object.__setattr__(self, part, value)

    # -- from what is there

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The recipe of a plan, without what it leaves to defaults."""
        if not isinstance(plan, Plan):
            raise wrong("what a recipe is made of", "a Plan", plan)
        return cls(
            plan.name,
            model=call_text(plan.model),
            data=call_text(plan.data),
            mask=None if plan.mask is None else mask_line(plan.mask).removeprefix("mask "),
            optimizer=call_text(plan.optimizer),
            schedule=call_text(plan.schedule),
            train=plan.train,
            seed=plan.seed,
            precision=plan.precision,
            stages=map(stage_line, plan.stages),
            expect=map(expect_text, plan.expect),
            title=plan.title,
        )

    @classmethod
    def from_text(
        cls, text: str, sets: Mapping[str, str] | None = None, seed: int | None = None
    ) -> Self:
        """The recipe of a text, with params and what it extends resolved; `TostError` for mistakes.

        What it extends is looked for in the current folder. One with sweeps is refused (R831).
        """
        from_outside(sets, seed)
        source = source_of(text, "recipe.tost")
        made = compile_source(source, Path("recipe.tost"), sets, seed)
        return cls._of(made, made.only("the text", _SAVED))

    @classmethod
    def load(
        cls, path: str | Path, sets: Mapping[str, str] | None = None, seed: int | None = None
    ) -> Self:
        """The recipe of a file, with params and what it extends resolved, to go on from.

        One with sweeps is refused (R831): `tostdsl.plans` has its plans, and `of` makes recipes of
        those.
        """
        from_outside(sets, seed)
        made = compile_file(path_of(path, "a recipe"), sets, seed)
        return cls._of(made, made.only(path))

    @classmethod
    def _of(cls, made: Compiled, plan: Plan) -> Self:
        """The recipe of what was compiled, as it is written there."""
        recipe, lowered = made.variants[0].recipe, made.variants[0].lowered
        parts: dict[str, Any] = {
            word: lenient(cast("Kind", word), statement_text(node, recipe.params))
            for word, node in recipe.slots.items()
        }
        said = [statement_text(site.node, recipe.params) for site in lowered.stages]
        return cls(
            plan.name,
            title=plan.title,
            train=statement_text(recipe.settings["train"], recipe.params).removeprefix("for "),
            seed=plan.seed,
            precision=plan.precision,
            stages=[cast("Stage", lenient("technique", text)) for text in said],
            expect=[expect_text(expect) for expect, _ in lowered.expects],
            **parts,
        )

    # -- others like it

    def replace(self, **parts: Unpack[Parts]) -> Self:
        """The same with other slots: `recipe.replace(train="30 epochs", mask=None)`."""
        return type(self)(**{**self._parts(), **parts})

    def add(self, *stages: Stage | str) -> Self:
        """The same with more stages."""
        return self.replace(stages=(*self.stages, *stages))

    def without(self, *stages: Stage | str) -> Self:
        """The same without stages: all of a name (`"ghost"`), or one that is equal.

        `TostError` T210 where there is none, as for `without` in a recipe.
        """
        left = self.stages
        for stage in stages:
            if not isinstance(stage, Stage | str):
                raise wrong("what is left out", "a Stage, or a name as text", stage)
            word = str(stage)
            kept = tuple(s for s in left if not (s == stage or s.name == stage))
            if len(kept) == len(left):
                raise TostError.of("T210", name=word)
            left = kept
        return self.replace(stages=left)

    def seeded(self, seed: int) -> Self:
        """The same with another seed."""
        return self.replace(seed=seed)

    def renamed(self, name: str, title: str | None = None) -> Self:
        """The same under another name, and with another title if one is given."""
        return self.replace(name=name, title=self.title if title is None else title)

    # -- what it means

    @property
    def text(self) -> str:
        """The recipe in its one layout; `TostError` where its title or the like cannot be said."""
        lines = ["tost 1", ""]
        lines.append(f"recipe {self.name}" + (f" {string_text(self.title)}" if self.title else ""))
        lines.append("")
        for word in ("model", "data", "mask", "optimizer", "schedule"):
            if (call := getattr(self, word)) is not None:
                lines.append(f"{word} {call}")
        lines.append(f"train for {self.train}")
        lines += [f"seed {self.seed}"] if self.seed else []
        lines += [f"precision {self.precision}"] if self.precision != "fp32" else []
        for those in (map(str, self.stages), (f"expect {each}" for each in self.expect)):
            lines += ["", *those]
        laid, found = format_text(Source(self._file, "\n".join(lines).rstrip() + "\n"))
        if laid is None:
            raise TostError(found)
        return laid

    def plan(self) -> Plan:
        """Everything resolved, with a fingerprint; `TostError` with every mistake there is."""
        return self._compiled().only(self._file)

    def check(self) -> tuple[Diagnostic, ...]:
        """All that the compiler has to say: errors, warnings and notes; empty where it is fine."""
        return self._compiled().diagnostics

    def save(self, path: str | Path) -> Path:
        """Write the recipe's text to a file, in place of what is there; gives its path.

        `TostError` R202 where it cannot be written.
        """
        path = path_of(path, "what a recipe is saved as")
        try:
            path.write_text(self.text, encoding="utf-8", newline="\n")
        except (OSError, ValueError) as error:  # a path may hold what no path can
            reason = (getattr(error, "strerror", None) or str(error)).lower()
            raise TostError.of("R202", path=ascii(str(path)), reason=reason) from None
        return path

    def run(self, out: str | Path | None = None, **options: Unpack[Options]) -> Run:
        """Train it and give the finished run; as `tostdsl.run`, which tells the options."""
        from tostdsl.build.runs import run

        return run(self, out, **options)

    def diff(self, other: Side) -> Diff:
        """What changes from this to another recipe, plan, run or file; as `tostdsl.diff`."""
        from tostdsl.build.diffs import diff

        return diff(self, other)

    # -- as a value

    @property
    def _file(self) -> str:
        return f"{self.name}.tost"

    @property
    def source(self) -> Source:
        """Its text under its name, as the compiler reads it."""
        return Source(self._file, self.text)

    def _compiled(self) -> Compiled:
        return compile_source(self.source)

    def _parts(self) -> dict[str, Any]:
        return {part: getattr(self, part) for part in self.__slots__}

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        said = [repr(self.name)]
        for part in ("title", "model", "data", "mask", "optimizer", "schedule"):
            if value := getattr(self, part):
                said.append(f"{part}={value!r}")
        said.append(f"train={str(self.train)!r}")
        said += [f"seed={self.seed}"] if self.seed else []
        said += [f"precision={self.precision!r}"] if self.precision != "fp32" else []
        said += [f"stages={list(self.stages)!r}"] if self.stages else []
        said += [f"expect={list(self.expect)!r}"] if self.expect else []
        return f"Recipe({', '.join(said)})"

    def _repr_html_(self) -> str:
        """The recipe for a notebook: its lines, statement by statement."""
        rows = [(part, str(value)) for part, value in self._parts().items() if value]
        order = ("name", "title", "model", "data", "mask", "optimizer", "schedule", "train", "seed")
        plain = dict(rows)
        shown = [(part, plain[part]) for part in (*order, "precision") if part in plain]
        shown += [("stage", str(stage)) for stage in self.stages]
        shown += [("expect", each) for each in self.expect]
        return table(shown)

    def __eq__(self, other: object) -> bool:
        return self.text == other.text if isinstance(other, Recipe) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self._parts(),)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")


def _again(parts: dict[str, Any]) -> Recipe:
    """A recipe from its parts, as pickle wants it."""
    return Recipe(**parts)
