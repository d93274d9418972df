"""Laws of plans over recipes generated from everything registered."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plans import plan_of, recipe_lines, sound_recipes
from tostdsl import registry
from tostdsl.compile.compiler import compile_source
from tostdsl.compile.print import print_plan
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import lower
from tostdsl.source import Source
from tostdsl.syntax.format import format_text

LAW = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@LAW
@given(sound_recipes())
def test_printed_plans_read_back(made: tuple[list[str], Plan]) -> None:
    """plan(print(plan)) == plan, and so are their fingerprints."""
    _, plan = made
    again = plan_of(print_plan(plan).replace(f"recipe {plan.name}", "recipe r"))
    assert again is not None
    assert (plan, plan.fingerprint) == (again, again.fingerprint)


@LAW
@given(sound_recipes())
def test_json_reads_back(made: tuple[list[str], Plan]) -> None:
    """A plan's canonical JSON gives the plan."""
    _, plan = made
    assert plan == Plan.from_json(plan.to_json(), registry.get)


@LAW
@given(sound_recipes(), st.randoms(use_true_random=False))
def test_identity_ignores_order_and_layout(made: tuple[list[str], Plan], random: object) -> None:
    """Statement order, comments and the formatter leave the fingerprint."""
    lines, plan = made
    shuffled = [f"{line}  # {i}" for i, line in enumerate(lines)]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    text, _ = format_text(Source("r.tost", "\n\n".join(shuffled)))
    assert text is not None
    again = plan_of(text)
    assert again is not None
    assert plan.fingerprint == again.fingerprint


@LAW
@given(sound_recipes(), st.integers(1, 400))
def test_programs_cover_training_once(made: tuple[list[str], Plan], steps: int) -> None:
    """Whatever the windows, the segments of a phase are its steps, once and in order."""
    _, plan = made
    for phase in lower(plan, steps).phases:
        ran = [step for segment in phase.segments for step in segment.steps]
        assert list(range(phase.begin, phase.clock.total)) == ran


@settings(LAW, max_examples=300)
@given(recipe_lines())
def test_compiling_never_raises(lines: list[str]) -> None:
    """Whatever is wrong with a recipe is a diagnostic with a place in it."""
    found = compile_source(Source("r.tost", "\n".join(lines))).diagnostics
    assert all(diagnostic.span is not None for diagnostic in found)
