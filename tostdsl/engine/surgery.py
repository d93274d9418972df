"""What stages put into a network, and how it comes out again.

Techniques work through a `Site`, one for each stage at work. All sites of a run share a
`Surgeon`, which owns hooks, added modules and flags, and leaves the network as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tostdsl.diagnostics import TostError
from tostdsl.engine import groups
from tostdsl.engine.absorbed import normalised
from tostdsl.engine.calls import Call, Functions
from tostdsl.engine.hooks import Batch, Hook
from tostdsl.engine.makeup import Parts
from tostdsl.engine.shapes import Shapes, shapes
from tostdsl.engine.site import Site, facts_of, layers
from tostdsl.engine.structure import Structure
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.plan import StagePlan
from tostdsl.units import Ramp

__all__ = ["Attached", "Site", "Surgeon", "facts_of", "layers"]

TRIAL = 4
"""Images in a trial of written-out code: enough for statistics of a channel with one place."""
SHOWN = 3
"""How many modules a line names."""
Masks = Mapping[str, Tensor] | Callable[[], Mapping[str, Tensor]]
Draw = Callable[[str, int], Batch]
"""Training batches by purpose and index, see `Feed.drawn`."""


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

    def buffers(self) -> Iterator[Tensor]:
        """What the modules that it added hold besides parameters."""
        for module in self.site.added.values():
            yield from module.buffers()

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
    line for the run's log; `name` is what messages call the network; `draw` gives training images
    beside the training's own order; `rehearsal` says that the run only crosses its boundaries;
    `names` are what lines call the plan's stages, where that is more than their techniques' names.
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
        draw: Draw | None = None,
        rehearsal: bool = False,
        names: Sequence[str] = (),
    ) -> None:
        self.model = model
        self.facts = facts
        self.draw = draw
        self.rehearsal = rehearsal
        self.device = device
        self.seed = seed
        self.log = log
        self.name = name or type(model).__name__
        self._masks = masks
        self._names = names
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
    def functions(self) -> Functions:
        """The activations called as functions whose written-out steps were tried and hold."""
        functions = self.structure.functions
        draw = torch.Generator().manual_seed(0)
        images = torch.randn((TRIAL, *self.facts.shape), generator=draw)
        dtype = next((p.dtype for p in self.model.parameters() if p.is_floating_point()), None)
        try:
            functions.prove(self.model, self.beside, images.to(self.device, dtype))
        except RuntimeError as error:
            reason = (str(error).splitlines() or [""])[0]
            shape = "x".join(map(str, self.facts.shape))
            raise TostError.of("T506", model=self.name, shape=shape, reason=reason) from error
        return functions

    def call(self, name: str) -> Call | None:
        """A call of a function by its place; None for a module's name."""
        return self.functions.calls.get(name) if name.rstrip("#0123456789")[-2:] == "()" else None

    @cached_property
    def shapes(self) -> Mapping[str, Shapes]:
        """Input and output shapes of every module, without the batch."""
        return shapes(self.model, self.beside, self.facts, self.device, self.name)

    def normalised(self) -> frozenset[str]:
        """Layers whose scale normalisations take out again (`absorbed`)."""
        return normalised(self.model, self.beside, self.facts, self.device, self.name)

    @property
    def beside(self) -> list[nn.Module]:
        """The modules that stages at work have put beside the model."""
        return [m for attached in self._attached for m in attached.site.added.values()]

    @property
    def parts(self) -> Parts:
        """What the stages at work have in the network's own modules."""
        sites = [attached.site for attached in self._attached]
        return Parts(
            frozenset(number for site in sites for number in site.handles),
            {name: flag for name, (flag, _) in self._held.items()},
            {owner.name: owner.written for site in sites for owner in site.owners},
        )

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Log nothing meanwhile: what enters again has been told before."""
        log, self.log = self.log, lambda _text: None
        try:
            yield
        finally:
            self.log = log

    # -- stages

    def prepare(self, stage: StagePlan) -> None:
        """Let a stage refuse the network, with its own `TostError`, before any enters it."""
        stage.technique.hook().prepare(Site(self, stage))

    def enter(self, index: int, stage: StagePlan, optimizer: Optimizer | None) -> Attached:
        """Attach a stage; parameters it adds are trained from here on.

        They become a parameter group of their own with the first group's settings. If the stage
        cannot be attached the network is left as it was.
        """
        site = Site(self, stage, self._names[index] if self._names else None)
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
        self._shared(attached)
        if optimizer is not None and attached.parameters:
            groups.put(optimizer, attached.parameters)
        return attached

    def _shared(self, attached: Attached) -> None:
        """Say where a stage acts that another one of its technique acts on, too.

        What stages claim for themselves is refused before; the rest may well be meant.
        """
        technique = attached.stage.technique
        for other in self._attached:
            same = other is not attached and other.stage.technique.name == technique.name
            apart = technique.claims() and other.stage.technique.claims()
            places = sorted(attached.site.touched & other.site.touched)
            if same and not apart and places:
                shown = ", ".join(places[:SHOWN]) + (", …" if len(places) > SHOWN else "")
                named = other.site.name != attached.site.name
                which = other.site.name if named else f"another {technique.name}"
                text = f"{which} is at work on the same modules, and both act: {shown}"
                attached.site.report(text)

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
