"""A registered thing with arguments, made in Python and checked as it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from tostdsl.build.written import Written, one_statement, refuse, written
from tostdsl.compile import windows
from tostdsl.compile.calls import build
from tostdsl.compile.lower import problems
from tostdsl.compile.print import call_text
from tostdsl.compile.values import Reader
from tostdsl.diagnostics import Diagnostic, diagnose
from tostdsl.plan.plan import Targets
from tostdsl.plan.spec import CheckSite, Kind, Spec
from tostdsl.registry import KINDS
from tostdsl.syntax import nodes as n
from tostdsl.units import Duration, Moment, Unit

NOWHERE = Targets()
"""No targets of its own: all that there are."""

Bound = tuple[str, Moment | Duration]
"""A word of a window (`until`) and its value."""


class Call(Written):
    """A registered thing by kind and name, with the arguments given.

    Each has a class of its own (`tostdsl.build.masks.Random`), whose arguments are those of the
    registration; `TostError` carries what the compiler finds wrong with them, also what it would
    only warn of. What needs the rest of a recipe is checked there. Two are equal when a recipe
    would write them alike.

    Arguments are attributes, given or default (`masks.Random(sparsity="90%").distribution`), calls
    among them as such; one that is named as something here, as `of` is, is in `given` and `spec`.
    Type checkers know those of each class, so of `recipe.mask` where `isinstance` told which it is.
    """

    __slots__ = ("_given", "_spec", "_targets", "_window")

    kind: ClassVar[Kind]
    name: ClassVar[str]
    registered: ClassVar[type[Spec]]

    _spec: Spec
    _given: Mapping[str, Any]
    _window: tuple[Bound, ...]
    _targets: Targets

    def __init__(self, /, *first: Any, **arguments: Any) -> None:
        fields = self.registered.model_fields
        words = []
        for index, value in enumerate(first):
            lead = self.registered.positional if index == 0 else None
            words.append(written(value, fields[lead].annotation if lead else None))
        for argument, value in arguments.items():
            info = fields.get(argument)
            if value is None and info is not None and info.default is None:
                continue  # left out
            words.append(f"{argument}={written(value, info.annotation if info else None)}")
        text = f"{self.name}({', '.join(words)})" if words else self.name
        self._fill(*_read(self.kind, text))

    @classmethod
    def of(cls, kind: Kind, name: str, /, *first: Any, **arguments: Any) -> Call:
        """What is registered under a name, built in or a third party's; `TostError` T201."""
        from tostdsl.build.classes import named

        return named(kind, name)(*first, **arguments)

    @classmethod
    def named(cls, name: str) -> type[Self]:
        """The class of a name of this kind (`Stage.named("ghost")`), third parties' as well.

        `TostError` T201 where nothing is registered under it.
        """
        from tostdsl.build.classes import named

        return named(cls.kind, name)  # type: ignore[return-value]

    @classmethod
    def read(cls, text: str, kind: Kind | None = None) -> Self:
        """What a recipe's text says; `TostError` where it is wrong, or of another kind."""
        return lenient(kind or cls.kind, text, warned=False)  # type: ignore[return-value]

    @property
    def spec(self) -> Spec:
        """What the compiler made of it: typed, with every default."""
        return self._spec

    @property
    def given(self) -> Mapping[str, Any]:
        """The arguments that were given, by name, in the order of the registration."""
        return dict(self._given)

    def replace(self, /, **arguments: Any) -> Self:
        """The same with other arguments; those that are not named stay, None leaves one out."""
        kept = {k: v for k, v in {**self.given, **arguments}.items() if v is not None}
        return type(self)(**kept)._placed(self._window, self._targets)

    def _fill(
        self, spec: Spec, given: Mapping[str, Any], window: tuple[Bound, ...], targets: Targets
    ) -> None:
        values = {"_spec": spec, "_given": given, "_window": window, "_targets": targets}
        for slot, value in values.items():
            object.__setattr__(self, slot, value)

    def _placed(self, window: tuple[Bound, ...], targets: Targets) -> Self:
        words = [str(self.call), *(f"{word} {value}" for word, value in window), str(targets)]
        return self.read(" ".join(filter(None, words)), self.kind)

    @property
    def call(self) -> str:
        """The call alone, as a recipe writes it: without window and targets."""
        return call_text(self._spec, given=self._given)

    if not TYPE_CHECKING:  # else any name would do for a type checker; the stubs have each

        def __getattr__(self, name: str) -> Any:
            fields = type(self).registered.model_fields
            if name in fields:
                given = self._given
                return given[name] if name in given else _default(getattr(self._spec, name))
            known = ", ".join(fields) or "none"
            said = f"{type(self).__name__!r} has no attribute {name!r}; its arguments: {known}"
            raise AttributeError(said, name=name, obj=self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.registered.model_fields]

    def __str__(self) -> str:
        words = [self.call, *(f"{word} {value}" for word, value in self._window)]
        return " ".join(filter(None, [*words, str(self._targets)]))

    def __repr__(self) -> str:
        from tostdsl.build.classes import titled

        given = self.given.items()
        inside = [f"{name}={_repr(value)}" for name, value in given if not iskeyword(name)]
        others = [f"{name!r}: {_repr(value)}" for name, value in given if iskeyword(name)]
        inside += [f"**{{{', '.join(others)}}}"] if others else []
        made = f"{_module(self.kind)}.{type(self).__name__}"
        if not titled(self.registered):
            made = f"{type(self).__base__.__name__}.named({self.name!r})"  # type: ignore[union-attr]
        return f"{made}({', '.join(inside)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Call):
            return NotImplemented
        return (self.kind, str(self)) == (other.kind, str(other))

    def __hash__(self) -> int:
        return hash((self.kind, str(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return again, (self.kind, str(self))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field {name!r}")


def lenient(kind: Kind, text: str, *, warned: bool = True) -> Call:
    """What a recipe's text says; with `warned` what the compiler warns of is taken as it is."""
    return _call(*_read(kind, text, warned))


def _call(
    spec: Spec, given: Mapping[str, Any], window: tuple[Bound, ...] = (), targets: Targets = NOWHERE
) -> Call:
    """A call of these parts."""
    from tostdsl.build.classes import class_of

    made = object.__new__(class_of(type(spec)))
    made._fill(spec, given, window, targets)
    return made


def _given(spec: Spec, node: n.Call) -> dict[str, Any]:
    """The arguments that a call gives, by name, in the order of the registration."""
    said = {each.name.text if each.name else spec.positional: each.value for each in node.arguments}
    return {
        name: _said(getattr(spec, name), said[name])
        for name in type(spec).model_fields
        if name in said
    }


def _said(value: Any, node: n.Value) -> Any:
    """A value as it was written: of a spec the call, with the arguments that this gives."""
    match value, node:
        case Spec(), n.Call():
            return _call(value, _given(value, node))
        case tuple(), n.ListValue():
            return tuple(map(_said, value, node.items))
    return value


def _default(value: Any) -> Any:
    """A default as it would be written."""
    if isinstance(value, tuple):
        return tuple(map(_default, value))
    return lenient(value.kind, call_text(value)) if isinstance(value, Spec) else value


def again(kind: Kind, text: str) -> Call:
    """A call from its text, as pickle wants it."""
    return Call.read(text, kind)


def _module(kind: str) -> str:
    """The module of `tostdsl.build` that a kind's classes are in."""
    return KINDS[kind].removesuffix(" sets")


def _repr(value: Any) -> str:
    """A typed value as Python that gives it back."""
    if isinstance(value, Unit):
        return repr(str(value))
    if isinstance(value, tuple):
        return f"[{', '.join(map(_repr, value))}]"
    return repr(value)


def _read(
    kind: Kind, text: str, warned: bool = False
) -> tuple[Spec, dict[str, Any], tuple[Bound, ...], Targets]:
    """The spec of a text, the arguments given, its window and its targets."""
    if not isinstance(kind, str) or kind not in KINDS:
        raise TypeError(f"a kind is one of {', '.join(KINDS)}")
    node = one_statement(text, n.Stage, f"one {kind.replace('data', 'data set')}")
    found: list[Diagnostic] = []
    reader = Reader({}, found)
    built = build(reader, node.call, kind)
    windows.window(node.window, None, reader)
    targets, _ = windows.targets(node.targets, reader)
    if kind not in ("technique", "mask"):
        found += [diagnose("T409", bound.span, name=kind) for bound in node.window]
        chosen = (*node.targets.on, *node.targets.exclude)
        found += [diagnose("T410", value.span, name=kind) for value in chosen]
    if built is not None:
        reports = problems(built, CheckSite())
        found += [report for report in reports if report.severity == "error"]
    refuse([each for each in found if not warned or each.severity == "error"])
    assert built is not None
    window = []
    for bound in node.window:
        word = bound.word.text
        window.append((word, reader.read(bound.value, Duration if word == "for" else Moment, word)))
    return built.spec, _given(built.spec, built.call), tuple(window), targets
