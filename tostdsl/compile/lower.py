"""`Recipe` to `Plan`: every name looked up, every value typed, every default filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from tostdsl import registry
from tostdsl.compile import bounds, strangers, windows
from tostdsl.compile.calls import Built, build
from tostdsl.compile.inherit import OPTIONAL, outlived, remaining
from tostdsl.compile.others import METRICS as OTHER_METRICS
from tostdsl.compile.others import SETTINGS, said_otherwise
from tostdsl.compile.params import circles
from tostdsl.compile.recipe import Recipe, one_line
from tostdsl.compile.values import MAX_VALUES, Reader
from tostdsl.compile.words import MISSING, example_of
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest
from tostdsl.later import Later
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.masking import MaskMethod
from tostdsl.plan.plan import (
    MASK_SCOPE,
    Expectation,
    MaskPlan,
    Plan,
    Precision,
    StagePlan,
    Targets,
)
from tostdsl.plan.spec import CheckSite, Problem, Spec
from tostdsl.syntax import nodes as n
from tostdsl.syntax.words import KEYWORDS, MAX_REPORTS
from tostdsl.units import START, Duration, Moment, Percent, Window

if TYPE_CHECKING:
    from tostdsl.compile import guess, numbers
else:
    guess = Later("tostdsl.compile.guess")
    numbers = Later("tostdsl.compile.numbers")

REQUIRED = {
    "model": "model resnet18(stem=cifar)",
    "data": "data cifar10(batch=128)",
    "train": "train for 180 epochs",
}
DEFAULTS = {"optimizer": "sgd", "schedule": "cosine"}
DEFAULT_SEED = 0
DEFAULT_PRECISION = "fp32"
SETTLED = Moment("percent", Decimal(75))
"""Where a mask that moves is settled, when its statement has no window."""
METRICS: dict[str, Any] = {"accuracy": Percent, "loss": float, "sparsity": Percent}
DEFAULT_FACTS = DataFacts(3, 64, 64, 10, 1, 1)
"""Stands for data whose facts only loading tells; module names do not depend on them."""


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
    period: Window | None = None
    """When the mask moves, if it does."""
    length: windows.Length | None = None
    reach: list[tuple[str, Targets, n.Targets]] = field(default_factory=list)
    """What every statement works on, also where its arguments are wrong."""
    loose: list[tuple[Built, object]] = field(default_factory=list)
    """Sound calls of stages that are wrong elsewhere, with their windows."""
    expects: list[tuple[Expectation, n.Expect]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    values: int = 0
    """How many values its params and selectors stand for."""


class Lowering:
    """Lowers one recipe. Mistakes are collected in `found`."""

    def __init__(self, recipe: Recipe, found: list[Diagnostic]) -> None:
        self.recipe = recipe
        self.found = found
        circular = frozenset(name for circle in circles(recipe.params) for name in circle)
        broken = frozenset(recipe.broken)
        self.reader = Reader(recipe.params, found, broken=broken, circles=circular)

    def lower(self) -> Lowered:
        """The plan, and the places of its parts."""
        self._missing()
        before = len(self.found)
        out = Lowered(None, used=self.reader.used)
        out.length = self._length()
        self.reader.length = out.length.value if out.length is not None else None
        for word in ("model", "data", "optimizer", "schedule"):
            built = self._slot(word)
            if built is not None:
                out.built[word] = built
        self.reader.names = lambda: module_names(out)
        mask = self._mask(out)
        in_force = remaining(self.recipe, out.length, self.reader)
        if self.recipe.numbers:
            self.found += numbers.told(self.recipe, out.length, self.reader)
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
        for name in names:
            known = registry.find("technique", name) is not None
            meant = None if known else guess.statement_meant(name)
            if meant is not None:
                recipe.broken.add(meant)
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
        value = self.reader.argument(
            statement.value, Duration, "train", bounds.told("train", bounds.length), "train for"
        )
        if value is MISSING:
            return None
        if value.value < 1:
            self.reader.report(
                "T303",
                statement.value,
                help="for example `train for 160 epochs`",
                name="train",
                bound=bounds.length(value),
                found=f"`{value}`",
            )
            return None
        return windows.Length(value, statement.span)

    def _setting(self, word: str, want: Any, default: Any) -> Any:
        statement = self.recipe.settings.get(word)
        if statement is None:
            return default
        reader = replace(self.reader, others=SETTINGS.get(word, {}))
        before = len(self.found)
        bound = bounds.seed if word == "seed" else bounds.free
        value = reader.argument(statement.value, want, word, bounds.told(word, bound), word)
        if value is MISSING:
            if word == "seed" and isinstance(statement.value, n.ListValue):
                self._seeds(statement, before)
            return default
        if (wanted := bound(value)) is not None:
            help, found = "for example `seed 1`", f"`{value}`"
            self.reader.report("T303", statement.value, help, name=word, bound=wanted, found=found)
        return value

    def _seeds(self, statement: n.Setting, before: int) -> None:
        """Several seeds are a sweep."""
        del self.found[before:]
        write = f"sweep seed over {statement.value.span.text}"
        fix = Fix((Edit(statement.span, write),), certain=False)
        values = {"name": "seed", "expected": "a whole number"}
        found = f"`{one_line(statement.value.span)}`"
        span = statement.value.span
        help = f"write `{write}`" if len(write) < 60 else "sweep over them: `sweep seed over […]`"
        self.found.append(diagnose("T301", span, help=help, fix=fix, **values, found=found))

    def _mask(self, out: Lowered) -> MaskPlan | None:
        statement = self.recipe.slots.get("mask")
        if statement is None:
            return None
        out.mask = statement
        built = self._built(statement, "mask")
        window = windows.window(statement.window, out.length, self.reader)
        targets, complete = windows.targets(statement.targets, self.reader)
        moves = built is not None and cast(MaskMethod, built.spec).moves
        if statement.window and window is not None:
            name = f"mask {statement.call.name.text}"
            if not moves:
                self.reader.report("T409", statement.window[0], name=name)
            elif window.instant:
                self.reader.report("T408", statement.window[0], name=name)
        elif moves:
            window = Window(START, out.length.canonical(SETTLED) if out.length else SETTLED)
        if not statement.targets.on:
            targets = targets.model_copy(update={"on": MASK_SCOPE})
        out.reach.append(("mask", targets, statement.targets))
        if built is not None:
            out.built["mask"] = built
        if built is None or window is None or not complete:
            return None
        out.scope = targets
        out.period = window if moves else None
        return MaskPlan.model_construct(
            method=cast(MaskMethod, built.spec), window=window, targets=targets
        )

    def _stage(self, node: n.Stage, out: Lowered) -> StagePlan | None:
        partials = len(self.reader.partials)
        built = build(self.reader, node.call, "technique")
        before = len(self.found)
        window = windows.window(node.window, out.length, self.reader)
        if out.length is not None:
            found = self.found[before:]
            self.found[before:] = outlived(self.recipe, node, out.length, found)
        targets, complete = windows.targets(node.targets, self.reader)
        name = node.call.name.text
        if name in KEYWORDS:  # reported as that; it is not missing as well
            self.recipe.broken.add(name)
        technique = cast("Any", registry.find("technique", name))
        if technique is not None and window is not None:
            if technique.acts == "instant":
                if not node.window:
                    window = Window(START, START)
                elif not window.instant:
                    self.reader.report("T405", node.window[0], name=name, moment="start")
            elif window.instant:
                self.reader.report("T408", node.window[0], name=name)
        selectors = node.targets.on + node.targets.exclude
        if technique is not None and not technique.targeted and selectors:
            self.reader.report("T410", selectors[0], name=name)
        elif technique is not None:
            out.reach.append((name, targets, node.targets))
        for partial in self.reader.partials[partials:]:
            partial.window = window
        if built is None or window is None or not complete:
            if built is not None:
                out.loose.append((built, window))
            return None
        technique = cast("Any", built.spec)
        stage = StagePlan.model_construct(technique=technique, window=window, targets=targets)
        out.stages.append(StageSite(stage, built, node))
        return stage

    def _expect(self, node: n.Expect, out: Lowered) -> None:
        metric = node.metric.text
        want = METRICS.get(metric)
        if want is None:
            listed = ", ".join(f"`{name}`" for name in METRICS)
            span = node.metric.span
            meant = said_otherwise(metric, OTHER_METRICS) or nearest(metric, METRICS)
            help = f"did you mean `{meant}`?" if meant else None
            fix = Fix((Edit(span, meant),), certain=False) if meant else None
            values = {"name": metric, "choices": listed}
            self.found.append(diagnose("T312", span, help=help, fix=fix, **values))
            return
        words = f"expect {metric} {node.op}"
        value = self.reader.argument(
            node.value, want, metric, bounds.told(metric, bounds.metric), words
        )
        bound = bounds.metric(value) if value is not MISSING else None
        if bound is not None:
            shown = f"`{one_line(node.value.span)}`"
            example = "90%" if want is Percent else "0.5"
            help = f"for example `expect {metric} {node.op} {example}`"
            self.reader.report("T303", node.value, help, name=metric, bound=bound, found=shown)
        elif value is not MISSING:
            said = {"metric": metric, "op": node.op, "value": value}
            out.expects.append((Expectation.model_construct(**said), node))

    # -- specs' own checks

    def _check(self, out: Lowered) -> None:
        specs = {word: built.spec for word, built in out.built.items()}
        three = (specs.get("model"), specs.get("data"), specs.get("mask"))
        parts: list[tuple[Built, object]] = [(built, None) for built in out.built.values()]
        parts += [(site.built, site.plan.window) for site in out.stages]
        for built, window in parts + out.loose:
            self.found += problems(built, CheckSite(*three, window))
        for partial in self.reader.partials:
            for problem in partial.problems(CheckSite(*three, partial.window)):
                self._problem(problem, partial.cls, partial.labels, partial.call)

    def _problem(
        self,
        problem: Problem,
        cls: type[Spec],
        where: Mapping[str, tuple[Label, ...]],
        call: n.Call,
    ) -> None:
        self.found.append(told(problem, cls, where, call))


def problems(built: Built, site: CheckSite) -> Iterator[Diagnostic]:
    """What a spec's own check finds, and those of the specs in it, at the places of its fields."""
    for problem in strangers.problems(built.spec, site):
        yield told(problem, type(built.spec), built.labels, built.call)
    for name, value in built.spec.arguments().items():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Spec):
                labels = dict.fromkeys(type(part).model_fields, built.labels.get(name, ()))
                yield from problems(Built(part, built.call, labels), site)


def told(
    problem: Problem, cls: type[Spec], where: Mapping[str, tuple[Label, ...]], call: n.Call
) -> Diagnostic:
    """What a spec's own check found, at the places of its fields."""
    labels: tuple[Label, ...] = ()
    for name in problem.fields:
        labels += where.get(name, ())
    help = problem.help
    if help is None and problem.code in ("T303", "T504") and len(problem.fields) == 1:
        help = example_of(cls, problem.fields[0])
    values = cast("dict[str, Any]", dict(problem.values))
    return diagnose(problem.code, *(labels or (Label(call.span),)), help=help, **values)


def module_names(lowered: Lowered) -> frozenset[str]:
    """The names of the network's modules, as far as they are known without building it."""
    model, data = lowered.built.get("model"), lowered.built.get("data")
    if model is None:
        return frozenset()
    facts = data.spec.facts() if data is not None else None  # type: ignore[attr-defined]
    modules = model.spec.modules(facts or DEFAULT_FACTS)  # type: ignore[attr-defined]
    return frozenset(fact.name for fact in modules or ())
