"""Fixes put into a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tostdsl import api
from tostdsl.compile.fix import MAX_READ, ROUNDS, apply_fixes
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Severity
from tostdsl.source import Source

HEAD = "model resnet20\ndata cifar10\ntrain for 160 epochs\n"

Checker = Callable[[Source], list[Diagnostic]]


def error(fix: Fix | None = None) -> Diagnostic:
    return Diagnostic("T101", Severity.ERROR, "wrong", fix=fix)


def rules(**replace: str) -> Checker:
    """Every word that is a key is an error whose certain fix is the value."""

    def check(source: Source) -> list[Diagnostic]:
        found = []
        for match in re.finditer(r"\w+", source.text):
            if match[0] in replace:
                edit = Edit(source.span(*match.span()), replace[match[0]])
                found.append(error(Fix((edit,))))
        return found

    return check


def test_fixes_are_applied_until_nothing_changes() -> None:
    """What a fix brings to light is fixed in the next round."""
    fixed = apply_fixes(Source("r", "a x a"), rules(a="b", b="c"))
    assert ("c x c", 4, ()) == (fixed.source.text, fixed.applied, fixed.found)


def test_rounds_are_bounded() -> None:
    """One fix a round, each mending one of many mistakes: so many rounds, and no more."""

    def longer(source: Source) -> list[Diagnostic]:
        end = len(source.text)
        found = [error(Fix((Edit(source.span(end, end), "x"),)))]
        return found + [error(None)] * (2 * ROUNDS - end)

    assert "x" * ROUNDS == apply_fixes(Source("r", ""), longer).source.text


def test_a_fix_that_mends_nothing_is_left_out() -> None:
    """As many mistakes as before, whatever they are: the text stays, and a note says so."""

    def never(source: Source) -> list[Diagnostic]:
        end = len(source.text)
        return [error(Fix((Edit(source.span(end, end), "x"),)))]

    fixed = apply_fixes(Source("r", "a"), never)
    assert ("a", 0, ["R602"]) == (fixed.source.text, fixed.applied, [d.code for d in fixed.refused])


def test_fixes_that_undo_one_another_end() -> None:
    """Two fixes in a circle leave the text as it was."""
    fixed = apply_fixes(Source("r", "a"), rules(a="b", b="a"))
    assert ("a", 0) == (fixed.source.text, fixed.applied)


def test_overlapping_edits_are_applied_once() -> None:
    """Two reports of one mistake mend it once; edits that cross wait for the next round."""

    def check(source: Source) -> list[Diagnostic]:
        if source.text != "90 per":
            return []
        same = [error(Fix((Edit(source.span(0, 2), "90%"),))) for _ in range(2)]
        return [*same, error(Fix((Edit(source.span(1, 6), "?"),)))]

    assert "90% per" == apply_fixes(Source("r", "90 per"), check).source.text


def test_edits_of_other_sources_are_skipped() -> None:
    """A fix that lies in another text, wholly or in part, is not applied."""
    other = Source("--set", "a")

    def check(source: Source) -> list[Diagnostic]:
        here, there = Edit(source.span(0, 1), "b"), Edit(other.span(0, 1), "b")
        return [error(Fix((there,))), error(Fix((here, there)))]

    fixed = apply_fixes(Source("r", "a"), check)
    assert ("a", 0, 2) == (fixed.source.text, fixed.applied, len(fixed.found))


def test_fixes_that_need_a_look_wait_for_one() -> None:
    """Only `look` applies them; without it they are counted."""

    def check(source: Source) -> list[Diagnostic]:
        fix = Fix((Edit(source.span(0, 1), "b"),), certain=False)
        return [error(fix)] if source.text == "a" else []

    fixed = apply_fixes(Source("r", "a"), check)
    assert ("a", 1) == (fixed.source.text, fixed.offered)
    fixed = apply_fixes(Source("r", "a"), check, look=True)
    assert ("b", 0, 1) == (fixed.source.text, fixed.offered, fixed.applied)


def test_a_text_is_never_left_with_more_mistakes() -> None:
    """A fix that would make more is left out and said; the others of its round are kept."""

    def check(source: Source) -> list[Diagnostic]:
        found = rules(good="fine", bad="worse")(source)
        return found + [error() for _ in re.findall("worse", source.text) for _ in range(3)]

    fixed = apply_fixes(Source("r", "bad good"), check)
    assert ("bad fine", 1) == (fixed.source.text, fixed.applied)
    assert ["R602"] == [d.code for d in fixed.refused]


@pytest.mark.parametrize(
    ("line", "fixed"),
    [
        ("mask random(sparsity=90)\n", "mask random(sparsity=90%)\n"),
        ("mask random(sparsity=0.9)\n", "mask random(sparsity=90%)\n"),
        ("mask random(sparsity=90%\nskip until 25%\n",
         "mask random(sparsity=90%)\nskip until 25%\n"),
        ('mask random(sparsity=90%, distribution="erk")\n',
         "mask random(sparsity=90%, distribution=erk)\n"),
        ("param s = 90\nmask random(sparsity=$s)\n", "param s = 90%\nmask random(sparsity=$s)\n"),
    ],
)  # fmt: skip
def test_what_the_compiler_offers_makes_a_recipe_clean(line: str, fixed: str) -> None:
    """The certain fixes of real mistakes leave nothing to say, and stay applied."""
    after = api.fix(Source("r.tost", HEAD + line))
    assert HEAD + fixed == after.source.text
    assert () == after.found
    assert after.source.text == api.fix(after.source).source.text


def test_what_is_extended_is_not_changed(tmp_path: Path) -> None:
    """A mistake in the extended file is left for that file's own turn."""
    base = tmp_path / "base.tost"
    base.write_text(HEAD + "mask random(sparsity=90)\n")
    top = Source("top.tost", 'extends "base.tost"\n')
    fixed = api.fix(top, tmp_path / "top.tost")
    assert (top.text, ["T302"]) == (fixed.source.text, [d.code for d in fixed.found])
    assert HEAD + "mask random(sparsity=90)\n" == base.read_text()


