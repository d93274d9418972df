"""The network as one stage at work sees and changes it (`hooks.Network`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from tostdsl.diagnostics import TostError
from tostdsl.engine import nodes
from tostdsl.engine.calls import Call, Owner
from tostdsl.engine.hooks import Batch
from tostdsl.engine.places import Hidden, Joint, Stretch, Unwidened
from tostdsl.engine.seeds import generator
from tostdsl.engine.shapes import Shapes
from tostdsl.engine.structure import activations_after
from tostdsl.plan.bases import ModuleFact
from tostdsl.plan.plan import StagePlan, Targets
from tostdsl.plan.targets import NoMatch, select

if TYPE_CHECKING:
    from tostdsl.engine.surgery import Surgeon


def facts_of(model: nn.Module) -> tuple[ModuleFact, ...]:
    """A network's modules in order, each once."""
    return tuple(
        ModuleFact(
            name,
            "linear"
            if isinstance(module, nn.Linear)
            else "conv"
            if isinstance(module, nodes.LAYERS)
            else "other",
        )
        for name, module in model.named_modules()
        if name
    )


def layers(model: nn.Module, targets: Targets, name: str, owner: str = "mask") -> list[str]:
    """Names of the layers that targets select, in the network's order.

    `TostError` T501 where a selector matches none, T502 where none is left.
    """
    try:
        found = select(facts_of(model), targets.on, targets.exclude)
    except NoMatch as miss:
        raise TostError.of("T501", selector=miss.selector, model=name, help=miss.help) from None
    if not found and (targets.on or targets.exclude):
        reason = f"no layer is left of `{targets}`"
        raise TostError.of("T502", stage=owner, model=name, reason=reason)
    return found


