"""One mistake, one report: what several parts of the compiler say of the same place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tostdsl.diagnostics import Diagnostic
from tostdsl.source import Span

REFUSED = ("T139", "T306")
"""What is wrong with how a value is written: whether it fits is a question for later."""
_OVER = {
    "T140": ("T203", "T204", "T304"),  # `mask.sparsity`: those say all of it
    "T144": ("T301", "T304"),  # `90X` is `90x`, which is wrong as well
    "T412": ("T504",),  # a moment that is no good for two reasons
}
"""Reports that say nothing beyond others at the same span."""
_UNUSED = "W003"
_DECLARED = re.compile(r"param\s+(\w+)", re.ASCII)
_NAME = re.compile(r"\$(\w+)", re.ASCII)
_WITHIN = {
    "T144": ("T203",),  # `betas=(0.9, 0.999)`: the whole of it is written in another way
    **dict.fromkeys(("T301", "T302", "T303", "T304", "T305", "T504"), ("T145",)),
    # `1 - $sparsity`: what it comes to is not known
    "T211": ("T137",),  # `mask random 90%`: the brackets come with the name
}
"""Reports that say nothing beyond others whose fix takes in their place."""


def once(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The reports, less those that repeat what another says."""
    codes: dict[Span | None, set[str]] = {}
    for d in found:
        codes.setdefault(d.span, set()).add(d.code)
    outer = {code for codes in _WITHIN.values() for code in codes}
    if any(d.code == _UNUSED for d in found):  # a use that is wrong is one
        used = {name for d in found if d.code != _UNUSED for name in _NAME.findall(_text(d))}
        found = [d for d in found if d.code != _UNUSED or _declared(d) not in used]
    found = list({_key(d): d for d in reversed(found)}.values())[::-1]
    wide = [(d.code, _reach(d)) for d in found if d.code in outer]
    return [d for d in found if d.span is None or not _repeats(d, d.span, codes[d.span], wide)]


def _key(d: Diagnostic) -> object:
    """What two reports share that one edit mends: a param that is wrong wherever it is used."""
    return d if d.fix is None else (d.code, d.message, d.fix)


def _text(d: Diagnostic) -> str:
    return f"{d.message} {d.help or ''}"


def _declared(d: Diagnostic) -> str:
    """The param that a report says is never used."""
    match = _DECLARED.match(d.span.text) if d.span is not None else None
    return match[1] if match is not None else ""


def _repeats(
    d: Diagnostic, span: Span, here: set[str], wide: Sequence[tuple[str, Span | None]]
) -> bool:
    refused = d.code not in REFUSED and not here.isdisjoint(REFUSED)
    if refused or not here.isdisjoint(_OVER.get(d.code, ())):
        return True
    over = _WITHIN.get(d.code, ())
    return any(code in over and reach is not None and _within(span, reach) for code, reach in wide)


def _reach(d: Diagnostic) -> Span | None:
    """From the first to the last place a report's fix changes, and the place it stands at."""
    spans = [edit.span for edit in d.fix.edits] if d.fix is not None else []
    spans += [d.span] if d.span is not None else []
    if not spans:
        return None
    first = min(spans, key=lambda span: span.start)
    return first.to(max(spans, key=lambda span: span.end))


def _within(inner: Span, outer: Span) -> bool:
    same = inner.source is outer.source
    return same and outer.start <= inner.start and inner.end <= outer.end
