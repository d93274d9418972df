"""A network of the user's own, made by a Python function."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING

from tostdsl.plan.bases import DataFacts, ModelSpec
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.usercode import problems

if TYPE_CHECKING:
    import torch


@register("python")
class PythonModel(ModelSpec):
    """A network of your own: a function, or a class, of a Python module.

    It is called with `kwargs` and, where it has parameters of these names, `num_classes`,
    `in_channels` and `image_size` (the side of square images in pixels, else height and width).
    It gives a new `torch.nn.Module` each time, on the CPU, with weights drawn from torch's
    generator, which takes N x channels x height x width to N x classes. Checking never imports
    it; `tost run`, `tost mask` and `tost verify` do only with `--allow-code`. Modules are looked
    for in the current folder first. The fingerprint of the plan holds the name and `kwargs`
    only, so the run folder records the checksum of the function's file (of that file alone).
    """

    runs_code = True
    positional = "function"
    examples = ('python("nets:tiny")', 'python("lab.nets:tiny", kwargs=["width=16"])')
    other_arguments = MappingProxyType(
        {"arguments": "kwargs", "args": "kwargs", "params": "kwargs"}
    )
    function: str = arg(doc='where it is: `"package.module:function"`', example='"nets:tiny"')
    kwargs: tuple[str, ...] = arg(
        (), "what it is called with: `name=value` each, the value a literal of Python"
    )

    def check(self, site: CheckSite) -> Iterable[Problem]:
        return problems(self.function, self.kwargs)

    def build(self, facts: DataFacts) -> torch.nn.Module:
        from tostdsl.models.nets.own import own

        return own(self.function, self.kwargs, facts)
