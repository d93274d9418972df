"""Windows and targets: from the words of a statement to canonical values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

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
    if MISSING in values.values() or length is None:
        return None
    found = _whole(by_word, values, length)
    if found:
        reader.found += found
        return None
    if "at" in values:
        at = length.canonical(values["at"])
        return Window(at, at)
    start = length.canonical(values.get("from", START))
    stop: Moment | Duration = length.canonical(values.get("until", END))
    if "for" in values:
        stop = length.after(start, values["for"])
    return _checked(Window(start, stop), by_word, length, reader.found)


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


def _past_end(span: Span, end: Moment, length: Length) -> Diagnostic:
    fits = str(
        Moment("epoch" if length.value.unit == "epochs" else "step", Decimal(length.value.value))
    )
    fits = "100%" if end.unit == "percent" else fits
    label = Label(length.span, f"training ends at {fits}") if length.span is not None else None
    return diagnose(
        "T401",
        Label(span, f"this window ends at {end}"),
        label,
        end=end,
        help=f"write `{fits}` at most, or `end`, or train longer",
        fix=Fix((Edit(span, fits),), certain=False),
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
        first = by_word.get("from", last).span
        found.append(
            diagnose(
                "T402",
                first.to(last.span),
                start=window.start,
                end=window.stop,
                help="a window ends after it starts; its end is not part of it",
            )
        )
        return None
    if stop is not None and stop > 1:
        found.append(_past_end(last.value.span, window.stop, length))
        return None
    return window


def targets(node: n.Targets, reader: Reader) -> Targets | None:
    """The selectors of `on` and `except`, sorted; None after a report."""
    on = [_selector(value, reader) for value in node.on]
    exclude = [_selector(value, reader) for value in node.exclude]
    if None in on or None in exclude:
        return None
    return Targets(on=_sorted(on), exclude=_sorted(exclude))


def _sorted(selectors: list[Selector | None]) -> tuple[Selector, ...]:
    return tuple(sorted({s for s in selectors if s is not None}))


def _selector(node: n.Value, reader: Reader) -> Selector | None:
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
