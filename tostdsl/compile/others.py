"""What other tools and papers call things: from the name in the field to the one written here.

Registered classes declare their own (`Spec.other_names`, `other_arguments`, `other_values`), so a
plug-in's are known like the built-in ones. The words of the language itself stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tostdsl import registry
from tostdsl.plan.spec import Spec
from tostdsl.syntax import nodes as n
from tostdsl.units import Percent

SLOTS: dict[str, str] = {
    **dict.fromkeys(("net", "network", "arch", "architecture", "backbone"), "model"),
    **dict.fromkeys(("dataset", "dataloader", "datamodule"), "data"),
    **dict.fromkeys(("prune", "pruning", "pruner", "sparsify", "sparsity", "masks"), "mask"),
    **dict.fromkeys(("optim", "opt", "solver"), "optimizer"),
    **dict.fromkeys(("scheduler", "lr_scheduler", "lr_schedule"), "schedule"),
}
METRICS: dict[str, str] = {
    **dict.fromkeys(("acc", "acc1", "top1", "top_1", "test_accuracy", "test_acc"), "accuracy"),
    **dict.fromkeys(("val_accuracy", "val_acc", "validation_accuracy"), "accuracy"),
    **dict.fromkeys(("test_loss", "val_loss", "cross_entropy"), "loss"),
    **dict.fromkeys(("pruned", "zeros"), "sparsity"),
}
WHOLE = ("everywhere", "all", "always", "throughout", "everything")
"""How a technique at work in every layer, or in all of training, is said to be that."""
SETTINGS: dict[str, dict[str, str]] = {
    "precision": {
        **dict.fromkeys(("float32", "float", "full", "single", "32"), "fp32"),
        **dict.fromkeys(("float16", "half", "16"), "fp16"),
        "bfloat16": "bf16",
    }
}
"""For a setting, what its choices are called."""


WINDOW: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("start", "begin", "start_epoch", "begin_epoch"), ("from", "epoch")),
    **dict.fromkeys(("end", "stop", "end_epoch", "stop_epoch"), ("until", "epoch")),
    **dict.fromkeys(("start_step", "begin_step"), ("from", "step")),
    **dict.fromkeys(("end_step", "stop_step"), ("until", "step")),
    **dict.fromkeys(("epochs", "num_epochs", "duration"), ("for", "epochs")),
    **dict.fromkeys(("steps", "num_steps"), ("for", "steps")),
}
"""Arguments of other tools that are a part of the window here, and what their numbers count."""
TARGETS: dict[str, str] = {
    **dict.fromkeys(("layer", "layers", "module", "modules", "include", "targets"), "on"),
    **dict.fromkeys(("exclude", "excluded", "ignore", "skip_layers", "exclude_layers"), "except"),
}
"""Arguments of other tools that are targets here."""


def said_otherwise(word: str, others: Mapping[str, str]) -> str | None:
    """What to write for a word of the field, whatever its capitals."""
    return others.get(word) or others.get(word.lower())


def merged(cls: type[Spec], table: str) -> dict[str, Any]:
    """One of a class's tables, with those of its bases."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        found |= base.__dict__.get(table, {})
    return found


def call_meant(kind: str, name: str) -> str | None:
    """The call to write for a name that the field gives something of a kind."""
    for cls in registry.loaded(kind):
        said = said_otherwise(name, cls.__dict__.get("other_names", {}))
        if said is not None:
            return said
    return None


def argument_said(cls: type[Spec], name: str) -> str | None:
    """What `Spec.other_arguments` says of a name, not filled in."""
    return said_otherwise(name, merged(cls, "other_arguments"))


def argument_meant(
    cls: type[Spec], argument: n.Argument, more: Mapping[str, str] | None = None
) -> str | None:
    """What to say for an argument that the field names so: see `Spec.other_arguments`.

    `more` are the values of the arguments beside it, and others that the answer may speak of.
    """
    assert argument.name is not None
    said = argument_said(cls, argument.name.text)
    if said is not None and said.isidentifier() and said not in cls.model_fields:
        return None  # of a base class, and this one has no such argument
    if said is None or "{" not in said:
        return said
    value = argument.value
    items = value.items if isinstance(value, n.ListValue) else ()
    rest = "…"
    match value:
        case n.Literal(value=Percent(value=share)):
            rest = str(Percent(100 - share))
        case n.Literal(value=(int() | Decimal()) as share) if 0 < share < 1:
            rest = str(Percent((100 - Decimal(share) * 100).normalize()))
    try:
        texts = [item.span.text for item in items]
        return said.format(*texts, **{**(more or {}), "value": value.span.text, "rest": rest})
    except (IndexError, KeyError):  # fewer items than it speaks of, or none of the others
        return None
