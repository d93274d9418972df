"""What stages put into a network, and how it comes out again.

Techniques work through a `Site`, one for each stage at work. All sites of a run share a
`Surgeon`, which owns hooks, added modules and flags, and leaves the network as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from tostdsl.diagnostics import TostError
from tostdsl.engine import groups, nodes
from tostdsl.engine.hooks import Hidden, Hook, Joint, Unwidened
from tostdsl.engine.seeds import generator
from tostdsl.engine.shapes import Shapes, shapes
from tostdsl.engine.structure import Structure, activations_after
from tostdsl.plan.bases import DataFacts, ModuleFact
from tostdsl.plan.plan import StagePlan, Targets
from tostdsl.plan.targets import NoMatch, select
from tostdsl.units import Ramp

Masks = Mapping[str, Tensor] | Callable[[], Mapping[str, Tensor]]


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
    """The network as one stage sees it (`hooks.Network`)."""

    def __init__(self, surgeon: Surgeon, stage: StagePlan) -> None:
        self._surgeon = surgeon
        self._technique = stage.technique.name
        self.chosen = bool(stage.targets.on or stage.targets.exclude)
        """Whether the recipe selected layers for this stage."""
        self.targets: Sequence[str] = ()
        """Names of the selected layers, in the network's order."""
        if stage.technique.targeted:
            self.targets = layers(surgeon.model, stage.targets, surgeon.name, self._technique)
        self.added: dict[str, nn.Module] = {}
        """Modules beside the model, by the names the technique gave."""
        self._handles: list[RemovableHandle] = []
        self._kept: list[str] = []

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

    def module(self, name: str) -> nn.Module:
        """A module of the model by its dotted name."""
        return self.model.get_submodule(name)

    def hidden(self) -> tuple[Sequence[Hidden], Sequence[Unwidened]]:
        """Layers that can be widened, in order, and those that cannot."""
        return self._surgeon.structure.hidden()

    def joints(self) -> Sequence[Joint]:
        """The layers followed (past a normalisation and a residual sum) by an activation."""
        return self._surgeon.structure.joints()

    def activations(self) -> Sequence[str]:
        """Names of the activation modules, each once.

        Where the recipe selected layers, those that follow one of them.
        """
        if not self.chosen:
            self._tell_of_functions()
            return [
                name
                for name, module in self.model.named_modules()
                if isinstance(module, nodes.RECTIFIERS)
            ]
        found, shared = activations_after(self._surgeon.structure, self.targets)
        for name, others in shared.items():
            self.report(f"{name} also follows {', '.join(others)}, which it changes too")
        return [name for name in found if isinstance(self.module(name), nodes.RECTIFIERS)]

    def _tell_of_functions(self) -> None:
        try:
            count = self._surgeon.structure.activation_functions()
        except TostError:  # what cannot be traced may still have its activation modules hooked
            return
        if count:
            self.report(f"{count} activations are called as functions and stay as they are")

    def shape(self, name: str) -> Shapes:
        """Input and output shape of a module, without the batch."""
        return self._surgeon.shapes[name]

    def generator(self, purpose: str) -> torch.Generator:
        """A CPU generator derived from (seed, technique, purpose)."""
        return generator(self._surgeon.seed, self._technique, purpose)

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
        self._handles.append(self.module(name).register_forward_pre_hook(hook))

    def after(self, name: str, hook: Callable[[nn.Module, Any, Any], Any]) -> None:
        """A forward hook on a module of the model."""
        self._handles.append(self.module(name).register_forward_hook(hook))

    def keep_inputs(self, name: str) -> None:
        """Make an activation module leave its input alone while the stage is attached."""
        self._surgeon.hold(name)
        self._kept.append(name)

    def report(self, text: str) -> None:
        """A line for the run's log and screen."""
        self._surgeon.log(f"{self._technique}: {text}")

    def clear(self) -> None:
        """Take out all that was put in."""
        while self._handles:
            self._handles.pop().remove()
        while self._kept:
            self._surgeon.release(self._kept.pop())
        self.added.clear()


