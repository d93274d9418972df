"""The laws over generated texts: sound recipes, damaged ones, and anything else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.laws import hold
from tests.plans import recipe_lines
from tests.strategies import COMMENTS, NAMES, SCALARS, damaged, recipes
from tostdsl.syntax.words import KEYWORDS

ODD = "\0\x07\x1b\x85\u00a0\u200b\u202e\u2066\u2028\ufeff“”’→−×≥éе\u0301ﬁ９％（\U0001f600"
PIECES = [
    *KEYWORDS,
    *NAMES,
    *SCALARS,
    *COMMENTS,
    *("over", "from", "until", "at", "except", "sha256", "->", ">=", "==", ":", ";", "//"),
    *('"', "'", "(", ")", "[", "]", ",", "=", "$", "\\", "\n", "\r\n", "\t", " "),
    *("True", "None", "lambda", "1_000", "0x1f", "1e999", "9" * 400, "-0", "nan", "inf"),
    *ODD,
]

jumble = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
spaced = st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join)
texts = st.text() | st.text(alphabet='ab ()[]",=#$->.%x:1e\\\n\té' + ODD) | jumble | spaced
meant = recipe_lines().map("\n".join)


@st.composite
def damaged_plans(draw: st.DrawFn) -> str:
    """A recipe that meant something, with a few pieces put in, taken out or swapped."""
    text = draw(meant)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        end = at + draw(st.integers(0, 4))
        text = text[:at] + draw(st.sampled_from(["", *PIECES])) + text[end:]
    return text


GENERATED = {
    "written": recipes(),
    "damaged": damaged(),
    "meant": meant,
    "meant_and_damaged": damaged_plans(),
    "anything": texts,
}
EASY = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    print_blob=True,
)


@pytest.mark.parametrize("kind", GENERATED)
def test_the_laws_hold(kind: str) -> None:
    """Over a hundred texts of each kind, other ones each time."""

    @settings(EASY, max_examples=100)
    @given(GENERATED[kind])
    def law(text: str) -> None:
        hold(text)

    law()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
@pytest.mark.parametrize("kind", GENERATED)
def test_the_laws_hold_over_ten_thousand(kind: str, part: int) -> None:
    """Over ten thousand texts in all, the same ones each time."""

    @seed(part)
    @settings(EASY, max_examples=200, database=None)
    @given(GENERATED[kind])
    def law(text: str) -> None:
        hold(text)

    law()
