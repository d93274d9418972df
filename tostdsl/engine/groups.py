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
