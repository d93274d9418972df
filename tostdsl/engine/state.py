"""All of a run's state between two steps, taken down and put back.

What is a function of the seed, the plan and the step is not state: the order of the images, their
augmentation, dropout, learning rates, the weights of stages. The rest is here: weights and buffers,
masks, the optimizer, what stages added, the loss scale, what the lottery goes back to, the figures
of the epoch so far, and the certificate so far.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from tostdsl.diagnostics import TostError
from tostdsl.engine.record import Proof, Training

if TYPE_CHECKING:
    from tostdsl.engine.certificate import Certificate
    from tostdsl.engine.loop import Loop
    from tostdsl.engine.masked import Masked

Tensors = dict[str, Tensor]


def copied(tensor: Tensor) -> Tensor:
    """A copy on the CPU that nothing else writes to."""
    return tensor.detach().to("cpu", copy=True).contiguous()


def _unfit(what: str) -> TostError:
    return TostError.of("R702", reason=what)


# -- the network


def network_tensors(model: nn.Module) -> Tensors:
    """Every parameter and buffer by name, those that `state_dict` leaves out, too."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def take_network(model: nn.Module) -> Tensors:
    """The network's tensors, copied."""
    return {f"model:{name}": copied(t) for name, t in network_tensors(model).items()}


@torch.no_grad()
def put_network(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put the network's tensors back; `TostError` R702 where they are not this network's."""
    _write(network_tensors(model), below(state, "model:"), "the network")


def _write(there: Mapping[str, Tensor], given: Mapping[str, Tensor], what: str) -> None:
    if there.keys() != given.keys():
        name = sorted(there.keys() ^ given.keys())[0]
        raise _unfit(f"`{name}` is not in both {what} and the checkpoint")
    for name, tensor in there.items():
        value = given[name]
        if value.shape != tensor.shape or value.dtype != tensor.dtype:
            raise _unfit(f"`{name}` of {what} has another shape or type in the checkpoint")
        tensor.copy_(value)


def below(state: Mapping[str, Tensor], prefix: str) -> Tensors:
    """Those whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): t for k, t in state.items() if k.startswith(prefix)}


# -- masks


def pack(masks: Mapping[str, Tensor]) -> Tensors:
    """Masks as bits, eight to a byte."""
    return {
        name: torch.from_numpy(np.packbits(mask.cpu().reshape(-1).numpy()))
        for name, mask in masks.items()
    }


