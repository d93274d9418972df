"""How often a run keeps its state, on the command line: `--checkpoint`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tostdsl.engine.keeper import Every

UNITS = ("minutes", "epochs", "steps")
_FORM = re.compile(r"(?:every )?(\d+(?:\.\d+)?)? ?(minute|epoch|step|min|m)s?")
NONE = (0.0, "none")


class Interval(click.ParamType[tuple[float, str]]):
    """`10 minutes`, `1 epoch`, `100 steps`, or `none`."""

    name = "interval"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, str]:
        """The number and the unit."""
        text = str(value).strip().lower()
        if text == "none":
            return NONE
        found = _FORM.fullmatch(text)
        if not found:
            self.fail(
                f"`{value}` is not `10 minutes`, `1 epoch`, `100 steps` or `none`", param, ctx
            )
        number = float(found[1] or 1)
        unit = next(unit for unit in UNITS if unit.startswith(found[2]))
        if number <= 0:
            self.fail(f"`{value}`: an interval is above 0; `none` keeps no state", param, ctx)
        if unit != "minutes" and number != int(number):
            self.fail(f"`{value}` is no whole number of {unit}", param, ctx)
        return number, unit


checkpoint_option = click.option(
    "--checkpoint",
    type=Interval(),
    metavar="INTERVAL",
    help="How often to keep the state, in minutes, epochs or steps: `10 minutes`, `1 epoch`, "
    "`100 steps`. With `none` nothing is kept, and a run that is stopped cannot go on.  "
    "[default: 10 minutes]",
)


def interval(given: tuple[float, str] | None) -> Every | None:
    """What the engine takes; without anything given its default."""
    from tostdsl.engine.keeper import DEFAULT, Every

    if given is None:
        return DEFAULT
    return None if given == NONE else Every(*given)  # type: ignore[arg-type]
