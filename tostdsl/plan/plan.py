"""The plan: a recipe with everything resolved. Frozen, typed, JSON, with a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, model_validator

from tostdsl.plan.bases import (
    DataSet,
    ModelSpec,
    OptimizerSpec,
    ScheduleSpec,
    Technique,
)
from tostdsl.plan.masking import MaskMethod
from tostdsl.plan.spec import IDENTITY, Lookup
from tostdsl.units import Duration, Percent, Selector, Window

SCHEMA = 1
LABELS = ("name", "title", "expect")
"""Fields that change nothing that is computed and so stay out of the fingerprint."""

MASK_SCOPE = (Selector("class", "conv"), Selector("class", "linear"))
"""What a mask prunes when its statement has no `on`; it is also what its sparsity is a share of."""

Precision = Literal["fp32", "bf16", "fp16"]
Comparison = Literal[">=", "<=", ">", "<"]


class _Frozen(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        defer_build=True,  # of what the compiler makes, only the whole plan is validated
    )


class Targets(_Frozen):
    """Which modules: those of `on` (all when empty) without those of `exclude`."""

    on: tuple[Selector, ...] = ()
    exclude: tuple[Selector, ...] = ()

    def __str__(self) -> str:
        words = [f"on {', '.join(map(str, self.on))}"] if self.on else []
        if self.exclude:
            words.append(f"except {', '.join(map(str, self.exclude))}")
        return " ".join(words)


class MaskPlan(_Frozen):
    """The mask method and the weights it may prune."""

    method: SerializeAsAny[MaskMethod]
    window: Window = Window()
    targets: Targets = Targets.model_construct()


class StagePlan(_Frozen):
    """A technique, when and where."""

    technique: SerializeAsAny[Technique]
    window: Window = Window()
    targets: Targets = Targets.model_construct()


class Expectation(_Frozen):
    """A metric's bound, checked when the run ends."""

    metric: str
    op: Comparison
    value: Percent | float

    def __str__(self) -> str:
        return f"{self.metric} {self.op} {self.value}"


class Plan(_Frozen):
    """A recipe with includes, params, defaults, targets and windows resolved."""

    schema_version: int = Field(SCHEMA, alias="schema")
    name: str
    title: str = ""
    model: SerializeAsAny[ModelSpec]
    data: SerializeAsAny[DataSet]
    mask: MaskPlan | None = None
    optimizer: SerializeAsAny[OptimizerSpec]
    schedule: SerializeAsAny[ScheduleSpec]
    train: Duration
    seed: int = 0
    precision: Precision = "fp32"
    stages: tuple[StagePlan, ...] = ()
    expect: tuple[Expectation, ...] = ()

    @model_validator(mode="after")
    def _canonical_order(self) -> Self:
        """Stages and expectations in the one order that does not depend on the text's."""
        for field, key in (("stages", stage_key), ("expect", str)):
            ordered = tuple(sorted(getattr(self, field), key=key))
            if ordered != getattr(self, field):
                object.__setattr__(self, field, ordered)
        return self

    def to_json(self) -> dict[str, Any]:
        """The canonical content: plain, typed, complete."""
        return self.model_dump(mode="json", by_alias=True)

    @cached_property
    def canonical(self) -> str:
        """The canonical JSON text: sorted keys, no spaces."""
        return canonical_text(self.to_json())

    @cached_property
    def fingerprint(self) -> str:
        """64 hex digits that change exactly when what is computed may change."""
        whole = self.model_dump(mode="json", by_alias=True, context=IDENTITY)
        content = {k: v for k, v in whole.items() if k not in LABELS}
        return hashlib.sha256(canonical_text(content).encode()).hexdigest()

    @property
    def short(self) -> str:
        """The first 8 digits of the fingerprint."""
        return self.fingerprint[:8]

    def __repr__(self) -> str:
        """In a line, for a prompt: name and fingerprint, and what is trained how."""
        from tostdsl.plan.lines import call_text

        words = [f"{call_text(self.model)} on {call_text(self.data)}"]
        words += [call_text(self.mask.method)] if self.mask is not None else []
        words += [str(self.train), f"seed {self.seed}", *stage_names(self)]
        return f"<Plan {self.name} {self.short}: {', '.join(words)}>"

    def __rich_repr__(self) -> None:  # type: ignore[override]
        """Nothing besides `repr`, where `rich` would show every field of it."""

    def __str__(self) -> str:
        """Its statements, a line for each, with what is not a default."""
        return "\n".join(f"{word:<10} {text}" for word, text in self._rows())

    def _repr_html_(self) -> str:
        """What a notebook shows: what is at work, and when."""
        from tostdsl.plan.html import table

        return table(self._rows())

    def _rows(self) -> list[tuple[str, str]]:
        """What is at work, and when, as a recipe writes it; below the recipe's name and its own."""
        from tostdsl.plan.lines import call_text, mask_line, stage_line

        rows = [("recipe", self.name), ("title", self.title), ("plan", self.fingerprint)]
        rows += [("model", call_text(self.model)), ("data", call_text(self.data))]
        rows += [("mask", mask_line(self.mask).removeprefix("mask "))] if self.mask else []
        rows += [("optimizer", call_text(self.optimizer)), ("schedule", call_text(self.schedule))]
        rows += [("train", f"for {self.train}"), ("seed", str(self.seed))]
        rows += [("precision", self.precision)]
        rows += [("stage", stage_line(stage)) for stage in self.stages]
        rows += [("expect", str(each)) for each in self.expect]
        return [row for row in rows if row[1]]

    @classmethod
    def from_json(cls, data: Mapping[str, Any], lookup: Lookup) -> Self:
        """The plan of its JSON; `lookup` finds registered classes by kind and name."""
        return cls.model_validate(dict(data), context={"lookup": lookup})


def canonical_text(content: Any) -> str:
    """JSON with sorted keys, no spaces, ASCII."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def stage_key(stage: StagePlan) -> tuple[str, str]:
    """What a plan's stages are in the order of: their names, then all that they say."""
    return stage.technique.name, canonical_text(stage.model_dump(mode="json"))


def stage_names(plan: Plan) -> list[str]:
    """Names of stages for screen and log; those that share a technique carry their number."""
    names = [stage.technique.name for stage in plan.stages]
    often, seen = Counter(names), Counter[str]()
    shown = []
    for name in names:
        seen[name] += 1
        shown.append(name if often[name] == 1 else f"{name}#{seen[name]}")
    return shown
