"""How the device computes, on the command line: layout, compiler, determinism, TF32."""

from __future__ import annotations

from typing import Any

import click

HELPS = {
    "channels_last": "Lay images and convolutions out with channels last; faster on most GPUs.",
    "compile": "Compile training passes with `torch.compile`, anew where stages come and go.",
    "deterministic": "Use only operations that give the same bits each time.",
    "tf32": "Let GPUs multiply float32 in TF32: faster, 10 of 23 bits.",
}


def how_options(function: Any) -> Any:
    """An option for each, with a `--no-` form; None where it is not given.

    Makes `how` of them: those that are given, by name.
    """

    def command(*args: Any, **named: Any) -> Any:
        given = {name: named.pop(name) for name in HELPS}
        how = {name: value for name, value in given.items() if value is not None}
        return function(*args, how=how, **named)

    command.__doc__ = function.__doc__
    command.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    wrapped: Any = command
    for name, text in reversed(HELPS.items()):
        option = name.replace("_", "-")
        wrapped = click.option(f"--{option}/--no-{option}", name, default=None, help=text)(wrapped)
    return wrapped
