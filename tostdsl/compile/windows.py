"""Windows and targets: from the words of a statement to canonical values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tostdsl.compile.values import Reader
from tostdsl.compile.words import MISSING
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest
from tostdsl.plan.plan import Targets
from tostdsl.source import Span
from tostdsl.syntax import nodes as n
from tostdsl.units import END, START, Duration, Moment, Selector, Window

CLASSES = ("conv", "linear", "first", "last")
_WORDS = ("from", "until", "for", "at")


@dataclass(frozen=True, slots=True)
class Length:
    """The recipe's `train` statement: its value, and where it stands."""

    value: Duration
    span: Span | None

    def canonical(self, moment: Moment) -> Moment:
        """The one form of a moment.

        `start` and `end` where it is them, whole epochs or steps instead of a percent where the
        two are the same.
        """
        unit, value = moment.unit, moment.value
        own = self.value.unit[:-1]
        if unit == "percent":
            exact = value * self.value.value / 100
            if exact == exact.to_integral_value():
                unit, value = ("epoch" if own == "epoch" else "step"), exact.normalize()
        if unit in ("epoch", "step", "percent") and value == 0:
            return START
        at_end = (unit == own and value == self.value.value) or (unit == "percent" and value == 100)
        return END if at_end else Moment(unit, value)

    def place(self, moment: Moment) -> Decimal | None:
        """How far into training, from 0 to 1 and beyond, where that is known without the data."""
        if moment == START:
            return Decimal(0)
        if moment == END:
            return Decimal(1)
        if moment.unit == "percent":
            return moment.value / 100
        if moment.unit == self.value.unit[:-1]:
            return moment.value / self.value.value
        return None

    def after(self, start: Moment, length: Duration) -> Moment | Duration:
        """The moment `length` after `start`, or the length itself where they do not add up."""
        unit = length.unit[:-1]
        if start == START:
            return self.canonical(
                Moment("epoch" if unit == "epoch" else "step", Decimal(length.value))
            )
        if start.unit == unit:
            return self.canonical(Moment(start.unit, start.value + length.value))
        return length


def window(bounds: tuple[n.Bound, ...], length: Length | None, reader: Reader) -> Window | None:
    """The window of a statement's bounds; None after a report. No bounds: all of training."""
    read = _read(bounds, reader)
    if read is None or length is None:
        return None
    by_word, values = read
    found = _whole(by_word, values, length)
    if found:
        reader.found += found
        return None
    made = _canonical(values, length)
    return made if "at" in values else _checked(made, by_word, length, reader.found)


def shape(bounds: tuple[n.Bound, ...], length: Length, reader: Reader) -> Window | None:
    """The window of bounds whether it fits training or not, to compare it with another."""
    read = _read(bounds, reader)
    return None if read is None else _canonical(read[1], length)


def _read(
    bounds: tuple[n.Bound, ...], reader: Reader
) -> tuple[dict[str, n.Bound], dict[str, Any]] | None:
    """The bounds of a window by their words, and their values."""
    by_word: dict[str, n.Bound] = {}
    for bound in bounds:
        word = bound.word.text
        if word in by_word:
            first = Label(by_word[word].span, "first here")
            reader.found.append(diagnose("T411", bound.span, first))
            return None
        by_word[word] = bound
    clash = None
    if "until" in by_word and "for" in by_word:
        clash = diagnose("T406", by_word["for"].span, Label(by_word["until"].span, "and here"))
    elif "at" in by_word and len(by_word) > 1:
        clash = diagnose("T407", by_word["at"].span)
    if clash is not None:
        reader.found.append(clash)
        return None
    values = {
        word: reader.read(bound.value, Duration if word == "for" else Moment, f"`{word}`"[1:-1])
        for word, bound in by_word.items()
    }
    return None if MISSING in values.values() else (by_word, values)


def _canonical(values: dict[str, Any], length: Length) -> Window:
    if "at" in values:
        at = length.canonical(values["at"])
        return Window(at, at)
    start = length.canonical(values.get("from", START))
    stop: Moment | Duration = length.canonical(values.get("until", END))
    if "for" in values:
        stop = length.after(start, values["for"])
    return Window(start, stop)


def _whole(
    by_word: dict[str, n.Bound], values: dict[str, Moment | Duration], length: Length
) -> list[Diagnostic]:
    found = []
    for word, value in values.items():
        span = by_word[word].value.span
        if isinstance(value, Duration):
            if value.value < 1:
                found.append(
                    diagnose("T303", span, name=word, bound="at least 1", found=f"`{value}`")
                )
        elif value.value < 0:
            found.append(
                diagnose("T303", span, name=word, bound="at or after the start", found=f"`{value}`")
            )
        elif value.unit in ("epoch", "step") and value.value != value.value.to_integral_value():
            found.append(
                diagnose(
                    "T303",
                    span,
                    name=word,
                    bound=f"a whole {value.unit}, or a percent",
                    found=f"`{value}`",
                )
            )
        else:
            place = length.place(value)
            if place is not None and place > 1:
                found.append(_past_end(span, value, length))
    return found


