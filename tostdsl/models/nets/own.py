"""Networks of the user's own, tried on images without anything on them before they are used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from weakref import WeakValueDictionary

import torch
from torch import nn

from tostdsl.diagnostics import TostError
from tostdsl.plan.bases import DataFacts
from tostdsl.usercode import called, guarded

TRIED = 2
"""Images of the batch that a network is tried on: batch normalisation wants more than one."""
_made: WeakValueDictionary[int, nn.Parameter] = WeakValueDictionary()
"""Parameters of the networks that were given before, by `id`, as long as anybody has them."""


def own(function: str, kwargs: Sequence[str], facts: DataFacts) -> nn.Module:
    """Call the function that makes a network for such images, and try what it gives.

    `TostError` R340 for whatever it raises, R341 where it gives no network for these images, or
    one that shares weights with what it gave before: a run makes several, and trains one.
    """
    square = facts.height == facts.width
    offered = {
        "num_classes": facts.classes,
        "in_channels": facts.channels,
        "image_size": facts.height if square else (facts.height, facts.width),
    }
    found = called(function, kwargs, offered)
    if not isinstance(found, nn.Module):
        reason = f"it gives {_a(found)}, not a `torch.nn.Module`"
        raise _unfit(function, reason, "return the network itself, with fresh weights")
    if any(_made.get(id(parameter)) is parameter for parameter in found.parameters()):
        reason = "it has weights of a network that was given before"
        raise _unfit(function, reason, "make everything anew each time that it is called")
    _try(function, found, facts)
    _made.update({id(parameter): parameter for parameter in found.parameters()})
    if not any(parameter.requires_grad for parameter in found.parameters()):
        raise _unfit(function, "none of its parameters is to be trained")
    return found


def _try(function: str, model: nn.Module, facts: DataFacts) -> None:
    """Put a batch of zeros through a network, as it is judged and as it is trained.

    What is lazy in it gets its shape and weights by that. Buffers stay as they were.
    """
    flags = {module: module.training for module in model.modules()}
    images = torch.zeros(TRIED, *facts.shape)
    shape = "x".join(map(str, images.shape))
    for training in (False, True):
        with _kept(model, training), guarded(function, f"takes no images of {shape}"):
            model.train(training)
            with torch.no_grad():
                outputs = model(images)
        _look(function, outputs, facts, training)
    for module in model.modules():
        module.training = flags.get(module, True)


@contextmanager
def _kept(model: nn.Module, training: bool) -> Iterator[None]:
    """While it is tried for training, keep its buffers and torch's generator as they are."""
    if not training:  # where weights may be drawn, and buffers made
        yield
        return
    buffers = [
        (module._buffers, name, buffer, buffer.clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        yield
        for place, name, buffer, value in buffers:
            place[name] = buffer.copy_(value)


def _look(function: str, outputs: object, facts: DataFacts, training: bool) -> None:
    """Refuse outputs that are no scores of the data's classes."""
    when = " in training" if training else ""
    if not isinstance(outputs, torch.Tensor):
        reason = f"its output{when} is {_a(outputs)}, not a tensor"
        raise _unfit(function, reason, "return the scores of the classes alone")
    wanted = (TRIED, facts.classes)
    if tuple(outputs.shape) != wanted:
        found = "x".join(map(str, outputs.shape)) or "a single number"
        reason = (
            f"for {TRIED} images of {'x'.join(map(str, facts.shape))} its output{when} is {found}, "
            f"not {TRIED}x{facts.classes}"
        )
        help = f"the data has {facts.classes} classes: a parameter `num_classes` gets that number"
        raise _unfit(function, reason, help)
    if not outputs.is_floating_point():
        raise _unfit(function, f"its output{when} is of {outputs.dtype}, not of floats")


def _a(found: object) -> str:
    kind = type(found)
    if found is None:
        return "nothing (`None`)"
    if isinstance(found, type):
        return f"the class `{found.__name__}`"
    return f"a `{kind.__name__}`"


def _unfit(function: str, reason: str, help: str | None = None) -> TostError:
    return TostError.of("R341", function=function, what="network", reason=reason, help=help)
