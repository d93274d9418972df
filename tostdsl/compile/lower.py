"""`Recipe` to `Plan`: every name looked up, every value typed, every default filled in."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

from tostdsl import registry
from tostdsl.compile import guess, windows
from tostdsl.compile.calls import Built, build
from tostdsl.compile.guess import statement_meant
from tostdsl.compile.inherit import OPTIONAL, remaining
from tostdsl.compile.recipe import Recipe
from tostdsl.compile.values import MAX_VALUES, Reader
from tostdsl.compile.words import MISSING
from tostdsl.diagnostics import Diagnostic, Label, diagnose
from tostdsl.plan.bases import MaskMethod
from tostdsl.plan.plan import Expectation, MaskPlan, Plan, Precision, StagePlan, Targets
from tostdsl.plan.spec import CheckSite, Spec
from tostdsl.source import Span
from tostdsl.syntax import nodes as n
from tostdsl.syntax.words import MAX_REPORTS
from tostdsl.units import START, Duration, Percent, Selector, Window

REQUIRED = {
    "model": "model resnet18(stem=cifar)",
    "data": "data cifar10(batch=128)",
    "train": "train for 180 epochs",
}
DEFAULTS = {"optimizer": "sgd", "schedule": "cosine"}
DEFAULT_SEED = 0
DEFAULT_PRECISION = "fp32"
MASK_SCOPE = (Selector("class", "conv"), Selector("class", "linear"))
"""What a mask prunes when its statement has no `on`; it is also what its sparsity is a share of."""
METRICS: dict[str, Any] = {"accuracy": Percent, "loss": float, "sparsity": Percent}
MAX_SEED = 2**63 - 1


@dataclass(slots=True)
class StageSite:
    """A stage's plan with the places it came from."""

    plan: StagePlan
    built: Built
    node: n.Stage


