"""Fixes of diagnostics, put into a recipe's text as long as they leave it no worse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tostdsl.diagnostics import Diagnostic, Edit, Fix, Severity, diagnose
from tostdsl.source import Source

ROUNDS = 20
"""How often a text is fixed and read again; fixing one mistake may show the next."""
AHEAD = 3
"""How many rounds more are tried where one has brought mistakes to light."""
TRIES = 50
"""How many fixes of a round are tried one by one, where all of them together made it worse."""
MAX_READ = 2 << 20
"""Characters that are read in all: a long text gets fewer rounds, three at least."""

SPLITTING = ("T142",)
"""Codes of mistakes that are mended by making several statements of one."""

Check = Callable[[Source], Sequence[Diagnostic]]
"""What finds the mistakes of a text; their spans lie in the source it is given."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A text after its fixes, how many were applied, and what is found in it now."""

    source: Source
    applied: int
    found: tuple[Diagnostic, ...]
    refused: tuple[Diagnostic, ...] = ()
    """A note for each fix that was left out because it would have made more mistakes."""
    offered: int = 0
    """How many fixes of `found` there are that need a look."""
    unfinished: bool = False
    """Whether the text is so long that there was no time for all its rounds."""


@dataclass(frozen=True, slots=True)
class _State:
    source: Source
    found: tuple[Diagnostic, ...]
    applied: int = 0

    @property
    def wrong(self) -> tuple[int, int]:
        """Errors, and all reports: what a fix is to lessen."""
        return sum(d.severity is Severity.ERROR for d in self.found), len(self.found)

    def after(self, fixes: Sequence[Fix], check: Check) -> _State:
        source = Source(self.source.name, _edited(self.source.text, fixes))
        return _State(source, tuple(check(source)), self.applied + len(fixes))

    def ahead(self, check: Check, look: bool) -> _State:
        """The state after some more rounds: what a fix brings to light may have one as well."""
        state = self
        for _ in range(AHEAD):
            chosen = _chosen(state, look)
            if not chosen:
                break
            state = state.after([fix for _, fix in chosen], check)
        return state


def apply_fixes(source: Source, check: Check, look: bool = False) -> Fixed:
    """Apply the certain fixes of a text, with `look` all of them, until nothing changes.

    Only edits of `source` itself count. Overlapping ones wait for the next round. Each round must
    lessen what is wrong: where one would not, its fixes are tried one by one.
    """
    budget = _Budget(check, MAX_READ // max(1, len(source.text)))
    state = _State(source, tuple(budget(source)))
    seen = {source.text: state}
    refused: list[Diagnostic] = []
    for _ in range(ROUNDS):
        chosen = _chosen(state, look)
        if not chosen or budget.spent:
            refused = []
            break
        after = state.after([fix for _, fix in chosen], budget)
        refused = []
        if after.wrong >= state.wrong:
            after = after.ahead(budget, look)
        if after.wrong >= state.wrong:
            after, refused = _one_by_one(state, chosen, budget)
        if after is state:
            break
        if after.source.text in seen:  # two fixes that undo one another
            state = seen[after.source.text]
            break
        state = seen[after.source.text] = after
    offered = 0 if look else len(_chosen(state, True)) - len(_chosen(state, False))
    unfinished = budget.spent and bool(_chosen(state, look))
    return Fixed(
        state.source, state.applied, state.found, tuple(refused), max(0, offered), unfinished
    )


class _Budget:
    """A check that may be made so many times."""

    def __init__(self, check: Check, times: int) -> None:
        self.check = check
        self.left = max(3, times)

    @property
    def spent(self) -> bool:
        """Whether there is no time for more."""
        return self.left <= 0

    def __call__(self, source: Source) -> Sequence[Diagnostic]:
        self.left -= 1
        return self.check(source)


def _one_by_one(
    state: _State, chosen: Sequence[tuple[Diagnostic, Fix]], check: _Budget
) -> tuple[_State, list[Diagnostic]]:
    """The state after those fixes that lessen what is wrong, and a note for each other."""
    kept: list[Fix] = []
    best, refused = state, []
    for diagnostic, fix in chosen[:TRIES]:
        if check.spent:
            break
        trial = state.after([*kept, fix], check)
        if trial.wrong < best.wrong:
            kept.append(fix)
            best = trial
        else:
            refused.append(diagnose("R602", diagnostic.span, fixed=diagnostic.code))
    return best, refused


def _chosen(state: _State, look: bool) -> list[tuple[Diagnostic, Fix]]:
    """The fixes whose edits all lie in the text and do not overlap those of another."""
    chosen: list[tuple[Diagnostic, Fix]] = []
    taken: list[Edit] = []
    for diagnostic in state.found:
        fix = diagnostic.fix
        if fix is None or not (look or _certain(diagnostic.code, fix)):
            continue
        if any(edit.span.source is not state.source for edit in fix.edits):
            continue
        fresh = [edit for edit in fix.edits if edit not in taken]
        if fresh and not any(_overlap(edit, other) for edit in fresh for other in taken):
            taken += fresh
            chosen.append((diagnostic, Fix(tuple(fresh), fix.certain)))
    return chosen


def _certain(code: str, fix: Fix) -> bool:
    """Whether a fix may be applied without a look: it makes no second statement unasked."""
    return fix.certain and (code in SPLITTING or not any(map(_splits, fix.edits)))


def _splits(edit: Edit) -> bool:
    """Whether an edit puts in more ends of lines than it takes out."""
    return edit.text.count("\n") > edit.span.text.count("\n")


def _overlap(a: Edit, b: Edit) -> bool:
    start, end = max(a.span.start, b.span.start), min(a.span.end, b.span.end)
    return start < end or a.span.start == b.span.start


def _edited(text: str, fixes: Sequence[Fix]) -> str:
    edits = sorted((edit for fix in fixes for edit in fix.edits), key=lambda edit: edit.span.start)
    parts, end = [], 0
    for edit in edits:
        parts += [text[end : edit.span.start], edit.text]
        end = edit.span.end
    return "".join([*parts, text[end:]])