def _past_end(span: Span, end: Moment, length: Length, lasts: Duration | None = None) -> Diagnostic:
    """The report of a window that ends too late; `lasts` is how long it may be, after a `for`."""
    fits = str(
        Moment("epoch" if length.value.unit == "epochs" else "step", Decimal(length.value.value))
    )
    fits = "100%" if end.unit == "percent" else fits
    end_word = "until end" if lasts else "end"
    label = Label(length.span, f"training ends at {fits}") if length.span is not None else None
    return diagnose(
        "T401",
        Label(span, f"this window ends at {end}"),
        label,
        end=end,
        help=f"write `{lasts or fits}` at most, or `{end_word}`, or train longer",
        fix=Fix((Edit(span, str(lasts or fits)),), certain=False),
    )


def _checked(
    window: Window, by_word: dict[str, n.Bound], length: Length, found: list[Diagnostic]
) -> Window | None:
    start = length.place(window.start)
    last = by_word.get("until") or by_word.get("for") or by_word.get("from")
    if isinstance(window.stop, Duration) or last is None:
        return window
    stop = length.place(window.stop)
    same = window.start.unit == window.stop.unit and window.start.value >= window.stop.value
    if (
        window.start == window.stop
        or same
        or (start is not None and stop is not None and start >= stop)
    ):
        empty = window.start == window.stop or (start is not None and start == stop)
        found.append(_empty(window, by_word, last) if empty else _reversed(window, by_word, last))
        return None
    if stop is not None and stop > 1:
        lasts = None
        if last.word.text == "for":
            left = length.value.value - int(window.start.value)
            lasts = Duration(length.value.unit, left)
        found.append(_past_end(last.value.span, window.stop, length, lasts))
        return None
    return window


def _empty(window: Window, by_word: dict[str, n.Bound], last: n.Bound) -> Diagnostic:
    first = by_word.get("from", last)
    return diagnose(
        "T402",
        first.span.to(last.span),
        start=window.start,
        end=window.stop,
        help="a window ends after it starts; its end is not part of it",
    )


def _reversed(window: Window, by_word: dict[str, n.Bound], last: n.Bound) -> Diagnostic:
    """The report of a window that ends before it starts; the fix swaps the two."""
    start, stop = by_word.get("from", last).value, last.value
    span = by_word.get("from", last).span.to(last.span)
    if "from" not in by_word or "until" not in by_word:
        return diagnose("T431", span, start=window.start, end=window.stop)
    edits = (Edit(start.span, stop.span.text), Edit(stop.span, start.span.text))
    help = f"write `from {stop.span.text} until {start.span.text}`"
    fix = Fix(edits, certain=False)
    return diagnose("T431", span, start=window.start, end=window.stop, help=help, fix=fix)


def targets(node: n.Targets, reader: Reader) -> Targets | None:
    """The selectors of `on` and `except`, sorted; None after a report."""
    on = [_selector(value, reader) for value in node.on]
    exclude = [_selector(value, reader) for value in node.exclude]
    if None in on or None in exclude:
        return None
    return Targets.model_construct(on=_sorted(on), exclude=_sorted(exclude))


def _sorted(selectors: list[Selector | None]) -> tuple[Selector, ...]:
    return tuple(sorted({s for s in selectors if s is not None}))


def _selector(node: n.Value, reader: Reader) -> Selector | None:
    if not reader.budget.take(node.span):
        return None
    if isinstance(node, n.Reference):
        behind = reader.follow(node)
        return None if behind is None else _selector(behind[1], behind[0])
    match node:
        case n.Literal(value=str(text)):
            return Selector("glob", text)
        case n.Call(name=n.Ident(text=word), arguments=()) if word in CLASSES:
            return Selector("class", word)
        case n.Call(name=n.Ident(text=word), arguments=()):
            meant = nearest(word, CLASSES)
            listed = ", ".join(f"`{name}`" for name in CLASSES)
            help = (
                f"did you mean `{meant}`?"
                if meant
                else (f'one of {listed}, or module names in quotes such as `"layer3.*"`')
            )
            reader.report(
                "T201", node, help=help, fix=meant, certain=False, kind="selector", name=word
            )
            return None
    reader.report(
        "T301",
        node,
        name="a selector",
        found=f"`{node.span.text}`",
        expected="`conv`, `linear`, `first`, `last` or a name in quotes",
    )
    return None