class Site:
    """The network as one stage sees it (`hooks.Network`); `name` is what its lines call it."""

    def __init__(self, surgeon: Surgeon, stage: StagePlan, name: str | None = None) -> None:
        self._surgeon = surgeon
        self._technique = stage.technique.name
        self.name = name or self._technique
        self.chosen = bool(stage.targets.on or stage.targets.exclude)
        """Whether the recipe selected layers for this stage."""
        self.targets: Sequence[str] = ()
        """Names of the selected layers, in the network's order."""
        if stage.technique.targeted:
            self.targets = layers(surgeon.model, stage.targets, surgeon.name, self._technique)
        self.added: dict[str, nn.Module] = {}
        """Modules beside the model, by the names the technique gave."""
        self.touched: set[str] = set()
        """Modules and calls of the model that hooks were put on."""
        self._handles: list[RemovableHandle] = []
        self._calls_put: list[tuple[Call, Callable[[nn.Module, Any, Any], Any]]] = []
        self._kept: list[str] = []

    @property
    def handles(self) -> Iterator[int]:
        """PyTorch's numbers of the hooks put in."""
        return (handle.id for handle in self._handles)

    @property
    def owners(self) -> Iterator[Owner]:
        """The modules whose calls of functions have hooks, which run their written-out steps."""
        return (call.owner for call, _ in self._calls_put)

    # -- to look at

    @property
    def model(self) -> nn.Module:
        """The user's model."""
        return self._surgeon.model

    @property
    def masks(self) -> Mapping[str, Tensor]:
        """Masks in force by parameter name."""
        return self._surgeon.masks

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return self._surgeon.facts.classes

    @property
    def beside(self) -> Sequence[nn.Module]:
        """The modules that stages at work have put beside the model."""
        return self._surgeon.beside

    @property
    def rehearsal(self) -> bool:
        """Whether this run only crosses its boundaries."""
        return self._surgeon.rehearsal

    def module(self, name: str) -> nn.Module:
        """A module of the model by its dotted name."""
        return self.model.get_submodule(name)

    def hidden(self) -> tuple[Sequence[Hidden], Sequence[Unwidened]]:
        """Layers that can be widened, in order, and those that cannot."""
        return self._surgeon.structure.hidden()

    def joints(self) -> Sequence[Joint]:
        """The layers followed (past a normalisation and a residual sum) by an activation."""
        return self._surgeon.structure.joints()

    def stretches(self) -> Sequence[Stretch]:
        """Blocks of several layers that follow one another, in the network's order."""
        return self._surgeon.structure.stretches()

    def activations(self) -> Sequence[str]:
        """Names of the activations, each once: modules, and calls of functions by their place.

        Where the recipe selected layers, those that follow one of them.
        """
        calls = self._calls()
        if not self.chosen:
            modules = [
                name
                for name, module in self.model.named_modules()
                if isinstance(module, nodes.RECTIFIERS)
            ]
            return [*modules, *calls]
        found, shared = activations_after(self._surgeon.structure, self.targets)
        for name, others in shared.items():
            self.report(f"{name} also follows {', '.join(others)}, which it changes too")
        return [
            name
            for name in found
            if name in calls or isinstance(self.module(name), nodes.RECTIFIERS)
        ]

    def _calls(self) -> Mapping[str, Call]:
        """Calls of activations as functions; what cannot be reached is told of."""
        try:
            functions = self._surgeon.functions
        except TostError as error:
            if self.chosen or error.diagnostics[0].code != "T503":
                raise
            reason = error.diagnostics[0].message  # its activation modules can still be hooked
            self.report(f"activations called as functions stay as they are: {reason}")
            return {}
        for owner, why in functions.missed.items():
            where = f"`{owner}`" if owner else "the network's own code"
            self.report(f"activations that {where} calls as functions stay as they are: {why}")
        return functions.calls

    def activation(self, name: str) -> str:
        """What an activation computes, by PyTorch's name of the function."""
        call = self._surgeon.call(name)
        return call.kind if call is not None else nodes.kind(self.module(name))

    def activated(self, name: str, tensor: Tensor) -> Tensor:
        """What an activation gives for a tensor, which stays; no stage's hook runs."""
        call = self._surgeon.call(name)
        result: Tensor = (call.plain if call else self.module(name).forward)(tensor.clone())
        return result

    def shape(self, name: str) -> Shapes:
        """Input and output shape of a module, without the batch."""
        return self._surgeon.shapes[name]

    def normalised(self) -> frozenset[str]:
        """Layers whose scale normalisations take out again."""
        return self._surgeon.normalised()

    def generator(self, purpose: str) -> torch.Generator:
        """A CPU generator derived from (seed, technique, purpose)."""
        return generator(self._surgeon.seed, self._technique, purpose)

    def batch(self, purpose: str, index: int) -> Batch:
        """A batch of training images drawn by (seed, technique, purpose, index)."""
        if self._surgeon.draw is None:
            raise ValueError("this surgeon was given no training images")
        return self._surgeon.draw(f"{self._technique} {purpose}", index)

    # -- to change

    def add(self, name: str, module: nn.Module) -> nn.Module:
        """Put a module beside the model: on its device, trained, saved, following its mode."""
        if name in self.added:
            raise ValueError(f"`{self._technique}` adds `{name}` twice")
        self._surgeon.settle(module)
        self.added[name] = module
        return module

    def before(self, name: str, hook: Callable[[nn.Module, Any], Any]) -> None:
        """A forward pre-hook on a module of the model."""
        self.touched.add(name)
        self._handles.append(self.module(name).register_forward_pre_hook(hook))

    def after(self, name: str, hook: Callable[[nn.Module, Any, Any], Any]) -> None:
        """A forward hook on a module of the model, or after a call of a function."""
        self.touched.add(name)
        call = self._surgeon.call(name)
        if call is not None:
            call.put(hook)
            self._calls_put.append((call, hook))
            return
        self._handles.append(self.module(name).register_forward_hook(hook))

    def keep_inputs(self, name: str) -> None:
        """Make an activation leave its input alone while the stage is attached."""
        if self._surgeon.call(name) is not None:
            return  # a call never writes into its input while anything is hooked to it
        self._surgeon.hold(name)
        self._kept.append(name)

    def report(self, text: str) -> None:
        """A line for the run's log and screen."""
        self._surgeon.log(f"{self.name}: {text}")

    def clear(self) -> None:
        """Take out all that was put in."""
        while self._handles:
            self._handles.pop().remove()
        while self._calls_put:
            call, hook = self._calls_put.pop()
            call.take(hook)
        while self._kept:
            self._surgeon.release(self._kept.pop())
        self.added.clear()