def test_what_was_set_from_outside_is_not_changed() -> None:
    """The fix of a `--set` value touches no text."""
    source = Source("r.tost", HEAD + "param s = 90%\nmask random(sparsity=$s)\n")
    fixed = api.fix(source, sets={"s": "90"})
    assert source.text == fixed.source.text
    assert fixed.found


TEXT = (Path(__file__).parents[2] / "recipes" / "quickstart.tost").read_text(encoding="utf-8")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(TEXT)), st.integers(0, 3), st.sampled_from(["", "", "(", "x", '"'])
        ),
        min_size=1,
        max_size=4,
    ),
    st.booleans(),
)
def test_damaged_recipes_never_get_worse(damage: list[tuple[int, int, str]], look: bool) -> None:
    """Whatever is cut out of a recipe or put in, its fixes leave no more mistakes than it had."""
    text = TEXT
    for at, length, put in damage:
        text = text[:at] + put + text[at + length :]
    source = Source("r.tost", text)
    fixed = api.fix(source, look=look)
    assert _errors(fixed.found) <= _errors(api.compile_source(source).diagnostics)
    assert fixed.applied or source.text == fixed.source.text
    assert _errors(fixed.found) == _errors(api.compile_source(fixed.source).diagnostics)


def _errors(found: Sequence[Diagnostic]) -> int:
    return sum(diagnostic.severity is Severity.ERROR for diagnostic in found)


def test_a_long_text_is_read_a_few_times_only() -> None:
    """Where there is no time for all rounds, what was applied is kept and the rest is told."""
    reads = 0

    def longer(source: Source) -> list[Diagnostic]:
        nonlocal reads
        reads += 1
        end = len(source.text)
        found = [error(Fix((Edit(source.span(end, end), "x"),)))]
        return found + [error(None)] * (MAX_READ + 9 - end)

    fixed = apply_fixes(Source("r", "y" * MAX_READ), longer)
    assert (3, 2, True) == (reads, fixed.applied, fixed.unfinished)
    assert fixed.source.text.endswith("yxx")
    assert not apply_fixes(Source("r", "a"), rules(a="b")).unfinished


@pytest.mark.parametrize(("code", "applied"), [("T101", 0), ("T142", 1)])
def test_only_a_second_statement_on_a_line_is_split(code: str, applied: int) -> None:
    """No other certain fix makes two statements of one; with a look at it, it may."""

    def check(source: Source) -> list[Diagnostic]:
        if source.text == "skip\nseed 1":
            return []
        fix = Fix((Edit(source.span(4, 5), "\n"),))
        return [Diagnostic(code, Severity.ERROR, "wrong", fix=fix)]

    source = Source("r", "skip seed 1")
    assert applied == apply_fixes(source, check).applied
    assert 1 == apply_fixes(source, check, look=True).applied
    assert 1 - applied == apply_fixes(source, check).offered
