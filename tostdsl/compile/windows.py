"""Windows and targets: from the words of a statement to canonical values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tostdsl.compile.values import Reader
from tostdsl.compile.words import MISSING, WORDS
from tostdsl.diagnostics import Diagnostic, Edit, Fix, Label, diagnose, nearest, twins
from tostdsl.plan.plan import Targets
from tostdsl.source import Span
from tostdsl.syntax import nodes as n
from tostdsl.units import END, START, Duration, Moment, Percent, Selector, Window

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
    by_word, values, clear = _read(bounds, reader)
    found = _whole(by_word, values, length)
    reader.found += found
    if found or not clear or length is None:
        return None
    made = _canonical(values, length)
    return made if "at" in values else _checked(made, by_word, length, reader.found)


def shape(bounds: tuple[n.Bound, ...], length: Length, reader: Reader) -> Window | None:
    """The window of bounds whether it fits training or not, to compare it with another."""
    _, values, clear = _read(bounds, reader)
    return _canonical(values, length) if clear else None


def _read(
    bounds: tuple[n.Bound, ...], reader: Reader
) -> tuple[dict[str, n.Bound], dict[str, Any], bool]:
    """The bounds of a window by their words, the values that are sound, and whether all is."""
    by_word: dict[str, n.Bound] = {}
    clash = None
    for bound in bounds:
        word = bound.word.text
        if word in by_word:
            first = Label(by_word[word].span, "first here")
            clash = diagnose("T411", bound.span, first)
        by_word.setdefault(word, bound)
    if clash is None and "until" in by_word and "for" in by_word:
        clash = diagnose("T406", by_word["for"].span, Label(by_word["until"].span, "and here"))
    elif clash is None and "at" in by_word and len(by_word) > 1:
        clash = diagnose("T407", by_word["at"].span)
    if clash is not None:
        reader.found.append(clash)
    values = {}
    for word, bound in by_word.items():
        value = _bound(bound, "from" in by_word, reader)
        if value is not MISSING:
            values[word] = value
    return by_word, values, clash is None and len(values) == len(by_word)


def _bound(bound: n.Bound, starts: bool, reader: Reader) -> Any:
    word, value = bound.word.text, bound.value
    if word == "for":
        match value:
            case n.Literal(value=Percent() as share) if not starts:
                # from the start, a share of training is a moment of it as well
                fix = Fix((Edit(bound.span, f"until {share}"),), certain=False)
                expected, found = WORDS[Duration], f"`{share}`"
                help = f"write `until {share}`"
                reader.found.append(
                    diagnose(
                        *("T301", value.span),
                        help=help,
                        fix=fix,
                        name=word,
                        expected=expected,
                        found=found,
                    )
                )
                return MISSING
        return reader.argument(value, Duration, word, words=word)
    return reader.argument(value, Moment, word, words=word)


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
    by_word: dict[str, n.Bound], values: dict[str, Moment | Duration], length: Length | None
) -> list[Diagnostic]:
    """What is wrong with each bound by itself."""
    found = []
    for word, value in values.items():
        span = by_word[word].value.span
        bound = _must_be(value)
        if bound is not None:
            help = f"for example `{word} {'10 epochs' if word == 'for' else 'epoch 10'}`"
            shown = f"`{value}`"
            found.append(diagnose("T303", span, help=help, name=word, bound=bound, found=shown))
            continue
        if length is None or isinstance(value, Duration):
            continue
        place = length.place(value)
        if place is None or place <= 1:
            continue
        if word == "until":
            fits = None if _at_end(values.get("from"), length) else _end_of(length, value)
            found.append(_past_end(span, value, length, fits))
        else:
            found.append(_past_start(span, value, length, word))
    return found


def _must_be(value: Moment | Duration) -> str | None:
    if value.value < 0 and isinstance(value, Moment):
        return "at or after the start"
    if isinstance(value, Duration):
        return "at least 1" if value.value < 1 else None
    if value.unit in ("epoch", "step") and value.value != value.value.to_integral_value():
        return f"a whole {value.unit}, or a percent"
    return None


def _at_end(start: Moment | Duration | None, length: Length) -> bool:
    """Whether a window with this start has no room before the end of training."""
    place = length.place(start) if isinstance(start, Moment) else None
    return place is not None and place >= 1


def _end_of(length: Length, like: Moment | Duration) -> str:
    """The end of training, in the unit of another moment where it has one."""
    if like.unit == "percent":
        return "100%"
    unit = "epoch" if length.value.unit == "epochs" else "step"
    return str(Moment(unit, Decimal(length.value.value)))  # type: ignore[arg-type]


def _past_start(span: Span, moment: Moment, length: Length, word: str) -> Diagnostic:
    """The report of a window that starts, or of a moment that lies, behind the end."""
    end = _end_of(length, moment)
    verb = "is" if word == "at" else "starts"
    label = Label(length.span, f"training ends at {end}") if length.span is not None else None
    return diagnose(
        "T401",
        Label(span, f"this window {verb} at {moment}"),
        label,
        verb=verb,
        end=moment,
        help=f"write a moment before `{end}`, such as `{word} start`, or train longer",
    )


def _past_end(
    span: Span, end: Moment | Duration, length: Length, fits: str | None, words: str = "end"
) -> Diagnostic:
    """The report of a window that ends too late; `fits` is what would not, if anything."""
    shown = _end_of(length, end)
    label = Label(length.span, f"training ends at {shown}") if length.span is not None else None
    help = f"write `{fits}` at most, or `{words}`, or train longer"
    return diagnose(
        "T401",
        Label(span, f"this window ends at {end}"),
        label,
        verb="ends",
        end=end,
        help=help if fits else "start it before training ends, or train longer",
        fix=Fix((Edit(span, fits),), certain=False) if fits else None,
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
        left = length.value.value - int(window.start.value)
        fits, words = str(Duration(length.value.unit, left)), "until end"
        if left < 1 or last.word.text != "for":
            fits, words = "", "end"
        found.append(_past_end(last.value.span, window.stop, length, fits or None, words))
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


def targets(node: n.Targets, reader: Reader) -> tuple[Targets, bool]:
    """The selectors of `on` and `except` that are sound, sorted; and whether all of them are."""
    on = [_selector(value, reader, "on") for value in node.on]
    exclude = [_selector(value, reader, "except") for value in node.exclude]
    made = Targets.model_construct(on=_sorted(on), exclude=_sorted(exclude))
    return made, None not in on and None not in exclude


def _sorted(selectors: list[Selector | None]) -> tuple[Selector, ...]:
    return tuple(sorted({s for s in selectors if s is not None}))


def _selector(node: n.Value, reader: Reader, word: str) -> Selector | None:
    if not reader.budget.take(node.span):
        return None
    if isinstance(node, n.Reference):
        behind = reader.follow(node)
        return None if behind is None else _selector(behind[1], behind[0], word)
    listed = ", ".join(f"`{name}`" for name in CLASSES)
    match node:
        case n.Literal(value=str(text)):
            return Selector("glob", text)
        case n.Call(name=n.Ident(text=text), arguments=()) if text in CLASSES:
            return Selector("class", text)
        case n.Call(name=n.Ident(text=text), arguments=()):
            near = [each for each in CLASSES if not twins(text, [each])]
            meant = f'"{text}"' if text in reader.names() else nearest(text, near)
            if meant and meant.startswith('"'):
                help = f"names of modules stand in quotes: write `{meant}`"
            elif meant:
                help = f"did you mean `{meant}`?"
            else:
                help = f'one of {listed}, or module names in quotes such as `"layer3.*"`'
            reader.report("T201", node, help, meant, False, kind="selector", name=text)
            return None
    expected = f"{listed} or a name in quotes"
    if isinstance(node, n.ListValue) and node.items:
        write = ", ".join(item.span.text for item in node.items)
        trial = reader.trial()
        sound = None not in [_selector(item, trial, word) for item in node.items]
        reader.wrong(node, expected, word, write if sound else None)
        return None
    reader.wrong(node, expected, word)
    return None
