"""Recipes made in Python: every registered thing as a class, and `Recipe` to put them together.

A recipe made here is written as recipe text and compiled like any other, so text and Python give
the same plans, fingerprints and messages. Its modules are loaded when they are asked for.
What a recipe could say, but not there, is refused with the compiler's `TostError`; what is of no
type that is taken, with a `TypeError` that names those that are.
The base class of each kind stands here; `Stage.named("ghost")` gives a class by a recipe's name.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tostdsl.build import (
        anneals,
        augmentations,
        data,
        masks,
        models,
        optimizers,
        schedules,
        techniques,
    )
    from tostdsl.build.kinds import (
        Anneal,
        Augmentation,
        Data,
        Mask,
        Model,
        Optimizer,
        Schedule,
        Stage,
    )

__all__ = [
    "Anneal",
    "Augmentation",
    "Data",
    "Mask",
    "Model",
    "Optimizer",
    "Schedule",
    "Stage",
    "anneals",
    "augmentations",
    "data",
    "masks",
    "models",
    "optimizers",
    "schedules",
    "techniques",
]

if not TYPE_CHECKING:  # else any name would do for a type checker

    def __getattr__(name):
        if name in __all__:
            from importlib import import_module

            if name[0].isupper():
                return getattr(import_module(f"{__name__}.kinds"), name)
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)

    def __dir__():
        return sorted({*(name for name in globals() if name[:2] == "__"), *__all__})
