"""What a plug-in is written against: bases, arguments, the registry, the hook protocol.

`examples/plugin` is one to start from. A plug-in is a package with an entry point in the group
`tostdsl.plugins` that names a module; importing that registers its classes, each a subclass of the
base of its kind below. What a technique does while training is its `hook()`, a `Hook`; its events
stand, in the training loop, in the docstring of `tostdsl.engine.hooks`. Loads no torch: import it
inside of methods.
"""

from __future__ import annotations

from tostdsl.anneals import Constant, Cosine, Exponential, Linear, Step
from tostdsl.diagnostics import TostError
from tostdsl.engine.hooks import Batch, Hook, Network
from tostdsl.plan.bases import (
    Anneal,
    AnyAnneal,
    Augmentation,
    DataFacts,
    DataSet,
    Images,
    LoadOptions,
    ModelSpec,
    ModuleFact,
    OptimizerSpec,
    Removable,
    ScheduleSpec,
    Split,
    Technique,
)
from tostdsl.plan.masking import MaskMethod
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.units import Duration, Factor, Moment, Percent, Ramp, Window

__all__ = [
    "Anneal",
    "AnyAnneal",
    "Augmentation",
    "Batch",
    "CheckSite",
    "Constant",
    "Cosine",
    "DataFacts",
    "DataSet",
    "Duration",
    "Exponential",
    "Factor",
    "Hook",
    "Images",
    "Linear",
    "LoadOptions",
    "MaskMethod",
    "ModelSpec",
    "ModuleFact",
    "Moment",
    "Network",
    "OptimizerSpec",
    "Percent",
    "Problem",
    "Ramp",
    "Removable",
    "ScheduleSpec",
    "Split",
    "Step",
    "Technique",
    "TostError",
    "Window",
    "arg",
    "register",
]
