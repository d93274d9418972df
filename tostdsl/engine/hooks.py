"""The protocol between the engine and a technique at work. Loads no torch.

A technique says what it does at which event; the engine owns windows, weights, order, masks and
the trace, and takes out whatever was put in. The events, in their places::

    hook.prepare(net)                   # once, before the first phase
    for segment in phase:
        hook.detach(net)                # of stages that leave here, last in first out
        hook.attach(net, cells)         # of stages that enter here
        for step in segment:
            cells <- the stage's weight and ramps at this step
            hook.batch(batch)           # may change images and targets
            outputs = model(batch.images)
            loss = cross_entropy(outputs, batch.targets)
            loss = hook.loss(loss)      # may add to it            (reverse order)
            loss.backward()
            hook.grads()                # gradients are there      (reverse order)
            optimizer.step(), masks applied
            hook.stepped()              # weights are new          (reverse order)
        hook.epoch()                    # at the end of an epoch   (reverse order)

A hook that needs to remember more than the modules it added keeps it in `state_dict`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from tostdsl.plan.bases import Technique

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from tostdsl.engine.places import Hidden, Joint, Stretch, Unwidened


@dataclass(slots=True)
class Batch:
    """One batch on the device."""

    images: Tensor
    """Normalised floats, N x C x H x W."""
    labels: Tensor
    """True classes, int64, N. Never changed: accuracy is measured on them."""
    targets: Tensor
    """What the loss is taken against: `labels`, or probabilities, N x classes."""
    step: int = 0
    """The step of the training it is for; what is random in a hook is derived from it."""


class Network(Protocol):
    """The network as a technique may see and change it.

    Everything put in here is taken out by the engine when the stage leaves.
    """

    @property
    def model(self) -> nn.Module:
        """The user's model. Its modules' classes and `state_dict` keys never change."""

    @property
    def targets(self) -> Sequence[str]:
        """Names of the layers this stage's `on` and `except` select, in the network's order.

        Layers are convolutions and linear layers; without `on` all of them.
        """

    @property
    def chosen(self) -> bool:
        """Whether the recipe selected layers for this stage (`on` or `except`)."""

    @property
    def masks(self) -> Mapping[str, Tensor]:
        """Masks in force by parameter name (bool, True is kept)."""

    @property
    def classes(self) -> int:
        """How many classes there are."""

    @property
    def beside(self) -> Sequence[nn.Module]:
        """The modules that stages at work have put beside the model."""

    @property
    def rehearsal(self) -> bool:
        """Whether this run only crosses its boundaries, so that long work may be cut short."""

    def module(self, name: str) -> nn.Module:
        """A module of the model by its dotted name."""

    def hidden(self) -> tuple[Sequence[Hidden], Sequence[Unwidened]]:
        """Layers that can be widened, in order, and those that cannot."""

    def joints(self) -> Sequence[Joint]:
        """The layers followed (past a normalisation and a residual sum) by an activation."""

    def stretches(self) -> Sequence[Stretch]:
        """Blocks of several layers that follow one another, in the network's order."""

    def activations(self) -> Sequence[str]:
        """Names of the activations, each once.

        Modules go by their names; a call of a function goes by its place, as `layer1.0.relu()`.
        `after` and `keep_inputs` take both.
        """

    def activation(self, name: str) -> str:
        """What an activation computes, by PyTorch's name: `relu`, `relu6` and so on."""

    def activated(self, name: str, tensor: Tensor) -> Tensor:
        """What an activation gives for a tensor, without the hooks of any stage."""

    def shape(self, name: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Input and output shape of a module, without the batch."""

    def normalised(self) -> frozenset[str]:
        """Layers whose weights' scale normalisations take out again, found by a forward pass.

        Their output goes to normalisations only, past moved axes, concatenation, pooling and
        dropout at most.
        """

    def generator(self, purpose: str) -> torch.Generator:
        """A CPU generator derived from (seed, technique, purpose)."""

    def batch(self, purpose: str, index: int) -> Batch:
        """A batch of training images, augmented, drawn by (seed, technique, purpose, index).

        Training's own order of images knows nothing of it.
        """

    def add(self, name: str, module: nn.Module) -> nn.Module:
        """Put a module beside the model, and return it.

        It is moved to the model's device, its parameters are trained, its state is saved, and it
        follows the model's training or evaluation mode.
        """

    def before(self, name: str, hook: Callable[[nn.Module, Any], Any]) -> None:
        """A forward pre-hook on a module of the model: `hook(module, args)`."""

    def after(self, name: str, hook: Callable[[nn.Module, Any, Any], Any]) -> None:
        """A forward hook on a module of the model: `hook(module, args, output)`.

        After a call of a function, `module` is the one whose code calls it.
        """

    def keep_inputs(self, name: str) -> None:
        """Make an activation module leave its input alone while the stage is attached.

        It sets `inplace=False`; the engine puts the flag back.
        """

    def report(self, text: str) -> None:
        """A line for the run's log and screen, for example what was widened."""


T = TypeVar("T", bound=Technique)


class Hook(Generic[T]):
    """Base of a technique's runtime half: every event does nothing."""

    def __init__(self, stage: T) -> None:
        self.stage = stage

    def prepare(self, net: Network) -> None:
        """Refuse a network it cannot work on, before anything is trained; change nothing.

        No stage is at work and there are no masks yet. Most refusals can wait for `attach`: this
        is for what comes after rounds of training, or only once numbers are as they are there.
        """

    def attach(self, net: Network, cells: Mapping[str, Tensor]) -> None:
        """Enter the network.

        `cells` are 0-d float32 tensors on the device that the engine moves: `weight`, and one for
        each argument given as a ramp.
        """

    def detach(self, net: Network) -> None:
        """Leave. What went in through `net` is taken out by the engine after this."""

    def batch(self, batch: Batch) -> None:
        """Change a training batch in place."""

    def loss(self, loss: Tensor) -> Tensor:
        """Change the loss."""
        return loss

    def grads(self) -> None:
        """Gradients have been computed; they are masked after this, right before the step.

        The loss scale of fp16 is out of them; some may not be finite, and the step is then skipped.
        """

    def stepped(self) -> None:
        """The optimizer has stepped and the masks are applied."""

    def epoch(self) -> None:
        """An epoch is over."""

    def state_dict(self) -> dict[str, Tensor]:
        """State beyond the added modules' own, for checkpoints."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
