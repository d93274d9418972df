"""One base class a kind, and what stages and masks have more than others: a window and targets."""

from __future__ import annotations

from typing import Any, Self

from tostdsl.build.calls import Call
from tostdsl.build.likes import DurationLike, MomentLike, SelectorLike
from tostdsl.build.written import selector, typed
from tostdsl.compile.windows import CLASSES
from tostdsl.units import Duration, Moment, Selector

_ORDER = ("from", "until", "for", "at")


class Placed(Call):
    """A call with a window and targets; each method gives a new one."""

    __slots__ = ()

    def until(self, moment: MomentLike) -> Self:
        """At work up to a moment, which is not part of it: `until epoch 40`."""
        return self._windowed(("until", moment), keep=("from",))

    def since(self, moment: MomentLike) -> Self:
        """At work from a moment on: `from 25%`."""
        return self._windowed(("from", moment), keep=("until", "for"))

    def between(self, start: MomentLike, end: MomentLike) -> Self:
        """At work from one moment up to another: `from 10% until 50%`."""
        return self._windowed(("from", start), ("until", end))

    def lasting(self, duration: DurationLike) -> Self:
        """At work for so long: `for 10 epochs`."""
        return self._windowed(("for", duration), keep=("from",))

    def at(self, moment: MomentLike) -> Self:
        """At work at one moment: `at start`."""
        return self._windowed(("at", moment))

    def on(self, *selectors: SelectorLike) -> Self:
        """On these modules only, instead of those chosen before: `on conv, "layer1.*"`."""
        return self._aimed("on", selectors)

    def without(self, *selectors: SelectorLike) -> Self:
        """Not on these modules, instead of those left out before: `except first`."""
        return self._aimed("exclude", selectors)

    def always(self) -> Self:
        """Without a window, as a recipe means it that has none."""
        return self._placed((), self._targets)

    def _windowed(self, *bounds: tuple[str, Any], keep: tuple[str, ...] = ()) -> Self:
        said = {word: value for word, value in self._window if word in keep}
        for word, value in bounds:
            said[word] = typed(value, Duration if word == "for" else Moment, word)
        window = tuple((word, said[word]) for word in _ORDER if word in said)
        return self._placed(window, self._targets)

    def _aimed(self, field: str, selectors: tuple[SelectorLike, ...]) -> Self:
        words = {"on": self._targets.on, "exclude": self._targets.exclude, field: selectors}
        text = [self.call, *(f"{word} {value}" for word, value in self._window)]
        for name, word in (("on", "on"), ("exclude", "except")):
            if words[name]:
                text.append(f"{word} {', '.join(map(selector, words[name]))}")
        return self.read(" ".join(text), self.kind)

    def __repr__(self) -> str:
        said = dict(self._window)
        parts = [super().__repr__()]
        if {"from", "until"} == set(said):
            parts.append(f".between({str(said['from'])!r}, {str(said['until'])!r})")
        else:
            names = {"from": "since", "for": "lasting"}
            parts += [f".{names.get(w, w)}({str(v)!r})" for w, v in said.items()]
        for name, chosen in (("on", self._targets.on), ("without", self._targets.exclude)):
            if chosen:
                parts.append(f".{name}({', '.join(map(repr, map(_plain, chosen)))})")
        return "".join(parts)


def _plain(chosen: Selector) -> Selector | str:
    """A selector as it may be given: a word or a glob, itself where these say something else."""
    return chosen if chosen.form == "glob" and chosen.text in CLASSES else chosen.text


class Stage(Placed):
    """A technique at work over a window of training."""

    __slots__ = ()
    kind = "technique"


class Mask(Placed):
    """A mask method and the weights it may prune."""

    __slots__ = ()
    kind = "mask"


class Model(Call):
    """A network."""

    __slots__ = ()
    kind = "model"


class Data(Call):
    """A data set."""

    __slots__ = ()
    kind = "data"


class Optimizer(Call):
    """An optimizer."""

    __slots__ = ()
    kind = "optimizer"


class Schedule(Call):
    """A schedule of the learning rate."""

    __slots__ = ()
    kind = "schedule"


class Anneal(Call):
    """A law by which a stage's weight falls."""

    __slots__ = ()
    kind = "anneal"


class Augmentation(Call):
    """A random change of training images."""

    __slots__ = ()
    kind = "augmentation"


BASES: dict[str, type[Call]] = {
    base.kind: base
    for base in (Stage, Mask, Model, Data, Optimizer, Schedule, Anneal, Augmentation)
}
