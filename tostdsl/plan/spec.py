"""Base of everything a recipe can name: a registered class whose typed fields are its arguments.

From the class come names, argument and value errors, defaults, documentation and JSON. Nothing
here loads torch: a spec says what is wanted, its runtime half does it.

Annotations are evaluated here and in `bases`: written as strings, pydantic would compile those of
a base class again for each class below it, which takes longer than all else that a check does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SerializationInfo,
    ValidationInfo,
)

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

Kind = Literal[
    "technique", "mask", "model", "data", "optimizer", "schedule", "anneal", "augmentation"
]


IDENTITY = "identity"
"""The context in which a spec is written for the fingerprint: without what is `unidentified`."""


def arg(
    default: Any = ...,
    doc: str = "",
    *,
    unit: str | None = None,
    example: str | None = None,
    **bounds: Any,
) -> Any:
    """An argument: its default (required when left out), one line of documentation, its bounds.

    `bounds` are pydantic's (`ge`, `le`, `gt`, `lt`, `min_length`); `unit` and `example` (a value as
    a recipe writes it, where that of the type would not do) are shown in help.
    """
    extra: dict[str, Any] = {k: v for k, v in (("unit", unit), ("example", example)) if v}
    return Field(default, description=doc, json_schema_extra=extra or None, **bounds)


class Lookup(Protocol):
    """What reading a plan back needs from the registry."""

    def __call__(self, kind: str, name: str) -> "type[Spec]": ...


class Spec(BaseModel):
    """A registered name with its arguments.

    Class attributes say what the compiler must know: `kind` and `name` (set by registration),
    `revision` (raised when the meaning changes; part of the fingerprint), `positional` (the
    argument that may be given without its name).
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        validate_default=False,
        defer_build=True,  # most registered names are not in the recipe at hand
    )

    kind: ClassVar[Kind]
    name: ClassVar[str]
    revision: ClassVar[int] = 1
    positional: ClassVar[str | None] = None
    runs_code: ClassVar[bool] = False
    """Whether it imports and calls what its fields `function` and `kwargs` name (`plan.code`)."""
    permissions: ClassVar[frozenset[str]] = frozenset()
    """Arguments that let pass what would be refused, and change nothing of what is computed: they
    stay out of the fingerprint."""
    examples: ClassVar[tuple[str, ...]] = ()
    """How it is written in a recipe, for help; each is checked by the tests. A technique's are
    whole stages, the others' are calls."""
    own_codes: ClassVar[tuple[str, ...]] = ()
    """Codes of messages that only runs with it give, for help."""

    other_names: ClassVar[Mapping[str, str]] = {}
    """What the field calls it elsewhere, in small letters, each with the call to write here, in
    which `{value}` is what was given. Like the two below it serves messages only, and adds to what
    a base class says."""
    other_arguments: ClassVar[Mapping[str, str]] = {}
    """What the field calls its arguments, each with what to say here: an argument's name; or whole
    arguments (`over=global`), in which `{value}` is what was given, `{0}`, `{1}` its items,
    `{rest}` what is left of 100%, `{every}` the moments of training that lie so far apart, and
    `{n}` what the argument `n` beside it was given; or a sentence. What a first argument without a
    name is elsewhere, is said of the empty name."""
    other_values: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """For an argument, what the field calls its choices, each with the choice, or a sentence."""

    def arguments(self) -> dict[str, Any]:
        """The arguments by name, as values."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def unidentified(self) -> frozenset[str]:
        """Arguments that stay out of the fingerprint: the permissions, and what others stand for.

        Only what changes nothing of what is computed, given the arguments that stay in.
        """
        return self.permissions

    def check(self, site: "CheckSite") -> "Iterable[Problem]":
        """What needs more than one field or the rest of the recipe; yields problems."""
        return ()

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> "CoreSchema":
        # what pydantic's decorators would do, without looking at their signatures once a class
        from pydantic_core import core_schema

        serialized = core_schema.wrap_serializer_function_ser_schema(cls._to_json, info_arg=True)
        schema = cast("CoreSchema", {**handler(source), "serialization": serialized})
        return core_schema.with_info_wrap_validator_function(cls._from_json, schema)

    def _to_json(self, handler: Any, info: SerializationInfo) -> dict[str, Any]:
        args = handler(self)
        if info.context == IDENTITY:
            out = self.unidentified()
            args = {name: value for name, value in args.items() if name not in out}
        return {"name": self.name, "revision": self.revision, "args": args}

    @classmethod
    def _from_json(cls, data: Any, handler: Any, info: ValidationInfo) -> Self:
        if isinstance(data, Mapping) and "args" in data and "name" in data:
            lookup: Lookup | None = (info.context or {}).get("lookup")
            target = lookup(cls.kind, data["name"]) if lookup else cls
            if data.get("revision") != target.revision:
                raise ValueError(
                    f"`{data['name']}` has revision {target.revision} here, "
                    f"the plan wants {data.get('revision')}"
                )
            if target is not cls:
                return target.model_validate(dict(data), context=info.context)  # type: ignore[return-value]
            data = data["args"]
        return handler(data)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a spec's `check` found: a code of the catalogue, its values, and the fields it is in.

    The compiler turns field names into spans. With no fields the whole call is underlined.
    """

    code: str
    values: Mapping[str, object]
    fields: tuple[str, ...] = ()
    help: str | None = None


@dataclass(frozen=True, slots=True)
class CheckSite:
    """What a spec may look at while it is checked: the rest of the recipe, by slot."""

    model: Spec | None = None
    data: Spec | None = None
    mask: Spec | None = None
    window: object = None
