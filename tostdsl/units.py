"""Values with a unit, as recipes write them: `90%`, `2x`, `2:4`, `epoch 40`, `30 epochs`, `1 -> 0`.

Pure and exact (`Decimal`). Each knows its text in a recipe (`str`), its canonical JSON, and how
pydantic fields of its type read that JSON back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

if TYPE_CHECKING:
    from pydantic_core import CoreSchema


def plain_text(value: Decimal) -> str:
    """A number without an exponent: what stands in front of `x` or after `step`."""
    return "0" if value == 0 else format(value.normalize(), "f")


def number_text(value: Decimal | float | int) -> str:
    """The one spelling of a number: no trailing zeros, an exponent only where it is shorter.

    Whole numbers (`int`) and what fits five characters (`0.001`) never get an exponent.
    """
    if isinstance(value, int):
        return str(value)
    exact = value if isinstance(value, Decimal) else Decimal(str(value))
    plain = plain_text(exact)
    if len(plain) <= 5:
        return plain
    mantissa, _, exponent = format(exact.normalize(), "e").partition("e")
    scientific = f"{mantissa}e{int(exponent)}"
    return scientific if len(scientific) < len(plain) else plain


def number_json(value: Decimal) -> int | float:
    """A decimal as the JSON number that reads back as the same decimal."""
    return int(value) if value == value.to_integral_value() else float(value)


class Unit:
    """Base of values with a unit; gives pydantic the way in and out."""

    tag: ClassVar[str]

    def to_json(self) -> Any:
        """The canonical, tagged JSON form."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """The value of a canonical JSON form; `ValueError` for anything else."""
        raise NotImplementedError

    @classmethod
    def read(cls, data: Any) -> Self:
        """The value itself, or read from JSON."""
        return data if isinstance(data, cls) else cls.from_json(data)

    @classmethod
    def _body(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and set(data) == {cls.tag}:
            return data[cls.tag]
        raise ValueError(f"not a {cls.tag}: {data!r}")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls.read,
            serialization=core_schema.plain_serializer_function_ser_schema(cls.to_json),
        )


class _Ordered:
    """Comparison of values of one class, by what they hold."""

    __slots__ = ()

    def _order(self, other: object) -> tuple[Any, Any] | None:
        if other.__class__ is not self.__class__:
            return None
        names = self.__match_args__  # type: ignore[attr-defined]
        return [getattr(self, n) for n in names], [getattr(other, n) for n in names]

    def __lt__(self, other: object) -> bool:
        pair = self._order(other)
        return NotImplemented if pair is None else bool(pair[0] < pair[1])

    def __le__(self, other: object) -> bool:
        pair = self._order(other)
        return NotImplemented if pair is None else bool(pair[0] <= pair[1])

    def __gt__(self, other: object) -> bool:
        pair = self._order(other)
        return NotImplemented if pair is None else bool(pair[0] > pair[1])

    def __ge__(self, other: object) -> bool:
        pair = self._order(other)
        return NotImplemented if pair is None else bool(pair[0] >= pair[1])


def _decimal(data: Any) -> Decimal:
    if isinstance(data, Decimal):
        return data.normalize()
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise ValueError(f"not a number: {data!r}")
    if not math.isfinite(data):
        raise ValueError(f"not a finite number: {data!r}")
    return Decimal(str(data)).normalize()


@dataclass(frozen=True, slots=True)
class _Quantity(_Ordered, Unit):
    """One exact number with a unit."""

    value: Decimal

    def to_json(self) -> Any:
        return {self.tag: number_json(self.value)}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        return cls(_decimal(cls._body(data)))


class Percent(_Quantity):
    """A share in percent: `Percent(Decimal(90))` is `90%`."""

    __slots__ = ()

    tag: ClassVar[str] = "percent"

    @property
    def fraction(self) -> Fraction:
        """The share as an exact fraction of one."""
        return Fraction(self.value) / 100

    def __float__(self) -> float:
        return float(self.fraction)

    def __str__(self) -> str:
        return f"{number_text(self.value)}%"


class Factor(_Quantity):
    """A multiple: `Factor(Decimal(2))` is `2x`."""

    __slots__ = ()

    tag: ClassVar[str] = "factor"

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        return f"{plain_text(self.value)}x"


@dataclass(frozen=True, slots=True)
class Pattern(_Ordered, Unit):
    """A structured-sparsity pattern: `2:4`, or with three parts `64:2:5`."""

    tag: ClassVar[str] = "pattern"
    parts: tuple[int, ...]

    def __str__(self) -> str:
        return ":".join(map(str, self.parts))

    def to_json(self) -> Any:
        return {self.tag: list(self.parts)}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        body = cls._body(data)
        if not isinstance(body, list | tuple) or not all(type(part) is int for part in body):
            raise ValueError(f"not a pattern: {data!r}")
        return cls(tuple(body))


@dataclass(frozen=True, slots=True)
class Moment(Unit):
    """A point of training: `epoch 40`, `step 100`, `25%`, `start`, `end`."""

    tag: ClassVar[str] = "moment"
    unit: Literal["epoch", "step", "percent", "start", "end"]
    value: Decimal = Decimal(0)

    def __str__(self) -> str:
        if self.unit == "percent":
            return f"{number_text(self.value)}%"
        if self.unit in ("start", "end"):
            return self.unit
        return f"{self.unit} {plain_text(self.value)}"

    def to_json(self) -> Any:
        if self.unit in ("start", "end"):
            return {self.tag: self.unit}
        return {self.tag: {self.unit: number_json(self.value)}}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        body = cls._body(data)
        if body in ("start", "end"):
            return cls(body)
        if isinstance(body, Mapping) and len(body) == 1:
            ((unit, value),) = body.items()
            if unit in ("epoch", "step", "percent"):
                return cls(unit, _decimal(value))
        raise ValueError(f"not a moment: {data!r}")


START = Moment("start")
END = Moment("end")


@dataclass(frozen=True, slots=True)
class Duration(Unit):
    """A length of training: `30 epochs`, `200 steps`."""

    tag: ClassVar[str] = "duration"
    unit: Literal["epochs", "steps"]
    value: int

    def __str__(self) -> str:
        return f"{self.value} {self.unit[:-1] if self.value == 1 else self.unit}"

    def to_json(self) -> Any:
        return {self.tag: {self.unit: self.value}}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        body = cls._body(data)
        if isinstance(body, Mapping) and len(body) == 1:
            ((unit, value),) = body.items()
            if unit in ("epochs", "steps") and type(value) is int:
                return cls(unit, value)
        raise ValueError(f"not a duration: {data!r}")


@dataclass(frozen=True, slots=True)
class Window(Unit):
    """A half-open stretch of training, resolved to steps by a `Clock`.

    `stop` is a moment, or a duration after `start` where the two cannot be added before the
    data's size is known (`from 25% for 10 steps`). `start == stop` is an instant (`at`).
    """

    tag: ClassVar[str] = "window"
    start: Moment = START
    stop: Moment | Duration = END

    @property
    def instant(self) -> bool:
        """Whether this is one moment (`at start`) instead of a stretch."""
        return self.start == self.stop

    def __str__(self) -> str:
        if self.instant:
            return f"at {self.start}"
        words = [] if self.start == START else [f"from {self.start}"]
        if isinstance(self.stop, Duration):
            words.append(f"for {self.stop}")
        elif self.stop != END:
            words.append(f"until {self.stop}")
        return " ".join(words)

    def to_json(self) -> Any:
        return {self.tag: [self.start.to_json(), self.stop.to_json()]}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        body = cls._body(data)
        if not isinstance(body, list) or len(body) != 2:
            raise ValueError(f"not a window: {data!r}")
        start, stop = body
        end: Moment | Duration
        timed = isinstance(stop, Mapping) and Duration.tag in stop
        end = Duration.from_json(stop) if timed else Moment.from_json(stop)
        return cls(Moment.from_json(start), end)


@dataclass(frozen=True, slots=True)
class Selector(_Ordered, Unit):
    """Modules by class (`conv`, `linear`, `first`, `last`) or by a glob over their names."""

    tag: ClassVar[str] = "modules"
    form: Literal["class", "glob"]
    text: str

    def __str__(self) -> str:
        if self.form == "class":
            return self.text
        return '"' + self.text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def to_json(self) -> Any:
        return {self.tag: {self.form: self.text}}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        body = cls._body(data)
        if isinstance(body, Mapping) and len(body) == 1:
            ((form, text),) = body.items()
            if form in ("class", "glob") and isinstance(text, str):
                return cls(form, text)
        raise ValueError(f"not a selector: {data!r}")


@dataclass(frozen=True, slots=True)
class Ramp(Unit):
    """A value that moves over its stage's window, along the stage's anneal: `1 -> 20`."""

    tag: ClassVar[str] = "ramp"
    start: float
    stop: float

    def __str__(self) -> str:
        return f"{number_text(self.start)} -> {number_text(self.stop)}"

    def to_json(self) -> Any:
        return {self.tag: [self.start, self.stop]}

    @classmethod
    def from_json(cls, data: Any) -> Self:
        body = cls._body(data)
        if not isinstance(body, list) or len(body) != 2:
            raise ValueError(f"not a ramp: {data!r}")
        return cls(float(_decimal(body[0])), float(_decimal(body[1])))


@dataclass(frozen=True, slots=True)
class Clock:
    """Turns moments and durations into steps, once the length of an epoch is known."""

    steps_per_epoch: int
    total: int

    @classmethod
    def of(cls, length: Duration, steps_per_epoch: int) -> Self:
        """The clock of a training of `length`."""
        total = length.value * (steps_per_epoch if length.unit == "epochs" else 1)
        return cls(steps_per_epoch, total)

    @lru_cache(maxsize=1024)  # noqa: B019 - small values that hold nothing
    def step(self, moment: Moment) -> int:
        """The step a moment stands for; a fraction of a step is rounded half up."""
        match moment.unit:
            case "start":
                return 0
            case "end":
                return self.total
            case "epoch":
                exact = Fraction(moment.value) * self.steps_per_epoch
            case "step":
                exact = Fraction(moment.value)
            case "percent":
                exact = Fraction(moment.value) * self.total / 100
        return int(exact + Fraction(1, 2))

    def steps(self, duration: Duration) -> int:
        """The number of steps of a duration."""
        return duration.value * (self.steps_per_epoch if duration.unit == "epochs" else 1)

    def window(self, window: Window) -> tuple[int, int]:
        """First step and the step after the last of a window."""
        start = self.step(window.start)
        if isinstance(window.stop, Duration):
            return start, start + self.steps(window.stop)
        return start, self.step(window.stop)