def unpack(bits: Mapping[str, Tensor], masked: Masked) -> Tensors:
    """The masks of `pack`, in the shapes of the weights in scope; R702 where they do not fit."""
    if bits.keys() != masked.weights.keys():
        raise _unfit("its masks are of other weights")
    masks = {}
    for name, weight in masked.weights.items():
        count, packed = weight.numel(), bits[name]
        if packed.dtype != torch.uint8 or packed.numel() != -(-count // 8):
            raise _unfit(f"the mask of `{name}` has another size")
        flat = np.unpackbits(packed.numpy(), count=count).astype(bool)
        masks[name] = torch.from_numpy(flat).reshape(weight.shape)
    return masks


# -- a phase at work


def _named(loop: Loop) -> Iterator[tuple[str, nn.Parameter]]:
    """What the optimizer trains, by names that hold for the plan."""
    for name, parameter in loop.kit.model.named_parameters():
        yield f"own:{name}", parameter
    for attached in loop.kit.surgeon.attached:
        for name, parameter in attached.parameters:
            yield f"{attached.index}:{name}", parameter


def take_training(loop: Loop) -> tuple[Training, Tensors]:
    """The state of a phase at work; R703 where some of it cannot be kept."""
    tensors: Tensors = {
        "meter:loss": copied(loop.meter.loss),
        "meter:right": copied(loop.meter.right),
    }
    for attached in loop.kit.surgeon.attached:
        tensors[f"cells:{attached.index}"] = copied(attached.vector)
        for name, tensor in attached.state_dict().items():
            tensors[f"stage:{attached.index}:{name}"] = copied(tensor)
    plain: dict[str, dict[str, Any]] = {}
    host = []
    for name, parameter in _named(loop):
        held = loop.optimizer.state.get(parameter)
        if held is None:
            continue
        values, plain[name] = split(held, f"the optimizer's state of `{name}`")
        for key, tensor in values.items():
            tensors[f"optimizer:{name}:{key}"] = copied(tensor)
            if tensor.device != parameter.device:
                host.append(f"{name}:{key}")
    training = Training(
        attached=[attached.index for attached in loop.kit.surgeon.attached],
        done=loop.done,
        step=loop.step,
        acted=loop.acted,
        groups=[plain_settings(group) for group in loop.optimizer.param_groups],
        plain=plain,
        host=host,
        scaler=_json(loop.scaler.state_dict(), "the loss scale"),
        images=loop.meter.images,
    )
    return training, tensors


@torch.no_grad()
def put_training(loop: Loop, training: Training, state: Mapping[str, Tensor]) -> None:
    """Put the state of a phase back: its stages enter, silently, then all gets its values."""
    kit = loop.kit
    if any(not 0 <= index < len(kit.plan.stages) for index in training.attached):
        raise _unfit("it has stages that the plan has not")
    with kit.surgeon.silent(), torch.enable_grad():
        for index in training.attached:
            stage = kit.plan.stages[index]
            loop.attached[index] = kit.surgeon.enter(index, stage, loop.optimizer)
    cells = {str(attached.index): attached.vector for attached in kit.surgeon.attached}
    _write(cells, below(state, "cells:"), "the scalars of stages")
    for attached in kit.surgeon.attached:
        given = below(state, f"stage:{attached.index}:")
        if attached.state_dict().keys() != given.keys():
            raise _unfit(f"what {attached.site.name} added is not what the checkpoint has of it")
        attached.load_state_dict(given)
    _put_optimizer(loop.optimizer, dict(_named(loop)), training, below(state, "optimizer:"))
    loop.scaler.load_state_dict(training.scaler)
    sums = {"loss": loop.meter.loss, "right": loop.meter.right}
    _write(sums, below(state, "meter:"), "the figures of the epoch")
    loop.meter.images = loop.seen = training.images
    loop.acted = [(step, index) for step, index in training.acted]
    loop.done, loop.step = training.done, training.step


def _put_optimizer(
    optimizer: Optimizer,
    parameters: Mapping[str, nn.Parameter],
    training: Training,
    tensors: Mapping[str, Tensor],
) -> None:
    if not training.plain.keys() <= parameters.keys():
        raise _unfit("the optimizer has trained parameters that are not there")
    if len(training.groups) != len(optimizer.param_groups):
        raise _unfit("the optimizer has another number of parameter groups")
    for group, given in zip(optimizer.param_groups, training.groups, strict=True):
        for key, value in given.items():
            group[key] = tuple(value) if isinstance(group.get(key), tuple) else value
    host = set(training.host)
    for name, plain in training.plain.items():
        parameter = parameters[name]
        held: dict[str, Any] = dict(plain)
        for key, value in below(tensors, f"{name}:").items():
            device = torch.device("cpu") if f"{name}:{key}" in host else parameter.device
            held[key] = placed(value, parameter, device)
        optimizer.state[parameter] = held
    kinds = {frozenset(held) for held in optimizer.state.values()} - {frozenset()}
    if len(kinds) > 1:
        missing = ", ".join(sorted(frozenset.union(*kinds) - frozenset.intersection(*kinds)))
        raise _unfit(f"of some parameters the optimizer's state lacks {missing}")


def placed(value: Tensor, parameter: Tensor, device: torch.device) -> Tensor:
    """A tensor of an optimizer's state on its device, laid out as its parameter is."""
    if value.shape != parameter.shape or value.dim() == 0:
        return value.to(device, copy=True)
    return torch.empty_like(parameter, dtype=value.dtype, device=device).copy_(value)


def split(held: Mapping[str, Any], what: str) -> tuple[Tensors, dict[str, Any]]:
    """Tensors and the rest of a piece of state; R703 where the rest is nothing JSON has."""
    tensors = {key: value for key, value in held.items() if isinstance(value, Tensor)}
    rest = {key: value for key, value in held.items() if key not in tensors}
    return tensors, _json(rest, what)


def plain_settings(group: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter group's settings as JSON has them; R703 where it has none."""
    kept = {key: value for key, value in group.items() if key not in ("params", "param_names")}
    return _json(kept, "the optimizer's settings")


def _json(value: Mapping[str, Any], what: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(json.dumps(value))
    except (TypeError, ValueError) as error:
        raise TostError.of("R703", what=what, reason=str(error)) from None
    return found


# -- the certificate


def take_proof(certificate: Certificate) -> Proof:
    """The certificate so far."""
    return Proof(
        checks=list(certificate.checks), jumps=list(certificate.jumps), **certificate.open_parts()
    )


def put_proof(certificate: Certificate, proof: Proof) -> None:
    """Put the certificate back as it was."""
    certificate.checks[:] = proof.checks
    certificate.jumps[:] = proof.jumps
    certificate.reopen(
        proof.present, proof.entered, proof.masked, proof.moved, proof.looks, proof.chosen
    )