@dataclass(slots=True)
class Lowered:
    """What lowering found out: the plan, if there is one, and the places of its parts."""

    plan: Plan | None
    built: dict[str, Built] = field(default_factory=dict)
    stages: list[StageSite] = field(default_factory=list)
    mask: n.Slot | None = None
    scope: Targets | None = None
    """What the mask may prune."""
    length: windows.Length | None = None
    expects: list[tuple[Expectation, n.Expect]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    values: int = 0
    """How many values its params and selectors stand for."""


class Lowering:
    """Lowers one recipe. Mistakes are collected in `found`."""

    def __init__(self, recipe: Recipe, found: list[Diagnostic]) -> None:
        self.recipe = recipe
        self.found = found
        self.reader = Reader(recipe.params, found, broken=frozenset(recipe.broken))

    def lower(self) -> Lowered:
        """The plan, and the places of its parts."""
        self._missing()
        before = len(self.found)
        out = Lowered(None, used=self.reader.used)
        for word in ("model", "data", "optimizer", "schedule"):
            built = self._slot(word)
            if built is not None:
                out.built[word] = built
        out.length = self._length()
        mask = self._mask(out)
        in_force = remaining(self.recipe, out.length, self.reader)
        stages = []
        for node in in_force:
            stages.append(self._stage(node, out))
            if len(self.found) - before > MAX_REPORTS:
                break
        seed = self._setting("seed", int, DEFAULT_SEED)
        precision = self._setting("precision", Precision, DEFAULT_PRECISION)
        for expect in self.recipe.expects:
            self._expect(expect, out)
        self._check(out)
        out.values = MAX_VALUES - self.reader.budget.left
        if self.reader.budget.over is not None:
            self.found.append(self.reader.budget.over)
        complete = all(word in out.built for word in ("model", "data", "optimizer", "schedule"))
        failed = any(d.severity == "error" for d in self.found[before:])
        if failed or not complete or out.length is None or self._lacks():
            return out
        out.plan = Plan.model_validate(
            {
                "name": self.recipe.name,
                "title": self.recipe.title,
                **{word: built.spec for word, built in out.built.items() if word != "mask"},
                "mask": mask,
                "train": out.length.value,
                "seed": seed,
                "precision": precision,
                "stages": tuple(stage for stage in stages if stage is not None),
                "expect": tuple(expect for expect, _ in out.expects),
            }
        )
        return out

    # -- what must be there

    def _lacks(self) -> bool:
        recipe = self.recipe
        return any(word not in recipe.slots and word not in recipe.settings for word in REQUIRED)

    def _missing(self) -> None:
        recipe = self.recipe
        place = recipe.source.span(0, 0)
        names = {stage.call.name.text for stage in recipe.stages[:MAX_REPORTS]}
        recipe.broken |= {word for word in map(statement_meant, names) if word is not None}
        for word, example in REQUIRED.items():
            if "extends" in recipe.broken:  # it may stand there
                return
            if word in recipe.slots or word in recipe.settings or word in recipe.broken:
                continue
            self.found.append(diagnose("T208", place, name=word, example=example))

    # -- statements

    def _slot(self, word: str) -> Built | None:
        statement = self.recipe.slots.get(word)
        if statement is None:
            default = DEFAULTS.get(word)
            if default is None or word in self.recipe.broken:
                return None
            ident = n.Ident(self.recipe.source.span(0, 0), default)
            call = n.Call(ident.span, ident)
            return Built(registry.get(word, default)(), call, {})
        for bound in statement.window:
            self.reader.report("T409", bound, name=word)
        for value in statement.targets.on + statement.targets.exclude:
            self.reader.report("T410", value, name=word)
        return self._built(statement, word)

    def _built(self, statement: n.Slot, word: str) -> Built | None:
        """A slot's spec; `none` in the place of an inherited one is told how to be rid of it."""
        before = len(self.found)
        built = build(self.reader, statement.call, word)
        inherited = word in OPTIONAL and word in self.recipe.replaced
        if built is None and inherited and statement.call.name.text.lower() in guess.NOTHING:
            help = f"write `without {word}` to take the inherited one out"
            self.found[before:] = [replace(d, help=help) for d in self.found[before:]]
        return built

    def _length(self) -> windows.Length | None:
        statement = self.recipe.settings.get("train")
        if statement is None:
            return None
        value = self.reader.read(statement.value, Duration, "train")
        if value is MISSING:
            return None
        if value.value < 1:
            self.reader.report(
                "T303",
                statement.value,
                name="train",
                bound="at least 1 step long",
                found=f"`{value}`",
            )
            return None
        return windows.Length(value, statement.span)

    def _setting(self, word: str, want: Any, default: Any) -> Any:
        statement = self.recipe.settings.get(word)
        if statement is None:
            return default
        value = self.reader.read(statement.value, want, word)
        if value is MISSING:
            return default
        if word == "seed" and not 0 <= value <= MAX_SEED:
            self.reader.report(
                "T303",
                statement.value,
                name="seed",
                bound=f"between 0 and {MAX_SEED}",
                found=f"`{value}`",
            )
        return value

    def _mask(self, out: Lowered) -> MaskPlan | None:
        statement = self.recipe.slots.get("mask")
        if statement is None:
            return None
        out.mask = statement
        built = self._built(statement, "mask")
        window = windows.window(statement.window, out.length, self.reader)
        targets = windows.targets(statement.targets, self.reader)
        if statement.window and built is not None:
            self.reader.report("T409", statement.window[0], name=f"mask {built.spec.name}")
        if built is None or window is None or targets is None:
            return None
        out.built["mask"] = built
        targets = targets.model_copy(update={"on": targets.on or MASK_SCOPE})
        out.scope = targets
        return MaskPlan.model_construct(
            method=cast(MaskMethod, built.spec), window=window, targets=targets
        )

    def _stage(self, node: n.Stage, out: Lowered) -> StagePlan | None:
        built = build(self.reader, node.call, "technique")
        window = windows.window(node.window, out.length, self.reader)
        targets = windows.targets(node.targets, self.reader)
        if built is None or window is None or targets is None:
            return None
        technique = cast("Any", built.spec)
        name = technique.name
        if technique.acts == "instant":
            if not node.window:
                window = Window(START, START)
            elif not window.instant:
                self.reader.report("T405", node.window[0], name=name, moment="start")
        elif window.instant:
            self.reader.report("T408", node.window[0], name=name)
        if not technique.targeted and (targets.on or targets.exclude):
            self.reader.report("T410", (node.targets.on + node.targets.exclude)[0], name=name)
        stage = StagePlan.model_construct(technique=technique, window=window, targets=targets)
        out.stages.append(StageSite(stage, built, node))
        return stage

    def _expect(self, node: n.Expect, out: Lowered) -> None:
        metric = node.metric.text
        want = METRICS.get(metric)
        if want is None:
            listed = ", ".join(f"`{name}`" for name in METRICS)
            self.found.append(diagnose("T312", node.metric.span, name=metric, choices=listed))
            return
        value = self.reader.read(node.value, want, metric)
        if value is not MISSING and not _possible(value):
            bound = "between 0% and 100%" if isinstance(value, Percent) else "at least 0"
            self.reader.report(
                "T303", node.value, name=metric, bound=bound, found=f"`{node.value.span.text}`"
            )
        elif value is not MISSING:
            said = {"metric": metric, "op": node.op, "value": value}
            out.expects.append((Expectation.model_construct(**said), node))

    # -- specs' own checks

    def _check(self, out: Lowered) -> None:
        specs = {word: built.spec for word, built in out.built.items()}
        parts = [(built, None) for built in out.built.values()]
        parts += [(site.built, site.plan.window) for site in out.stages]  # type: ignore[misc]
        for built, window in parts:
            site = CheckSite(specs.get("model"), specs.get("data"), specs.get("mask"), window)
            self._problems(built.spec, built, site)

    def _problems(self, spec: Spec, built: Built, site: CheckSite) -> None:
        whole: Span = built.call.span
        for problem in spec.check(site):
            labels: tuple[Label, ...] = ()
            for name in problem.fields:
                labels += built.labels.get(name, ())
            self.found.append(
                diagnose(
                    problem.code,
                    *(labels or (Label(whole),)),
                    help=problem.help,
                    **cast("dict[str, Any]", dict(problem.values)),
                )
            )
        for name, value in spec.arguments().items():
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Spec):
                    inner = Built(
                        part,
                        built.call,
                        {n_: built.labels.get(name, ()) for n_ in type(part).model_fields},
                    )
                    self._problems(part, inner, site)


def _possible(value: Percent | float) -> bool:
    """Whether a metric can have a value at all."""
    return 0 <= value.value <= 100 if isinstance(value, Percent) else value >= 0