@dataclass(slots=True, eq=False)
class Attached:
    """A stage at work in the network."""

    index: int
    """Of the stage in the plan."""
    stage: StagePlan
    hook: Hook[Any]
    site: Site
    vector: Tensor
    """The stage's scalars, weight first, then its ramps: written at each step."""
    cells: dict[str, Tensor] = field(default_factory=dict)
    """0-d views of `vector`, by name."""

    @property
    def parameters(self) -> list[tuple[str, nn.Parameter]]:
        """Trained parameters of the added modules, by name."""
        return [
            (f"{owner}.{name}", parameter)
            for owner, module in self.site.added.items()
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        ]

    def state_dict(self) -> dict[str, Tensor]:
        """State of the added modules and of the hook, for a checkpoint."""
        states = {name: module.state_dict() for name, module in self.site.added.items()}
        added = {f"module:{n}:{k}": tensor for n, state in states.items() for k, tensor in
                 state.items()}  # fmt: skip
        return {**added, **{f"hook:{k}": tensor for k, tensor in self.hook.state_dict().items()}}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave; the same modules must be there."""
        for name, module in self.site.added.items():
            module.load_state_dict(_below(state, f"module:{name}:"))
        self.hook.load_state_dict(_below(state, "hook:"))


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): tensor for k, tensor in state.items() if k.startswith(prefix)}


class Surgeon:
    """Owns what stages put into one network during a run.

    `masks` are the masks in force by parameter name, or a function that gives them; `log` takes a
    line for the run's log; `name` is what messages call the network.
    """

    def __init__(
        self,
        model: nn.Module,
        facts: DataFacts,
        device: torch.device,
        seed: int,
        masks: Masks,
        log: Callable[[str], None],
        name: str | None = None,
    ) -> None:
        self.model = model
        self.facts = facts
        self.device = device
        self.seed = seed
        self.log = log
        self.name = name or type(model).__name__
        self._masks = masks
        self._attached: list[Attached] = []
        self._held: dict[str, tuple[bool, int]] = {}

    @property
    def masks(self) -> Mapping[str, Tensor]:
        """Masks in force by parameter name."""
        return self._masks() if callable(self._masks) else self._masks

    @property
    def attached(self) -> Sequence[Attached]:
        """Stages at work, in the order they entered."""
        return tuple(self._attached)

    @cached_property
    def structure(self) -> Structure:
        """The network's graph; `TostError` T503 if it cannot be traced."""
        return Structure(self.model, self.name)

    @cached_property
    def shapes(self) -> Mapping[str, Shapes]:
        """Input and output shapes of every module, without the batch."""
        beside = [m for attached in self._attached for m in attached.site.added.values()]
        return shapes(self.model, beside, self.facts, self.device, self.name)

    # -- stages

    def enter(self, index: int, stage: StagePlan, optimizer: Optimizer | None) -> Attached:
        """Attach a stage; parameters it adds are trained from here on.

        They become a parameter group of their own with the first group's settings. If the stage
        cannot be attached the network is left as it was.
        """
        site = Site(self, stage)
        names, values = ["weight"], [1.0]
        for name, value in stage.technique.arguments().items():
            if isinstance(value, Ramp):
                names.append(name)
                values.append(value.start)
        vector = torch.tensor(values, dtype=torch.float32, device=self.device)
        cells = {name: vector[place] for place, name in enumerate(names)}
        attached = Attached(index, stage, stage.technique.hook(), site, vector, cells)
        self._attached.append(attached)
        try:
            attached.hook.attach(site, cells)
        except BaseException:
            site.clear()
            self._attached.remove(attached)
            raise
        if optimizer is not None and attached.parameters:
            groups.put(optimizer, attached.parameters)
        return attached

    def leave(self, attached: Attached, optimizer: Optimizer | None) -> None:
        """Detach a stage and take out all it put in."""
        try:
            attached.hook.detach(attached.site)
        finally:
            if optimizer is not None:
                groups.take(optimizer, [parameter for _, parameter in attached.parameters])
            attached.site.clear()
            self._attached.remove(attached)

    def train(self, mode: bool = True) -> None:
        """Put the model and everything beside it into training or evaluation mode."""
        self.model.train(mode)
        for attached in self._attached:
            for module in attached.site.added.values():
                module.train(mode)

    # -- for sites

    def settle(self, module: nn.Module) -> None:
        """Give a module the model's device, memory format and mode."""
        module.to(self.device)
        if any(_channels_last(parameter) for parameter in self.model.parameters()):
            module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        module.train(self.model.training)

    def hold(self, name: str) -> None:
        """Keep a module from acting in place until it is released as often."""
        module: Any = self.model.get_submodule(name)
        if hasattr(module, "inplace"):
            flag, count = self._held.get(name, (module.inplace, 0))
            self._held[name] = flag, count + 1
            module.inplace = False

    def release(self, name: str) -> None:
        """Undo one `hold`; the last one puts the flag back."""
        if name in self._held:
            flag, count = self._held.pop(name)
            if count > 1:
                self._held[name] = flag, count - 1
            else:
                module: Any = self.model.get_submodule(name)
                module.inplace = flag


def _channels_last(tensor: Tensor) -> bool:
    return (
        tensor.dim() == 4
        and tensor.is_contiguous(memory_format=torch.channels_last)
        and not tensor.is_contiguous()
    )
