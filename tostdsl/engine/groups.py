"""Parameters that join an optimizer for a while."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from torch.optim import Optimizer


def put(optimizer: Optimizer, parameters: Sequence[tuple[str, nn.Parameter]]) -> None:
    """Train these parameters in a group of their own with the first group's settings."""
    first = optimizer.param_groups[0]
    settings = {key: value for key, value in first.items() if key not in ("params", "param_names")}
    named = "param_names" in first
    given = list(parameters) if named else [parameter for _, parameter in parameters]
    optimizer.add_param_group({**settings, "params": given})


def take(optimizer: Optimizer, parameters: Sequence[nn.Parameter]) -> None:
    """Take out the groups that hold these parameters, and their state."""
    gone = set(parameters)
    optimizer.param_groups[:] = [
        group for group in optimizer.param_groups if not gone.intersection(group["params"])
    ]
    for parameter in parameters:
        optimizer.state.pop(parameter, None)


def gaps(
    optimizer: Optimizer, own: Sequence[nn.Parameter], joined: Sequence[Sequence[nn.Parameter]]
) -> list[str]:
    """What the optimizer trains beyond its own parameters and those that joined, in words.

    `joined` has a sequence for each group that was put in. Empty when nothing is left over, and
    nothing is missing.
    """
    wanted = {id(parameter) for parameters in (own, *joined) for parameter in parameters}
    trained = [id(p) for group in optimizer.param_groups for p in group["params"]]
    others = sum(each not in wanted for each in trained)
    empty = sum(not group["params"] for group in optimizer.param_groups)
    lost = len(wanted - set(trained))
    states = sum(id(parameter) not in wanted for parameter in optimizer.state)
    return [
        f"{count} {words} in the optimizer"
        for count, words in (
            (others, "parameters of what left"),
            (empty, "empty parameter groups"),
            (states, "states of what left"),
        )
        if count
    ] + ([f"{lost} parameters are no longer trained"] if lost else [])
