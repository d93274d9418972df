"""What changes mean for somebody who has run the first plan: masks, checkpoints, comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from tostdsl.compare.changes import Change
from tostdsl.plan.parting import Shared, masks_begin_alike, parting
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import Program

Answer = Literal["yes", "partly", "no", "unknown"]
SHAPES = ("model", "mask.on", "mask.except")
"""Changes after which a mask is one of other weights."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer, and why."""

    question: str
    answer: Answer
    why: str

    def to_json(self) -> dict[str, str]:
        """A plain form for programs."""
        return asdict(self)


def verdicts(
    a: Plan, b: Plan, found: Sequence[Change], programs: tuple[Program | None, Program | None]
) -> tuple[Verdict, ...]:
    """All of them; `programs` are the plans', None where only loading the data tells."""
    return masks(a, b, found), checkpoints(found, programs), runs(a, b, found)


def _touched(found: Sequence[Change], *roots: str) -> list[str]:
    """Paths of the changes of what is computed below one of some roots."""
    return [
        change.path
        for change in found
        if change.kind != "labels"
        and any(change.path == root or change.path.startswith(f"{root}.") for root in roots)
    ]


def _computed(found: Sequence[Change]) -> list[str]:
    return [change.path for change in found if change.kind != "labels"]


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(f"`{path}`" for path in paths[:3]) + more


# -- masks

STEPS = ("data.batch", "data.augment")
"""What of the data a mask that is chosen before training does not look at."""


def masks(a: Plan, b: Plan, found: Sequence[Change]) -> Verdict:
    """Whether a mask that the first plan found is one for the second."""
    question = "is the mask of a one for b?"
    if a.mask is None or b.mask is None:
        which = "neither has one" if a.mask is b.mask else "only one of them has one"
        return Verdict(question, "no", which)
    if other := _touched(found, *SHAPES):
        return Verdict(question, "no", f"it is of other weights: {_listed(other)}")
    data = [path for path in _touched(found, "data") if path not in STEPS]
    shapes = [facts and (facts.shape, facts.classes) for facts in (a.data.facts(), b.data.facts())]
    if data and shapes[0] != shapes[1]:
        why = f"the network has other shapes, for other images or classes: {_listed(data)}"
        return Verdict(question, "no", why)
    wanted = a.mask.method.ending(), b.mask.method.ending()
    if None not in wanted and wanted[0] != wanted[1]:
        return Verdict(question, "no", f"its {wanted[0]}, and b's {wanted[1]}")
    method = a.mask.method
    trained = method.moves or bool(method.rounds())
    other = _touched(found, "mask", *(() if method.fixed else ("seed",)))
    if trained:
        other += _touched(found, "data", "optimizer", "schedule", "train", "precision")
    elif not (method.seeded or method.fixed or method.blind) or (data and None in shapes):
        other += data
    if method.moves or (trained and method.stages_in_rounds()):
        other += _touched(found, "stages")
    if other and b.mask.method.moves:
        why = (
            f"it fits, but b moves its own while it trains, and comes to another ({_listed(other)})"
        )
        return Verdict(question, "partly", why)
    if other and b.mask.method.fixed:
        why = f"it fits, but b takes the one that it names ({_listed(other)})"
        return Verdict(question, "partly", why)
    if other:
        why = f"it fits, but b may find another itself ({_listed(other)}): give it one by `file`"
        return Verdict(question, "partly", why)
    if not b.mask.method.settled():
        why = "b reads its mask from the same file, which may be another by now: `sha256` says"
        return Verdict(question, "unknown", why)
    return Verdict(question, "yes", "b finds the same, to the bit")


# -- checkpoints

BEFORE = ("model", "data", "seed", "precision", "optimizer")
"""What is at work from the first step on; but for the learning rate, which is looked at by step."""
_NONE = "their states differ from the first step on"


def checkpoints(
    found: Sequence[Change], programs: tuple[Program | None, Program | None]
) -> Verdict:
    """Up to where a checkpoint of the first plan is one of the second, too."""
    told = shared(found, programs)
    return Verdict("are checkpoints of a those of b, too?", told.answer, told.why)


def shared(found: Sequence[Change], programs: tuple[Program | None, Program | None]) -> Shared:
    """Up to where states of the first plan are those of the second, given what changes."""
    if all(change.kind == "labels" for change in found):
        return Shared("yes", "any of them: the same is computed")
    other = [path for path in _touched(found, *BEFORE) if path != "optimizer.lr"]
    a, b = programs
    if a is not None and b is not None and not masks_begin_alike(a.plan.mask, b.plan.mask):
        other += _touched(found, "mask")
    if other:
        return Shared("no", f"{_NONE}: {_listed(other)}", causes=tuple(other))
    if a is None or b is None:
        return Shared("unknown", "the size of the data is known once it is loaded")
    last = parting(a, b)
    if last is None:
        return Shared("yes", "any of them: all steps are the same")
    if last.phase == 0 and last.step <= a.phases[0].begin:
        other = _computed(found)
        return Shared("no", f"{_NONE}: {_listed(other)}", causes=tuple(other))
    longer = max(a.phases, b.phases, key=len)
    phase = longer[last.phase]
    epoch, rest = divmod(last.step, phase.clock.steps_per_epoch)
    at = f"step {last.step:,}" if rest else f"epoch {epoch:,} (step {last.step:,})"
    until = f"{at} of {phase.name}"
    if last.phase and last.step <= phase.begin:
        until = f"the end of {longer[last.phase - 1].name}"
    elif phase.kind == "round" and last.step == phase.clock.total:
        until = f"the end of {phase.name}"
    return Shared("partly", f"those up to {until}: from there on they differ", last, until)


# -- runs


def runs(a: Plan, b: Plan, found: Sequence[Change]) -> Verdict:
    """Whether figures of the two may be compared, and how."""
    question = "are runs comparable, seed by seed?"
    parts = [path for path in _touched(found, "data") if path not in ("data.batch", "data.augment")]
    if parts:
        return Verdict(question, "no", f"they train or test on other images: {_listed(parts)}")
    if _touched(found, "seed"):
        why = "as averages over seeds: these two have different ones; `--seed` makes them equal"
        return Verdict(question, "partly", why)
    if other := _touched(found, "model", "data.batch"):
        why = f"as averages over seeds: first weights or batches are others ({_listed(other)})"
        return Verdict(question, "partly", why)
    if drawn := _touched(found, *_initial(a, b)):
        why = f"of one seed: the same but for {_listed(drawn)}, images in the same order"
        return Verdict(question, "yes", why)
    return Verdict(question, "yes", "of one seed: the same first weights, images in the same order")


def _initial(a: Plan, b: Plan) -> set[str]:
    """The paths of changes of stages that work on the first weights."""
    techniques = [stage.technique for plan in (a, b) for stage in plan.stages]
    return {f"stages.{each.name}" for each in techniques if each.initial()}
